"""After everything else: no secret of the whole run lies where it may not."""

import base64
import sqlite3

import pytest

from harness import database, place, secret, sweep

pytestmark = [pytest.mark.last, pytest.mark.timeout(900)]


def test_the_sweep_finds_what_is_planted(tmp_path):
    value = secret.made("planted", "the sweep's own test")
    values = sweep.secrets()
    assert values[value] == "planted"
    plants = {"plain.log": value, "cut.log": "…" + value, "query.txt": f"GET /x?code={value}&a", "hex.txt": value.encode().hex(),
              **{f"base64-{i}.txt": base64.b64encode(f"{'x' * i}{value}".encode()).decode() for i in range(3)},
              "json.txt": '{"a":"' + value + '"}'}
    for name, text in plants.items():
        (tmp_path / name).write_text(text)
    store = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    store.execute("pragma journal_mode=wal")
    store.execute("create table t (a text)")
    store.execute("insert into t values (?)", (value,))
    (tmp_path / "clean.txt").write_text(value[:8] + " is only its beginning")
    found = sweep.look({value: "planted"}, sorted(f for f in tmp_path.iterdir()))
    store.close()
    assert {f.rpartition("/")[2] for _, f in found} == {*plants, "store.db-wal"}
    assert {kind for kind, _ in found} == {"planted"}


def test_the_sweep_finds_what_is_planted_in_postgres():
    value = secret.made("planted in postgres", "the sweep's own test")
    name = database.new("postgres", place.fresh(place.PRIVATE, "planted")).rsplit("/", 1)[1]
    try:
        database.program("psql", "-qc", f"create table t as select '{value}'::text as a", name)
        found = sweep.look({value: "planted"}, sweep.places())
        assert any(f.endswith(f"{name}.sql") for _, f in found), found
        assert any("/data/" in f for _, f in found), found
    finally:
        database.drop(name)
        (place.SWEPT / "postgres" / f"{name}.sql").unlink(missing_ok=True)


def test_nothing_of_the_run_lies_about():
    values = {v: k for v, k in sweep.secrets().items() if not k.startswith("planted")}
    files = sweep.places()
    kinds, names = set(values.values()), [str(f) for f in files]
    missing = {"api key", "master key", "client secret", "provider code", "connection code", "verifier", "access token", "refresh token",
               "id token", "provider state", "browser cookie", "dev's own", "webhook secret", "imported token", "password", "user token",
               "session", "typed key", "workspace secret", "workspace token", "private key", "popup handle", "embed handle", "machine secret",
               "request token", "request token's secret", "signed verifier", "signed token", "signed token's secret", "client assertion",
               "assertion", "device code", "DPoP proof", "certificate's key", "SigV4 secret key", "SigV4 session token", "exchanged token",
               "step's password", "step's challenge", "step's session", "reconnect link"} - kinds
    assert not missing, f"the run did not show the sweep: {missing} (the sweep belongs to a whole run)"
    for wanted in ("claviger.db", "copy.db", "serve.err", "rotate.err", "dev.err", "commands.txt", "answers.txt", "landing.html", ".sql",
                   "server.log"):
        assert any(n.endswith(wanted) for n in names), f"no {wanted} to look into"
    found = sweep.look(values, files)
    assert not found, "secrets lie about:\n" + "\n".join(f"{kind}: {file}" for kind, file in found)
