"""Connect and call, through authorization servers that nobody here wrote, on SQLite and on PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from harness import browser
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.process import until
from harness.server import Authlib, OidcProvider

FIRST_TTL = 2  # seconds; short enough that the first calls need a refresh
STATE = "a b&c=d/e+f%2F~€"


@pytest.fixture
def claviger(database_kind, authorization_server, product):
    """Claviger set up for the server, both running."""
    broker = connected_to(database_kind, authorization_server, product)
    yield broker
    broker.stop()


def connected_to(kind, server, product, **ttl):
    broker = Claviger(kind, server.kind)
    spaces = broker.apply([server.integration()], [product.callback], {"IDP_SECRET": server.client_secret})
    server.start([spaces["acme"]["integrations"][0]["callback_url"]], **{"first_ttl": FIRST_TTL, "later_ttl": 600, **ttl})
    return broker.serve()


def raw(address, name):
    """A query parameter as it is on the wire."""
    return [p.partition("=")[2] for p in urlsplit(address).query.split("&") if p.startswith(name + "=")]


def test_connect_call_and_refresh_once(claviger, authorization_server, product):
    server = authorization_server
    start = claviger.authorize_url(server.kind, product.callback, external_id="user 42", state=STATE)
    address = walk(claviger.web(), start, product.callback)
    connected_at = time.time()
    got = returned(address)
    assert set(got) == {"connection_id", "external_id", "integration_id", "state", "code"}
    assert (got["external_id"], got["integration_id"], got["state"]) == ("user 42", server.kind, STATE)
    assert raw(address, "state") == raw(start, "state"), "the state came back in other bytes"
    assert len(server.seen("token", status=200, grant_type="authorization_code")) == 1
    assert all(r["request"].get("code_challenge_method") == "S256" for r in server.seen("authorize") if r["request"].get("state"))

    answer = claviger.exchange(got["code"], product.callback)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {k: got[k] for k in ("connection_id", "external_id", "integration_id")}
    again = claviger.exchange(got["code"], product.callback)
    assert again.status_code == 400 and "code" in again.json()["errors"], again.text

    until("the first access token's end", lambda: time.time() > connected_at + FIRST_TTL + 0.1)
    with ThreadPoolExecutor(8) as pool:
        burst = list(pool.map(lambda _: claviger.call("GET", server.me, got["connection_id"]), range(8)))
    assert [a.status_code for a in burst] == [200] * 8, [a.text for a in burst] + [claviger.said()]
    assert all("alice" in a.text for a in burst), burst[0].text
    after = claviger.call("GET", server.me, got["connection_id"])
    assert after.status_code == 200, after.text

    sent = [r["request"]["refresh_token"] for r in server.refreshes()]
    assert sent and len(set(sent)) == len(sent), "a refresh token was sent twice"
    if server.kind != "idpy-oidc":  # whose later tokens are as short-lived as its first
        assert len(sent) == 1


def test_a_stranger_key_learns_nothing(claviger, authorization_server, product):
    got = returned(walk(claviger.web(), claviger.authorize_url(authorization_server.kind, product.callback), product.callback))
    for key in ("ck_" + "x" * 46, claviger.api_key[:-1] + ("a" if claviger.api_key[-1] != "a" else "b")):
        refused = claviger.call("GET", authorization_server.me, got["connection_id"], key=key)
        assert refused.status_code == 401 and refused.json()["code"] == "unauthorized"
    unknown = claviger.call("GET", authorization_server.me, "conn_" + "0" * 32)
    assert unknown.status_code == 400 and unknown.json()["code"] == "connection_invalid"


def test_in_a_real_browser(product):
    server = OidcProvider()
    broker = None
    try:
        broker = connected_to("sqlite", server, product, first_ttl=3600)
        end = browser.browse(broker.authorize_url(server.kind, product.callback, external_id="u1", state="xyz"), [
            browser.fill("input[name=login]", "alice"), browser.fill("input[name=password]", "x"), browser.click("button[type=submit]"),
            browser.see("input[name=prompt][value=consent]"), browser.click("button[type=submit]"), browser.at(product.callback)])
        got = returned(end["url"])
        assert got["state"] == "xyz" and "back at the product" in end["text"]
        assert broker.call("GET", "/me", got["connection_id"]).json()["sub"] == "alice"
    finally:
        if broker:
            broker.stop()
        server.stop()


def test_a_denied_consent_comes_back_as_an_error(database_kind, product):
    server = Authlib()
    broker = connected_to(database_kind, server, product)
    try:
        got = returned(walk(broker.web(), broker.authorize_url("authlib", product.callback, state="s1"), product.callback, press="deny"))
        assert got["error"] == "access_denied" and got["state"] == "s1"
        assert "code" not in got and "connection_id" not in got
        assert server.seen("token") == []
    finally:
        broker.stop()
        server.stop()


def test_an_unregistered_redirect_uri_is_never_redirected_to(database_kind, product):
    server = Authlib()
    broker = connected_to(database_kind, server, product)
    try:
        for uri in (product.callback + "/", product.callback + "?a=b", product.callback.replace("127.0.0.1", "localhost")):
            answer = broker.web().get(broker.authorize_url("authlib", uri), allow_redirects=False)
            assert answer.status_code == 400 and "Location" not in answer.headers, uri
        assert server.seen() == []
    finally:
        broker.stop()
        server.stop()
