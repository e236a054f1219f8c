"""An incident: connections are frozen and revoked with the command line while Claviger serves, and reports say what the
providers answered.

Authlib and the sandbox take tokens back; one integration names no way to; one's provider refuses.
"""

import csv
import io
import json
import subprocess
import time

import pytest

from harness import database
from harness.catch import Product
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.process import Process, until
from harness.receiver import Receiver
from harness.server import Authlib, Sandbox

COLUMNS = ["connection_id", "integration", "provider", "owner_kind", "owner_key", "status", "created_at", "outcome", "detail", "at"]
WITHIN = 3.0  # seconds until a frozen connection is refused everywhere


class Incident:
    """A serving Claviger with connections at both servers, and a receiver of its events."""

    def __init__(self, kind):
        self.ends = []
        try:
            self.start(kind)
        except BaseException:
            self.stop()
            raise

    def start(self, kind):
        # A killed command holds what it was at until its lease is over.
        self.broker, self.sandbox, self.authlib = Claviger(kind, "bulk", CLAVIGER_REFRESH_LEASE="2s"), Sandbox(), Authlib()
        self.receiver, self.product = Receiver(), Product()
        self.ends += [self.receiver.close, self.product.close]
        silent = self.sandbox.integration()
        del silent["config"]["revoke_url"]
        other = {**self.authlib.integration(), "client_secret": "${env:AUTHLIB_SECRET}"}
        spaces = self.broker.apply([self.sandbox.integration(), {**silent, "key": "silent"}, other], [self.product.callback],
                                   {"IDP_SECRET": self.sandbox.client_secret, "AUTHLIB_SECRET": self.authlib.client_secret})
        callbacks = {i["key"]: i["callback_url"] for i in spaces["acme"]["integrations"]}
        self.sandbox.start([f"{self.broker.app}/oauth2/callback/"])
        self.ends.append(self.sandbox.stop)
        self.authlib.start([callbacks["authlib"]])
        self.ends.append(self.authlib.stop)
        self.broker.serve()
        self.ends.append(self.broker.stop)
        self.broker.hook(self.receiver)

    def bring(self, integration="sandbox", **more):
        return self.broker.bring(self.sandbox.grant(), integration, **more)

    def connect(self):
        start = self.broker.authorize_url("authlib", self.product.callback)
        return returned(walk(self.broker.web(), start, self.product.callback))["connection_id"]

    def command(self, *argv, rc=0):
        """A bulk command; the rows of its report, by connection."""
        return rows(self.broker.run(*argv, "--yes", "--format", "csv", rc=rc))

    def status(self, connection, path="/me"):
        return self.broker.call("GET", path, connection).status_code

    def stop(self):
        for end in reversed(self.ends):
            end()


def rows(text):
    read = csv.DictReader(io.StringIO(text))
    assert read.fieldnames == COLUMNS
    return {row["connection_id"]: row for row in read}


def outcomes(report):
    return {connection: row["outcome"] for connection, row in report.items()}


@pytest.fixture
def incident(database_kind):
    running = Incident(database_kind)
    yield running
    running.stop()


def test_freeze_then_revoke_with_a_report(incident):
    broker, sandbox, receiver = incident.broker, incident.sandbox, incident.receiver
    mine = [incident.bring(externalId=f"=customer {n}") for n in range(3)]
    silent, real = incident.bring("silent"), incident.connect()
    everything = {*mine, silent, real}
    assert incident.status(mine[0]) == 200 and incident.status(real, Authlib.me) == 200

    shown = rows(broker.run("freeze", "--all", "--dry-run", "--format", "csv"))
    assert outcomes(shown) == dict.fromkeys(everything, "chosen") and incident.status(mine[0]) == 200
    assert shown[mine[0]]["owner_key"] == "'=customer 0", "a spreadsheet would take it for a formula"
    began = time.monotonic()
    assert outcomes(incident.command("freeze", "--all")) == dict.fromkeys(everything, "frozen")
    until("the freeze everywhere", lambda: {incident.status(c) for c in everything} == {403}, seconds=WITHIN)
    assert time.monotonic() - began < 60
    assert outcomes(incident.command("unfreeze", "--integration", "authlib")) == {real: "unfrozen"}
    until("the thaw", lambda: incident.status(real, Authlib.me) == 200, seconds=WITHIN)
    assert outcomes(incident.command("freeze", "--all"))[mine[1]] == "unchanged"

    sealed = [text for (text,) in database.sql(broker.database, "select sealed from credential")]
    assert len(sealed) == 5
    tokens = incident.authlib.access_tokens()
    assert incident.authlib.asked(tokens[-1]).status_code == 200
    list_file, report = broker.folder / "list.csv", broker.folder / "report.jsonl"
    broker.run("revoke", "--all", "--dry-run", "--format", "csv", "--out", list_file)
    broker.run("revoke", "--ids", list_file, "--yes", "--format", "json", "--out", report)
    told = {line["connection_id"]: line for line in map(json.loads, report.read_text().splitlines())}
    assert outcomes(told) == {**dict.fromkeys([*mine, real], "revoked"), silent: "unsupported"}
    assert all(list(line) == COLUMNS for line in told.values()) and told[silent]["detail"]
    assert incident.authlib.asked(tokens[-1]).status_code == 401, "Authlib takes it still"
    assert sandbox.stats()["revocations"] >= 3
    again = rows(broker.run("revoke", "--ids", list_file, "--yes", "--format", "csv"))
    assert outcomes(again) == outcomes(told), "run again it tells of each as it ended"

    # What a provider refuses is told, and makes the command fail; the connection is gone all the same.
    last = incident.bring(externalId="last")
    sandbox.faults(revoke_status=400)
    refused = incident.command("revoke", "--owner", "external:last", rc=1)
    assert outcomes(refused) == {last: "failed"} and refused[last]["detail"].startswith("HTTP 400")
    assert "1 failed" in broker.complaint and "taken back there" in broker.complaint

    # Nothing is left of them but what was told: in rows, in events, and to whoever runs it again.
    assert database.number(broker.database, "select count(*) from credential") == 0
    until("nobody is called for any more", lambda: {incident.status(c) for c in {*everything, last}} == {400}, seconds=WITHIN)
    kept = dict(database.sql(broker.database, "select connection_id, outcome from revocation"))
    expected = {**outcomes(told), last: "failed"}
    assert kept == expected
    deleted = receiver.wait_for(6, where=lambda d: d.type == "connection.deleted")
    assert {d.connection_id: d.data["revocation"] for d in deleted} == expected
    assert {bool(d.data.get("revocation_detail")) for d in deleted if d.data["revocation"] == "failed"} == {True}
    receiver.assert_sound()
    if broker.database.startswith("sqlite://"):
        files = b"".join(p.read_bytes() for p in broker.folder.glob("claviger.db*"))
        assert files and not [s for s in sealed if s.encode() in files], "an erased credential is still in the file"


def test_killed_in_the_middle_it_is_run_again(incident):
    broker = incident.broker
    everything = {incident.bring() for _ in range(40)}
    list_file, report = broker.folder / "list.csv", broker.folder / "report.csv"
    broker.run("freeze", "--all", "--dry-run", "--format", "csv", "--out", list_file)
    argv = ["revoke", "--ids", list_file, "--yes", "--format", "csv", "--out", report]
    running = Process("revoke", [broker.binary, *argv], broker.folder, env=broker.env())
    until("the first lines", lambda: report.exists() and report.read_text().count("\n") > 5, every=0.005)
    running.kill()
    left = database.number(broker.database, "select count(*) from connection")
    if left:
        frozen = database.number(broker.database, "select count(*) from connection where frozen_at is not null")
        assert frozen == left, "one that waits for its turn can be used"
    broker.run(*argv)
    told = rows(report.read_text())
    assert set(told) == everything and set(outcomes(told).values()) == {"revoked"}
    kept = database.sql(broker.database, "select connection_id from revocation")
    assert sorted(c for (c,) in kept) == sorted(everything), "each ended once"
    done = subprocess.run([broker.binary, "revoke", "--yes"], env=broker.env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "say which connections" in done.stderr
