"""Writes down what a test server saw and issued, one JSON object a line, in a file that Claviger never gets.

The stories count token requests with it; the canary sweep takes its secrets from it.
"""

import json
import os
import threading
import time
from urllib.parse import parse_qsl

from flask import request

_lock, _now = threading.Lock(), time.time
FIELDS = ("code", "code_verifier", "refresh_token", "state", "code_challenge", "code_challenge_method", "redirect_uri", "scope",
          "device_code", "assertion", "subject_token", "subject_token_type", "requested_token_type", "audience", "resource")
ANSWERS = ("access_token", "refresh_token", "id_token", "error", "error_description", "expires_in", "scope", "issued_token_type",
           "device_code", "user_code", "verification_uri", "verification_uri_complete", "interval")


def note(event, **what):
    """Appends one line."""
    with _lock, open(os.environ["SEEN"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, **what}) + "\n")


def watch(app, authorize_path, token_path, device_path=None):
    """Notes each authorization, token and device authorization request of a Flask app, with its answer."""

    @app.after_request
    def after(response):
        if request.path == authorize_path:
            note("authorize", status=response.status_code,
                 request={k: v for k, v in request.args.items() if k in FIELDS},
                 location=response.headers.get("Location"))
        elif request.path in (token_path, device_path):
            answer = response.get_json(silent=True) or {}
            note("token" if request.path == token_path else "device", at=_now(), status=response.status_code, grant_type=request.form.get("grant_type"),
                 basic=request.headers.get("Authorization", "").startswith("Basic "),
                 request={k: v for k, v in request.form.items() if k in FIELDS},
                 answer={k: v for k, v in answer.items() if k in ANSWERS})
        return response


OAUTH1 = {"/request_token": "request_token", "/access_token": "access_token", "/authorize": "authorize1"}


def watch_oauth1(app):
    """The same of an OAuth 1.0a server, and each signed call to its API: how it was signed, and what came of it."""

    @app.after_request
    def after(response):
        if request.path in OAUTH1:
            given = {**dict(parse_qsl(response.get_data(as_text=True)))} if request.path != "/authorize" else {}
            note(OAUTH1[request.path], status=response.status_code, **signed(),
                 answer={k: v for k, v in given.items() if k in ("oauth_token", "oauth_token_secret")},
                 location=response.headers.get("Location"))
        elif request.path.startswith("/api/"):
            note("call", method=request.method, path=request.path, status=response.status_code, **signed())
        return response


def signed():
    """Where the protocol's parameters came, and which they were: values only of those that say how."""
    header = request.headers.get("Authorization", "")
    names = [part.partition("=")[0].strip() for part in header[6:].split(",")] if header.startswith("OAuth ") else []
    place = "header" if names else "query" if "oauth_signature" in request.args else "body" if "oauth_signature" in request.form else None
    return {"place": place, "names": sorted(names or [n for n in (*request.args, *request.form) if n.startswith("oauth_")])}
