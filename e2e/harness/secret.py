"""The run's secrets: each one made or seen is written down, so that the sweep knows what to look for."""

import base64
import json
import secrets
import string

from . import place

LEDGER = place.PRIVATE / "secrets.jsonl"
LETTERS = string.ascii_letters + string.digits


def remember(kind, value, where):
    """Writes one secret down; returns it."""
    if value:
        with open(LEDGER, "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "value": value, "where": where}) + "\n")
    return value


def made(kind, where, length=40, prefix=""):
    """A new random secret, written down."""
    return remember(kind, prefix + "".join(secrets.choice(LETTERS) for _ in range(length)), where)


def api_key():
    """An API key in the operator's own hand: `ck_` and 46 letters and digits."""
    return made("api key", "the operator", 46, "ck_")


def master_key(name="k1"):
    """A root key as `CLAVIGER_MASTER_KEY` takes it. The sweep looks for the key, not for its name."""
    key = remember("master key", base64.b64encode(secrets.token_bytes(32)).decode(), "the operator")
    return f"{name}:{key}"
