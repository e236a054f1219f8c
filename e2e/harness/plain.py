"""A careful OAuth client of the test's own: what Claviger is compared with, and where tokens come from that it never saw."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from . import secret
from .consent import walk

CALLBACK = "http://127.0.0.1:9/callback"
STATE = secrets.token_urlsafe(30)


def endpoints(server):
    """The authorization and the token endpoint."""
    config = server.config()
    if "issuer" in config:
        found = requests.get(server.url + "/.well-known/openid-configuration", timeout=10).json()
        assert found["issuer"] == config["issuer"]
        return found["authorization_endpoint"], found["token_endpoint"]
    return config["authorize_url"], config["token_url"]


def begin(server, authorize):
    """An authorize URL as a careful client writes it, and its verifier."""
    verifier = secret.remember("verifier", secrets.token_urlsafe(40), "the plain client")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"client_id": server.client_id, "response_type": "code", "redirect_uri": CALLBACK, "state": STATE,
             "scope": " ".join(server.scopes), "code_challenge": challenge, "code_challenge_method": "S256",
             **server.config().get("authorize_params", {})}
    return f"{authorize}?{urlencode(query)}", verifier


def code_grant(server):
    """The whole walk: the token endpoint's answer. `CALLBACK` is among the server's redirect URIs."""
    authorize, token = endpoints(server)
    url, verifier = begin(server, authorize)
    back = parse_qs(urlsplit(walk(requests.Session(), url, CALLBACK)).query)
    form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": CALLBACK, "code_verifier": verifier}
    answer = requests.post(token, auth=(server.client_id, server.client_secret), data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()
