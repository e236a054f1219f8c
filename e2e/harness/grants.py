"""The providers of the soak: what each does with a refresh token that it sees a second time, and its own log of what it saw.

The provider files are laid over shipped ones (see `kitchen.py`): Claviger takes a token for spent after `LIFE` seconds, while it
works for an hour, so that connections are always about to be refreshed and no call meets a token that ends on its way.
"""

import collections
import hashlib

import requests

from . import kitchen
from .server import OidcProvider, Sandbox

LIFE = 1      # seconds after which Claviger thinks that a token is to be refreshed
GRACE = 3600  # seconds in which the provider with a grace takes a spent token again

FILE = f"""name = "Soaked"
[oauth2]
client_auth = "basic"
revocation_scope = "grant"
lifetime = {LIFE}
[oauth2.endpoints]
source = "{{source}}"
[oauth2.scopes]
default = ["read"]
[oauth2.answer.expires]
path = "nowhere"
[oauth2.refresh]
rotates = true
{{more}}
"""
FILES = {
    "salesforce": FILE.format(source="integration", more=""),
    "github": FILE.format(source="integration", more=f"reuse_seconds = {GRACE}"),
    "zendesk": FILE.format(source="issuer", more=""),
}


def binary():
    """The binary with these provider files, made once in a run."""
    if not hasattr(binary, "made"):
        binary.made = kitchen.altered(FILES)
    return binary.made


class Provider:
    """One provider, and the integration by which it is connected; each of its connections is a customer's."""

    def __init__(self, key, server):
        self.key, self.server = key, server

    def integration(self, **config):
        return {"key": self.key, "provider": self.file, "name": self.key, "client_id": self.server.client_id,
                "client_secret": f"${{env:{self.key.upper()}_SECRET}}", "scopes": self.server.scopes, "mode": "per-user",
                "config": {**self.server.config(), **config}}

    def secret(self):
        return {f"{self.key.upper()}_SECRET": self.server.client_secret}

    def sent(self):
        """How often each refresh token was sent: by its hash."""
        raise NotImplementedError

    def trespasses(self):
        """Each sending outside the provider's rule, as a line."""
        raise NotImplementedError

    def pace(self, dice):
        """Has the token endpoint take another time from now on."""

    def hurry(self):
        """Has it take no more time than it needs."""


class Sandboxed(Provider):
    """Our own sandbox: it goes on when a caller hangs up, as real ones do, and answers more slowly than a lease lasts."""

    file, slowest = "salesforce", 6500  # milliseconds, which is longer than a lease

    def __init__(self, key, **faults):
        super().__init__(key, Sandbox())
        self.given = faults

    def start(self, callback):
        self.server.start([callback.rpartition("/")[0] + "/"])
        self.server.faults(token_grant="refresh_token", token_goes_on=True, **self.given)

    def pace(self, dice):
        # Short before the work: what asks whether a token is still good (RFC 7662) must not overtake its use.
        self.server.faults(token_delay_ms=dice.randint(0, 300), token_answer_delay_ms=dice.choice([0, 200, 600, 1200, self.slowest]))

    def hurry(self):
        self.server.faults(token_delay_ms=0, token_answer_delay_ms=0)

    def log(self):
        return requests.get(self.server.url + "/tokens/log", timeout=60).json()

    def sent(self):
        return {token: told["times"] for token, told in self.log()["tokens"].items()}

    def trespasses(self):
        return [f"{self.key}: {token[:12]} {told['sendings']}" for token, told in self.log()["tokens"].items() if told["outside"]]


class Strict(Sandboxed):
    """Ends the grant when it sees a spent token."""

    most = 1

    def __init__(self):
        super().__init__("strict")


class Introspecting(Sandboxed):
    """The same, and says whether a token is still good."""

    most = 1

    def __init__(self):
        super().__init__("introspecting")

    def integration(self):
        return super().integration(introspect_url=self.server.url + "/introspect")


class Graceful(Sandboxed):
    """Takes a spent token once more for a while: its last answer counts."""

    file, most = "github", 2

    def __init__(self):
        super().__init__("graceful", reuse_grace_seconds=GRACE)


class Foreign(Provider):
    """oidc-provider, which others wrote: a second use of a spent token ends the grant; it introspects."""

    file, most = "zendesk", 1

    def __init__(self):
        super().__init__("foreign", OidcProvider(slow=(50, 3500)))

    def start(self, callback):
        self.server.start([callback])

    def sent(self):
        return collections.Counter(hashlib.sha256(r["request"]["refresh_token"].encode()).hexdigest() for r in self.server.refreshes())

    def trespasses(self):
        # The server refuses a spent token, and ends the grant: each refusal is one.
        return [f"{self.key}: {r['answer']}" for r in self.server.refreshes() if r["status"] != 200]
