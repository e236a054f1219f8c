"""The authorization servers that others wrote, each started for one story, with a file of what it saw."""

import base64
import hashlib
import json
import secrets
import sys
from urllib.parse import parse_qs, urlsplit

import requests

from . import place, secret
from .process import Process, base_env, free_port

KINDS = {}


class AuthorizationServer:
    """One running server. Subclasses say how it starts and how Claviger is told about it.

    Those that are `listed` in `KINDS` take the whole walk of OAuth 2: consent, code, refresh.
    """

    kind = client_id = health = provider = me = None
    scopes = []

    def __init_subclass__(cls, listed=True):
        if listed:
            KINDS[cls.kind] = cls

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = place.fresh(place.PRIVATE, self.kind)
        self.seen_file = self.folder / "seen.jsonl"
        self.client_secret = secret.made("client secret", self.kind)
        self.process = None

    def argv(self):
        raise NotImplementedError

    def config(self):
        raise NotImplementedError

    def integration(self, **config):
        """The integration as `claviger apply` reads it; its secret comes from the environment as IDP_SECRET."""
        return {"key": self.kind, "provider": self.provider, "name": f"Test {self.kind}", "client_id": self.client_id,
                "client_secret": "${env:IDP_SECRET}", "scopes": self.scopes, "mode": "per-user",
                "config": {**self.config(), **config}}

    def start(self, redirects, first_ttl=3600, later_ttl=3600):
        """Starts it with the redirect URIs it accepts and the access tokens' lifetimes in seconds."""
        self.process = Process(self.kind, self.argv(), self.folder, env=base_env(
            PORT=self.port, REDIRECTS=",".join(redirects), SEEN=self.seen_file, CLIENT_SECRET=self.client_secret,
            FIRST_TTL=first_ttl, LATER_TTL=later_ttl, **self.more_env()), cwd=place.E2E)
        self.wait()
        return self

    def wait(self):
        """Until it answers."""
        self.process.ready(self.url + self.health)

    def more_env(self):
        """What it wants to know beyond what all are told."""
        return {}

    def seen(self, event=None, **match):
        """What it saw, oldest first, filtered by event and by top-level fields."""
        if not self.seen_file.exists():
            return []
        rows = [json.loads(line) for line in self.seen_file.read_text().splitlines() if line.endswith("}")]
        return [r for r in rows if (event is None or r["event"] == event) and all(r.get(k) == v for k, v in match.items())]

    def asked(self, token):
        """What its API says to an access token."""
        return requests.get(self.url + self.me, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def refreshes(self):
        return self.seen("token", grant_type="refresh_token")

    def access_tokens(self):
        return [r["answer"]["access_token"] for r in self.seen("token") if "access_token" in r["answer"]]

    def stop(self):
        if self.process:
            self.process.stop()


class OidcProvider(AuthorizationServer):
    """oidc-provider: rotation, and a spent refresh token used twice kills the grant. `slow`: between how many milliseconds pass
    from a refresh to its answer."""

    kind, client_id, health, provider = "oidc-provider", "basic", "/.well-known/openid-configuration", "oidc"
    scopes, me = ["openid", "offline_access", "email"], "/me"

    def __init__(self, slow=None):
        super().__init__()
        self.slow = slow

    def more_env(self):
        return {"SLOW": ",".join(map(str, self.slow))} if self.slow else {}

    def argv(self):
        return ["node", place.E2E / "servers/oidc-provider.mjs"]

    def config(self):
        return {"issuer": self.url, "base_url": self.url, "authorize_params": {"prompt": "consent"}, "client_auth": "basic"}


class Machines(OidcProvider, listed=False):
    """oidc-provider with a client that gets tokens by its own credentials: `/machine` takes those and no others."""

    machine, answers = "machine", "/machine"

    def __init__(self):
        super().__init__()
        self.machine_secret = secret.made("machine secret", "the customer")

    def more_env(self):
        return {"MACHINE_SECRET": self.machine_secret}

    def fetches(self):
        """The token requests that a machine made and was answered."""
        return self.seen("token", status=200, grant_type="client_credentials")

    def revoke(self, token):
        done = requests.post(self.url + "/token/revocation", data={"token": token}, auth=(self.machine, self.machine_secret), timeout=20)
        assert done.status_code == 200, done.text


class Authlib(AuthorizationServer):
    """Authlib: endpoints by hand, the old access token dies on refresh."""

    kind, client_id, health, provider = "authlib", "basic", "/health", "oauth2"
    scopes, me = ["read"], "/api/me"

    def argv(self):
        return [sys.executable, place.E2E / "servers/authlib_server.py"]

    def config(self):
        return {"authorize_url": self.url + "/oauth/authorize", "token_url": self.url + "/oauth/token",
                "revoke_url": self.url + "/oauth/revoke", "base_url": self.url, "client_auth": "basic"}


class Idpy(AuthorizationServer):
    """idpy-oidc: OpenID discovery only, very long codes and tokens, extra parameters in the callback."""

    kind, client_id, health, provider = "idpy-oidc", "client1", "/.well-known/openid-configuration", "oidc"
    scopes, me = ["openid", "offline_access", "email"], "/userinfo"

    def argv(self):
        return [sys.executable, place.E2E / "servers/idpy_server.py"]

    def config(self):
        # offline_access without prompt=consent is refused.
        return {"issuer": self.url, "base_url": self.url, "authorize_params": {"prompt": "consent"}, "client_auth": "basic"}


class Sandbox(AuthorizationServer, listed=False):
    """Our own sandbox provider: its API echoes what arrived. For stories about clients, not about conformance."""

    kind, client_id, health, provider = "sandbox", "sandbox", "/.well-known/oauth-authorization-server", "sandbox"
    scopes = ["read"]

    def start(self, redirects, first_ttl=3600, later_ttl=3600):
        prefix, = redirects
        self.own_redirect = prefix + "own"
        argv = [place.BIN, "sandbox", "--client-secret", self.client_secret, "--redirect-prefix", prefix,
                "--token-lifetime", first_ttl, "--sandbox-listen", f"127.0.0.1:{self.port}"]
        self.process = Process(self.kind, argv, self.folder).ready(self.url + self.health)
        return self

    def config(self):
        paths = {"authorize_url": "/authorize", "token_url": "/token", "revoke_url": "/revoke", "userinfo_url": "/userinfo",
                 "base_url": "/api"}
        return {name: self.url + path for name, path in paths.items()}

    def faults(self, **changes):
        """Makes it misbehave; None ends a fault."""
        assert requests.post(self.url + "/faults", json=changes, timeout=20).status_code == 200

    def stats(self):
        return requests.get(self.url + "/stats", timeout=20).json()

    def token(self, web=requests, **form):
        """One token request of the test's own: the answer's JSON."""
        answer = web.post(self.url + "/token", data=form, auth=(self.client_id, self.client_secret), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def grant(self, scopes=("read",)):
        """Tokens of a new grant that Claviger had no part in."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": self.client_id, "redirect_uri": self.own_redirect, "state": "own",
                 "scope": " ".join(scopes), "code_challenge": challenge, "code_challenge_method": "S256"}
        back = requests.post(self.url + "/authorize", params=asked, data={"decision": "allow", "account": "alice"},
                             allow_redirects=False, timeout=20)
        (code,) = parse_qs(urlsplit(back.headers["Location"]).query)["code"]
        return self.token(grant_type="authorization_code", code=code, redirect_uri=self.own_redirect, code_verifier=verifier)
