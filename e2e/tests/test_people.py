"""Users sign in under /api, connect accounts, make requests, and disconnect: the door where a product's own users call."""

import base64
import http.server
import json
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from harness import browser, place, secret
from harness.catch import Small
from harness.claviger import Claviger
from harness.consent import walk
from harness.process import Process, base_env, free_port
from harness.server import OidcProvider

PEOPLE = ("alice", "bob", "root")


class House:
    """A Claviger with three users: alice and bob, with whom everything is shared, and root, a superuser."""

    def __init__(self, kind, integrations, secrets=None, name="people"):
        self.broker = Claviger(kind, name)
        self.passwords = {who: secret.made("password", who, 24) for who in PEOPLE}
        workspace = self.broker.workspace([{**i, "owner": "root", "shares": [
            {"principal": "alice", "level": "use"}, {"principal": "team:crew", "level": "use"}]} for i in integrations], [])
        workspace["users"] = [{"username": who, "email": f"{who}@example.com", "password": f"${{env:PW_{who.upper()}}}",
                               "superuser": who == "root"} for who in PEOPLE]
        workspace["teams"] = [{"id": "crew", "name": "Crew", "members": ["bob"]}]
        given = {f"PW_{who.upper()}": password for who, password in self.passwords.items()}
        self.made = self.broker.apply([], [], {**given, **(secrets or {})}, [workspace])["acme"]["integrations"]

    def person(self, who):
        return self.broker.person(who, self.passwords[who])

    def at(self, path):
        return f"{self.broker.app}/api/integrations/{path}"


def of_provider(server, **config):
    return {**server.integration(**config), "key": "drive", "name": "Google Drive - Engineering"}


@pytest.fixture
def drive(database_kind):
    """A house with one integration at oidc-provider, both running."""
    server = OidcProvider()
    house = House(database_kind, [of_provider(server)], {"IDP_SECRET": server.client_secret})
    server.start([house.made[0]["callback_url"]])
    house.server = server
    house.broker.serve()
    yield house
    house.broker.stop()
    server.stop()


def works(server, token):
    """Whether the authorization server itself still takes an access token."""
    return requests.get(server.url + server.me, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code == 200


def test_the_whole_story_in_a_browser(drive):
    server, app = drive.server, drive.broker.app
    sign_in = {"username": "Alice", "password": drive.passwords["alice"]}
    end = browser.browse(app + "/healthz", [
        browser.call("GET", "/api/integrations"),
        browser.call("POST", "/api/login/local", sign_in),
        browser.call("GET", "/api/integrations"),
        browser.call("GET", "/api/integrations/drive/connection"),
        browser.go(drive.at("drive/connect")),
        browser.fill("input[name=login]", "alice"), browser.fill("input[name=password]", "x"), browser.click("button[type=submit]"),
        browser.see("input[name=prompt][value=consent]"), browser.click("button[type=submit]"),
        browser.at(app + "/connect/"), browser.see("text=Google Drive - Engineering"), browser.shot("connected.png"),
        browser.save(drive.broker.folder / "connected.html"), browser.go(app + "/healthz"),  # whose script may call
        browser.call("GET", "/api/integrations/drive/connection"),
        browser.call("POST", "/api/integrations/drive/request", {"url": server.me}),
        browser.call("GET", "/api/integrations/drive/request" + server.me),
        browser.call("DELETE", "/api/integrations/drive/connection"),
        browser.call("GET", "/api/integrations/drive/connection"),
        browser.call("POST", "/api/logout"),
        browser.call("GET", "/api/integrations"),
    ])
    stranger, signed_in, listed, none_yet, _, _, shown, asked, asked_by_path, ended, gone, out, stranger_again = end["calls"]
    assert [c["status"] for c in (stranger, none_yet, gone, stranger_again)] == [401, 404, 404, 401], end["calls"]
    assert signed_in["status"] == 200 and "sid" not in json.loads(signed_in["text"]), "a page's script was given the session"
    assert [i["slug"] for i in json.loads(listed["text"])["_embedded"]["inf:integration"]] == ["drive"]
    connection = json.loads(shown["text"])
    assert connection["ownerId"] == "alice" and connection["isShared"] is False and connection["tokenExpiresAt"]
    for answer in (asked, asked_by_path):
        assert answer["status"] == 200 and json.loads(answer["text"])["sub"] == "alice", answer
    assert (ended["status"], ended["text"], out["status"]) == (204, "", 204)
    assert not [c for c in end["complaints"] if c.startswith(app) and " 40" not in c and "favicon" not in c], end["complaints"]
    (token,) = server.access_tokens()
    assert not works(server, token), "the provider still takes the token"


def connect(house, web, who):
    """Says yes on each consent page as a person without scripts would; returns our page at its end."""
    return web.get(walk(web, house.at("drive/connect"), house.broker.app + "/connect/", who=who))


def test_two_users_have_two_accounts(drive):
    server, app = drive.server, drive.broker.app
    alice, bob, root = (drive.person(who) for who in PEOPLE)
    assert "is connected" in connect(drive, alice, "alice").text
    (hers,) = server.access_tokens()
    for path, method in (("connection", "GET"), ("connection", "DELETE"), ("request" + server.me, "GET")):
        answer = bob.request(method, drive.at(f"drive/{path}"))
        assert (answer.status_code, answer.json()["error"]) == (404, "Not Found"), answer.text
    assert bob.get(app + "/api/integration-connections").json()["total"] == 0
    assert "is connected" in connect(drive, bob, "bob").text
    his = next(t for t in server.access_tokens() if t != hers)
    for web in (alice, bob):
        assert web.post(drive.at("drive/request"), json={"url": server.me}).status_code == 200
        assert web.get(app + "/api/integration-connections").json()["total"] == 1
    assert bob.delete(drive.at("drive/connection?ownerId=alice")).status_code == 403
    assert works(server, hers)
    assert root.delete(drive.at("drive/connection?ownerId=alice")).status_code == 204
    assert not works(server, hers) and works(server, his)
    assert alice.get(drive.at("drive/connection")).status_code == 404
    assert bob.post(drive.at("drive/request"), json={"url": server.me}).status_code == 200


class Guarded(Small):
    """An API that takes one key, in the header or parameter it is told to look into, and answers pages with scripts too."""

    def __init__(self, key):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                at = urlsplit(self.path)
                shown = self.headers.get("X-Api-Key") if at.path == "/header" else parse_qs(at.query).get("api_key", [None])[0]
                if at.path == "/page":
                    return self.say(200, b"<!doctype html><title>quiet</title><body><p>page<script>document.title='loud';"
                                    b"fetch('/api/session').then(r=>r.text()).then(t=>document.body.append(t))</script>", "text/html")
                self.say(200 if shown == key else 401, json.dumps({"path": at.path, "query": at.query.replace(key, "…")}).encode())

            def say(self, status, body, kind="application/json"):
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": len(body), "Set-Cookie": "sid=planted; Path=/",
                                    "Access-Control-Allow-Origin": "*"}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


def keyed(key, provider, base, **config):
    return {"key": key, "provider": provider, "name": key, "mode": "per-user", "config": {"base_url": base, **config}}


@pytest.fixture
def typed(database_kind):
    """A house with API keys in a header and in the query at a guarded API, and Basic and Bearer at httpbin."""
    port = free_port()
    bin_url = f"http://127.0.0.1:{port}"
    httpbin = Process("httpbin", [sys.executable, "-m", "gunicorn", "httpbin:app", "--bind", f"127.0.0.1:{port}", "--threads", "4",
                                  "--worker-class", "gthread", "--worker-tmp-dir", place.PRIVATE],
                      place.fresh(place.PRIVATE, "httpbin"), env=base_env())
    key = secret.made("typed key", "the customer", 32)
    guarded = Guarded(key)
    house = House(database_kind, [
        keyed("header", "apikey", guarded.url, api_key={"in": "header", "name": "X-Api-Key"}),
        keyed("query", "apikey", guarded.url, api_key={"in": "query", "name": "api_key"}),
        keyed("basic", "basic", bin_url), keyed("bearer", "bearer", bin_url)], name="typed")
    house.key = key
    house.broker.serve()
    httpbin.ready(bin_url + "/status/200")
    yield house
    house.broker.stop()
    guarded.close()
    httpbin.stop()


def test_what_a_person_types_in_opens_the_api(typed):
    alice = typed.person("alice")
    password = "open-to-httpbin"  # no secret: httpbin wants it in the path, which the request log keeps
    for name, given, path in (("header", {"apiKey": typed.key}, "/header"), ("query", {"apiKey": typed.key}, "/query?x=1"),
                              ("basic", {"username": "user", "password": password}, f"/basic-auth/user/{password}"),
                              ("bearer", {"token": typed.key}, "/bearer")):
        made = alice.post(typed.at(f"{name}/connect"), json=given)
        assert made.status_code == 201 and made.json()["ownerId"] == "alice", made.text
        assert not any(value in made.text for value in given.values() if value != "user")
        answer = alice.post(typed.at(f"{name}/request"), json={"url": path})
        assert answer.status_code == 200, f"{name}: {answer.status_code}"
    assert alice.post(typed.at("header/connect"), json={"token": typed.key}).status_code == 400


def test_a_page_asks_for_the_key_and_keeps_it_to_itself(typed):
    sign_in = {"username": "alice", "password": typed.passwords["alice"]}
    end = browser.browse(typed.broker.app + "/healthz", [
        browser.call("POST", "/api/auth/login", sign_in), browser.go(typed.at("header/connect")),
        browser.fill("input[type=password]", typed.key), browser.shot("typed.png"), browser.click("button.go"),
        browser.see("text=is connected"), browser.save(typed.broker.folder / "typed.html"), browser.go(typed.broker.app + "/healthz"),
        browser.call("POST", "/api/integrations/header/request", {"url": "/header"})])
    assert end["calls"][-1]["status"] == 200, end["calls"]
    assert typed.key not in (typed.broker.folder / "typed.html").read_text()


def test_a_script_in_an_answer_does_not_run(typed):
    alice = typed.person("alice")
    assert alice.post(typed.at("header/connect"), json={"apiKey": typed.key}).status_code == 201
    answer = alice.get(typed.at("header/request/page"))
    assert "<script>" in answer.text and answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(answer.headers)
    svg = b"""<svg xmlns='http://www.w3.org/2000/svg' onload='x()'><script>fetch("/api/logout",{method:"POST"})</script><rect width='9' height='9'/></svg>"""
    root = typed.person("root")
    assert root.put(typed.at("header/icon"), data=svg, headers={"Content-Type": "image/svg+xml"}).status_code in (200, 201, 204)
    sign_in = {"username": "alice", "password": typed.passwords["alice"]}
    end = browser.browse(typed.broker.app + "/healthz", [
        browser.call("POST", "/api/auth/login", sign_in), browser.go(typed.at("header/request/page")), browser.see("p")])
    assert (end["calls"][-1]["status"], end["title"]) == (200, "quiet"), "a provider's script ran on our origin"
    assert "alice" not in end["text"]
    icon = browser.browse(typed.broker.app + "/healthz", [
        browser.call("POST", "/api/auth/login", sign_in), browser.go(typed.at("header/icon")), browser.see("rect"),
        browser.go(typed.broker.app + "/healthz"), browser.call("GET", "/api/session")])
    assert [c["status"] for c in icon["calls"]] == [200] * 4, "an icon's script signed alice out"
    kept = alice.get(typed.at("header/icon"))
    assert "rect" in kept.text and not [word for word in ("script", "onload", "fetch") if word in kept.text]
    assert "sandbox" in kept.headers["Content-Security-Policy"]


def test_tokens_and_passwords_call_as_their_user(typed):
    alice = typed.person("alice")
    made = alice.post(typed.broker.app + "/api/tokens", json={"name": "script"})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    mine = typed.broker.app + "/api/integrations"
    basic = base64.b64encode(f"alice:{typed.passwords['alice']}".encode()).decode()
    for line in (f"Bearer {token}", f"Basic {basic}"):
        listed = typed.broker.web().get(mine, headers={"Authorization": line})
        assert listed.status_code == 200 and listed.json()["total"] == 4, listed.text
    assert alice.delete(typed.broker.app + made.json()["_links"]["self"]["href"]).status_code == 204
    assert typed.broker.web().get(mine, headers={"Authorization": f"Bearer {token}"}).status_code == 401
