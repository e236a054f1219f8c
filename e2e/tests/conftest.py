"""What the stories share: order (those alone after those together, then the sweep), and clean ends."""

import signal

import pytest

from harness import database, server
from harness.catch import Product
from harness.chromium import Chromium
from harness.storefront import Storefront


def pytest_collection_modifyitems(items):
    items.sort(key=turn)


def turn(item):
    return next((n for n, name in ((2, "last"), (1, "alone")) if item.get_closest_marker(name)), 0)


def pytest_sessionstart(session):
    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)  # so that fixtures end what they started


@pytest.fixture(params=database.KINDS)
def database_kind(request):
    return request.param


@pytest.fixture(params=sorted(server.KINDS))
def authorization_server(request):
    running = server.KINDS[request.param]()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def product():
    page = Product()
    yield page
    page.close()


@pytest.fixture(scope="session")
def chromium():
    """One browser for all stories: each opens windows of a profile of its own."""
    browser = Chromium()
    yield browser
    browser.stop()


@pytest.fixture(scope="session")
def shop():
    pages = Storefront()
    yield pages
    pages.close()
