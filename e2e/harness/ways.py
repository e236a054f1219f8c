"""The authorization servers of `harness/server.py` as the rarer ways to authenticate need them, and the people at them."""

import json
from urllib.parse import urljoin

import jwt
import requests

from . import secret
from .consent import forms, submit
from .oauth1 import rsa_keys
from .plain import code_grant
from .process import until
from .server import Authlib, Idpy, OidcProvider

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class Provider(OidcProvider, listed=False):
    """oidc-provider with one more client: `client` is its metadata, laid over that of `basic`."""

    def __init__(self, client_id, clock=0, nonces=False, device_ttl=0, **client):
        super().__init__()
        self.client_id, self.client, self.clock, self.nonces, self.device_ttl = client_id, client, clock, nonces, device_ttl

    def more_env(self):
        wanted = {"CLIENTS": json.dumps([{"client_id": self.client_id, **self.client}]), "CLOCK": self.clock}
        return {**wanted, **({"NONCES": 1} if self.nonces else {}), **({"DEVICE_TTL": self.device_ttl} if self.device_ttl else {})}

    def config(self):
        return {"issuer": self.url, "base_url": self.url, "authorize_params": {"prompt": "consent"}}

    def proofs(self, event):
        """The DPoP proofs that came with requests of this kind, decoded and not judged: header and claims together."""
        return [{**jwt.get_unverified_header(r["proof"]), **jwt.decode(r["proof"], options={"verify_signature": False})}
                for r in self.seen(event) if r.get("proof")]

    def assertions(self):
        """The claims and headers of the client assertions of all token requests, not judged."""
        return [{**jwt.get_unverified_header(text), **jwt.decode(text, options={"verify_signature": False})}
                for text in (r["request"].get("client_assertion") for r in self.seen("token")) if text]


class Devices(Authlib, listed=False):
    """Authlib giving device codes (RFC 8628)."""

    def __init__(self, interval=1, device_ttl=120, slow_down=False):
        super().__init__()
        self.interval, self.device_ttl, self.slow_down = interval, device_ttl, slow_down

    def more_env(self):
        return {"INTERVAL": self.interval, "DEVICE_TTL": self.device_ttl, "SLOW_DOWN": int(self.slow_down)}

    def config(self):
        return {"device_url": self.url + "/oauth/device", "token_url": self.url + "/oauth/token", "base_url": self.url,
                "client_auth": "basic"}

    def polls(self):
        """The polls for tokens, oldest first."""
        return self.seen("token", grant_type=DEVICE)

    def polled(self, times, seconds=30):
        """Waits until it has been polled so often."""
        return until(f"{times} polls", lambda: len(self.polls()) >= times and self.polls(), seconds)


class Robots(Authlib, listed=False):
    """Authlib giving tokens for signed assertions (RFC 7523 §2.1), with the key of one service account."""

    robot = "robot@example.test"

    def __init__(self, clock=0):
        super().__init__()
        self.clock = clock
        self.private_key, self.public_key = rsa_keys("the service account")

    def more_env(self):
        return {"SERVICE_KEY": self.public_key, "CLOCK": self.clock}

    def document(self, **changed):
        """The service account as a cloud hands it out: a JSON file."""
        return json.dumps({"type": "service_account", "project_id": "stories", "private_key_id": "key-1", "private_key": self.private_key,
                           "client_email": self.robot, "token_uri": self.url + "/oauth/token", **changed}, indent=2)

    def fetches(self, **match):
        return self.seen("token", grant_type=ASSERTION, **match)

    def claims(self):
        """What the assertions said, oldest first, not judged."""
        return [jwt.decode(r["request"]["assertion"], options={"verify_signature": False}) for r in self.fetches()]


class Exchanges(Idpy, listed=False):
    """idpy-oidc exchanging tokens that it gave (RFC 8693). `port` is one that was chosen before."""

    def __init__(self, port=None):
        super().__init__()
        self.port = port or self.port
        self.url = f"http://127.0.0.1:{self.port}"

    def exchanges(self, **match):
        return self.seen("token", grant_type=EXCHANGE, **match)

    def grant(self):
        """Tokens of alice's that Claviger had no part in: the access token is what gets exchanged."""
        return code_grant(self)


class TlsMachines(Provider, listed=False):
    """oidc-provider over TLS, for clients with a certificate of `authority`'s: `machine` is who shows one named so (RFC 8705)."""

    answers = "/machine"

    def __init__(self, authority):
        super().__init__("machine", token_endpoint_auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=machine", scope="openid",
                         grant_types=["client_credentials"], redirect_uris=[], response_types=[],
                         tls_client_certificate_bound_access_tokens=True)
        self.url, self.authority = self.url.replace("http:", "https:"), authority
        self.files = authority.server()

    def more_env(self):
        key, certificate = self.files
        return {**super().more_env(), "TLS_KEY": key, "TLS_CERT": certificate, "TLS_CA": self.authority.file}

    def wait(self):
        self.process.listening(self.port)

    def config(self):
        return {"token_url": self.url + "/token", "base_url": self.url, "client_auth": "tls_client_auth"}

    def fetches(self):
        return self.seen("token", status=200)


def enter_code(uri, user_code, press="allow", web=None):
    """Somebody with a phone: opens the verification page, signs in as alice, and says yes or no to this code.

    Both servers' pages are gone through as they are: Authlib's one form, oidc-provider's code, confirmation, login, consent.
    """
    web = web or requests.Session()
    page = web.get(uri)
    for _ in range(12):
        found = forms(page.text)
        if not found:
            return page
        names = {n for f in found for n in f["fields"]} | {n for f in found for n, _ in f["buttons"]}
        if press == "deny" and "abort" in names:
            return _post(web, page, {**found[0]["fields"], "abort": "yes"})
        elif "xsrf" in names:  # the code, or its confirmation
            page = _post(web, page, {**found[0]["fields"], **({"user_code": user_code} if "user_code" in names else {})})
        else:
            login = any(b[1] == "login" for f in found for b in f["buttons"])
            page = _follow(web, submit(web, page, {"user_code": user_code}, "login" if login else press if "user_code" in names else None))
        assert page.status_code < 400, f"{page.url}: {page.status_code} {page.text[:500]}"
    raise AssertionError("twelve pages, and no end")


def _post(web, page, fields):
    return _follow(web, web.post(urljoin(page.url, forms(page.text)[0]["action"]), data=fields, allow_redirects=False))


def _follow(web, response):
    while response.status_code in (302, 303):
        response = web.get(urljoin(response.url, response.headers["Location"]), allow_redirects=False)
    return response


def remember_key(kind, pem, where):
    """Writes a private key down: the sweep looks for one of its lines. Returns it whole."""
    secret.remember(kind, pem.splitlines()[len(pem.splitlines()) // 2], where)
    return pem
