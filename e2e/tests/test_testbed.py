"""The ground the other stories stand on: each authorization server works with a plain client, without Claviger.

When one of these fails, the test bed is broken, not the product.
"""

import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import oauthlib.oauth1
import pytest
import requests

from harness import browser, database, place
from harness.consent import walk
from harness.oauth1 import AuthlibOAuth1, OauthlibOAuth1
from harness.plain import CALLBACK, STATE, begin, endpoints
from harness.server import Machines, OidcProvider
from harness.storefront import SDKS, installed


def test_the_authorization_server_works_by_itself(authorization_server):
    server = authorization_server.start([CALLBACK], first_ttl=7, later_ttl=500)
    authorize, token = endpoints(server)
    url, verifier = begin(server, authorize)
    back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
    assert back["state"] == [STATE]
    auth = (server.client_id, server.client_secret)
    form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": CALLBACK}
    assert requests.post(token, auth=auth, data={**form, "code_verifier": secrets.token_urlsafe(32)}, timeout=10).status_code == 400

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


@pytest.mark.parametrize(("library", "method"), [
    (AuthlibOAuth1, "HMAC-SHA1"), (AuthlibOAuth1, "RSA-SHA1"), (AuthlibOAuth1, "PLAINTEXT"), (OauthlibOAuth1, "HMAC-SHA256")])
def test_the_oauth1_server_works_by_itself(library, method):
    server = library(method)

    def post(path, **more):
        key = {"rsa_key": server.client_secret} if server.public_key else {}
        client = oauthlib.oauth1.Client("consumer", client_secret=server.client_secret, signature_method=method, **key, **more)
        form = ("a=b+c&a%5B%5D=%C3%A9", {"Content-Type": "application/x-www-form-urlencoded"}) if path.startswith("/api") else ()
        url, headers, body = client.sign(server.url + path, "POST", *form)
        return requests.post(url, headers=headers, data=body, timeout=10)

    try:
        server.start([])
        asked = post("/request_token", callback_uri=CALLBACK)
        assert asked.status_code in (200, 201), asked.text
        temporary = {k: v[0] for k, v in parse_qs(asked.text).items()}
        address = walk(requests.Session(), f"{server.url}/authorize?oauth_token={temporary['oauth_token']}", CALLBACK)
        back = parse_qs(urlsplit(address).query)
        given = post("/access_token", resource_owner_key=temporary["oauth_token"], verifier=back["oauth_verifier"][0],
                     resource_owner_secret=temporary["oauth_token_secret"])
        token = {k: v[0] for k, v in parse_qs(given.text).items()}
        whole = {"resource_owner_key": token["oauth_token"], "resource_owner_secret": token["oauth_token_secret"]}
        answer = post("/api/things?q=1+2&q=%2B", **whole).json()
        assert answer == {"user": "alice", "method": "POST", "path": "things", "args": {"q": ["1 2", "+"]}, "signed": method,
                          "form": {"a": ["b c"], "a[]": ["é"]}}
        assert post("/api/things", **{**whole, "resource_owner_secret": "x" * 40}).status_code == (200 if server.public_key else 401)
        assert requests.get(server.url + "/api/things", timeout=10).status_code >= 400
        assert [c["place"] for c in server.calls()][0] == "header"
    finally:
        server.stop()


def test_a_machine_gets_tokens_by_itself():
    server = Machines()
    try:
        server.start([CALLBACK], first_ttl=50)
        given = requests.post(server.url + "/token", auth=("machine", server.machine_secret), timeout=10,
                              data={"grant_type": "client_credentials", "scope": "read"}).json()
        assert given["expires_in"] == 50 and "refresh_token" not in given

        def call():
            return requests.get(server.url + server.answers, headers={"Authorization": f"Bearer {given['access_token']}"}, timeout=10)

        assert call().json() == {"client": "machine", "scope": "read"}
        server.revoke(given["access_token"])
        assert call().status_code == 401 and len(server.fetches()) == 1
    finally:
        server.stop()


@pytest.mark.parametrize(("sdk", "version"), [("MembraneClient", "0.28.3"), ("IntegrationAppClient", "1.14.1")])
def test_the_vendors_sdk_loads_and_windows_open(sdk, version, shop, chromium):
    assert installed(SDKS[sdk]) == version
    with chromium.window(f"{shop.origin}/{sdk}") as window:
        assert window.run(f"new {sdk}({{apiUri: location.origin, token: 'e30.e30.e30'}}).apiUri") == shop.origin
        window.run(f"void open('{shop.elsewhere}/quiet')")
        other = window.popup()
        other.at(shop.elsewhere)
        other.run("opener.postMessage('hello', '*')")
        assert window.run("new Promise((done) => setTimeout(() => done(heard), 50))") == [{"origin": shop.elsewhere, "data": "hello"}]


def test_postgres_takes_a_database():
    assert b"1" in database.program("psql", "-Atc", "select 1", "postgres")


def test_each_file_of_stories_is_told_of():
    told = (place.ROOT / "docs/testing.md").read_text()
    files = sorted(file.name for file in (place.E2E / "tests").glob("test_*.py"))
    assert files and [name for name in files if f"`{name}`" not in told] == []
