"""Authlib as the OAuth 2.0 server of a story: PKCE S256 required, one authentication method per client, rotation, `iss`.

The protocol is Authlib's; storage and the two pages are glue. PORT, REDIRECTS (comma-separated), SEEN (file),
CLIENT_SECRET; FIRST_TTL and LATER_TTL are the lifetimes in seconds of the first access token and of refreshed ones.

With DEVICE_TTL it gives device codes that live so many seconds (RFC 8628): polled sooner than INTERVAL seconds after the last
time it says `slow_down` and wants 5 more from then on; SLOW_DOWN=1 has it say so to the first poll in any case. With
SERVICE_KEY, a public key as PEM, a service account `robot@example.test` gets tokens for assertions signed with it (RFC 7523
§2.1), for itself or on behalf of a person. CLOCK: seconds that this server's clock is ahead.
"""

import os
import secrets
import threading
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
_now, _ahead = time.time, float(os.environ.get("CLOCK", 0))
time.time = lambda: _now() + _ahead
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6749.util import list_to_scope, scope_to_list
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from authlib.oauth2.rfc9207.parameter import IssuerParameter
from flask import Flask, jsonify, redirect, request, session
from joserfc.jwk import RSAKey
from markupsafe import escape
from werkzeug.serving import run_simple

import seen

PORT = int(os.environ["PORT"])
BASE = f"http://127.0.0.1:{PORT}"
DEVICE, ASSERTION = DeviceCodeGrant.GRANT_TYPE, JWTBearerGrant.GRANT_TYPE
GRANTS = ["authorization_code", "refresh_token", DEVICE, ASSERTION]
INTERVAL = int(os.environ.get("INTERVAL", 5))
METHODS = ["client_secret_basic"]
app = Flask(__name__)
app.secret_key = secrets.token_hex()
app.config.update(
    SESSION_COOKIE_NAME=f"authlib{PORT}",
    OAUTH2_REFRESH_TOKEN_GENERATOR=True,
    OAUTH2_SCOPES_SUPPORTED=["read", "write"],
    OAUTH2_TOKEN_EXPIRES_IN={
        **dict.fromkeys(("authorization_code", DEVICE, ASSERTION), int(os.environ.get("FIRST_TTL", 3600))),
        "refresh_token": int(os.environ.get("LATER_TTL", 3600)),
    },
)
seen.watch(app, "/oauth/authorize", "/oauth/token", "/oauth/device")
lock = threading.Lock()
CODES, TOKENS, DEVICES, ANSWERED = {}, [], {}, {}


class User:
    def __init__(self, name):
        self.id = name

    def get_user_id(self):
        return self.id


USERS = {name: User(name) for name in ("alice", "bob")}


class Client(ClientMixin):
    client_id = "basic"
    client_secret = os.environ["CLIENT_SECRET"]
    redirect_uris = os.environ["REDIRECTS"].split(",")
    scope = "read write"

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return list_to_scope([x for x in scope_to_list(scope or "") if x in self.scope.split()])

    def check_redirect_uri(self, uri):
        return uri in self.redirect_uris

    def check_client_secret(self, secret):
        return secrets.compare_digest(self.client_secret, secret)

    def check_endpoint_auth_method(self, method, endpoint):
        return method in METHODS

    def check_response_type(self, kind):
        return kind == "code"

    def check_grant_type(self, kind):
        return kind in GRANTS


class Robot(Client):
    client_id = "robot@example.test"


CLIENTS = {"basic": Client(), Robot.client_id: Robot()}


class Code(AuthorizationCodeMixin):
    def __init__(self, **fields):
        self.__dict__.update(fields)

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class Token(TokenMixin):
    def __init__(self, **fields):
        self.__dict__.update(fields)
        self.issued, self.access_revoked, self.refresh_revoked = time.time(), False, False

    def check_client(self, client):
        return self.client_id == client.client_id

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.expires_in

    def is_expired(self):
        return time.time() > self.issued + self.expires_in

    def is_revoked(self):
        return self.access_revoked

    def get_user(self):
        return USERS.get(self.user)

    def get_client(self):
        return CLIENTS.get(self.client_id)


def find(text, field):
    return next((t for t in TOKENS if getattr(t, field, None) == text), None)


def save_token(token, req):
    TOKENS.append(Token(client_id=req.client.client_id, user=req.user.id if req.user else None, **{"scope": "", **token}))


server = AuthorizationServer(app, query_client=CLIENTS.get, save_token=save_token)


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code, req):
        data = req.payload.data
        CODES[code] = Code(
            code=code, client_id=req.client.client_id, redirect_uri=req.payload.redirect_uri, scope=req.payload.scope or "",
            user=req.user.id, code_challenge=data.get("code_challenge"),
            code_challenge_method=data.get("code_challenge_method"), until=time.time() + 60)

    def query_authorization_code(self, code, client):
        found = CODES.get(code)
        return found if found and found.client_id == client.client_id and found.until > time.time() else None

    def delete_authorization_code(self, code):
        CODES.pop(code.code, None)

    def authenticate_user(self, code):
        return USERS.get(code.user)


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, text):
        token = find(text, "refresh_token")
        return token if token and not token.refresh_revoked else None

    def authenticate_user(self, token):
        return USERS.get(token.user)

    def revoke_old_credential(self, token):
        token.access_revoked = token.refresh_revoked = True


class Assertion(JWTBearerGrant):
    def resolve_issuer_client(self, issuer):
        return CLIENTS.get(issuer) if issuer == Robot.client_id else None

    def resolve_client_public_key(self, client):
        return RSAKey.import_key(os.environ["SERVICE_KEY"])

    def get_audiences(self):
        return [BASE, BASE + "/oauth/token"]

    def authenticate_user(self, subject):
        return USERS.get(subject)

    def has_granted_permission(self, client, user):
        return user.id == "alice"


class DeviceEndpoint(DeviceAuthorizationEndpoint):
    CLIENT_AUTH_METHODS = METHODS
    EXPIRES_IN, INTERVAL = int(os.environ.get("DEVICE_TTL", 1800)), INTERVAL

    def get_verification_uri(self):
        return BASE + "/device"

    def save_device_credential(self, client_id, scope, data):
        until = int(time.time()) + data["expires_in"]
        DEVICES[data["device_code"]] = DeviceCredentialDict(client_id=client_id, scope=scope or "", expires_at=until, **data)


class DeviceGrant(DeviceCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_device_credential(self, device_code):
        return DEVICES.get(device_code)

    def query_user_grant(self, user_code):
        return ANSWERED.get(user_code)

    def should_slow_down(self, credential):
        last, credential["last"] = credential.get("last"), time.time()
        hurried = os.environ.get("SLOW_DOWN") == "1" if last is None else credential["last"] - last < credential["interval"]
        credential["interval"] += 5 if hurried else 0
        return hurried


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, text, hint):
        return find(text, "access_token") or find(text, "refresh_token")

    def revoke_token(self, token, req):
        token.access_revoked = token.refresh_revoked = True


class S256(CodeChallenge):
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]


class Issuer(IssuerParameter):
    def get_issuer(self):
        return BASE


class Bearer(BearerTokenValidator):
    def authenticate_token(self, text):
        return find(text, "access_token")


server.register_grant(CodeGrant, [S256(required=True)])
server.register_grant(RefreshGrant)
if "SERVICE_KEY" in os.environ:
    server.register_grant(Assertion)
if "DEVICE_TTL" in os.environ:
    server.register_grant(DeviceGrant)
    server.register_endpoint(DeviceEndpoint)
server.register_endpoint(Revocation)
server.register_extension(Issuer())
protect = ResourceProtector()
protect.register_token_validator(Bearer())
PAGE = "<!doctype html><title>{t}</title><form method=post>{b}</form>"
LOGIN = "<input name=username> <input name=password type=password> <button name=do value=login>Log in</button>"
ASK = "{who} wants {scope} <button name=do value=allow>Allow</button> <button name=do value=deny>Deny</button>"


CODE = "<input name=user_code value='{code}'> "


def signed_in():
    """Who is, and the answer to give to somebody who is not."""
    if request.form.get("do") == "login":
        name = request.form.get("username", "")
        if name in USERS and request.form.get("password") == "pw-" + name:
            session["user"] = name
        return None, redirect(request.url)
    user = USERS.get(session.get("user"))
    return user, None if user else PAGE.format(t="Log in", b=LOGIN)


@app.route("/oauth/authorize", methods=["GET", "POST"])
def authorize():
    user, instead = signed_in()
    if instead:
        return instead
    try:
        grant = server.get_consent_grant(end_user=user)
    except OAuth2Error as error:
        return server.handle_error_response(server.create_oauth2_request(request), error)
    if request.method == "GET":
        return PAGE.format(t="Allow?", b=ASK.format(who=grant.client.client_id, scope=grant.request.payload.scope))
    return server.create_authorization_response(grant_user=user if request.form.get("do") == "allow" else None, grant=grant)


@app.post("/oauth/token")
def token():
    with lock:
        return server.create_token_response()


@app.post("/oauth/device")
def device_authorization():
    return server.create_endpoint_response("device_authorization")


@app.route("/device", methods=["GET", "POST"])
def device():
    user, instead = signed_in()
    if instead:
        return instead
    code = request.values.get("user_code", "")
    credential = next((c for c in DEVICES.values() if c["user_code"] == code), None)
    if request.method == "GET" or credential is None:
        return PAGE.format(t="Allow?", b=CODE.format(code=escape(code)) + ASK.format(who="A device", scope="your things"))
    ANSWERED[code] = (user, request.form.get("do") == "allow")
    return "<!doctype html><title>Done</title><p>You may close this window."


@app.post("/oauth/revoke")
def revoke():
    return server.create_endpoint_response("revocation")


@app.get("/health")
def health():
    return "ok"


@app.get("/api/me")
@protect("read")
def me():
    return jsonify(user=current_token.user, client=current_token.client_id)


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
