"""Markup and scripts in everything that a page shows: names, titles, descriptions, what a provider says, a logo. Nothing runs.

Each window has a `__ran` that is heard wherever it is called, and tells what broke a content security policy; two tests show
that it does. So a text that is taken for markup fails here even where the policy stops it from doing anything.
"""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness import kitchen
from harness.catch import Quiet, Small
from harness.door import KeyApi
from harness.gallery import FRAME, GO, M, Gallery, error, field
from harness.kitchen import hostile

pytestmark = pytest.mark.timeout(120)
# Handlers in attributes, addresses that are no page, and anything that a page of ours has no use for.
SUSPECTS = """[...document.querySelectorAll('*')].flatMap((e) => [
    ...[...e.attributes].filter((a) => a.name.startsWith('on') || a.name === 'srcdoc').map((a) => e.tagName + ' ' + a.name),
    ...(e.matches('a[href]') && !['https:', location.protocol].includes(e.protocol) ? ['A ' + e.href.slice(0, 40)] : []),
    ...(e.matches('img') && new URL(e.src, location).origin !== location.origin ? ['IMG ' + e.src] : []),
    ...(e.matches('script:not([nonce]), iframe, object, embed, base, svg script') ? [e.outerHTML.slice(0, 80)] : []),
    ...(e.matches('a[target]') && !/noopener/.test(e.rel) ? ['A without noopener ' + e.href] : [])])"""


LOGO = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9" onload="__ran('logo')">
<script>__ran('logo')</script><rect width="9" height="9" onclick="__ran('logo')"/><image xlink:href="https://tracker.example/l.png"/>
<a xlink:href="javascript:__ran('logo')"><text y="9">x</text></a><foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x"
onerror="__ran('logo')"/></foreignObject><style>@import url(https://tracker.example/l.css);</style></svg>"""


class Rude(Small):
    """A provider that answers with markup: at its consent page, at its token endpoint."""

    def __init__(self):
        class Handler(Quiet):
            def do_GET(self):
                asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                said = {"code": "rude-code-1234567890"} if "code_please" in asked else \
                    {"error": "access_denied", "error_description": hostile("error_description"), "error_uri": "javascript:__ran('error_uri')"}
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({**said, 'state': asked['state']})}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.dumps({"error": "invalid_grant", "error_description": hostile("token error")}).encode()
                self.send_response(400)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


class Hostile(Gallery):
    """A gallery in which everything that has a name has one with markup in it."""

    def __init__(self, shop):
        self.rude = Rude()
        super().__init__(shop, "markup", {"zendesk": kitchen.HOSTILE}, hostile("brand"), LOGO)

    def more(self):
        rude = {"provider": "oauth2", "client_id": "rude", "client_secret": "${env:IDP_SECRET}"}
        at = {"authorize_url": self.rude.url + "/authorize", "token_url": self.rude.url + "/token", "base_url": self.rude.url}
        return [*super().more(),
                {"key": "hostile", "provider": "zendesk", "name": hostile("integration"), "description": kitchen.markdown("description"),
                 "config": {"base_url": self.api.url},
                 "auth_options": [{"key": "other", "title": hostile("option"), "description": kitchen.markdown("option description"),
                                   "provider": "zendesk", "config": {"base_url": self.api.url}}]},
                {**rude, "key": "denying", "name": hostile("denying"), "config": at},
                {**rude, "key": "failing", "name": hostile("failing"), "config": {**at, "authorize_params": {"code_please": "1"}}}]

    def others(self):
        careful, = super().others()
        careful["integrations"].append({"key": "hostile", "provider": "zendesk", "name": hostile("careful's integration"),
                                        "config": {"base_url": self.api.url}})
        return [{**careful, "name": hostile("product")}]

    def stop(self):
        super().stop()
        self.rude.close()


@pytest.fixture(scope="module")
def house(shop):
    running = Hostile(shop)
    yield running
    running.stop()


def harmless(window, house, view=None):
    """Nothing ran or was stopped from running, nothing was fetched from elsewhere, nothing waits for a click."""
    view = view or window
    assert view.run(SUSPECTS) == []
    heard = window.heard()
    assert (heard["ran"], heard["policy"], heard["dialog"]) == ([], [], []), heard
    assert set(heard["origins"]) <= {house.broker.app, house.shop.origin, house.rude.url}, heard["origins"]
    return view.text()


def test_the_canary_sings(chromium, shop):
    with chromium.window(shop.page(hostile("control") + "<script>alert(1)</script>")) as window:
        window.see("img")
        heard = window.heard()
        assert any("control" in r for r in heard["ran"]) and heard["dialog"] == ["1"], heard


def test_a_policy_that_is_broken_is_heard(chromium, shop):
    policy = "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'; img-src 'none'\">"
    with chromium.window(shop.page(policy + hostile("stopped"))) as window:
        window.see("img")
        heard = window.heard()
        assert not heard["ran"] and {p.split(" ")[1].split("-")[0] for p in heard["policy"]} >= {"script", "img"}, heard
        assert window.run(SUSPECTS), "nothing is suspected"


@pytest.mark.parametrize("option", ["", "other"])
def test_a_form(house, chromium, option):
    with chromium.window(None, house.broker) as window:
        given = {"authOptionKey": option} if option else {}
        house.form(window, "hostile", **given)
        shown = harmless(window, house)
        for where in ("integration", "brand", "input", "title"):
            assert f"__ran('{where}')" in shown, f"{where} is not shown as text"
        window.run("document.querySelector('form').noValidate = true")
        window.fill(field("account"), hostile("typed")[:200])
        window.click(GO)
        window.see(error("account"))
        harmless(window, house)
        assert "typed" in window.run(f"document.querySelector('{field('account')}').value")


def test_a_confirmation(house, chromium):
    with chromium.window(None, house.broker) as window:
        window.goto(house.careful_url("hostile", hostile("customer")))
        window.see(GO)
        shown = harmless(window, house)
        for where in ("careful's integration", "customer", "product"):
            assert f"__ran('{where}')" in shown, f"{where} is not shown as text: {shown}"


@pytest.mark.parametrize("integration", ["denying", "failing"])
def test_what_a_provider_says_when_it_fails(house, chromium, integration):
    with chromium.window(None, house.broker) as window:
        window.goto(house.start_url("ann", integrationKey=integration))
        window.see("#failure")
        harmless(window, house)


def test_what_a_provider_says_of_a_key(house, chromium):
    house.api.wrong = hostile("wrong key")
    try:
        with chromium.window(None, house.broker) as window:
            house.refused(window)
            harmless(window, house)
    finally:
        house.api.wrong = KeyApi.wrong


def test_an_embed(house, chromium):
    with chromium.window(None, house.broker) as window:
        house.embed(window, "hostile", "button[name=way]")
        frame = window.frame(FRAME)
        assert "__ran('option')" in harmless(window, house, frame)
        frame.click("button[name=way]")
        frame.see(GO)
        assert "__ran('title')" in harmless(window, house, frame)
        frame.run("document.querySelector('form').noValidate = true")
        frame.fill(field("account"), "NOT")
        frame.click(GO)
        frame.see(error("account"))
        harmless(window, house, frame)


def test_the_parameters_of_a_link(house, chromium):
    with chromium.window(None, house.broker) as window:
        for given in ({"integrationKey": hostile("key")}, {"integrationKey": "keys", "name": hostile("name")},
                      {"integrationKey": "keys", "authOptionKey": hostile("option key")}, {"connectionId": hostile("connection")},
                      {"integrationKey": "keys", "redirectUri": hostile("redirect")}, {"integrationKey": "keys", "lang": hostile("lang")}):
            for path in ("/connection-popup", f"/embed/integrations/{given.get('integrationKey', 'keys')}/connect"):
                window.goto(house.start_url("ann", path.replace("?", "%3F").replace("<", "%3C"), **given))
                harmless(window, house)
        window.goto(house.broker.app + "/connect/" + "%3Cscript%3E__ran('path')%3C/script%3E")
        harmless(window, house)


def test_a_logo(house, chromium):
    with chromium.window(None, house.broker) as window:
        house.form(window, "keys")
        addresses = window.run("[...document.images].map((i) => [i.src, i.complete, i.naturalWidth])")
        assert addresses and all(complete and width for _, complete, width in addresses), addresses
        harmless(window, house)
        window.goto(addresses[0][0])
        window.see("rect")
        kept = house.broker.web().get(addresses[0][0])
        assert not [w for w in ("script", "__ran", "@import", "url(", "foreignObject", "javascript") if w in kept.text], kept.text
        assert "sandbox" in kept.headers["Content-Security-Policy"] and kept.headers["X-Content-Type-Options"] == "nosniff"
        assert window.heard()["ran"] == []
