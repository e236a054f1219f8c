"""idpy-oidc as the OpenID provider of a story: OpenID discovery only, PKCE required, codes and tokens of ~1000 characters.

It authorizes at once as alice. The protocol is idpy-oidc's; the HTTP glue is Flask. PORT, REDIRECTS (comma-separated),
SEEN (file), CLIENT_SECRET, FIRST_TTL (lifetime in seconds of access tokens). It exchanges tokens that it gave (RFC 8693): what
comes of it lives as long as what was exchanged.
"""

import os
import tempfile

from flask import Flask, jsonify, make_response, redirect, request
from idpyoidc.server import Server
from idpyoidc.server.authz import AuthzHandling
from idpyoidc.server.client_authn import verify_client
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.cookie_handler import CookieHandler
from idpyoidc.server.user_info import UserInfo
from werkzeug.serving import run_simple

import seen

PORT = int(os.environ["PORT"])
BASE = f"http://127.0.0.1:{PORT}"
HERE = tempfile.mkdtemp(prefix="idpy-", dir=os.path.dirname(os.environ["SEEN"]))
SECRET = os.environ["CLIENT_SECRET"]
TTL = int(os.environ.get("FIRST_TTL", 3600))
SIGN = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
SEAL = {"keys": {"key_defs": [{"type": "OCT", "use": ["enc"], "kid": "password"}, {"type": "OCT", "use": ["enc"], "kid": "salt"}]},
        "iterations": 1}
AUTHN = ["client_secret_basic", "client_secret_post"]
SCOPES = ["openid", "profile", "email", "offline_access"]
MINTS = ["access_token", "refresh_token", "id_token"]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
OIDC, OAUTH2 = "idpyoidc.server.oidc.", "idpyoidc.server.oauth2."


def endpoint(path, cls, **kwargs):
    return {"path": path, "class": cls, "kwargs": kwargs}


CONF = {
    "issuer": BASE,
    "httpc_params": {"verify": True, "timeout": 2},
    "preference": {"subject_types_supported": ["public"], "grant_types_supported": ["authorization_code", "refresh_token", EXCHANGE],
                   "scopes_supported": SCOPES},
    "cookie_handler": {"class": CookieHandler, "kwargs": {"keys": {"key_defs": [
        {"type": "OCT", "kid": "sig", "use": ["sig"]}, {"type": "OCT", "kid": "enc", "use": ["enc"]}]}}},
    "keys": {"uri_path": "jwks.json", "key_defs": SIGN},
    "scopes_to_claims": {"openid": ["sub"], "profile": ["name"], "email": ["email"]},
    "endpoint": {
        "provider_info": endpoint(".well-known/openid-configuration", OIDC + "provider_config.ProviderConfiguration",
                                  client_authn_method=None),
        "authorization": endpoint("authorization", OIDC + "authorization.Authorization", client_authn_method=None,
                                  response_types_supported=["code"]),
        "token": endpoint("token", OIDC + "token.Token", client_authn_method=AUTHN),
        "userinfo": endpoint("userinfo", OIDC + "userinfo.UserInfo", client_authn_method=["bearer_header"]),
        "token_revocation": endpoint("revocation", OAUTH2 + "token_revocation.TokenRevocation", client_authn_method=AUTHN),
    },
    "add_ons": {"pkce": {"function": OAUTH2 + "add_on.pkce.add_support",
                         "kwargs": {"essential": True, "code_challenge_methods_supported": ["S256"]}}},
    "authentication": {"anon": {"acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:InternetProtocolPassword",
                                "class": "idpyoidc.server.user_authn.user.NoAuthn", "kwargs": {"user": "alice"}}},
    "userinfo": {"class": UserInfo, "kwargs": {"db": {"alice": {"name": "Alice", "email": "alice@example.test"}}}},
    "client_authn": verify_client,
    "template_dir": HERE,
    "authz": {"class": AuthzHandling, "kwargs": {"grant_config": {"expires_in": 43200, "usage_rules": {
        "authorization_code": {"supports_minting": MINTS, "max_usage": 1, "expires_in": 60},
        "access_token": {"supports_minting": ["access_token", "refresh_token"], "expires_in": TTL},
        "refresh_token": {"supports_minting": MINTS, "expires_in": 43200}}}}},
    "token_handler_args": {
        "key_conf": {"key_defs": [{"type": "OCT", "bytes": 24, "use": ["enc"], "kid": "code"}]},
        "code": {"lifetime": 60, "kwargs": {"crypt_conf": {"kwargs": SEAL}}},
        "token": {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": TTL, "aud": [BASE]}},
        "refresh": {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 86400, "aud": [BASE]}},
        "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}},
    },
    "session_params": {"encrypter": {"kwargs": SEAL}, "sub_func": {"public": {
        "class": "idpyoidc.server.session.manager.PublicID", "kwargs": {"salt": "mysalt"}}}},
}
srv = Server(OPConfiguration(conf=CONF, base_path=HERE), cwd=HERE)
srv.context.map_supported_to_preferred()
srv.context.cdb["client1"] = {
    "client_id": "client1", "client_secret": SECRET, "client_salt": "salted",
    "redirect_uris": [(uri, {}) for uri in os.environ["REDIRECTS"].split(",")],
    "token_endpoint_auth_method": "client_secret_basic", "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code", "refresh_token", EXCHANGE], "allowed_scopes": SCOPES,
}
srv.keyjar.add_symmetric("client1", SECRET)
app = Flask(__name__)
seen.watch(app, "/authorization", "/token")


def answer(ep, **args):
    info = ep.do_response(**args)
    text = str(info["response"])
    if info.get("response_placement") == "url" or (ep.name == "authorization" and text.startswith("http")):
        response = redirect(info["response"])
    else:
        response = make_response(info["response"], info.get("status_code") or info.get("response_code") or 200)
    for name, value in info.get("http_headers", []):
        response.headers[name] = value
    if "error" in args and ep.name != "authorization" and response.status_code == 200:
        response.status_code = 400
    return response


def run(name):
    ep = srv.get_endpoint(name)
    http = {"headers": {k.lower(): v for k, v in request.headers}, "method": request.method, "url": request.url, "cookie": []}
    raw = request.args.to_dict() if request.method == "GET" else request.form.to_dict()
    try:
        req = ep.parse_request(raw, http_info=http)
    except Exception as error:  # the library's own errors have no common base
        client = "ClientAuth" in type(error).__name__ or "Unknown" in type(error).__name__
        return jsonify(error="invalid_client" if client else "invalid_request", error_description=str(error)), 401 if client else 400
    if "error" in req:
        return jsonify(req.to_dict()), 400
    args = ep.process_request(req, http_info=http)
    if "error" in args:
        return jsonify({k: args[k] for k in ("error", "error_description") if k in args}), 400
    if "http_response" in args:
        return make_response(args["http_response"], 200)
    return answer(ep, request=req, **args)


for _name, _path in (("authorization", "authorization"), ("token", "token"), ("userinfo", "userinfo"),
                     ("token_revocation", "revocation")):
    app.add_url_rule("/" + _path, _name, (lambda _name=_name: run(_name)), methods=["GET", "POST"])


@app.get("/.well-known/openid-configuration")
def discovery():
    return jsonify(srv.get_endpoint("provider_config").process_request({})["response_args"])


@app.get("/jwks.json")
def jwks():
    return jsonify(srv.keyjar.export_jwks())


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app)
