"""The same ground for the rarer ways to authenticate: each works with a plain client, and refuses what it should refuse.

When one of these fails, the test bed is broken, not the product.
"""

import base64
import hashlib
import json
import secrets
import time
import uuid
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from harness.catch import Quiet, Small
from harness.consent import walk
from harness.plain import CALLBACK, begin, endpoints
from harness.tls import Authority, pem
from harness.ways import ACCESS_TOKEN, ASSERTION, DEVICE, EXCHANGE, Devices, Exchanges, Provider, Robots, TlsMachines, enter_code

SCOPES = "openid offline_access email"


def assertion(key, claims, algorithm="ES256", **header):
    now = int(time.time())
    return jwt.encode({"jti": uuid.uuid4().hex, "iat": now, "exp": now + 60, **claims}, key, algorithm, header)


def by_code(server, auth=None, proof=None, **form):
    """Connects by code, authenticating with what is given; the token endpoint's answer."""
    authorize, token = endpoints(server)
    url, verifier = begin(server, authorize)
    back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
    form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": CALLBACK, "code_verifier": verifier, **form}
    return requests.post(token, auth=auth, data=form, headers={"DPoP": proof(token)} if proof else {}, timeout=10)


def signing(server, key, algorithm, audience):
    claims = {"iss": server.client_id, "sub": server.client_id, "aud": audience}
    return {"client_id": server.client_id, "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(key, claims, algorithm, **({"kid": "one"} if algorithm == "ES256" else {}))}


class Jwks(Small):
    """A client's public keys."""

    def __init__(self, *keys):
        body = json.dumps({"keys": [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(k.public_key())), "kid": "one", "use": "sig"} for k in keys]}).encode()

        class Handler(Quiet):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


def test_private_key_jwt_wants_the_key_and_the_issuer():
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    keys = Jwks(key)
    server = Provider("keyed", token_endpoint_auth_method="private_key_jwt", jwks_uri=keys.url)
    try:
        server.start([CALLBACK])
        assert by_code(server, **signing(server, pem(key), "ES256", server.url)).status_code == 200
        assert by_code(server, **signing(server, pem(other), "ES256", server.url)).status_code == 401
        assert by_code(server, **signing(server, pem(key), "ES256", "http://127.0.0.1:9")).status_code == 401
        assert len(server.assertions()) == 3 and server.assertions()[0]["aud"] == server.url
    finally:
        server.stop()
        keys.close()


@pytest.mark.parametrize(("clock", "status"), [(0, 200), (30, 200), (-30, 200), (600, 401)])
def test_client_secret_jwt_and_a_clock_that_is_ahead(clock, status):
    server = Provider("hashed", clock=clock, token_endpoint_auth_method="client_secret_jwt")
    try:
        server.start([CALLBACK])
        assert by_code(server, **signing(server, server.client_secret, "HS256", server.url)).status_code == status
    finally:
        server.stop()


def test_pushed_requests_are_required():
    server = Provider("pushed", require_pushed_authorization_requests=True)
    try:
        server.start([CALLBACK])
        authorize, token = endpoints(server)
        url, verifier = begin(server, authorize)
        refused = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
        assert refused["error"] == ["invalid_request"], refused
        auth, query = (server.client_id, server.client_secret), {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        pushed = requests.post(server.url + "/request", auth=auth, data=query, timeout=10).json()
        url = f"{authorize}?{urlencode({'client_id': server.client_id, 'request_uri': pushed['request_uri']})}"
        back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
        form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": CALLBACK, "code_verifier": verifier}
        assert requests.post(token, auth=auth, data=form, timeout=10).status_code == 200
        assert [r["status"] for r in server.seen("par")] == [201]
    finally:
        server.stop()


def test_dpop_wants_proofs_and_nonces():
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))

    def proof(method, url, **claims):
        return jwt.encode({"jti": uuid.uuid4().hex, "iat": int(time.time()), "htm": method, "htu": url, **claims}, pem(key), "ES256",
                          {"typ": "dpop+jwt", "jwk": public})

    server = Provider("bound", nonces=True, dpop_bound_access_tokens=True)
    auth = (server.client_id, server.client_secret)
    try:
        server.start([CALLBACK])
        assert by_code(server, auth).status_code == 400
        asked = by_code(server, auth, proof=lambda url: proof("POST", url))
        assert asked.json()["error"] == "use_dpop_nonce"
        nonce = asked.headers["DPoP-Nonce"]
        given = by_code(server, auth, proof=lambda url: proof("POST", url, nonce=nonce)).json()
        assert given["token_type"] == "DPoP"
        token, url = given["access_token"], server.url + "/me"
        ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()

        def me(scheme="DPoP", **claims):
            return requests.get(url, timeout=10, headers={"Authorization": f"{scheme} {token}", "DPoP": proof("GET", url, **claims)})

        assert me(ath=ath, nonce=nonce).status_code == 200
        unsaid = me(ath=ath)
        assert unsaid.status_code == 401 and "use_dpop_nonce" in unsaid.headers["WWW-Authenticate"] and unsaid.headers["DPoP-Nonce"]
        assert (me(nonce=nonce).status_code, me("Bearer", ath=ath, nonce=nonce).status_code) == (401, 400)
        assert len(server.proofs("me")) >= 3 and server.proofs("token")[-1]["nonce"] == nonce
    finally:
        server.stop()


def devices_of(library):
    if library == "authlib":
        return Devices(), "/oauth/device", "/oauth/token"
    return Provider("tv", device_ttl=60, grant_types=[DEVICE, "refresh_token"], redirect_uris=[], response_types=[]), "/device/auth", "/token"


@pytest.mark.parametrize("press", ["allow", "deny"])
@pytest.mark.parametrize("library", ["authlib", "oidc-provider"])
def test_a_device_code_is_entered(library, press):
    server, ask, token = devices_of(library)
    auth = (server.client_id, server.client_secret)
    try:
        server.start([CALLBACK])
        code = requests.post(server.url + ask, auth=auth, data={"scope": SCOPES if library != "authlib" else "read"}, timeout=10).json()

        def poll():
            form = {"grant_type": DEVICE, "device_code": code["device_code"]}
            return requests.post(server.url + token, auth=auth, data=form, timeout=10).json()

        assert poll()["error"] == "authorization_pending"
        if library == "authlib":
            assert poll()["error"] == "slow_down"
        enter_code(code.get("verification_uri_complete") or code["verification_uri"], code["user_code"], press)
        said = poll()
        assert said.get("error") == "access_denied" if press == "deny" else said["access_token"], said
        if press == "allow":
            assert server.asked(said["access_token"]).status_code == 200
        assert server.seen("device")[0]["answer"]["device_code"] == code["device_code"]
    finally:
        server.stop()


@pytest.mark.parametrize(("clock", "status"), [(0, 200), (30, 200), (-30, 200), (600, 400), (-600, 400)])
def test_a_service_accounts_assertion(clock, status):
    server = Robots(clock)
    try:
        server.start([CALLBACK])

        def ask(key=server.private_key, audience=server.url, **claims):
            text = assertion(key, {"iss": server.robot, "aud": audience, **claims}, "RS256")
            return requests.post(server.url + "/oauth/token", data={"grant_type": ASSERTION, "assertion": text, "scope": "read"}, timeout=10)

        given = ask()
        assert given.status_code == status, given.text
        if clock == 0:
            assert server.asked(given.json()["access_token"]).json() == {"user": None, "client": server.robot}
            assert server.asked(ask(sub="alice").json()["access_token"]).json()["user"] == "alice"
            assert ask(sub="bob").status_code == 400 and ask(audience="http://127.0.0.1:9").status_code == 400
            assert ask(key=Robots().private_key).status_code == 400
    finally:
        server.stop()


def test_a_token_is_exchanged():
    server = Exchanges()
    try:
        server.start([CALLBACK])
        given = server.grant()
        form = {"grant_type": EXCHANGE, "subject_token": given["access_token"], "subject_token_type": ACCESS_TOKEN}
        auth = (server.client_id, server.client_secret)
        other = requests.post(server.url + "/token", auth=auth, data=form, timeout=10).json()
        assert other["issued_token_type"] == ACCESS_TOKEN and other["access_token"] != given["access_token"], other
        assert server.asked(other["access_token"]).status_code == 200
        refused = requests.post(server.url + "/token", auth=auth, data={**form, "subject_token": secrets.token_urlsafe(30)}, timeout=10)
        assert refused.status_code == 400 and len(server.exchanges()) == 2
    finally:
        server.stop()


def test_a_client_certificate_is_demanded():
    authority, stranger = Authority(), Authority("Somebody else's CA")
    server = TlsMachines(authority)
    try:
        server.start([CALLBACK])

        def ask(issuer):
            certificate, key = (issuer.client("machine") if issuer else (None, None))
            web = requests.Session()
            web.trust_env, web.verify = False, str(authority.file)
            if issuer:
                (issuer.folder / "c.pem").write_text(certificate + key)
                web.cert = str(issuer.folder / "c.pem")
            return web, web.post(server.url + "/token", data={"grant_type": "client_credentials", "client_id": "machine"}, timeout=10)

        web, given = ask(authority)
        assert given.status_code == 200, given.text
        bearer = {"Authorization": f"Bearer {given.json()['access_token']}"}
        assert web.get(server.url + "/machine", headers=bearer, timeout=10).json()["client"] == "machine"
        again, _ = ask(authority)
        assert again.get(server.url + "/machine", headers=bearer, timeout=10).status_code == 401, "bound to the certificate before"
        for issuer in (None, stranger):
            with pytest.raises(requests.exceptions.ConnectionError):
                ask(issuer)
    finally:
        server.stop()
