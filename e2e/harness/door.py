"""What the stories of `/connection-popup` start: a Claviger, an OpenID provider, an API with a key, and a shop's customers."""

import json
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from . import secret
from .catch import Quiet, Small
from .claviger import Claviger
from .server import Machines

WRONG_KEY = "No user has this key"


class KeyApi(Small):
    """An API that takes one key, in the query, and tells what arrived without it. It wants no signature and no OAuth."""

    wrong = WRONG_KEY

    def __init__(self):
        outer = self
        self.key, self.requests = secret.made("typed key", "the customer", 32), []

        class Handler(Quiet):
            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                at = urlsplit(self.path)
                known = parse_qs(at.query).get("api_key") == [outer.key]
                arrived = {"method": self.command, "path": at.path, "body": body, "type": self.headers.get("Content-Type"),
                           "query": urlencode([(k, v) for k, v in parse_qsl(at.query, True) if k != "api_key"])}
                if known:
                    outer.requests.append({**arrived, "headers": {k.lower(): v for k, v in self.headers.items()}})
                answer = {"message": outer.wrong} if not known else \
                    {"data": {"email": "ann@example.test"}} if at.path == "/account" else arrived
                self.say(200 if known else 401, json.dumps(answer).encode())

            def say(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Set-Cookie", "planted=1; Path=/")
                self.send_header("Access-Control-Allow-Origin", "https://nobody.example")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = any

        super().__init__(Handler)

    def integration(self):
        """By a provider of the catalog whose file tries a key before it is kept."""
        return {"provider": "hunter", "config": {"base_url": self.url}}


class Door:
    """A running Claviger whose customers connect `drive` by OAuth, `keys` by typing a key, and `both` either way."""

    def __init__(self, kind, shop, name="door", secrets=None, binary=None, **workspace):
        self.shop, self.kind = shop, kind
        self.broker, self.server, self.api = Claviger(kind, name, binary), Machines(), KeyApi()
        drive, keys = self.server.integration(), self.api.integration()
        integrations = [
            {**drive, "key": "drive", "name": "Drive"},
            {**keys, "key": "keys", "name": "Keys"},
            {**drive, "key": "both", "name": "Both", "auth_options": [{"key": "by-key", "title": "With a key", **keys}]},
            *self.more(),
        ]
        settings = workspace.pop("settings", {})
        document = {**self.broker.workspace(integrations, [shop.callback], **settings), "jwt_secret": "${env:ACME_JWT}", **workspace}
        try:
            made = self.broker.apply(None, None, {"IDP_SECRET": self.server.client_secret, **(secrets or {})},
                                     workspaces=[document, *self.others()])
            self.made = {i["key"]: i for i in made["acme"]["integrations"]}
            self.server.start([self.made[key]["callback_url"] for key in ("drive", "both")])
            self.broker.serve()
        except BaseException:
            self.stop()
            raise

    def more(self):
        """Further integrations of the workspace, as `apply` reads them."""
        return []

    def others(self):
        """Further workspaces."""
        return []

    def stop(self):
        self.broker.stop()
        self.server.stop()
        self.api.close()

    def start_url(self, customer=None, path="/connection-popup", **given):
        """Where a browser is sent to connect, everything in the query."""
        token = {"token": self.broker.token(customer)} if customer else {}
        return f"{self.broker.app}{path}?{urlencode({**token, **given})}"

    def shopper(self, chromium, sdk, customer=None, origin=None, **claims):
        """A window at the shop, with the SDK's `client` for this customer."""
        window = chromium.window(f"{origin or self.shop.origin}/{sdk}", self.broker)
        self.sign_in(window, sdk, self.broker.token(customer, **claims))
        return window

    def sign_in(self, window, sdk, token):
        options = {"apiUri": self.broker.app, "uiUri": self.broker.app, "token": token}
        window.run(f"void (client = new {sdk}({json.dumps(options)}))")

    def sound(self, connection, integration, **more):
        """Looks at a connection object as both SDKs type it; returns its id."""
        assert {"id", "name", "userId", "integrationId", "createdAt", "updatedAt"} <= set(connection), connection
        assert connection["integrationId"] == self.made[integration]["id"] and not connection.get("disconnected")
        assert {k: connection.get(k) for k in more} == more
        assert "credentials" not in connection and self.api.key not in json.dumps(connection)
        return connection["id"]

    def works(self, token):
        """Whether the provider itself takes an access token."""
        return self.server.asked(token).status_code == 200


def consent(window, who="alice", signed_in=False):
    """Says yes on the provider's pages."""
    if not signed_in:
        login(window, who)
    window.see("input[name=prompt][value=consent]")
    window.click("button[type=submit]")


def deny(window):
    login(window, "alice")
    window.see("input[name=prompt][value=consent]")
    window.click("a[href$='/abort']")


def login(window, who):
    window.fill("input[name=login]", who)
    window.fill("input[name=password]", "x")
    window.click("button[type=submit]")
