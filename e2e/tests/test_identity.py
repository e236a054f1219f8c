"""Whose account it is: ID tokens that oidc-provider signed name it, and a one-time link renews the connection it is of."""

from urllib.parse import parse_qs, urlsplit

import pytest

from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.server import OidcProvider

BEHIND = 300  # seconds; more than an ID token lives there, and clocks may be apart


class Behind(OidcProvider, listed=False):
    """oidc-provider with a clock that is wrong: its ID tokens have ended when they come."""

    def more_env(self):
        return {"CLOCK": -BEHIND, "ID_TTL": 60}


def set_up(kind, server, product):
    claviger = Claviger(kind, "identity")
    spaces = claviger.apply([server.integration(account_check="require")], [product.callback], {"IDP_SECRET": server.client_secret})
    server.start([spaces["acme"]["integrations"][0]["callback_url"]])
    return claviger.serve()


@pytest.fixture
def house(request, product):
    kind, server = request.param[0], request.param[1]()
    claviger = set_up(kind, server, product)
    yield claviger, server
    claviger.stop()
    server.stop()


def leave(web, start):
    """The authorization request that the browser is sent to the provider with."""
    return parse_qs(urlsplit(web.get(start, allow_redirects=False).headers["location"]).query)


@pytest.mark.parametrize("house", [("sqlite", OidcProvider), ("postgres", OidcProvider)], indirect=True)
def test_a_signed_account_is_connected_and_renewed_by_a_link(house, product):
    claviger, server = house
    start = claviger.authorize_url(server.kind, product.callback, external_id="user 42")
    one, two = leave(claviger.web(), start), leave(claviger.web(), start)
    assert one["nonce"] != two["nonce"] and len(one["nonce"][0]) >= 43

    got = returned(walk(claviger.web(), start, product.callback))
    (answer,) = server.seen("token", status=200)
    assert answer["answer"]["id_token"], "the server signed who it is"
    shown = claviger.ask("GET", f"/connections/{got['connection_id']}")
    assert shown["account"]["id"] == "alice" and shown["health"]["account"]["id"] == "alice"
    assert shown["health"]["status"] == "active" and shown["health"]["account_note"] is None
    assert "does not hold" not in claviger.said() and "could not be checked" not in claviger.said()

    made = claviger.ask("POST", f"/connections/{got['connection_id']}/reconnect", json={"redirect_uri": product.callback})
    web = claviger.web()
    for _ in range(2):  # looking at it uses nothing up
        page = web.get(made["url"])
        assert page.status_code == 200 and "user 42" in page.text
    pressed = web.post(made["url"], headers={"Origin": claviger.app}, allow_redirects=False)
    assert pressed.status_code == 303, pressed.text
    again = returned(walk(web, pressed.headers["location"], product.callback))
    assert (again["connection_id"], again["external_id"]) == (got["connection_id"], "user 42")
    other = claviger.web().post(made["url"], headers={"Origin": claviger.app}, allow_redirects=False)
    assert other.status_code == 400, "good once"
    assert claviger.call("GET", server.me, got["connection_id"]).status_code == 200
    assert [c["id"] for c in claviger.ask("GET", "/connections")] == [got["connection_id"]]


@pytest.mark.parametrize("house", [("sqlite", Behind)], indirect=True)
def test_an_id_token_of_a_time_gone_by_connects_nothing(house, product):
    claviger, server = house
    got = returned(walk(claviger.web(), claviger.authorize_url(server.kind, product.callback), product.callback))
    assert got["error"] == "server_error"
    assert claviger.ask("GET", "/connections") == []
    (answer,) = server.seen("token", status=200)
    assert server.asked(answer["answer"]["access_token"]).status_code == 401, "its tokens are revoked"
