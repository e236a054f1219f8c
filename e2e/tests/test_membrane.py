"""Connecting without an SDK, as the seed of this door has it: its own HTML form in a real browser, and plain HTTP."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time

import pytest
import requests
import standardwebhooks
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from harness import database, secret
from harness.catch import Quiet, Small
from harness.consent import walk
from harness.door import WRONG_KEY, Door, consent, deny
from harness.oauth1 import rsa_keys
from harness.process import until
from harness.storefront import result, seed_form

pytestmark = pytest.mark.timeout(120)
REQUEST = "0123456789abcdefghij"


@pytest.fixture(scope="module", params=database.KINDS)
def door(request, shop):
    hook = Hook()
    running = Door(request.param, shop, "form-door", {"HOOK_SECRET": hook.secret}, webhooks=[hook.subscription()])
    running.hook = hook
    yield running
    running.stop()
    hook.close()


class Hook(Small):
    """Where the workspace's webhooks go: keeps each body whose signature holds."""

    def __init__(self):
        told = self.told = []
        self.secret = secret.remember("webhook secret", "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(), "the operator")
        verifier = standardwebhooks.Webhook(self.secret)

        class Handler(Quiet):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append(verifier.verify(body, {k.lower(): v for k, v in self.headers.items()}))
                self.send_response(204)
                self.end_headers()

        super().__init__(Handler)

    def subscription(self):
        return {"name": "shop", "url": self.url + "/in", "format": "membrane", "secret": "${env:HOOK_SECRET}",
                "events": ["connection.created", "connection.updated", "connection.deleted", "connection.expired"]}

    def of(self, connection):
        return [told["eventType"] for told in self.told if told["data"]["connection"]["id"] == connection]


def press(door, chromium, payload):
    """The shop's page with the seed's form, its button pressed."""
    window = chromium.window(door.shop.page(seed_form(door.broker.app, payload)), door.broker)
    window.click("button[type=submit]")
    return window


def test_the_seeds_form_without_a_token_ends_at_a_page(door, chromium):
    # Word for word the example's payload, but for the host of `redirectUri`.
    payload = {"integrationId": "your-integration-id", "connectionParameters": {"apiKey": "user-api-key"}, "redirectUri": door.shop.callback}
    before = len(door.shop.arrived)
    for given in (payload, {**payload, "integrationId": door.made["drive"]["id"]}, {**payload, "token": "e30.e30.e30"}):
        with press(door, chromium, given) as window:
            assert window.at(door.broker.app).startswith(door.broker.app + "/connection-popup")
            assert "connect" in window.text().lower() and "user-api-key" not in window.do("html")
        answer = door.broker.web().post(door.broker.app + "/connection-popup", data={"payload": json.dumps(given)}, allow_redirects=False)
        assert answer.status_code == 401 and "Location" not in answer.headers
    assert len(door.shop.arrived) == before and door.server.seen("authorize") == []


def test_the_seeds_form(door, chromium):
    key = {"integrationId": door.made["keys"]["id"], "connectionParameters": {"apiKey": door.api.key}, "redirectUri": door.shop.callback}
    token = door.broker.token("form", name="Form")
    with press(door, chromium, {**key, "token": token}) as window:
        got = result(window.at(door.shop.callback))
    assert set(got) == {"connectionId"}
    found = door.broker.rest("GET", f"/connections/{got['connectionId']}", token).json()
    assert (found["name"], found["integrationId"], found["disconnected"]) == ("Keys", door.made["keys"]["id"], False)
    with press(door, chromium, {**key, "token": token, "connectionParameters": {"apiKey": "user-api-key"}}) as window:
        wrong = result(window.at(door.shop.callback))
    assert set(wrong) == {"error", "errorData"} and WRONG_KEY in wrong["error"] + wrong["errorData"], wrong
    assert "user-api-key" not in json.dumps(wrong)
    with press(door, chromium, {"integrationKey": "drive", "token": token, "redirectUri": door.shop.callback + "?back=1"}) as window:
        consent(window)
        got = result(window.at(door.shop.callback))
    assert set(got) == {"back", "connectionId"}
    answer = door.broker.rest("GET", f"/connections/{got['connectionId']}/proxy{door.server.me}", token)
    assert answer.status_code == 200 and answer.json()["sub"] == "alice", answer.text
    with press(door, chromium, {"integrationKey": "both", "token": token, "redirectUri": door.shop.callback}) as window:
        deny(window)
        got = result(window.at(door.shop.callback))
    assert set(got) == {"error", "errorData"} and json.loads(got["errorData"])["message"], got


def test_what_is_missing_is_asked_on_a_page_of_ours(door, chromium):
    with chromium.window(door.start_url("asked", integrationKey="keys", redirectUri=door.shop.callback), door.broker) as window:
        window.fill("input[type=password]", "user-api-key")
        window.click("button.go")
        window.see(f"text={WRONG_KEY}")
        window.fill("input[type=password]", door.api.key)
        window.click("button.go")
        got = result(window.at(door.shop.callback))
    token = door.broker.token("asked")
    assert door.broker.rest("GET", f"/connections/{got['connectionId']}/proxy/p", token).json()["path"] == "/p"


def test_only_registered_places_are_redirected_to(door, chromium):
    late = door.broker.token("late", lifetime=-3600)
    with press(door, chromium, {"integrationKey": "drive", "token": late, "redirectUri": door.shop.callback}) as window:
        got = result(window.at(door.shop.callback))
        assert set(got) == {"error", "errorData"} and json.loads(got["errorData"])["key"] == "not_authenticated", got
    web, good = door.broker.web(), door.broker.token("late")
    before = len(door.shop.arrived), len(door.server.seen())
    for uri in (door.shop.elsewhere + "/callback", door.shop.callback + "/", door.shop.origin + "/", "https://evil.example/", "//evil.example",
                "javascript:alert(1)", door.shop.callback.replace("http:", "https:"), door.shop.callback.replace("//", "//a@")):
        for token in (good, late, "nonsense"):
            answer = web.get(door.start_url(integrationKey="drive", token=token, redirectUri=uri), allow_redirects=False)
            assert answer.status_code in (400, 401) and "Location" not in answer.headers, (uri, answer.status_code)
    assert (len(door.shop.arrived), len(door.server.seen())) == before


def ended(door, customer, who="alice", **given):
    """Connects through the provider's pages without scripts; returns what the shop is told at the end."""
    start = door.start_url(customer, redirectUri=door.shop.callback, **given)
    return result(walk(door.broker.web(), start, door.shop.callback, who=who))


def test_a_new_connection_takes_the_old_ones_place(door):
    first = ended(door, "again", integrationKey="drive")["connectionId"]
    (old,) = door.server.access_tokens()[-1:]
    assert door.works(old)
    assert ended(door, "again", integrationKey="drive")["connectionId"] == first
    assert ended(door, "again", connectionId=first)["connectionId"] == first
    assert ended(door, "again", integrationKey="drive", allowMultipleConnections="true")["connectionId"] != first
    answer = door.broker.web().get(door.start_url("stranger", connectionId=first, redirectUri=door.shop.callback), allow_redirects=False)
    got = result(answer.headers["Location"])
    assert json.loads(got["errorData"])["key"] == "not_found", "a customer reached another's connection"
    assert door.broker.rest("GET", f"/connections/{first}", door.broker.token("stranger")).status_code == 404


def test_custom_state_reaches_the_provider(door):
    ended(door, "state", integrationKey="drive", customState="MY:CUSTOM/STATE é")
    states = [r["request"]["state"] for r in door.server.seen("authorize") if r["request"].get("state")]
    assert states[-1].partition(":")[2] == "MY:CUSTOM/STATE é", "customState does not follow the first colon"


def test_webhooks_in_this_doors_words(door):
    token = door.broker.token("hooked")
    made = ended(door, "hooked", "carol", integrationKey="drive", name="Hooked")["connectionId"]
    assert door.broker.rest("DELETE", f"/connections/{made}", token).ok
    until("both webhooks", lambda: len(door.hook.of(made)) >= 2, 30)
    assert door.hook.of(made) == ["connection.created", "connection.deleted"]
    created = next(told for told in door.hook.told if told["data"]["connection"]["id"] == made)
    wanted = {"id": made, "integrationId": door.made["drive"]["id"], "integrationKey": "drive", "name": "Hooked", "disconnected": False,
              "customerId": "hooked"}
    assert (created["event"], created["data"]["connection"]) == ("connection.created", wanted)
    gone = door.broker.rest("GET", f"/connections/{made}", token).json()
    assert gone["archivedAt"] and door.broker.rest("GET", f"/connections/{made}/proxy/me", token).status_code in (400, 404)
    until("the provider to take carol's token no more", lambda: not door.works(door.server.access_tokens()[-1]), 20)


class Stream(threading.Thread):
    """One `/sse/connection-events/…`, read to its end."""

    def __init__(self, app, request):
        super().__init__(daemon=True)
        self.answer = requests.get(f"{app}/sse/connection-events/{request}", stream=True, timeout=60)
        self.said = []
        self.start()

    def run(self):
        self.said = [line for line in self.answer.iter_lines(decode_unicode=True) if line and not line.startswith(":")]

    def message(self):
        self.join(20)
        assert not self.is_alive(), "the stream was not closed"
        (line,) = self.said
        return json.loads(line.removeprefix("data:"))


def test_any_process_tells_what_came_of_a_request(door):
    beside = door.broker.beside("form-door-beside").serve()
    try:
        streams = [Stream(app, REQUEST) for app in (beside.app, door.broker.app)]
        assert streams[0].answer.headers["Content-Type"].startswith("text/event-stream")
        assert streams[0].answer.headers["Access-Control-Allow-Origin"] == "*"
        started = time.monotonic()
        page = walk(door.broker.web(), door.start_url("two", integrationKey="drive", requestId=REQUEST), door.broker.app + "/connection-popup/")
        told = [stream.message() for stream in streams]
        assert told[0] == told[1] and time.monotonic() - started < 15
        assert (told[0]["source"], told[0]["requestId"], told[0]["type"]) == ("integration.app", REQUEST, "newConnectionCreated")
        assert told[0]["connection"]["integrationId"] == door.made["drive"]["id"] and "credentials" not in told[0]["connection"]
        assert door.broker.web().get(page).status_code in (200, 400, 404)
        assert Stream(beside.app, REQUEST).message() == told[0], "told once only"
        used = door.broker.web().get(door.start_url("thief", integrationKey="drive", requestId=REQUEST), allow_redirects=False)
        assert used.status_code == 400 and "Location" not in used.headers
    finally:
        beside.stop()


def pem(key):
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    secret.remember("private key", private.splitlines()[1], "the product")
    return private, key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_tokens_by_every_kind_of_key(shop):
    pairs = {"RS256": rsa_keys("the product"), "PS256": rsa_keys("the product"), "ES256": pem(ec.generate_private_key(ec.SECP256R1())),
             "ES384": pem(ec.generate_private_key(ec.SECP384R1())), "EdDSA": pem(ed25519.Ed25519PrivateKey.generate())}
    door = Door("sqlite", shop, "key-door", jwt_keys=[
        {"name": f"key-{name}", "algorithm": name, "public_key": public} for name, (_, public) in pairs.items()])
    try:
        def status(**given):
            return door.broker.rest("GET", "/self", door.broker.token("signed", **given)).status_code

        for name, (private, public) in pairs.items():
            assert status(key=private, algorithm=name) == status(key=private, algorithm=name, kid=f"key-{name}") == 200, name
            assert status(key=private, algorithm=name, iss=None, id=None, workspaceKey="acme", tenantKey="signed") == 200, name
            if name in ("RS256", "PS256"):
                for other in {"RS256", "PS256", "RS512"} - {name}:
                    assert status(key=private, algorithm=other) == 401, f"a key for {name} signed with {other}"
            head, _, _ = door.broker.token("signed").rpartition(".")
            mac = unpadded(hmac.digest(public.encode(), head.encode(), hashlib.sha256))
            assert door.broker.rest("GET", "/self", f"{head}.{mac}").status_code == 401, f"the public key for {name} made a MAC"
        for algorithm in ("HS256", "HS384", "HS512"):
            assert status(algorithm=algorithm) == 200
        assert status(lifetime=-30) == 200 and status(lifetime=-90) == 401, "60 seconds of skew"
        assert status(lifetime=None) == 401 and status(workspace="globex") == 401 and status(key="k" * 64) == 401
        head = unpadded(b'{"alg":"none","typ":"JWT"}')
        _, body, _ = door.broker.token("signed").split(".")
        for bare in (f"{head}.{body}.", f"{head}.{body}.e30"):
            assert door.broker.rest("GET", "/self", bare).status_code == 401
    finally:
        door.stop()


def test_admins_see_customers_and_customers_do_not(door):
    def customers(**given):
        return door.broker.rest("GET", "/customers?limit=1000", door.broker.token(**given))

    door.broker.rest("GET", "/self", door.broker.token("listed", name="Listed"))
    found = customers(isAdmin=True).json()["items"]
    assert [c["name"] for c in found if c["internalId"] == "listed"] == ["Listed"]
    for given in ({"customer": "listed"}, {"customer": "listed", "isAdmin": True}, {}, {"isAdmin": "yes"}, {"isAdmin": False}):
        refused = customers(**given)
        assert (refused.status_code, refused.json()["key"]) == (403, "access_denied"), given
