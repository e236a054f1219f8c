"""The dashboard in Chromium: from the link that `serve` prints to signing out, with axe and the policy's collector on each page."""

import re

import pytest

from harness import database, secret
from harness.claviger import Claviger
from harness.process import until

pytestmark = pytest.mark.timeout(180)
MARKUP = "<img src=x onerror=__ran('name')><script>__ran('script')</script>"
LOOKS = [{}, {"scheme": "dark"}, {"width": 320, "height": 640}, {"width": 1280, "height": 800, "scheme": "light"}]
SIDEWAYS = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"


@pytest.fixture(params=database.KINDS)
def broker(request):
    running = Claviger(request.param, "dashboard").serve()
    yield running
    running.stop()


def look_over(window):
    """Nothing to complain of: by axe, in each look, and nothing to scroll sideways to."""
    for look in LOOKS:
        window.do("look", **look)
        assert window.axe() == [], (window.url(), look)
        assert window.run(SIDEWAYS) == 0, (window.url(), look)


def fill(window, **values):
    for name, value in values.items():
        window.fill(f"[name={name}]", value)


def test_from_the_first_link_to_signing_out(broker, chromium):
    link = until("a link on stdout", lambda: re.search(r"http://\S+/dashboard/setup/\S+", broker.process.out.read_text())).group(0)
    password = secret.made("operator's password", "the operator")
    with chromium.window(broker.app + "/") as window:
        window.at(broker.app + "/dashboard/sign-in")
        look_over(window)

        window.goto(link)
        look_over(window)
        fill(window, name=MARKUP, username="root", password=password, again=password)
        window.click("button.go")
        base = re.match(r"http://[^/]+/dashboard/w/[^/]+/", window.at(broker.app + "/dashboard/w/")).group(0)
        assert MARKUP in window.text(), "a name is shown as it is written"
        look_over(window)

        window.click("nav.side a[href$='/settings']")
        window.see("#auth-responses")
        look_over(window)
        window.click("[name=include_connection_id]")
        window.click("form[action$='/auth-responses'] button")
        window.see(".told")
        assert not window.run("document.querySelector('[name=include_connection_id]').checked")
        window.click("[name=completion][value=confirm]")
        window.click("form[action$='/completion'] button")
        window.see(".told")
        assert window.run("document.querySelector('[name=completion][value=confirm]').checked")
        window.fill("#uri", "not a uri")
        window.click("form[action$='/redirect-uris'] button")
        window.see("#uri-error")
        assert window.focused()["name"] == "uri", "whoever mistyped is led to the field"
        look_over(window)
        window.fill("#uri", "https://app.example.com/done")
        window.click("form[action$='/redirect-uris'] button")
        window.see(".told")

        window.goto(base + "keys")
        window.see(".empty")
        look_over(window)
        fill(window, name=MARKUP)
        window.click("form.narrow button.go")
        window.see("#made")
        key = window.run("document.querySelector('#made').textContent")
        assert broker.api("GET", "/connections", key=key).status_code == 403, "it may make calls, and nothing else"
        look_over(window)
        window.click("form[action$='/revoke'] button")
        window.see(".told")
        until("the key to stop", lambda: broker.api("GET", "/connections", key=key).status_code == 401)

        window.goto(base + "audit")
        assert "api_key.revoke" in window.text() and "127.0.0.1" in window.text()
        look_over(window)
        window.goto(base + "nosuch")
        look_over(window)
        window.goto(broker.app + "/dashboard/account")
        look_over(window)

        window.click("form[action='/dashboard/sign-out'] button")
        window.see(".told")
        window.goto(base)
        window.at(broker.app + "/dashboard/sign-in?next=")
        fill(window, username="root", password="wrong")
        window.click("button.go")
        window.see("[role=alert]")
        look_over(window)
        window.fill("[name=password]", password)
        window.click("button.go")
        assert window.at(base) == base, "back to what was wanted"
        window.goto(link)
        assert "not good any more" in window.text()
        assert window.complaints("status of 4") == []


def test_a_log_gets_no_link_to_what_is_there_already():
    broker = Claviger("sqlite", "dashboard-applied")
    try:
        broker.apply([], ["http://127.0.0.1:9/callback"])
        # It listens only once it has said what it has to say.
        broker.serve()
        assert "/dashboard/setup/" not in broker.process.out.read_text()
    finally:
        broker.stop()


def test_the_keyboard_goes_through_the_shell(broker, chromium):
    link = until("a link on stdout", lambda: re.search(r"http://\S+/dashboard/setup/\S+", broker.process.out.read_text())).group(0)
    password = secret.made("operator's password", "the operator")
    with chromium.window(link) as window:
        for text in ("Acme", "root", password, password):
            window.type(text)
            window.press("Tab")
        window.press("Enter")
        window.at(broker.app + "/dashboard/w/")
        window.press("Tab")
        first = window.focused()
        assert first["text"] == "Skip to the page" and first["ring"] and first["shown"], first
        passed = []
        for _ in range(12):
            window.press("Tab")
            now = window.focused()
            passed.append(now)
            if now and now["text"] == "Audit log":
                break
        assert all(one["ring"] and one["shown"] for one in passed), passed
        window.press("Enter")
        window.see("#about")
        assert window.complaints() == []
