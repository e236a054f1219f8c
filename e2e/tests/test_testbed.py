"""The ground the other stories stand on: each authorization server works with a plain client, without Claviger.

When one of these fails, the test bed is broken, not the product.
"""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from harness import browser, database, secret
from harness.consent import walk
from harness.server import OidcProvider

CALLBACK = "http://127.0.0.1:9/callback"


def endpoints(server):
    config = server.config()
    if "issuer" in config:
        found = requests.get(server.url + "/.well-known/openid-configuration", timeout=10).json()
        assert found["issuer"] == config["issuer"]
        return found["authorization_endpoint"], found["token_endpoint"]
    return config["authorize_url"], config["token_url"]


def begin(server, authorize):
    """An authorize URL as a careful client writes it, and its verifier."""
    verifier = secret.remember("verifier", secrets.token_urlsafe(40), "the plain client")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"client_id": server.client_id, "response_type": "code", "redirect_uri": CALLBACK, "state": "s" * 40,
             "scope": " ".join(server.scopes), "code_challenge": challenge, "code_challenge_method": "S256",
             **server.config().get("authorize_params", {})}
    return f"{authorize}?{urlencode(query)}", verifier


def test_the_authorization_server_works_by_itself(authorization_server):
    server = authorization_server.start([CALLBACK], first_ttl=7, later_ttl=500)
    authorize, token = endpoints(server)
    url, verifier = begin(server, authorize)
    back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
    assert back["state"] == ["s" * 40]
    auth = (server.client_id, server.client_secret)
    form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": CALLBACK}
    assert requests.post(token, auth=auth, data={**form, "code_verifier": "w" * 43}, timeout=10).status_code == 400

    url, verifier = begin(server, authorize)
    back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
    form["code"] = back["code"][0]
    first = requests.post(token, auth=auth, data={**form, "code_verifier": verifier}, timeout=10).json()
    assert first["expires_in"] == 7
    me = requests.get(server.url + server.me, headers={"Authorization": f"Bearer {first['access_token']}"}, timeout=10)
    assert "alice" in me.text or "sub" in me.json(), me.text
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = requests.post(token, auth=auth, data=form, timeout=10).json()
    assert second["access_token"] != first["access_token"]
    assert server.access_tokens() == [first["access_token"], second["access_token"]]
    assert len(server.refreshes()) == 1 and server.refreshes()[0]["basic"]
    assert server.seen("token", status=200)[0]["request"]["code_verifier"] == verifier


def test_the_browser_logs_in_and_consents(product):
    server = OidcProvider()
    try:
        server.start([product.callback])
        url, _ = begin(server, server.url + "/auth")
        url = url.replace(urlencode({"redirect_uri": CALLBACK}), urlencode({"redirect_uri": product.callback}))
        end = browser.browse(url, [
            browser.fill("input[name=login]", "alice"), browser.fill("input[name=password]", "x"), browser.click("button[type=submit]"),
            browser.see("form[action*='/interaction/'] input[name=prompt][value=consent]"), browser.click("button[type=submit]"),
            browser.at(product.callback)])
        assert "back at the product" in end["text"]
        assert "code" in parse_qs(urlsplit(end["url"]).query)
    finally:
        server.stop()


def test_postgres_takes_a_database():
    assert b"1" in database.program("psql", "-Atc", "select 1", "postgres")
