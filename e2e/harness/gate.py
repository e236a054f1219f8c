"""What the stories of the ways to authenticate start: one Claviger before one server, and two doors into it.

    gate = Gate("sqlite", product, server, {**server.integration(), "key": "drive"})
    one = gate.authorize("drive")                   # `/authorize`, and the pages, as somebody's browser goes through them
    other = gate.popup("drive", "ann")              # `/connection-popup`
    gate.calls(one, other, "GET", "/me")            # the same call through either door's proxy

What is typed in goes into the page's form at the first, and into the request itself at the second.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from . import database
from .claviger import Claviger, returned
from .consent import walk
from .process import until
from .storefront import result


class Gate:
    """A running Claviger with these integrations; the server is started with their callbacks."""

    def __init__(self, kind, product, server, *integrations, name="ways", secrets=None, binary=None, ttl=None, before=None, **settings):
        self.product, self.server = product, server
        self.broker = Claviger(kind, name, binary=binary, **settings)
        try:
            document = {**self.broker.workspace(list(integrations), [product.callback]), "jwt_secret": "${env:ACME_JWT}"}
            given = {"IDP_SECRET": server.client_secret} if server else {}
            made = self.broker.apply(None, None, {**given, **(secrets or {})}, workspaces=[document])["acme"]["integrations"]
            self.made = {i["key"]: i for i in made}
            if before:
                before(self)
            if server:
                server.start([i["callback_url"] for i in made if i["callback_url"]] or ["http://127.0.0.1:9/callback"], **(ttl or {}))
            self.broker.serve()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.broker.stop()
        if self.server:
            self.server.stop()

    def jwks(self, key):
        """Where the integration's public keys are."""
        return f"{self.broker.app}/oauth2/jwks/{self.made[key]['id']}"

    def start_url(self, key, **more):
        return self.broker.authorize_url(key, self.product.callback, **more)

    def authorize(self, key, typed=None, press=None, pages=None, **more):
        """What the redirect back says. `typed` fills the page's fields for a credential."""
        fill = {f"credential-{name}": text for name, text in (typed or {}).items()}
        return returned(walk(self.broker.web(), self.start_url(key, **more), self.product.callback, press, pages, fill=fill))

    def popup_url(self, key, customer):
        token = self.broker.token(customer)
        return f"{self.broker.app}/connection-popup?integrationKey={key}&token={token}&redirectUri={self.product.callback}"

    def popup(self, key, customer, typed=None, press=None):
        """What the redirect to the shop says. What is typed in is in the request: then there is no page in between."""
        if typed is None:
            return result(walk(self.broker.web(), self.popup_url(key, customer), self.product.callback, press))
        payload = {"integrationKey": key, "token": self.broker.token(customer), "connectionParameters": typed,
                   "redirectUri": self.product.callback}
        answer = self.broker.web().post(self.broker.app + "/connection-popup", data={"payload": json.dumps(payload)}, allow_redirects=False)
        assert answer.status_code == 303 and answer.headers["Location"].startswith(self.product.callback), (answer.status_code, answer.text)
        return result(answer.headers["Location"])

    def owned(self, customer):
        """The customer's connections."""
        return self.broker.rest("GET", "/connections", self.broker.token(customer)).json()["items"]

    def kept(self):
        """How many connections there are, whoever's."""
        return database.number(self.broker.database, "select count(*) from connection")

    def call(self, got, method, path, customer="ann", **more):
        """One proxied call through the door that the connection was made by."""
        if "connection_id" in got:
            return self.broker.call(method, path, got["connection_id"], **more)
        return self.broker.rest(method, f"/connections/{got['connectionId']}/proxy{path}", self.broker.token(customer), **more)

    def burst(self, got, path, times=8):
        """So many calls at once, each of which works; the answers."""
        with ThreadPoolExecutor(times) as pool:
            answers = list(pool.map(lambda _: self.call(got, "GET", path), range(times)))
        assert [a.status_code for a in answers] == [200] * times, [a.text for a in answers if a.status_code != 200] + [self.broker.said()]
        return answers

    def passed(self, seconds):
        """Waits until a token that lives so long, and was given before now, has ended."""
        moment = time.time()
        until("a token's end", lambda: time.time() > moment + seconds + 0.1)

    def aged(self):
        """The clock moved on past the end of every token, as Claviger counts it; the server counts otherwise."""
        database.change(self.broker.database, "update credential set expires_at = expires_at - 7200000")


def words(got):
    """What a redirect says went wrong, whichever door it left by."""
    assert "error" in got and "code" not in got and "connectionId" not in got, got
    return json.dumps(got)
