"""Authlib as the OAuth 1.0a server of a story (RFC 5849): one signature method, a verifier, and an API that wants signatures.

The protocol is Authlib's; storage and the two pages are glue. PORT, SEEN (file), CLIENT_SECRET; METHOD is the one signature
method that it takes (HMAC-SHA1, RSA-SHA1, PLAINTEXT), RSA_KEY the client's public key as PEM.
"""

import os
import secrets

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
from authlib.integrations.flask_oauth1 import (AuthorizationServer, ResourceProtector, create_exists_nonce_func, current_credential,
                                               register_nonce_hooks, register_temporary_credential_hooks)
from authlib.oauth1 import ClientMixin, TemporaryCredential
from authlib.oauth1.errors import OAuth1Error
from flask import Flask, g, jsonify, redirect, request, session
from werkzeug.serving import run_simple

import seen

PORT = int(os.environ["PORT"])
METHOD = os.environ["METHOD"]
PEOPLE = ("alice", "bob")
app = Flask(__name__)
app.secret_key = secrets.token_hex()
app.config.update(SESSION_COOKIE_NAME=f"oauth1{PORT}", OAUTH1_SUPPORTED_SIGNATURE_METHODS=[METHOD])
seen.watch_oauth1(app)
TOKENS = {}


class User:
    def __init__(self, name):
        self.id = name

    def get_user_id(self):
        return self.id


class Client(ClientMixin):
    client_id = "consumer"

    def get_default_redirect_uri(self):
        return "http://127.0.0.1:9/unregistered"

    def get_client_secret(self):
        return os.environ["CLIENT_SECRET"]

    def get_rsa_public_key(self):
        return os.environ["RSA_KEY"]


class Cache(dict):
    def set(self, key, value, timeout=None):
        self[key] = value

    def delete(self, key):
        self.pop(key, None)

    def has(self, key):
        return key in self


class Protector(ResourceProtector):
    """Looks at the URL as it came: Flask's own `url` is decoded for people."""

    def acquire_credential(self):
        url = f"http://127.0.0.1:{PORT}{request.environ['REQUEST_URI']}"
        found = self.validate_request(request.method, url, request.form.to_dict(flat=True), request.headers)
        g.authlib_server_oauth1_credential = found.credential
        return found.credential


CLIENTS, cache = {"consumer": Client()}, Cache()
server = AuthorizationServer(app, query_client=CLIENTS.get)
register_temporary_credential_hooks(server, cache)
register_nonce_hooks(server, cache)
protect = Protector(app, query_client=CLIENTS.get, query_token=lambda client, token: TOKENS.get(token),
                    exists_nonce=create_exists_nonce_func(cache))
PAGE = "<!doctype html><title>{t}</title><form method=post>{b}</form>"
LOGIN = "<input name=username> <input name=password type=password> <button name=do value=login>Log in</button>"
ASK = "The shop wants your things <button name=do value=allow>Allow</button> <button name=do value=deny>Deny</button>"


def create_token_credential(token, temporary):
    TOKENS[token["oauth_token"]] = TemporaryCredential(
        {**token, "client_id": temporary.get_client_id(), "user_id": temporary.get_user_id()})
    return TOKENS[token["oauth_token"]]


server.register_hook("create_token_credential", create_token_credential)


@app.post("/request_token")
def request_token():
    return server.create_temporary_credentials_response()


@app.route("/authorize", methods=["GET", "POST"])
def authorize():
    if request.form.get("do") == "login":
        name = request.form.get("username", "")
        if name in PEOPLE and request.form.get("password") == "pw-" + name:
            session["user"] = name
        return redirect(request.url)
    if session.get("user") not in PEOPLE:
        return PAGE.format(t="Log in", b=LOGIN)
    if request.method == "GET":
        try:
            server.check_authorization_request()
        except OAuth1Error as error:
            return server.handle_error_response(error)
        return PAGE.format(t="Allow?", b=ASK)
    return server.create_authorization_response(grant_user=User(session["user"]) if request.form.get("do") == "allow" else None)


@app.post("/access_token")
def access_token():
    return server.create_token_response()


@app.get("/health")
def health():
    return "ok"


@app.route("/api/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
@protect()
def api(path):
    """Only what is signed gets here; tells what arrived, without the signature."""
    return jsonify(user=current_credential["user_id"], method=request.method, path=path, args=request.args.to_dict(flat=False),
                   form=request.form.to_dict(flat=False), signed=METHOD)


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
