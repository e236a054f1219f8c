"""What people type in that is no key for an API: a service account's document (RFC 7523 §2.1), a token to exchange (RFC 8693), a
client certificate (RFC 8705), a key that signs (SigV4), a user and a password for requests of the provider's own making."""

import html
import json
import re

import pytest
import requests

from harness import recipes, secret
from harness.aws import UNSIGNED, Aws
from harness.consent import follow, forms, submit
from harness.gate import Gate
from harness.plain import CALLBACK
from harness.process import free_port
from harness.steps import REFUSED, Sessions
from harness.tls import Authority
from harness.ways import Exchanges, Robots, TlsMachines

TTL = {"first_ttl": 2}
EXCHANGE_PORT = free_port()


@pytest.fixture(scope="module")
def sessions():
    server = Sessions(ttl=2)
    yield server
    server.close()


@pytest.fixture(scope="module")
def binary(sessions):
    made = recipes.binary(sessions.url, f"http://127.0.0.1:{EXCHANGE_PORT}")
    yield made
    made.unlink()


def refused(gate, key, typed, wanted=(), away=False):
    """That no door takes this: the page asks again, the popup's end and the REST answer say why; none repeats a secret.

    `away`: the server broke off, which is not told from one that is away.
    """
    web = gate.broker.web()
    page, _ = follow(web, web.get(gate.start_url(key, state="s1"), allow_redirects=False), gate.product.callback)
    assert page.status_code == 200 and forms(page.text), page.text
    page = submit(web, page, {f"credential-{name}": text for name, text in typed.items()})
    assert (page.status_code == 503 if away else 400 <= page.status_code < 500) and forms(page.text), (page.status_code, alerts(page))
    said = gate.popup(key, "ann", typed)
    assert set(said) == {"error", "errorData"}, said
    brought = bring(gate, key, "ann", typed)
    assert brought.status_code in ((400, 502, 504) if away else (400,)) and {"type", "message"} <= set(brought.json()), (brought.status_code, brought.text)
    for text in (alerts(page), json.dumps(said), brought.text):
        assert any(w in text for w in wanted) or not wanted, (wanted, text)
    for text in (page.text, json.dumps(said), brought.text):
        assert not any(len(v) > 20 and v[-40:-20] in text for v in typed.values()), "what was typed in is shown again"
    assert gate.kept() == 0 and gate.owned("ann") == []


def alerts(page):
    """What a page says, without its form's own words."""
    body = re.sub(r"(?s)<(style|script|label|textarea|button)\b.*?</\1>", "", page.text.partition("<main")[2])
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def bring(gate, key, customer, typed):
    """The REST door's answer to what a backend brings."""
    return gate.broker.rest("POST", "/connections", gate.broker.token(customer), json={"integrationKey": key, "credentials": typed})


def both(gate, key, typed):
    """A connection by each door."""
    one = gate.authorize(key, typed, external_id="user 1", state="s1")
    other = gate.popup(key, "ann", typed)
    assert (one["state"], one["external_id"]) == ("s1", "user 1") and set(other) == {"connectionId"}, (one, other)
    return one, other


def unseen(gate, *secrets):
    """That none of these is shown to those who may look."""
    token = gate.broker.token("ann")
    looked = [gate.broker.rest("GET", "/connections", token).text, gate.broker.api("GET", "/connections").text]
    assert not any(s and s in text for s in secrets for text in looked)


# Service accounts.

def robots(kind, product, binary, clock=0, key=recipes.ROBOT_KEY):
    server = Robots(clock)
    integration = {"key": "robot", "provider": key, "name": "Robot", "scopes": ["read"],
                   "config": {"token_url": server.url + "/oauth/token", "base_url": server.url}}
    return Gate(kind, product, server, integration, name="robot", binary=binary, ttl=TTL)


def test_a_service_account_connects(product, binary):
    with robots("sqlite", product, binary) as gate:
        server = gate.server
        one, other = both(gate, "robot", {"account": server.document()})
        third = bring(gate, "robot", "eve", {"account": server.document()})
        assert third.status_code == 201, third.text
        assert gate.call({"connectionId": third.json()["id"]}, "GET", server.me, "eve").status_code == 200
        mine = gate.popup("robot", "bob", {"account": server.document(), "person": "alice"})
        assert gate.call(one, "GET", server.me).json() == {"user": None, "client": server.robot}
        assert gate.call(mine, "GET", server.me, "bob").json()["user"] == "alice"
        gate.passed(2)
        before = len(server.fetches(status=200))
        gate.burst(one, server.me)
        assert before + 1 <= len(server.fetches(status=200)) <= before + 2, "a burst is one request, or two of tokens that live two seconds"
        gate.burst(other, server.me)
        said = server.claims()
        assert {c["iss"] for c in said} == {server.robot} and {c["aud"] for c in said} == {server.url + "/oauth/token"}
        assert all(0 < c["exp"] - c["iat"] <= 3600 for c in said) and [c.get("sub") for c in said].count("alice") >= 1
        assert {r["request"].get("scope") for r in server.fetches()} == {"read"}
        unseen(gate, server.private_key.splitlines()[3], *server.access_tokens())
        # It lives on without the process that made it.
        gate.broker.kill()
        gate.broker.serve()
        gate.passed(2)
        assert gate.call(one, "GET", server.me).json()["client"] == server.robot


def test_a_service_account_that_is_not_taken(product, binary):
    with robots("sqlite", product, binary) as gate:
        server = gate.server
        refused(gate, "robot", {"account": server.document(private_key=Robots().private_key)}, ["invalid_grant", "refused"])
        refused(gate, "robot", {"account": server.document(client_email="nobody@example.test")}, ["invalid_grant", "refused"])
        refused(gate, "robot", {"account": server.document(), "person": "bob"})
        assert len(server.fetches()) == 9 and server.access_tokens() == []


def test_an_assertion_for_somebody_else_is_not_taken(product, binary):
    with robots("postgres", product, binary, key=recipes.LOST_KEY) as gate:
        refused(gate, "robot", {"account": gate.server.document()}, ["invalid_grant", "refused"])
        assert {c["aud"] for c in gate.server.claims()} == {"https://elsewhere.invalid"}


@pytest.mark.parametrize("clock", [30, -30, 600, -600])
def test_assertions_when_clocks_differ(clock, product, binary):
    with robots("sqlite", product, binary, clock) as gate:
        if abs(clock) < 60:
            one, other = both(gate, "robot", {"account": gate.server.document()})
            assert gate.call(one, "GET", gate.server.me).status_code == gate.call(other, "GET", gate.server.me).status_code == 200
        else:
            refused(gate, "robot", {"account": gate.server.document()}, ["expired", "clock", "not valid yet", "future", "iat"])


def bad_documents(server):
    """Documents that no assertion can be signed with, each for another reason."""
    pem = server.private_key
    lines = pem.splitlines()
    return {
        "nothing": "", "no JSON": pem, "half a document": server.document()[:-40], "a list": "[]", "null": "null", "a text": '"x"',
        "no key": json.dumps({"client_email": server.robot}), "no address": json.dumps({"private_key": pem}),
        "key is a number": server.document(private_key=7), "key is a list": server.document(private_key=[pem]),
        "an odd address": server.document(client_email="a\r\nb: c"), "no PEM": server.document(private_key="x" * 1600),
        "the public key": server.document(private_key=server.public_key), "half a key": server.document(private_key="\n".join(lines[:12])),
        "bits swapped": server.document(private_key="\n".join([*lines[:5], lines[6], lines[5], *lines[7:-2], "AAAA" * 16, lines[-1]])),
        "a certificate": server.document(private_key=Authority().file.read_text()),
        "an encrypted key": server.document(private_key=pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        "too long": server.document(private_key=pem + "A" * 70_000), "far too long": server.document(filler="A" * 3_000_000),
        "deep": "[" * 20_000, "NUL": server.document(private_key=pem.replace("A", "\x00", 1)),
    }


def test_keys_that_are_no_keys(product, binary):
    with robots("postgres", product, binary) as gate:
        web, token = gate.broker.web(), gate.broker.token("ann")
        for why, document in bad_documents(gate.server).items():
            page, _ = follow(web, web.get(gate.start_url("robot"), allow_redirects=False), product.callback)
            page = submit(web, page, {"credential-account": document})
            assert 400 <= page.status_code < 500, (why, page.status_code, page.text[:500])
            payload = {"integrationKey": "robot", "token": token, "connectionParameters": {"account": document}, "redirectUri": product.callback}
            answer = web.post(gate.broker.app + "/connection-popup", data={"payload": json.dumps(payload)}, allow_redirects=False)
            if answer.status_code != 413:
                assert document == "" and answer.status_code in (200, 302, 303) or answer.status_code in (303, 400), (why, answer.status_code)
                assert "connectionId" not in answer.headers.get("Location", ""), why
            made = bring(gate, "robot", "ann", {"account": document})
            assert made.status_code in (400, 413), (why, made.status_code, made.text)
            assert "type" in made.json() and gate.server.private_key.splitlines()[3] not in page.text + answer.text + made.text, why
        assert gate.kept() == 0 and gate.server.fetches() == [] and "panicked" not in gate.broker.said()


def test_long_documents_are_taken(product, binary):
    with robots("sqlite", product, binary) as gate:
        document = gate.server.document(note="x" * 5_000)
        one, other = both(gate, "robot", {"account": document})
        assert gate.call(one, "GET", gate.server.me).status_code == gate.call(other, "GET", gate.server.me).status_code == 200
        assert bring(gate, "robot", "eve", {"account": document}).status_code == 201


# Exchanged tokens.

def test_a_token_is_exchanged(product, binary):
    server = Exchanges()
    integration = {**server.integration(), "key": "swap", "provider": recipes.EXCHANGE_KEY, "scopes": ["openid", "email"], "config": {
        "token_url": server.url + "/token", "base_url": server.url}}
    with Gate("postgres", product, server, integration, name="exchange", binary=binary) as gate:
        server.stop()
        server.start([CALLBACK])
        theirs = server.grant()
        typed = {"token_of_yours": secret.remember("exchanged token", theirs["access_token"], "the customer")}
        refused(gate, "swap", {"token_of_yours": "no-token-of-this-server"}, ["invalid_request", "refused"])
        before = len(server.exchanges())
        one, other = both(gate, "swap", typed)
        for got in (one, other):
            assert gate.call(got, "GET", server.me).json()["sub"], got
        assert len(server.exchanges()) == before + 2
        row = server.exchanges()[-1]
        assert row["request"]["subject_token"] == theirs["access_token"] and row["basic"]
        assert row["answer"]["access_token"] != theirs["access_token"]
        # The clock moved on: what came of it has ended, and it is exchanged again.
        gate.broker.stop()
        gate.aged()
        gate.broker.serve()
        gate.burst(one, server.me)
        assert len(server.exchanges()) == before + 3, "a burst is one exchange"
        unseen(gate, theirs["access_token"], row["answer"]["access_token"])
        # The token itself has ended.
        revoked = requests.post(server.url + "/revocation", auth=(server.client_id, server.client_secret), timeout=10,
                                data={"token": theirs["access_token"], "token_type_hint": "access_token"})
        assert revoked.status_code == 200, revoked.text
        gate.broker.stop()
        gate.aged()
        gate.broker.serve()
        ended = gate.call(one, "GET", server.me)
        assert ended.status_code == 401 and ended.json()["code"] == "connection_refresh_failed", ended.text


def test_a_codes_token_is_exchanged_each_time(product, binary):
    server = Exchanges(EXCHANGE_PORT)
    integration = {**server.integration(), "key": "twofold", "provider": recipes.TWOFOLD_KEY}
    with Gate("sqlite", product, server, integration, name="twofold", binary=binary, ttl={"first_ttl": 3}) as gate:
        one, other = gate.authorize("twofold", state="s1"), gate.popup("twofold", "ann")
        assert len(server.exchanges(status=200)) == 2
        first = server.seen("token", grant_type="authorization_code")
        assert {r["request"]["subject_token"] for r in server.exchanges()} == {r["answer"]["access_token"] for r in first}
        for got in (one, other):
            assert gate.call(got, "GET", server.me).json()["sub"]
        gate.passed(3)
        gate.burst(one, server.me)
        assert len(server.refreshes()) >= 1 and len(server.exchanges(status=200)) == 2 + len(server.refreshes())
        sent = [r["request"]["refresh_token"] for r in server.refreshes()]
        assert len(set(sent)) == len(sent) and sent[0] in {r["answer"]["refresh_token"] for r in first}


# Client certificates.

@pytest.fixture
def demanding(product, binary):
    authority = Authority()
    server = TlsMachines(authority)
    carried = {"key": "carried", "provider": recipes.CARRIED_KEY, "name": "Carried", "client_id": server.client_id, "scopes": ["openid"],
               "config": server.config()}
    with Gate("sqlite", product, server, carried, name="tls", binary=binary, ttl=TTL, CLAVIGER_OUTBOUND_CA=authority.file) as gate:
        gate.authority = authority
        yield gate


def test_whoever_connects_has_a_certificate(demanding):
    gate, server = demanding, demanding.server
    certificate, key = gate.authority.client("machine")
    typed = {"certificate": certificate, "certificate_key": key}
    one, other = both(gate, "carried", typed)
    for got in (one, other):
        assert gate.call(got, "GET", server.answers).json()["client"] == "machine"
    assert all(r["bound"] for r in server.seen("machine"))
    gate.passed(2)
    before = len(server.fetches())
    gate.burst(one, server.answers)
    assert before + 1 <= len(server.fetches()) <= before + 2
    # Two connections, two certificates, one of them long: neither's calls go by the other's connection.
    another = dict(zip(("certificate", "certificate_key"), gate.authority.client("machine", bulk=4_000)))
    third = gate.popup("carried", "bob", another)
    assert gate.call(third, "GET", server.answers, "bob").status_code == gate.call(one, "GET", server.answers).status_code == 200
    unseen(gate, key.splitlines()[1])


def test_the_integration_has_a_certificate(product, binary):
    authority = Authority()
    server, (certificate, key) = TlsMachines(authority), authority.client("machine")
    machine = {"key": "machine", "provider": recipes.MACHINE_KEY, "name": "Machine", "client_id": "machine", "scopes": ["openid"],
               "config": server.config(), "client_certificate": {"certificate": "${env:CERTIFICATE}", "key": "${env:CERTIFICATE_KEY}"}}
    with Gate("postgres", product, server, machine, name="tls", binary=binary, ttl=TTL, CLAVIGER_OUTBOUND_CA=authority.file,
              secrets={"CERTIFICATE": certificate, "CERTIFICATE_KEY": key}) as gate:
        one, other = gate.authorize("machine", state="s1"), gate.popup("machine", "ann")
        gate.passed(2)
        before = len(server.fetches())
        gate.burst(one, server.answers)
        assert before + 1 <= len(server.fetches()) <= before + 2
        assert gate.call(other, "GET", server.answers).json()["client"] == "machine"
        assert all(r["bound"] for r in server.seen("machine"))
        unseen(gate, key.splitlines()[1])
        file = gate.broker.folder / "setup.yaml"
        for wrong in (authority.client("machine")[1], certificate, key[:100], ""):
            gate.broker.run("apply", "-f", file, rc=1, CERTIFICATE=certificate, CERTIFICATE_KEY=wrong, ACME_KEY=gate.broker.api_key,
                            ACME_JWT=gate.broker.jwt_secret, IDP_SECRET=server.client_secret)


def test_certificates_that_are_not_taken(demanding):
    gate = demanding
    certificate, key = gate.authority.client("machine")
    other_certificate, other_key = gate.authority.client("somebody")
    strange_certificate, strange_key = Authority("Somebody else's CA").client("machine")
    before = len(gate.server.seen())
    for pair in {"of another": (certificate, other_key), "no PEM": ("x", "y"), "twice the certificate": (certificate, certificate),
                      "swapped": (key, certificate), "half a key": (certificate, key[:80])}.values():
        refused(gate, "carried", {"certificate": pair[0], "certificate_key": pair[1]})
    assert len(gate.server.seen()) == before, "nothing was asked with what is no certificate"
    refused(gate, "carried", {"certificate": other_certificate, "certificate_key": other_key}, ["invalid_client", "refused"])
    refused(gate, "carried", {"certificate": strange_certificate, "certificate_key": strange_key}, away=True)


# Signed calls.

CALLS = [
    ("GET", "/", None), ("GET", "/a/b?b=2&a=1&a=0&A=x", None), ("GET", "/%C3%A9%20x/~-_./?q=%2B&q=%20&e=&flag", None),
    ("GET", "/?%C3%A9=%E2%82%AC&a%5B%5D=1&a%2Fb=c%3Dd", None), ("POST", "/things", b'{"a": "\xc3\xa9"}'), ("POST", "/form?x=y", b"Action=List&Version=1"),
    ("PUT", "/folder//deep/file%20name.bin", bytes(range(256)) * 300), ("DELETE", "/a%2Fb/c", None), ("PUT", "/empty", b""),
]


@pytest.mark.parametrize(("service", "payload", "token", "kind"), [
    ("execute-api", "signed", False, "sqlite"), ("s3", "signed", True, "postgres"), ("s3", "unsigned", False, "sqlite")])
def test_calls_are_signed(service, payload, token, kind, product, binary):
    authority = Authority()  # over plain HTTP bodies are signed whatever is asked
    aws = Aws(service, token=token, authority=authority if payload == "unsigned" else None)
    storage = service == "s3"
    inputs = {"endpoint": "storage.example.com"} if storage else {"service": service}
    integration = {"key": "cloud", "provider": "s3-compatible" if storage else recipes.SIGNED_KEY, "name": "Cloud", "config": {
        "base_url": aws.url, "inputs": {**inputs, "region": aws.region, "payload": payload}}}
    try:
        with Gate(kind, product, None, integration, name="sigv4", binary=binary, CLAVIGER_OUTBOUND_CA=authority.file) as gate:
            typed = {"access_key_id": aws.id, "secret_access_key": aws.key, **({"session_token": aws.token} if token else {})}
            one, other = both(gate, "cloud", typed)
            for got in (one, other):
                for method, path, body in CALLS:
                    answer = gate.call(got, method, path, data=body, headers={"X-Amz-Meta-Odd": "a   b", "X-Trace": "1"})
                    assert answer.status_code == 200, (method, path, answer.text)
                    arrived = answer.json()
                    assert arrived["method"] == method and arrived["size"] == len(body or b"")
                    assert arrived["path"] == path, "what was signed is another path"
                    assert (arrived["payload"] == UNSIGNED) == (payload == "unsigned" and bool(body)), arrived["payload"]
            # A signature of the caller's own is not passed on, nor a date that it would hold for.
            odd = gate.call(other, "GET", "/x", headers={"X-Amz-Date": "20200101T000000Z", "X-Amz-Security-Token": "mine"})
            assert odd.status_code == 200, odd.text
            large = gate.call(one, "PUT", "/large", data=bytes(3_000_000))
            assert large.status_code == (200 if payload == "unsigned" else 400), (large.status_code, large.text)
            assert (aws.requests[-1]["path"] == "/large") == (payload == "unsigned"), "what can't be signed is not sent"
            wrong = gate.popup("cloud", "bob", {**typed, "secret_access_key": secret.made("SigV4 secret key", "the customer")})
            if "connectionId" in wrong:  # nothing asked the service when it was typed
                assert gate.call(wrong, "GET", "/x", "bob").status_code == 403
            unseen(gate, aws.key, aws.token)
    finally:
        aws.close()


# Steps.

def test_a_session_is_made_in_two_steps(product, binary, sessions):
    integration = {"key": "stepped", "provider": recipes.STEPPED_KEY, "name": "Stepped"}
    with Gate("postgres", product, None, integration, name="steps", binary=binary) as gate:
        sessions.logins.clear()
        wrong = secret.made("step's password", "the customer")
        refused(gate, "stepped", {"user": "ann", "password": wrong}, [REFUSED])
        assert [r["good"] for r in sessions.logins] == [False] * 3
        typed = {"user": sessions.user, "password": sessions.password}
        one, other = both(gate, "stepped", typed)
        for got in (one, other):
            assert gate.call(got, "POST", "/things", data=b"x").json() == {"user": "ann", "method": "POST", "body": "x"}
        assert all(r["version"] == "2" for r in sessions.logins) and sessions.asked[-1] == {"name": "ann"}
        gate.passed(2)
        before = len(sessions.logins)
        gate.burst(one, "/things")
        assert before + 1 <= len(sessions.logins) <= before + 2, "a burst is one login, or two of sessions that live two seconds"
        unseen(gate, sessions.password, *sessions.sessions)
        kept, sessions.password = sessions.password, secret.made("step's password", "the customer")
        try:
            gate.passed(2)
            ended = gate.call(one, "GET", "/things")
            assert ended.status_code == 401 and ended.json()["code"] == "connection_refresh_failed", ended.text
        finally:
            sessions.password = kept
