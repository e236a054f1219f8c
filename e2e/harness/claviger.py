"""Claviger as a black box: the binary, its configuration, its two origins, and a copy of everything it answers."""

import json
import re
import subprocess
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
import yaml

from . import database, place, secret
from .process import Process, base_env, free_port

CLIENT_ID = "acme"
EVENTS = ("connection.created", "connection.updated", "connection.deleted", "connection.expired")


class Web(requests.Session):
    """A session that keeps what Claviger itself said, for the canary sweep.

    Left out are the allowed places: `Location` and `Set-Cookie`. An upstream's own body is not Claviger's word, so of
    proxied answers the headers are kept, and the body where it has the shape of Claviger's errors.
    """

    def __init__(self, folder, app, proxy):
        super().__init__()
        self.trust_env = False
        self.folder, self.app, self.proxy = folder, app, proxy
        self.hooks["response"].append(self.keep)

    def request(self, *args, **kwargs):
        kwargs.setdefault("timeout", 60)
        return super().request(*args, **kwargs)

    def keep(self, response, **_):
        for cookie in response.cookies:
            if response.url.startswith(self.app):
                secret.remember("session" if cookie.name == "sid" else "browser cookie", cookie.value, "Set-Cookie")
        proxied = re.match(r"/(api/integrations/[^/]+/request|connections/[^/]+/proxy)(/|$)", urlsplit(response.url).path)
        ours = response.url.startswith(self.app) and not proxied
        if not proxied and not ours and not response.url.startswith(self.proxy):
            return
        shown = told_once(response) if ours else None
        head = "".join(f"{k}: {v}\n" for k, v in response.headers.items() if k.lower() not in ("location", "set-cookie"))
        body = response.text if ours or own_error(response) else "(the upstream's)"
        if shown:
            body = body.replace(json.dumps(shown), '"(shown this once)"', 1)
        with open(self.folder / "answers.txt", "a", encoding="utf-8") as file:
            # A link's token is in its path, which is ours to write: it is not in an answer.
            path = re.sub(r"^/reconnect/.*", "/reconnect/…", urlsplit(response.url).path)
            file.write(f"{response.request.method} {path} {response.status_code}\n{head}\n{body}\n\n")


def told_once(response):
    """The secret in an answer that makes one, the allowed place for it: a webhook's, a user's token, a session, a link."""
    path = urlsplit(response.url).path.rstrip("/")
    if response.request.method == "POST" and path == "/api/tokens" and response.ok:
        return secret.remember("user token", response.json()["token"], "the API")
    if response.request.method == "POST" and path in ("/api/auth/login", "/api/login/local") and response.ok:
        return secret.remember("session", response.json().get("sid"), "the API")
    if response.request.method == "POST" and re.fullmatch(r"/v1/webhooks(/[^/]+/secret)?", path) and response.ok:
        return secret.remember("webhook secret", response.json()["secret"], "the API")
    if response.request.method == "POST" and re.fullmatch(r"/v1/connections/[^/]+/reconnect", path) and response.ok:
        url = response.json()["url"]
        secret.remember("reconnect link", url.rsplit("/", 1)[1], "the API")
        return url
    return None


def own_error(response):
    """Whether a proxy's answer is Claviger's own refusal."""
    if response.status_code < 400 or response.raw.tell() > 100_000 or "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        said = set(response.json())
        return any(shape <= said for shape in ({"status", "code", "message"}, {"statusCode", "error", "message"}, {"type", "message"}))
    except (ValueError, TypeError):
        return False


class Claviger:
    """`claviger serve` on a database of its own."""

    def __init__(self, kind, name="serve", binary=None, **settings):
        self.binary = binary or place.BIN
        self.folder = place.fresh(place.SWEPT, f"{name}-{kind}")
        self.database = database.new(kind, self.folder)
        self.listen()
        self.master_key = secret.master_key()
        self.settings = settings
        self.api_key = secret.api_key()
        self.jwt_secret = secret.made("workspace secret", "the operator", 64)
        self.process = None

    def env(self, **more):
        return base_env(**{
            "CLAVIGER_DATABASE_URL": self.database, "CLAVIGER_MASTER_KEY": self.master_key, "CLAVIGER_PUBLIC_URL": self.app,
            "CLAVIGER_PROXY_PUBLIC_URL": self.proxy, "CLAVIGER_LISTEN": f"127.0.0.1:{self.ports[0]}",
            "CLAVIGER_PROXY_LISTEN": f"127.0.0.1:{self.ports[1]}", "CLAVIGER_OUTBOUND_ALLOW": "127.0.0.0/8",
            "CLAVIGER_PROXY_RATE_LIMIT": "off", **self.settings, **more})

    def run(self, *argv, rc=0, **env):
        """One command: its stdout; what went to stderr is in `complaint`. Both are swept."""
        done = subprocess.run([str(self.binary), *map(str, argv)], stdin=subprocess.DEVNULL, env=self.env(**env), text=True,
                              capture_output=True, timeout=120, cwd=self.folder)
        with open(self.folder / "commands.txt", "a", encoding="utf-8") as file:
            file.write(f"$ claviger {' '.join(map(str, argv))}\n{done.stdout}{done.stderr}\n")
        self.complaint = done.stderr
        assert done.returncode == rc, f"claviger {argv[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, integrations, redirect_uris, secrets=None, workspaces=None):
        """Sets up one workspace (or those given), and returns `apply --json`'s workspaces by client id."""
        document = {"workspaces": workspaces or [self.workspace(integrations, redirect_uris)]}
        file = self.folder / "setup.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        said = self.run("apply", "-f", file, "--json", ACME_KEY=self.api_key, ACME_JWT=self.jwt_secret,
                        **(secrets or {}))
        return {w["client_id"]: w for w in json.loads(said.strip().splitlines()[-1])["workspaces"]}

    def workspace(self, integrations, redirect_uris, client_id=CLIENT_ID, key="ACME_KEY", **settings):
        return {"name": f"The {client_id} company", "client_id": client_id, "settings": settings, "redirect_uris": redirect_uris,
                "api_keys": [{"name": "backend", "secret": f"${{env:{key}}}", "scopes": ["management", "proxy"]}],
                "integrations": integrations}

    def token(self, customer=None, key=None, algorithm="HS256", workspace=CLIENT_ID, lifetime=3600, kid=None, **claims):
        """A workspace token as a product mints one: by the workspace's secret, or by a private key (PEM)."""
        given = {"iss": workspace, "id": customer, "exp": None if lifetime is None else int(time.time()) + lifetime, **claims}
        text = jwt.encode({k: v for k, v in given.items() if v is not None}, key or self.jwt_secret, algorithm,
                          {"kid": kid} if kid else None)
        return secret.remember("workspace token", text, "the product")

    def person(self, username, password):
        """A user who signs in at /api: the client of a program that keeps its cookie."""
        web = self.web()
        web.headers["Origin"] = self.app
        done = web.post(self.app + "/api/auth/login", json={"username": username, "password": password})
        assert done.status_code == 200, done.text
        return web

    def beside(self, name="beside", **settings):
        """Another process to be, with the same keys over the same database, at ports of its own."""
        other = Claviger.__new__(Claviger)
        other.__dict__.update(self.__dict__, process=None, settings={**self.settings, **settings})
        other.folder = place.fresh(place.SWEPT, name)
        other.listen()
        return other

    def listen(self):
        self.ports = free_port(), free_port()
        self.app, self.proxy = (f"http://127.0.0.1:{p}" for p in self.ports)

    def serve(self, seconds=60):
        self.process = Process("serve", [self.binary, "serve"], self.folder, env=self.env())
        self.process.ready(self.app + "/readyz", seconds)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self):
        """Ends it where it stands (SIGKILL)."""
        self.process.kill()
        self.process = None

    def web(self):
        """A new browser or client."""
        return Web(self.folder, self.app, self.proxy)

    def said(self):
        return self.process.said() if self.process else ""

    # The two contracts the stories use: wire words, not engine words.

    def authorize_url(self, integration, redirect_uri, client_id=CLIENT_ID, **more):
        return f"{self.app}/authorize?" + urlencode(
            {"client_id": client_id, "integration_id": integration, "redirect_uri": redirect_uri, **more})

    def exchange(self, code, redirect_uri, key=None, **more):
        """`POST /connection`."""
        return self.web().post(self.app + "/connection", json={"code": code, "redirect_uri": redirect_uri, **more},
                               headers={"Authorization": f"Bearer {key or self.api_key}"})

    def call(self, method, path, connection, key=None, headers=None, web=None, **kwargs):
        """One proxied call."""
        return (web or self.web()).request(method, self.proxy + path, allow_redirects=False, **kwargs, headers={
            "Authorization": f"Bearer {key or self.api_key}", "BU-Connection-Id": connection, **(headers or {})})


    # What a workspace token's holder calls.

    def rest(self, method, path, token, web=None, headers=None, **kwargs):
        """One call of the REST API beside `/connection-popup`: the answer as it came."""
        return (web or self.web()).request(method, self.app + path, allow_redirects=False, **kwargs,
                                           headers={"Authorization": f"Bearer {token}", **(headers or {})})

    # The management API.

    def api(self, method, path, key=None, web=None, **kwargs):
        """One call of the management API: the answer as it came."""
        return (web or self.web()).request(method, f"{self.app}/v1{path}", allow_redirects=False, **kwargs,
                                           headers={"Authorization": f"Bearer {key or self.api_key}"})

    def ask(self, method, path, **kwargs):
        """The same, where it must succeed: the answer's JSON."""
        answer = self.api(method, path, **kwargs)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}\n{self.said()}"
        return answer.json() if answer.content else None

    def hook(self, receiver, events=EVENTS, **more):
        """Subscribes a receiver, which trusts the secret from here on; returns the webhook's id."""
        made = self.ask("POST", "/webhooks", json={"name": "stories", "url": receiver.url, "events": list(events), **more})
        receiver.trust(made["secret"])
        return made["id"]

    def bring(self, tokens, integration="sandbox", web=None, **more):
        """Imports a connection of tokens (an answer of a token endpoint); returns its id."""
        given = {"authToken": secret.remember("imported token", tokens["access_token"], "the product"), "expiresIn": tokens.get("expires_in")}
        if "refresh_token" in tokens:
            given["refreshToken"] = secret.remember("imported token", tokens["refresh_token"], "the product")
        return self.ask("POST", "/connections", web=web, json={"integrationId": integration, **given, **more})["id"]


def returned(address):
    """The query of the redirect back to the product: each parameter once. Its code is a secret from here on."""
    query = parse_qs(urlsplit(address).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(v) == 1 for v in query.values()), f"a parameter twice: {sorted(query)}"
    got = {k: v[0] for k, v in query.items()}
    secret.remember("connection code", got.get("code"), "the redirect")
    return got
