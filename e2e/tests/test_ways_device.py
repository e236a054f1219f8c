"""Device codes (RFC 8628): somebody gets a code here and enters it there, on whatever device. Authlib says `slow_down` when it is
polled too fast; oidc-provider is the second opinion."""

import html
import re
import time

import pytest

from harness import database, secret
from harness.consent import follow, submit
from harness.gate import Gate, words
from harness.process import Process, until
from harness.storefront import result
from harness.claviger import returned
from harness.ways import DEVICE, Devices, Provider, enter_code

TTL = {"first_ttl": 2, "later_ttl": 600}


def oidc():
    """oidc-provider as the server of a device client."""
    client = {"grant_types": [DEVICE, "refresh_token"], "redirect_uris": [], "response_types": []}
    server = Provider("tv", device_ttl=60, **client)
    server.polls = lambda: server.seen("token", grant_type=DEVICE)
    return server


def integration(server):
    known = {"key": "tv", "name": "TV", "client_id": server.client_id, "client_secret": "${env:IDP_SECRET}", "scopes": server.scopes}
    if server.kind == "oidc-provider":
        return {**known, "provider": "oidc-device", "config": {"issuer": server.url, "base_url": server.url, "client_auth": "basic"}}
    return {**known, "provider": "device", "config": server.config()}


class Tv(Gate):
    """A Claviger whose customers connect by a device code."""

    def __init__(self, kind, product, server, **more):
        super().__init__(kind, product, server, integration(server), name="device", ttl=TTL, **more)

    def open(self, customer=None):
        """A browser that got a code: at `/authorize`, or at the popup for a customer."""
        return Waiting(self, customer)

    def codes(self):
        return [r["answer"] for r in self.server.seen("device", status=200)]


class Waiting:
    """Somebody's browser, on the page that shows the code."""

    def __init__(self, tv, customer=None):
        self.tv, self.web, self.customer = tv, tv.broker.web(), customer
        start = tv.popup_url("tv", customer) if customer else tv.start_url("tv", state="s1", external_id="user 1")
        self.page, end = follow(self.web, self.web.get(start, allow_redirects=False), tv.product.callback)
        assert not end and self.page.status_code == 200, self.page.text
        self.press()

    def press(self, button="continue"):
        """Asks for a code, or gives up. `end` is where the browser was sent after that, if it was."""
        before = len(self.tv.codes())
        self.page, self.end = follow(self.web, submit(self.web, self.page, press=button), self.tv.product.callback)
        if len(self.tv.codes()) > before:
            self.code = self.tv.codes()[before]
            assert self.shown() == self.code["user_code"].replace("-", ""), "the page shows the code"
            text = html.unescape(self.page.text)
            assert self.code["verification_uri"] in text and self.code["device_code"] not in text
        return self.end

    def shown(self):
        """The code as the page shows it, without what groups it."""
        wanted = self.code["user_code"].replace("-", "")
        text = re.sub(r"<[^>]*>", "", self.page.text)
        return wanted if wanted in re.sub(r"[^A-Z0-9a-z]", "", text) else None

    def enter(self, press="allow"):
        uri = self.code.get("verification_uri_complete") or self.code["verification_uri"]
        return enter_code(uri, self.code["user_code"], press)

    def look(self):
        """Reloads the page, as it does itself."""
        self.page, end = follow(self.web, self.web.get(self.page.url, allow_redirects=False), self.tv.product.callback)
        return end

    def arrive(self, seconds=30):
        """Looks until the browser is sent on; what the redirect says."""
        return self.said(until("the way back to the product", self.look, seconds, every=0.2))

    def said(self, address):
        return result(address) if self.customer else returned(address)

    def outlived(self):
        """Looks until the page says that the code is too old."""
        until("the code's end", lambda: not self.look() and 'id="failure"' in self.page.text, 30, every=0.2)


@pytest.mark.parametrize(("server", "kind"), [(Devices, "sqlite"), (oidc, "postgres")])
def test_a_code_is_entered_elsewhere(server, kind, product):
    with Tv(kind, product, server()) as tv:
        ours = [tv.open(), tv.open("ann")]
        assert tv.kept() == 0
        if tv.server.kind == "authlib":  # the other wants five seconds between two polls
            tv.server.polled(2)
            assert {r["answer"]["error"] for r in tv.server.polls()} == {"authorization_pending"}
        for waiting in ours:
            waiting.enter()
        one, other = (waiting.arrive() for waiting in ours)
        assert (one["state"], one["external_id"]) == ("s1", "user 1")
        assert tv.broker.exchange(one["code"], product.callback).json()["connection_id"] == one["connection_id"]
        assert not any(r["answer"].get("error") == "slow_down" for r in tv.server.polls()), "polled faster than the server asked"
        tv.passed(2)
        for got in (one, other):
            tv.burst(got, tv.server.me)
        assert len(tv.server.refreshes()) == 2, "a burst is one refresh"
        polled = len(tv.server.polls())
        assert [r["status"] for r in tv.server.polls()].count(200) == 2
        shown = tv.broker.rest("GET", f"/connections/{other['connectionId']}", tv.broker.token("ann")).text
        assert not any(t in shown for t in tv.server.access_tokens()) and len(tv.server.polls()) == polled, "polled on after the end"


def test_a_server_that_wants_to_be_polled_more_slowly(product):
    with Tv("sqlite", product, Devices(slow_down=True)) as tv:
        waiting = tv.open()
        tv.server.polled(1)
        waiting.enter()
        assert "connection_id" in waiting.arrive()
        first, second = tv.server.polls()
        assert (first["answer"]["error"], second["status"]) == ("slow_down", 200)
        assert 5.5 <= second["at"] - first["at"] <= 12, second["at"] - first["at"]


def test_no_is_said(product):
    with Tv("sqlite", product, Devices()) as tv:
        ours = [tv.open(), tv.open("ann")]
        for waiting in ours:
            waiting.enter("deny")
        one, other = (waiting.arrive() for waiting in ours)
        assert (one["error"], one["state"]) == ("access_denied", "s1") and words(other)
        assert tv.kept() == 0 and tv.server.access_tokens() == []


def test_a_code_that_nobody_enters(product):
    with Tv("sqlite", product, Devices(device_ttl=3)) as tv:
        ours = [tv.open(), tv.open("ann")]
        for waiting in ours:
            waiting.outlived()
        polled = len(tv.server.polls())
        ours[0].enter()
        gone = ours[1].said(ours[1].press("cancel"))
        assert words(gone) and tv.kept() == 0 and len(tv.server.polls()) == polled, "an old code is polled for no longer"
        assert not ours[0].press() and ours[0].code["device_code"] != tv.codes()[0]["device_code"]
        ours[0].enter()
        assert "connection_id" in ours[0].arrive() and tv.kept() == 1


def test_a_client_that_the_server_does_not_know(product):
    with Tv("sqlite", product, Devices()) as tv:
        tv.server.stop()
        tv.server.client_secret = secret.made("client secret", "another")
        tv.server.start([product.callback])
        waiting = tv.open()
        assert waiting.end or waiting.page.status_code in (200, 400, 502), waiting.page.status_code
        assert tv.codes() == [] and tv.kept() == 0 and tv.server.polls() == []


def test_the_broker_stops_while_somebody_enters_the_code(product):
    with Tv("postgres", product, Devices(interval=2)) as tv:
        ours = [tv.open(), tv.open("ann")]
        tv.server.polled(2)
        # Not while an answer is on its way: whoever dies then leaves the next poll to others, but only after a while.
        settled = f"select count(*) from flow where poll_at > {int(time.time() * 1000) + 20_000}"
        until("the answers' ends", lambda: database.number(tv.broker.database, settled) == 0)
        tv.broker.kill()
        for waiting in ours:
            waiting.enter()
        tv.broker.serve()
        one, other = (waiting.arrive() for waiting in ours)
        assert all(tv.call(got, "GET", tv.server.me).json()["user"] == "alice" for got in (one, other))
        assert [r["status"] for r in tv.server.polls()].count(200) == 2, "each code is spent once"


@pytest.mark.parametrize("press", ["allow", "deny"])
def test_at_the_command_line(press, product):
    with Tv("sqlite", product, Devices()) as tv:
        assert tv.broker.rest("GET", "/self", tv.broker.token("ann")).status_code == 200  # at first sight a customer is known
        argv = [tv.broker.binary, "connect", "--workspace", "acme", "--integration", "tv", "--owner", "customer:ann"]
        said = Process("connect", argv, tv.broker.folder, env=tv.broker.env())
        try:
            code = until("a code", lambda: said.alive() and tv.codes())[0]
            until("the code on the terminal", lambda: code["user_code"] in said.said() and code["verification_uri"] in said.said())
            tv.server.polled(1)
            enter_code(code["verification_uri"], code["user_code"], press)
            said.popen.wait(30)
            told = said.out.read_text()
            assert said.popen.returncode == (0 if press == "allow" else 1), said.said()
            assert code["device_code"] not in said.said()
        finally:
            said.stop()
        if press == "deny":
            return
        (mine,) = tv.owned("ann")
        assert mine["id"] in told, told
        assert tv.call({"connectionId": mine["id"]}, "GET", tv.server.me).json()["user"] == "alice"
