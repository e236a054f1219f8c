"""Where the load soak takes place: one Claviger with short patience, a provider of every mood, and connections at all three doors."""

from . import secret
from .claviger import Claviger
from .held import Held
from .moody import LIFE, Moody
from .process import free_port

SHOP = "http://127.0.0.1:9/shop"
EACH = 4  # connections at each door, and as many whose tokens last for seconds
USERS = ("ann", "bob", "eve", "joe")


class Door:
    """A way to the provider with one connection: where, and what is written into a request's head."""

    def __init__(self, port, prefix, *fields):
        self.port, self.prefix, self.given = port, prefix, (f"Host: 127.0.0.1:{port}", *fields)

    def path(self, path):
        return f"{self.prefix}/{path}" if path else self.prefix

    def head(self, method, path, *more):
        return "\r\n".join((f"{method} {self.path(path)} HTTP/1.1", *self.given, *more, "", "")).encode()

    def fields(self, method, path):
        """The same in HTTP/2."""
        pairs = [field.split(": ", 1) for field in self.given]
        return [(":method", method), (":scheme", "http"), (":authority", pairs[0][1]), (":path", self.path(path)),
                *((name.lower(), value) for name, value in pairs[1:])]


class Town:
    PLACES = 20      # calls at once with one connection
    RATE = (120, 3)  # calls of one connection in so many seconds
    READS = 3        # seconds that whoever is sent something may take none of it

    def __init__(self, seed):
        self.ends = []
        try:
            self.start(seed)
        except BaseException:
            self.stop()
            raise

    def start(self, seed):
        self.moody = Moody(seed)
        self.ends.append(self.moody.close)
        port = free_port()
        self.broker = Claviger(
            "sqlite", "load", CLAVIGER_METRICS_LISTEN=f"127.0.0.1:{port}", CLAVIGER_PROXY_RATE_LIMIT="{}/{}s".format(*self.RATE),
            CLAVIGER_PROXY_CONNECTION_CALLS=self.PLACES, CLAVIGER_CLIENT_READ_TIMEOUT=f"{self.READS}s", CLAVIGER_CLIENT_HEADER_TIMEOUT="2s",
            CLAVIGER_CLIENT_BODY_TIMEOUT="10s", CLAVIGER_CLIENT_IDLE_TIMEOUT="60s", CLAVIGER_OUTBOUND_HEADER_TIMEOUT="2s",
            CLAVIGER_OUTBOUND_IDLE_TIMEOUT="2s", CLAVIGER_LOG="warn", CLAVIGER_SHUTDOWN_TIMEOUT="5s")
        users = {name: secret.made("password", name, 24) for name in USERS}
        workspace = self.broker.workspace([{
            "key": "moody", "name": "Moody", "provider": "oauth2", "client_id": "c", "client_secret": "${env:MOODY}", "config": self.moody.config(),
            "shares": [{"principal": name, "level": "use"} for name in users]}], [SHOP])
        workspace |= {"jwt_secret": "${env:ACME_JWT}", "users": [
            {"username": name, "email": f"{name}@example.com", "password": f"${{env:PW_{name.upper()}}}"} for name in users]}
        passwords = {f"PW_{name.upper()}": password for name, password in users.items()}
        self.broker.apply(None, None, {**passwords, "MOODY": secret.made("client secret", "the operator", 32)}, [workspace])
        self.broker.serve()
        self.ends.append(self.broker.stop)
        self.held = Held(self.broker.process.popen.pid, port)
        self.app_port, self.proxy_port = self.broker.ports
        self.connect(users)

    def connect(self, users):
        """Connections at each door, and who calls with them."""
        bring = lambda n, life: self.broker.bring(self.tokens(f"v1-{n}", life), integration="moody")  # noqa: E731
        v1, short = [bring(n, 3600) for n in range(EACH)], [bring(f"short-{n}", LIFE) for n in range(EACH)]
        at_informer = [self.at_integrations(self.user(name, password)) for name, password in users.items()]
        self.customer = self.broker.token("customer", lifetime=24 * 3600)
        customers = []
        for n in range(EACH):
            made = self.broker.rest("POST", "/connections", self.customer, json={
                "integrationKey": "moody", "allowMultipleConnections": True, "credentials": self.tokens(f"customer-{n}", 3600)})
            assert made.ok, made.text
            customers.append(made.json()["id"])
        self.doors = {
            "bundleup": [self.at_v1(c) for c in v1],
            "informer": at_informer,
            "membrane": [self.at_connections(c) for c in customers],
        }
        self.short = [self.at_v1(c) for c in short]
        self.crowded, self.hasty = self.at_v1(bring("crowded", 3600)), self.at_v1(bring("hasty", 3600))
        self.moody.unwilling = 0.1
        nobody = secret.api_key()
        self.strangers = [self.at_v1(v1[0], nobody), self.at_v1("conn_nobodys"), self.at_connections("nobodys"),
                          self.at_integrations(nobody)]

    def user(self, name, password):
        """Somebody with a connection; a token that calls as they do."""
        web = self.broker.person(name, password)
        made = web.post(self.broker.app + "/api/integrations/moody/connect", json={"refreshToken": self.tokens(name)["refresh_token"]})
        assert made.ok, made.text
        return web.post(self.broker.app + "/api/tokens", json={"name": "load"}).json()["token"]

    def tokens(self, name, life=None):
        return {"access_token": secret.remember("imported token", f"moody-access-{name}-{secret.LETTERS[:20]}", "the story"),
                "refresh_token": secret.remember("imported token", f"moody-refresh-{name}-{secret.LETTERS[:20]}", "the story"), "expires_in": life}

    def at_v1(self, connection, key=None):
        return Door(self.proxy_port, "", f"Authorization: Bearer {key or self.broker.api_key}", f"BU-Connection-Id: {connection}")

    def at_integrations(self, token):
        return Door(self.app_port, "/api/integrations/moody/request", f"Authorization: Bearer {token}")

    def at_connections(self, connection):
        return Door(self.app_port, f"/connections/{connection}/proxy", f"Authorization: Bearer {self.customer}")

    def short_lived(self, connection, at_v1):
        return self.at_v1(connection) if at_v1 else self.at_connections(connection)

    def at_the_app(self, who, method, path, *more):
        """The head of a request that is not proxied."""
        key = self.broker.api_key if who == "bundleup" else self.customer
        return Door(self.app_port, "", f"Authorization: Bearer {key}").head(method, path.removeprefix("/"), *more)

    def door(self, dice, *among):
        """A connection at one of these doors, or at any."""
        return dice.choice(self.doors[dice.choice(among or tuple(self.doors))])

    def refreshed(self, dice):
        return dice.choice(self.short)

    def stop(self):
        for end in reversed(self.ends):
            end()
        self.ends = []
