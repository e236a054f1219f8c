"""OAuth 1.0a servers that others wrote, one signature method each."""

import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import place, secret
from .server import AuthorizationServer


class OAuth1Server(AuthorizationServer, listed=False):
    """One running server: temporary credentials, a page that asks, a token, and an API that echoes what was signed."""

    client_id, health, provider, me = "consumer", "/health", "oauth1", "/api/me"
    file = None

    def __init__(self, method):
        super().__init__()
        self.method, self.public_key = method, ""
        if method == "RSA-SHA1":
            self.client_secret, self.public_key = rsa_keys("the consumer")

    def argv(self):
        return [sys.executable, place.E2E / "servers" / self.file]

    def more_env(self):
        return {"METHOD": self.method, "RSA_KEY": self.public_key}

    def config(self):
        return {"request_token_url": self.url + "/request_token", "authorize_url": self.url + "/authorize",
                "token_url": self.url + "/access_token", "signature": self.method, "base_url": self.url}

    def calls(self):
        """The calls to its API that it took, oldest first."""
        return self.seen("call", status=200)


class AuthlibOAuth1(OAuth1Server, listed=False):
    """Authlib: HMAC-SHA1, RSA-SHA1 and PLAINTEXT."""

    kind, file = "authlib-oauth1", "authlib_oauth1_server.py"


class OauthlibOAuth1(OAuth1Server, listed=False):
    """oauthlib: HMAC-SHA256 as well."""

    kind, file = "oauthlib-oauth1", "oauthlib_oauth1_server.py"


def rsa_keys(where):
    """A new key pair: the private key as PEM, one line of which the sweep looks for, and the public one."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    secret.remember("private key", private.splitlines()[12], where)
    return private, public
