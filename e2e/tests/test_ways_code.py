"""Connecting by code, and proving who asks in rarer ways, before oidc-provider: client assertions (RFC 7523 §2.2), pushed
requests (RFC 9126), proofs of possession (RFC 9449)."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests

from harness import secret
from harness.catch import Quiet, Small
from harness.gate import Gate, words
from harness.ways import Provider

TTL = {"first_ttl": 2, "later_ttl": 600}
CASES = [("private_key_jwt", "postgres"), ("client_secret_jwt", "sqlite")]


def integration(server, key="drive", **more):
    """The server's, without a secret where its client has none."""
    made = {**server.integration(**more), "key": key, "name": key.capitalize()}
    return {k: v for k, v in made.items() if k != "client_secret"} if server.client.get("jwks_uri") else made


def signing(method, kind, product, clock=0, ttl=None, trusts="drive"):
    """A Claviger whose client there signs: with its own keys, which the server fetches (those of `trusts`), or with the secret."""
    own = method == "private_key_jwt"
    server = Provider("signer", clock=clock, token_endpoint_auth_method=method, **({"jwks_uri": "later"} if own else {}))
    wanted = [integration(server, key, client_auth=method) for key in ("drive", "other")]

    def before(gate):
        if own:
            server.client["jwks_uri"] = gate.jwks(trusts)

    return Gate(kind, product, server, *wanted, name=method, ttl=ttl or TTL, before=before)


@pytest.mark.parametrize(("method", "kind"), CASES)
def test_the_client_signs(method, kind, product):
    with signing(method, kind, product) as gate:
        server = gate.server
        one, other = gate.authorize("drive", external_id="user 1", state="s1"), gate.popup("drive", "ann")
        gate.passed(2)
        for got in (one, other):
            assert all(a.json()["sub"] == "alice" for a in gate.burst(got, server.me))
        assert len(server.refreshes()) == 2, "a burst is one refresh"
        said = server.assertions()
        assert len(said) == len(server.seen("token")) == 4 and len({s["jti"] for s in said}) == 4
        for s in said:
            assert s["aud"] == server.url and s["iss"] == s["sub"] == server.client_id and s["exp"] - time.time() <= 60, s
            assert s["alg"] == ("HS256" if method == "client_secret_jwt" else s["alg"]) and s["alg"] != "none"
        assert not any("client_secret" in r["request"] or r["basic"] for r in server.seen("token"))
        assert gate.broker.exchange(one["code"], product.callback).status_code == 200
        if method == "private_key_jwt":
            check_keys(gate, said)


def check_keys(gate, said):
    """The integration's public keys: for whoever asks, with nothing of the private ones, and each integration's its own."""
    answer = requests.get(gate.jwks("drive"), timeout=10)
    keys = answer.json()["keys"]
    assert answer.headers["Cache-Control"].startswith(("max-age=", "public, max-age=")), answer.headers
    assert {s["kid"] for s in said} <= {k["kid"] for k in keys} and all(k["kty"] in ("EC", "RSA", "OKP") for k in keys)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {name for k in keys for name in k}
    others = requests.get(gate.jwks("other"), timeout=10).json()["keys"]
    assert not {k["kid"] for k in keys} & {k["kid"] for k in others}
    for nobody in ("int_nobody", "", "..%2f", gate.made["drive"]["id"] + "x"):
        answer = gate.broker.web().get(f"{gate.broker.app}/oauth2/jwks/{nobody}", allow_redirects=False)
        assert answer.status_code == 404, (nobody, answer.status_code)
    gate.broker.stop()
    gate.broker.serve()
    assert requests.get(gate.jwks("drive"), timeout=10).json()["keys"] == keys, "the keys outlive the process"


def test_another_key_is_refused(product):
    with signing("private_key_jwt", "sqlite", product, trusts="other") as gate:
        for got in (gate.authorize("drive", state="s1"), gate.popup("drive", "ann")):
            assert words(got)
        assert gate.broker.said().count("invalid_client: client authentication failed") == 2, "the operator's log says why"
        assert gate.kept() == 0 and [r["status"] for r in gate.server.seen("token")] == [401, 401]
        # The same client by the integration that the server trusts.
        assert "connection_id" in gate.authorize("other")


@pytest.mark.parametrize(("clock", "method"), [(30, "private_key_jwt"), (-30, "client_secret_jwt"), (600, "private_key_jwt")])
def test_clocks_that_differ(clock, method, product):
    with signing(method, "sqlite", product, clock=clock, ttl={"first_ttl": 3600}) as gate:
        one, other = gate.authorize("drive"), gate.popup("drive", "ann")
        if abs(clock) < 60:
            assert gate.call(one, "GET", gate.server.me).json()["sub"] == gate.call(other, "GET", gate.server.me).json()["sub"] == "alice"
        else:
            assert words(one) and words(other) and gate.kept() == 0
            assert gate.broker.said().count("invalid_client: client authentication failed") == 2, "the operator's log says why"


def test_requests_are_pushed(product):
    server = Provider("pushed", require_pushed_authorization_requests=True)
    with Gate("sqlite", product, server, integration(server, client_auth="basic", par=True), name="par", ttl=TTL) as gate:
        left = gate.broker.web().get(gate.start_url("drive", state="s0"), allow_redirects=False)
        target = urlsplit(left.headers["Location"])
        assert set(parse_qs(target.query)) == {"client_id", "request_uri"} and left.status_code == 302, left.headers["Location"]

        one, other = gate.authorize("drive", external_id="user 1", state="s1"), gate.popup("drive", "ann")
        assert (one["state"], one["external_id"]) == ("s1", "user 1")
        pushed = server.seen("par")
        assert [r["status"] for r in pushed] == [201] * 3 and all(r["basic"] for r in pushed)
        assert all({"redirect_uri", "state", "code_challenge"} <= set(r["request"]) for r in pushed)
        assert len({r["request"]["state"] for r in pushed}) == 3
        gate.passed(2)
        for got in (one, other):
            gate.burst(got, server.me)
        assert len(server.refreshes()) == 2
        server.stop()
        left = gate.broker.web().get(gate.start_url("drive", state="s2"), allow_redirects=False)
        assert left.headers.get("Location", product.callback).startswith(product.callback), "nobody is sent to a server that is away"


def test_a_request_that_cannot_be_pushed_is_told(product):
    server = Provider("pushed", require_pushed_authorization_requests=True)
    wrong = {**integration(server, client_auth="basic", par=True), "client_secret": "${env:OTHER}"}
    with Gate("sqlite", product, server, wrong, name="par", secrets={"OTHER": secret.made("client secret", "the operator")}) as gate:
        for got in (gate.authorize("drive", state="s1"), gate.popup("drive", "ann")):
            assert words(got)
        assert [r["status"] for r in server.seen("par")] == [401, 401] and server.seen("authorize") == server.seen("token") == []


@pytest.mark.parametrize(("clock", "kind"), [(0, "postgres"), (600, "sqlite")])
def test_tokens_are_bound_to_a_key(clock, kind, product):
    server = Provider("bound", clock=clock, nonces=True, dpop_bound_access_tokens=True)
    with Gate(kind, product, server, integration(server, client_auth="basic", dpop=True), name="dpop", ttl=TTL) as gate:
        one, other = gate.authorize("drive", external_id="user 1", state="s1"), gate.popup("drive", "ann")
        given = server.seen("token", status=200)
        assert [r["answer"]["token_type"] for r in given] == ["DPoP", "DPoP"]
        for got in (one, other):
            assert gate.call(got, "GET", server.me).json()["sub"] == "alice"
        assert {r["scheme"] for r in server.seen("me", status=200)} == {"DPoP"}
        # A form is sent again, whole, when the server wants a nonce first.
        gate.broker.kill()
        gate.broker.serve()
        sent = gate.call(one, "POST", server.me, data={"scope": "openid email"})
        assert sent.status_code == 200 and sent.json()["email"] == "alice@example.test", sent.text
        gate.passed(2)
        for got in (one, other):
            gate.burst(got, server.me)
        refreshed = server.seen("token", status=200, grant_type="refresh_token")
        assert len(refreshed) == 2 and [r["answer"]["token_type"] for r in refreshed] == ["DPoP"] * 2
        check_proofs(server)
        shown = gate.broker.rest("GET", f"/connections/{other['connectionId']}", gate.broker.token("ann")).text
        assert not any(t in shown for t in server.access_tokens())


def check_proofs(server):
    """Every proof was used once, says what it is for, and a token's calls are signed with the token's key."""
    at_token, at_me = server.proofs("token"), server.proofs("me")
    assert len({p["jti"] for p in at_token + at_me}) == len(at_token + at_me)
    assert all(p["typ"] == "dpop+jwt" and p["htm"] == "POST" and p["htu"] == server.url + "/token" and "d" not in p["jwk"] for p in at_token)
    given = [(jwt.get_unverified_header(r["proof"])["jwk"], r) for r in server.seen("token", status=200)]
    keys = {json.dumps(jwk, sort_keys=True) for jwk, _ in given}
    assert len(given) == 4 and len(keys) == 2, "each connection has a key of its own, from its first token on"
    assert {json.dumps(p["jwk"], sort_keys=True) for p in at_me} == keys
    assert all(jwt.decode(r["proof"], options={"verify_signature": False})["nonce"] for _, r in given), "the server takes none without"


class Hostile(Small):
    """A server of ours that plays an issuer: its metadata names the token endpoint of an honest one as its own."""

    def __init__(self, honest, issuer=None):
        outer = self
        self.asked, self.issuer = [], issuer

        class Handler(Quiet):
            def do_GET(self):
                at = urlsplit(self.path)
                outer.asked.append(at.path)
                if at.path == "/auth":
                    query = {k: v[0] for k, v in parse_qs(at.query).items()}
                    self.send_response(302)
                    self.send_header("Location", f"{query['redirect_uri']}?code=stolen-code-of-somebody&state={query['state']}&iss={outer.url}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                found = {"issuer": outer.issuer or outer.url, "authorization_endpoint": outer.url + "/auth",
                         "token_endpoint": honest.url + "/token", "jwks_uri": outer.url + "/jwks", "response_types_supported": ["code"],
                         "token_endpoint_auth_methods_supported": ["private_key_jwt"], "code_challenge_methods_supported": ["S256"]}
                body = json.dumps(found if ".well-known" in at.path else {}).encode()
                self.send_response(200 if ".well-known" in at.path else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


@pytest.mark.parametrize("lies", [False, True])
def test_hostile_metadata_gets_no_assertion_that_is_good_elsewhere(lies, product):
    honest = Provider("signer", token_endpoint_auth_method="private_key_jwt", jwks_uri="later")
    hostile = Hostile(honest, honest.url if lies else None)
    wanted = [integration(honest, client_auth="private_key_jwt")]
    wanted.append({**wanted[0], "key": "evil", "name": "Evil", "config": {**wanted[0]["config"], "issuer": hostile.url}})

    def before(gate):  # the worst case: the honest server would take the hostile integration's key
        honest.client.update(jwks_uri=gate.jwks("evil"), grant_types=["authorization_code", "refresh_token", "client_credentials"])

    with Gate("sqlite", product, honest, *wanted, name="hostile", before=before) as gate:
        try:
            for start in (lambda: gate.authorize("evil", state="s1"), lambda: gate.popup("evil", "ann")):
                assert words(start())
            tried = honest.seen("token")
            assert gate.kept() == 0
            if lies:
                assert tried == [] and "/auth" not in hostile.asked, "metadata of another issuer is not read any further"
                return
            assert all(r["status"] == 401 for r in tried) and all(a["aud"] == hostile.url for a in honest.assertions())
            for row in tried:
                text = row["request"]["client_assertion"]
                again = requests.post(honest.url + "/token", timeout=10, data={
                    "grant_type": "client_credentials", "client_id": "signer", "client_assertion": text,
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"})
                assert again.status_code == 401, "an assertion for one server opened another"
        finally:
            hostile.close()
