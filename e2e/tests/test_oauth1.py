"""OAuth 1.0a (RFC 5849): connect through both doors, and calls that the server itself finds signed. Authlib takes HMAC-SHA1,
RSA-SHA1 and PLAINTEXT; HMAC-SHA256 is for oauthlib to find right."""

import json

import pytest

from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.oauth1 import AuthlibOAuth1, OauthlibOAuth1
from harness.storefront import result

CASES = [(AuthlibOAuth1, "HMAC-SHA1", "sqlite"), (AuthlibOAuth1, "HMAC-SHA1", "postgres"), (AuthlibOAuth1, "RSA-SHA1", "postgres"),
         (AuthlibOAuth1, "PLAINTEXT", "sqlite"), (OauthlibOAuth1, "HMAC-SHA256", "sqlite"), (OauthlibOAuth1, "HMAC-SHA256", "postgres")]
QUERY = "q=1+2&q=%2B&a%5B%5D=%C3%A9&empty="
ARGS = {"q": ["1 2", "+"], "a[]": ["é"], "empty": [""]}
FORM = {"title": "a b&c=d", "tags[]": "é%20", "none": ""}


def named(case):
    return f"{case[1]}-{case[2]}"


@pytest.fixture(params=CASES, ids=named)
def signed(request, product):
    library, method, kind = request.param
    server, broker = library(method), Claviger(kind, "oauth1")
    try:
        document = {**broker.workspace([server.integration()], [product.callback]), "jwt_secret": "${env:ACME_JWT}"}
        made = broker.apply(None, None, {"IDP_SECRET": server.client_secret}, workspaces=[document])["acme"]["integrations"][0]
        server.start([made["callback_url"]])
        broker.serve()
        broker.server, broker.key = server, server.kind
        yield broker
    finally:
        broker.stop()
        server.stop()


def start_url(broker, product, **more):
    return broker.authorize_url(broker.key, product.callback, **more)


def popup_url(broker, product, customer):
    token = broker.token(customer)
    return f"{broker.app}/connection-popup?integrationKey={broker.key}&token={token}&redirectUri={product.callback}"


def check(server, answer, method, args, form):
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"user": "alice", "method": method, "path": "things/é x", "args": args, "form": form, "signed": server.method}
    last = server.calls()[-1]
    assert last["place"] == "header" and {"oauth_token", "oauth_signature", "oauth_nonce", "oauth_timestamp"} <= set(last["names"]), last


def test_connect_and_call(signed, product):
    server = signed.server
    got = returned(walk(signed.web(), start_url(signed, product, external_id="user 1", state="s1"), product.callback))
    assert got["external_id"] == "user 1" and got["state"] == "s1"
    assert signed.exchange(got["code"], product.callback).status_code == 200
    (asked,), (given,) = server.seen("request_token"), server.seen("access_token")
    assert "oauth_callback" in asked["names"] and {"oauth_verifier", "oauth_token"} <= set(given["names"])
    assert asked["answer"]["oauth_token"] != given["answer"]["oauth_token"]

    mine = result(walk(signed.web(), popup_url(signed, product, "ann"), product.callback))["connectionId"]
    token = signed.token("ann")
    path = f"/api/things/%C3%A9%20x?{QUERY}"
    for call in (lambda method, **more: signed.call(method, path, got["connection_id"], **more),
                 lambda method, **more: signed.rest(method, f"/connections/{mine}/proxy{path}", token, **more)):
        check(server, call("GET"), "GET", ARGS, {})
        check(server, call("POST", data=FORM), "POST", ARGS, {k: [v] for k, v in FORM.items()})
        check(server, call("PUT", json={"a": "b&c"}), "PUT", ARGS, {})
    # What was signed was not what the caller had signed.
    odd = signed.rest("GET", f"/connections/{mine}/proxy{path}", token, headers={"X-Trace": "1"})
    check(server, odd, "GET", ARGS, {})
    shown = signed.rest("GET", f"/connections/{mine}", token).text
    assert given["answer"]["oauth_token"] not in shown


@pytest.mark.parametrize("signed", [CASES[0], CASES[-1]], indirect=True, ids=named)
def test_a_denial_comes_back(signed, product):
    got = returned(walk(signed.web(), start_url(signed, product, state="s2"), product.callback, press="deny"))
    assert (got["error"], got["state"]) == ("access_denied", "s2") and "code" not in got
    got = result(walk(signed.web(), popup_url(signed, product, "bob"), product.callback, press="deny"))
    assert set(got) == {"error", "errorData"} and json.loads(got["errorData"])["message"]
    assert signed.server.seen("access_token") == []
    assert signed.rest("GET", "/connections", signed.token("bob")).json()["items"] == []
