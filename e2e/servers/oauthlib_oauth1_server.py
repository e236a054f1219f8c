"""oauthlib as the OAuth 1.0a server of a story (RFC 5849): it is strict, and takes HMAC-SHA256, which Authlib does not.

The protocol, signatures among it, is oauthlib's; storage and the page are glue. PORT, SEEN (file), CLIENT_SECRET, METHOD.
"""

import os
import secrets

from flask import Flask, Response, jsonify, request
from oauthlib.oauth1 import AccessTokenEndpoint, AuthorizationEndpoint, OAuth1Error, RequestTokenEndpoint, RequestValidator, ResourceEndpoint
from werkzeug.serving import run_simple

import seen

PORT = int(os.environ["PORT"])
METHOD = os.environ["METHOD"]
app = Flask(__name__)
seen.watch_oauth1(app)
REQUESTED, TOKENS, NONCES = {}, {}, set()


class Validator(RequestValidator):
    """One client, and what was given out so far. Of nothing but HTTPS being wanted is less asked than oauthlib does."""

    enforce_ssl = False
    allowed_signature_methods = (METHOD,)
    safe_characters = RequestValidator().safe_characters | set("-_.")
    client_key_length = nonce_length = request_token_length = access_token_length = verifier_length = (8, 200)
    realms = []
    dummy_client = dummy_request_token = dummy_access_token = "dummy-dummy"

    def get_client_secret(self, client_key, request):
        return os.environ["CLIENT_SECRET"]

    def get_request_token_secret(self, client_key, token, request):
        return REQUESTED.get(token, {}).get("oauth_token_secret", "nothing")

    def get_access_token_secret(self, client_key, token, request):
        return TOKENS.get(token, {}).get("oauth_token_secret", "nothing")

    def get_default_realms(self, client_key, request):
        return []

    def get_realms(self, token, request):
        return []

    def get_redirect_uri(self, token, request):
        return REQUESTED[token]["callback"]

    def invalidate_request_token(self, client_key, request_token, request):
        REQUESTED.pop(request_token)

    def validate_client_key(self, client_key, request):
        return client_key == "consumer"

    def validate_request_token(self, client_key, token, request):
        return token in REQUESTED

    def validate_access_token(self, client_key, token, request):
        return token in TOKENS

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        known = (timestamp, nonce) in NONCES
        NONCES.add((timestamp, nonce))
        return not known

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return redirect_uri.startswith("http://127.0.0.1:")

    def validate_requested_realms(self, client_key, realms, request):
        return True

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def validate_verifier(self, client_key, token, verifier, request):
        return secrets.compare_digest(REQUESTED[token].get("verifier", ""), verifier)

    def verify_request_token(self, token, request):
        return token in REQUESTED

    def verify_realms(self, token, realms, request):
        return True

    def save_request_token(self, token, request):
        REQUESTED[token["oauth_token"]] = {**token, "callback": request.redirect_uri}

    def save_verifier(self, token, verifier, request):
        REQUESTED[token]["verifier"] = verifier["oauth_verifier"]

    def save_access_token(self, token, request):
        TOKENS[token["oauth_token"]] = dict(token)


validator = Validator()
PAGE = """<!doctype html><title>Allow?</title><form method=post>The shop wants your things
<button name=do value=allow>Allow</button> <button name=do value=deny>Deny</button></form>"""


def asked():
    """The request as it came: Flask's own `url` is decoded for people."""
    return f"http://127.0.0.1:{PORT}{request.environ['REQUEST_URI']}", request.method, request.get_data(as_text=True), dict(request.headers)


@app.post("/request_token")
def request_token():
    headers, body, status = RequestTokenEndpoint(validator).create_request_token_response(*asked())
    return Response(body, status, headers)


@app.route("/authorize", methods=["GET", "POST"])
def authorize():
    endpoint = AuthorizationEndpoint(validator)
    try:
        endpoint.get_realms_and_credentials(*asked())
    except OAuth1Error as error:
        return Response(error.urlencoded, error.status_code)
    if request.method == "GET":
        return PAGE
    if request.form["do"] == "deny":  # nothing says what a denial is: this one comes back with nothing but the token
        token = request.args["oauth_token"]
        to = REQUESTED[token]["callback"]
        return Response("", 302, {"Location": f"{to}{'&' if '?' in to else '?'}oauth_token={token}&denied={token}"})
    headers, body, status = endpoint.create_authorization_response(asked()[0])
    return Response(body, status, headers)


@app.post("/access_token")
def access_token():
    headers, body, status = AccessTokenEndpoint(validator).create_access_token_response(*asked())
    return Response(body, status, headers)


@app.get("/health")
def health():
    return "ok"


@app.route("/api/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def api(path):
    """Only what is signed is told what arrived."""
    try:
        valid, _ = ResourceEndpoint(validator).validate_protected_resource_request(*asked())
    except OAuth1Error as error:
        return jsonify(error=error.error, error_description=error.description), 401
    if not valid:
        return jsonify(error="invalid_signature"), 401
    return jsonify(user="alice", method=request.method, path=path, args=request.args.to_dict(flat=False),
                   form=request.form.to_dict(flat=False), signed=METHOD)


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
