"""The canary sweep: every secret of the run, looked for in everything that Claviger kept, wrote or said.

Secrets come from two sides: what the tests made or were handed (harness/secret.py), and what the authorization servers
issued and saw (their `seen.jsonl`). Places are the run's `swept/` folder (databases with their write-ahead logs, logs,
commands' output, answers, pages) and PostgreSQL: a dump, its log, and its raw files.

Allowed, and therefore not among the places: answers that create a secret, `dev`'s own stdout and its `dev.json`, and
`code` and `state` in redirects. What it finds is reported by kind and place, never by value.
"""

import base64
import json
import os
import pathlib
import subprocess
from urllib.parse import parse_qs, quote, urlsplit

from . import database, place, secret

SHORTEST = 12
VARIED = 8  # different characters: a row of one letter lies about for other reasons
SANDBOX = ("sbx_code_", "sbx_at_", "sbx_rt_")  # the sandbox shows its tokens to nobody, but they begin so
REQUEST_KINDS = {"code": "provider code", "code_verifier": "verifier", "refresh_token": "refresh token", "state": "provider state",
                 "client_assertion": "client assertion", "assertion": "assertion", "device_code": "device code",
                 "subject_token": "exchanged token"}
ANSWER_KINDS = {"access_token": "access token", "refresh_token": "refresh token", "id_token": "id token", "device_code": "device code"}
# How private keys begin (PKCS#8 in base64: P-256, RSA of 2048 bits, Ed25519): those that Claviger makes are known to nobody.
PRIVATE_KEYS = ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", "IBADANBgkqhkiG9w0BAQEFAASCB", "MC4CAQAwBQYDK2VwBCIEI",
                "MFMCAQEwBQYDK2VwBCIEI")
# OAuth 1.0a names the two alike: which one an answer holds depends on who answered.
OAUTH1_KINDS = {"request_token": {"oauth_token": "request token", "oauth_token_secret": "request token's secret"},
                "access_token": {"oauth_token": "signed token", "oauth_token_secret": "signed token's secret"}}
REDIRECT_KINDS = {"code": "provider code", "oauth_verifier": "signed verifier"}


def _rows(file):
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")] if file.exists() else []


def secrets():
    """All secrets of the run: value → kind."""
    found = {row["value"]: row["kind"] for row in _rows(secret.LEDGER)}
    for file in place.PRIVATE.glob("*/seen.jsonl"):
        for row in _rows(file):
            for kinds, part in ((REQUEST_KINDS, "request"), (ANSWER_KINDS, "answer"), (OAUTH1_KINDS.get(row["event"], {}), "answer")):
                found.update({row[part][n]: kind for n, kind in kinds.items() if row.get(part, {}).get(n)})
            found.update({row["proof"]: "DPoP proof"} if row.get("proof") else {})
            sent = parse_qs(urlsplit(row.get("location") or "").query)
            found.update({value: kind for name, kind in REDIRECT_KINDS.items() for value in sent.get(name, [])})
    found = {value: kind for value, kind in found.items() if len(value) >= SHORTEST}
    dull = {kind for value, kind in found.items() if len(set(value)) < VARIED}
    if dull:
        raise ValueError(f"among the secrets of these kinds is one that other texts may hold by chance: {dull}")
    return found


def disguises(value):
    """The value as it may lie about: plain, percent-encoded, hex, its end when cut, and base64 at any offset."""
    raw = value.encode()
    forms = {value, quote(value, safe=""), raw.hex(), raw.hex().upper()}
    if len(value) > 64:
        forms.add(value[-32:])
    for offset in range(3):  # `id:secret` in a Basic header puts the secret at any of the three
        inner = raw[offset:]
        inner = inner[: len(inner) // 3 * 3]
        forms |= {base64.b64encode(inner).decode(), base64.urlsafe_b64encode(inner).decode()}
    return forms


def places():
    """Every file to look into. Dumps PostgreSQL's databases first."""
    dumps = place.SWEPT / "postgres"
    dumps.mkdir(exist_ok=True)
    names = database.made()
    for name in names:
        (dumps / f"{name}.sql").write_bytes(database.program("pg_dump", "--no-owner", name))
    roots = [place.SWEPT]
    if names and "PG_DIR" in os.environ:
        database.program("psql", "-qc", "checkpoint", "postgres")
        roots.append(pathlib.Path(os.environ["PG_DIR"]))
    return sorted(f for root in roots for f in root.rglob("*") if f.is_file() and f.name != "dev.json")


def look(values, files):
    """Where any of the secrets lies: a sorted list of (kind, file)."""
    if not values or not files:
        raise ValueError("nothing to look for, or nowhere to look")
    kinds = {d: kind for value, kind in values.items() for d in disguises(value)} | dict.fromkeys(SANDBOX, "sandbox token")
    kinds |= dict.fromkeys(PRIVATE_KEYS, "private key of Claviger's")
    needles = place.PRIVATE / "needles.txt"
    needles.write_text("".join(n + "\n" for n in kinds))
    hits = set()
    for at in range(0, len(files), 500):
        done = subprocess.run(["grep", "-aoHZF", "-f", str(needles), "--", *map(str, files[at:at + 500])], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=600, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
        # PostgreSQL may drop a file between the listing and now; anything else is a failure of the sweep.
        wrong = [e for e in done.stderr.decode().splitlines() if "No such file" not in e]
        assert done.returncode in (0, 1, 2) and not wrong, wrong[:5]
        for line in done.stdout.decode(errors="replace").splitlines():
            file, _, match = line.partition("\0")
            hits.add((kinds.get(match, "a secret"), os.path.relpath(file, place.WORK)))
    return sorted(hits)
