"""Root keys are rotated while everything goes on: fifty calls a second, refreshes among them, and a kill in the middle."""

import json

import pytest
import requests

from harness import database, place, secret
from harness.catch import Product
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.load import Load, in_threads
from harness.process import Process, until
from harness.receiver import Receiver
from harness.server import Sandbox

STORED = 380     # connections whose tokens last; with the others, more than two batches
BATCH = 200      # secrets that a rotation writes at once
SHORT = 40       # connections whose tokens are to be refreshed, one after the other, during the calls
UNDER = "select count(*) from credential where sealed like 'v1.{}.%'"


class Keyed:
    """`claviger serve` under the key `k1`, with imported connections; `k2` is there to come."""

    def __init__(self, kind, stored, short=0):
        self.ends = []
        try:
            self.start(kind, stored, short)
        except BaseException:
            self.stop()
            raise

    def start(self, kind, stored, short):
        self.broker, self.sandbox, self.receiver, self.product = Claviger(kind, "rotation"), Sandbox(), Receiver(), Product()
        self.ends += [self.broker.stop, self.receiver.close, self.product.close]
        self.old, self.new = self.broker.master_key, secret.master_key("k2")
        self.sandbox.start([f"{self.broker.app}/oauth2/callback/"])
        self.ends.append(self.sandbox.stop)
        self.broker.apply([self.sandbox.integration()], [self.product.callback], {"IDP_SECRET": self.sandbox.client_secret})
        self.broker.serve()
        self.broker.hook(self.receiver, ["connection.deleted"])
        shared = self.sandbox.grant()["refresh_token"]
        self.sandbox.faults(no_rotation=True)
        with requests.Session() as web:
            tokens = [self.sandbox.token(web, grant_type="refresh_token", refresh_token=shared) for _ in range(stored)]
        self.sandbox.faults(no_rotation=False)
        self.stored = in_threads(self.broker.web, lambda web, t: self.broker.bring(t, web=web), tokens)
        own = [self.sandbox.grant() for _ in range(short)]
        self.short = in_threads(self.broker.web, lambda web, t: self.broker.bring(t, web=web), own)

    def serve_with(self, *keys):
        """Restarted, with these root keys."""
        self.broker.stop()
        self.broker.master_key = ",".join(keys)
        self.broker.serve()

    def expire(self, connections):
        """Their access tokens are past their lives from now on, as far as Claviger knows."""
        ids = ", ".join(f"'{c}'" for c in connections)
        database.change(self.broker.database, f"update credential set expires_at = obtained_at + 1 where connection_id in ({ids})")

    def refreshes(self):
        """How many tokens were refreshed, but for the test's own."""
        return self.sandbox.stats()["token_requests"]["refresh_token"] - len(self.stored)

    def written(self):
        """How many refreshed tokens are in their rows."""
        ids = ", ".join(f"'{c}'" for c in self.short)
        return database.number(self.broker.database, f"select count(*) from credential where version > 1 and connection_id in ({ids})")

    def under(self, key):
        return database.number(self.broker.database, UNDER.format(key))

    def rotate(self, rc=0):
        """What `key rotate` with both keys says: JSON, or why not."""
        said = self.broker.run("key", "rotate", "--json", rc=rc, CLAVIGER_MASTER_KEY=f"{self.new},{self.old}")
        return json.loads(said) if rc == 0 else None

    def swap(self):
        """Two connections' tokens change places in the database."""
        sealed = dict(database.sql(self.broker.database, "select connection_id, sealed from credential"))
        for to, of in (self.stored[:2], self.stored[1::-1]):
            database.change(self.broker.database, f"update credential set sealed = '{sealed[of]}' where connection_id = '{to}'")

    def stop(self):
        for end in reversed(self.ends):
            end()


@pytest.fixture
def keyed(database_kind, request):
    running = Keyed(database_kind, **request.param)
    yield running
    running.stop()


@pytest.mark.parametrize("keyed", [{"stored": STORED, "short": SHORT}], indirect=True, ids=["loaded"])
def test_no_call_fails_while_keys_are_rotated(keyed):
    broker, sandbox = keyed.broker, keyed.sandbox
    keyed.rotate(rc=1)
    assert "not every process is ready for the root key k2" in broker.complaint and keyed.under("k2") == 0
    keyed.serve_with(keyed.new, keyed.old)

    mixed = [c for pair in zip(keyed.short * (STORED // SHORT), keyed.stored) for c in pair]
    with Load(broker, mixed) as load:
        until("a second of calls", lambda: load.count() >= 50)
        keyed.expire(keyed.short[::2])
        halfway = Process("rotate", [place.BIN, "key", "rotate"], broker.folder, env=broker.env())
        database.wait_for(broker.database, UNDER.format("k2"), BATCH)
        halfway.kill()
        left = keyed.under("k1")
        assert left > 0, "it was through already"
        keyed.expire(keyed.short[1::2])
        report = keyed.rotate()
        assert keyed.refreshes() > 0, "nothing was refreshed meanwhile"
        assert report["failed"] == 0 and 0 < report["wrapped"]["credential.sealed"] <= left
        assert report["wrapped"]["webhook_endpoint.secret"] == 1, "which comes after the credentials"
        assert keyed.under("k1") == 0 and keyed.under("k2") == STORED + SHORT
        until("every refresh", lambda: keyed.refreshes() >= SHORT)
        # Answered is not written yet: a token that is written after it was made old would not be refreshed again.
        until("every refreshed token in its row", lambda: keyed.written() == SHORT)
        # Once more: a refreshed token that the rotation had put an old one in the place of would now be shown twice.
        keyed.expire(keyed.short)
        until("every refresh again", lambda: keyed.refreshes() >= 2 * SHORT)
    load.assert_no_failure()
    assert keyed.refreshes() == 2 * SHORT and sandbox.stats()["refresh_reuse_detections"] == 0

    listed = {k["id"]: k for k in json.loads(broker.run("key", "list", "--json"))["keys"]}
    assert (listed["k1"]["stored"], listed["k1"]["seals"], listed["k2"]["seals"]) == (0, False, True)
    assert listed["k2"]["by_column"]["credential.sealed"] == STORED + SHORT
    broker.run("key", "list")
    assert "k1 wraps nothing here any more" in broker.complaint

    keyed.serve_with(keyed.new)
    opened = in_threads(broker.web, lambda web, c: broker.call("GET", "/me", c, web=web).status_code, keyed.stored + keyed.short)
    assert opened == [200] * (STORED + SHORT)
    got = returned(walk(broker.web(), broker.authorize_url("sandbox", keyed.product.callback), keyed.product.callback))
    assert broker.call("GET", "/me", got["connection_id"]).status_code == 200
    broker.ask("DELETE", f"/connections/{keyed.stored[0]}")
    (told,) = keyed.receiver.wait_for(1)
    assert told.connection_id == keyed.stored[0]
    keyed.receiver.assert_sound()
    broker.stop()
    assert "k2 seals and opens, also what the database holds" in broker.run("doctor")
    assert "stored secrets that the given root keys don't open" in broker.run("doctor", rc=1, CLAVIGER_MASTER_KEY=keyed.old)


@pytest.mark.parametrize("keyed", [{"stored": 2}], indirect=True, ids=["small"])
def test_a_killed_process_holds_a_rotation_up_until_it_is_forgotten(keyed):
    keyed.broker.kill()
    keyed.rotate(rc=1)
    assert "not every process is ready for the root key k2" in keyed.broker.complaint and keyed.under("k2") == 0
    database.sql(keyed.broker.database, "update process set seen_at = seen_at - 45000")
    assert keyed.rotate()["failed"] == 0 and keyed.under("k1") == 0
    keyed.broker.master_key = keyed.new
    keyed.broker.serve()
    assert [keyed.broker.call("GET", "/me", c).status_code for c in keyed.stored] == [200, 200]


@pytest.mark.parametrize("keyed", [{"stored": 2}], indirect=True, ids=["small"])
def test_rows_swapped_between_records_open_nothing(keyed):
    broker, calls = keyed.broker, keyed.sandbox.stats()["api_calls"]
    keyed.swap()
    for connection in keyed.stored:
        refused = broker.call("GET", "/me", connection)
        assert (refused.status_code, refused.json()["code"]) == (500, "internal_error")
    assert keyed.sandbox.stats()["api_calls"] == calls
    keyed.serve_with(keyed.new, keyed.old)
    failed = json.loads(broker.run("key", "rotate", "--json", rc=1))
    assert sorted(f["record"] for f in failed["failures"]) == sorted(keyed.stored) and failed["wrapped"]["integration.client_secret"] == 1
    keyed.swap()
    assert [broker.call("GET", "/me", c).status_code for c in keyed.stored] == [200, 200]
