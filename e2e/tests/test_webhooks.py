"""Webhooks with the real binary: every delivery is verified both ways, and nothing that ends a process loses one.

What a story cannot wait for is moved in the database: an instant in the past is the clock moved on.
"""

import json
import time

import pytest

from harness import database
from harness.catch import Product
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.process import until
from harness.receiver import Receiver, verify
from harness.server import Sandbox

SCHEDULE = (5, 300, 1800, 7200, 18000)  # seconds between one attempt and the next, at the least
PARALLEL = 8  # attempts under way at one endpoint
CREATED, UPDATED, EXPIRED, DELETED = ("connection." + what for what in ("created", "updated", "expired", "deleted"))


class Hooked:
    """`claviger serve` with the sandbox as its provider, and a subscribed receiver."""

    def __init__(self, kind):
        self.ends = []
        try:
            self.start(kind)
        except BaseException:
            self.stop()
            raise

    def start(self, kind):
        self.broker, self.sandbox, self.receiver, self.product = Claviger(kind, "webhooks"), Sandbox(), Receiver(), Product()
        self.ends += [self.broker.stop, self.receiver.close, self.product.close]
        self.sandbox.start([f"{self.broker.app}/oauth2/callback/"])
        self.ends.append(self.sandbox.stop)
        integration = {**self.sandbox.integration(), "scopes": ["read", "write"]}
        toggled = {"include_connection_id": False, "include_external_id": False}
        self.broker.apply(None, None, {"IDP_SECRET": self.sandbox.client_secret}, workspaces=[
            self.broker.workspace([integration], [self.product.callback], **toggled)])
        self.broker.serve()
        self.hook = self.broker.hook(self.receiver)

    def connect(self, **more):
        """Through the browser; returns the redirect's query."""
        return returned(walk(self.broker.web(), self.broker.authorize_url("sandbox", self.product.callback, **more), self.product.callback))

    def bring(self, through=None, **more):
        """An import: a connection, and so an event, without a browser."""
        return (through or self.broker).bring(self.sandbox.grant(), **more)

    def sql(self, text):
        return database.sql(self.broker.database, text)

    def later(self, seconds):
        """Moves the clock on, for all that waits to be sent."""
        self.sql(f"update delivery set next_at = next_at - {int(seconds * 1000)} where next_at is not null")

    def waiting(self):
        return database.number(self.broker.database, "select count(*) from delivery where next_at is not null")

    def settled(self, deliveries):
        """All arrived and recorded, each in the attempts that the receiver saw."""
        until("every delivery's record", lambda: self.waiting() == 0)
        assert self.sql("select count(*), count(delivered_at) from delivery") == [(str(deliveries),) * 2]

    def restart(self):
        self.broker.serve()

    def stop(self):
        for end in reversed(self.ends):
            end()


@pytest.fixture
def hooked(database_kind):
    running = Hooked(database_kind)
    yield running
    running.stop()


def test_a_connections_whole_life_is_told(hooked):
    """With both toggles off the redirect carries neither id: the webhook does."""
    broker, sandbox, receiver = hooked.broker, hooked.sandbox, hooked.receiver
    sandbox.faults(expires_in=1)
    got = hooked.connect(external_id="user 42", state="s1")
    assert set(got) == {"integration_id", "state", "code"} and got["state"] == "s1"
    (created,) = receiver.wait_for(1)
    assert (created.type, created.data["external_id"], created.data["is_valid"]) == (CREATED, "user 42", True)
    connection = created.connection_id
    assert connection.startswith("conn_")
    assert broker.exchange(got["code"], hooked.product.callback).json()["connection_id"] == connection

    # The next refresh is answered with fewer scopes, and tokens that soon end as well.
    sandbox.faults(expires_in=None)
    fewer = sandbox.grant(["read"])
    sandbox.faults(token_grant="refresh_token", token_body=json.dumps({**fewer, "expires_in": 2}))
    until("the first token's end", lambda: time.time() > created.at + 1.1)
    called = broker.call("GET", "/me", connection)
    assert called.status_code == 200 and called.json()["scopes"] == ["read"], called.text
    updated = receiver.wait_for(2)[-1]
    assert (updated.type, updated.data["is_valid"]) == (UPDATED, True)

    sandbox.faults(token_status=400, token_body='{"error":"invalid_grant"}')
    until("the second token's end", lambda: time.time() > updated.at + 2.1)
    refused = broker.call("GET", "/me", connection)
    assert (refused.status_code, refused.json()["code"]) == (401, "connection_refresh_failed"), refused.text
    expired = receiver.wait_for(3)[-1]
    assert (expired.type, expired.data["is_valid"]) == (EXPIRED, False)
    assert broker.ask("GET", f"/connections/{connection}")["is_valid"] is False

    assert broker.ask("DELETE", f"/connections/{connection}") is None
    deleted = receiver.wait_for(4)[-1]
    assert deleted.type == DELETED
    assert receiver.by_connection() == {connection: [CREATED, UPDATED, EXPIRED, DELETED]}
    hooked.settled(4)
    assert len(receiver.attempts) == 4 and set(receiver.events().values()) == {1}
    assert all({k: d.data[k] for k in ("id", "external_id", "integration_id", "created_at")}
               == {k: created.data[k] for k in ("id", "external_id", "integration_id", "created_at")} for d in receiver.attempts)
    assert all(d.signed_in == "BundleUp-Signature" for d in receiver.attempts)
    receiver.assert_sound()

    listed = broker.ask("GET", f"/webhooks/{hooked.hook}/deliveries")
    assert {d["event_id"]: d["status"] for d in listed} == dict.fromkeys(receiver.events(), "delivered")
    whole = broker.ask("GET", f"/webhooks/{hooked.hook}/deliveries/{listed[0]['id']}")
    assert [(a["number"], a["status"]) for a in whole["attempts"]] == [(1, 200)]


def test_killed_between_commit_and_delivery(hooked):
    """Eight hanging attempts are all that an endpoint gets: the ninth event is committed, and nobody was told yet."""
    receiver = hooked.receiver
    receiver.hang()
    hanging = {hooked.bring() for _ in range(PARALLEL)}
    held = receiver.wait_for(PARALLEL, accepted=False)
    assert {d.connection_id for d in held} == hanging
    got = hooked.connect(external_id="ninth")
    hooked.broker.kill()
    ((ninth, attempts, lease),) = hooked.sql("select connection_id, attempts, lease from delivery where lease is null")
    assert ninth not in hanging and (attempts, lease) == ("0", None)
    assert len(receiver.attempts) == PARALLEL, "it was sent already"

    receiver.answer(200)
    receiver.release()
    hooked.restart()
    (arrived,) = receiver.wait_for(1)
    assert (arrived.connection_id, arrived.data["external_id"]) == (ninth, "ninth")
    assert hooked.broker.exchange(got["code"], hooked.product.callback).json()["connection_id"] == ninth

    # Those that hung are leased to a process that is no more, until the lease's end.
    until("the ninth's record", lambda: hooked.waiting() == PARALLEL)
    hooked.later(60)
    receiver.wait_for(PARALLEL + 1)
    hooked.settled(PARALLEL + 1)
    assert {d.id for d in receiver.accepted if d.connection_id in hanging} == {d.id for d in held}
    assert set(receiver.events().values()) == {1} and len(receiver.attempts) == 2 * PARALLEL + 1
    receiver.assert_sound()


def test_killed_between_delivery_and_its_record(hooked):
    receiver = hooked.receiver
    before = hooked.bring()
    receiver.wait_for(1)
    hooked.settled(1)

    receiver.when("arrived", lambda d: d.connection_id != before, lambda _: hooked.broker.kill())
    hooked.connect()
    once = receiver.wait_for(2, accepted=False)[-1]
    until("the process's end", lambda: hooked.broker.process is None)
    ((attempts, lease),) = hooked.sql("select attempts, lease from delivery where delivered_at is null")
    assert attempts == "0" and lease, "it was recorded"

    hooked.restart()
    after = hooked.bring()
    receiver.wait_for(1, where=lambda d: d.connection_id == after)
    until("what came after, recorded", lambda: hooked.waiting() == 1)
    hooked.later(60)
    again = receiver.wait_for(2, where=lambda d: d.connection_id == once.connection_id, accepted=False)[-1]
    hooked.settled(3)
    assert again.id == once.id and again.accepted and again.headers["webhook-signature"] != once.headers["webhook-signature"]
    assert json.loads(again.body)["webhookTimestamp"] > json.loads(once.body)["webhookTimestamp"]
    assert [d.connection_id for d in receiver.attempts] == [before, once.connection_id, after, once.connection_id]
    receiver.assert_sound()


def test_a_receiver_that_is_down_for_hours_gets_everything_in_order(hooked):
    broker, receiver = hooked.broker, hooked.receiver
    receiver.down()
    connections = [hooked.bring(expiresIn=1, refreshToken="never-issued") for _ in range(3)]
    for made, seconds in enumerate(SCHEDULE, 1):
        until(f"attempt {made} of each first event",
              lambda: hooked.sql("select distinct attempts from delivery where nth = 1") == [(str(made),)])
        waits = [int(wait) / 1000 for (wait,) in hooked.sql(
            "select d.next_at - a.at from delivery d join delivery_attempt a on a.delivery_id = d.id "
            f"where d.nth = 1 and a.number = {made}")]
        assert len(waits) == 3 and all(seconds <= wait <= seconds * 1.2 + 5 for wait in waits), f"after attempt {made}: {waits}"
        # Meanwhile life goes on, and the receiver comes up, though it takes nothing yet.
        if made == 1:
            for connection in connections:
                until("the refused refresh", lambda: broker.call("GET", "/me", connection).text.count("connection_refresh_failed"))
        elif made == 2:
            for connection in connections:
                broker.ask("DELETE", f"/connections/{connection}")
            broker.kill()
            hooked.restart()
            receiver.drop()
            receiver.up()
        elif made == 3:
            receiver.answer(500)
        elif made == 4:
            receiver.answer(302, {"Location": receiver.url})
        hooked.later(seconds * 1.2)
    until("the last refusal", lambda: hooked.sql("select distinct attempts from delivery where nth = 1") == [(str(made + 1),)])
    assert not receiver.accepted and len(receiver.attempts) == 3 * 4
    assert hooked.sql("select distinct attempts from delivery where nth > 1") == [("0",)], "something overtook"

    receiver.answer(200)
    hooked.later(36000 * 1.2)
    receiver.wait_for(9)
    hooked.settled(9)
    assert receiver.by_connection() == dict.fromkeys(connections, [CREATED, EXPIRED, DELETED])
    assert len(receiver.events()) == 9 and set(receiver.events().values()) == {1}
    about = {}
    for delivery in receiver.attempts:
        about.setdefault(delivery.id, set()).add((delivery.connection_id, delivery.type))
    assert len(about) == 9 and all(len(a) == 1 for a in about.values()), "one webhook-id, two events"
    receiver.assert_sound()


def test_a_rolled_secret_overlaps_with_the_old_one(hooked):
    broker, receiver, old = hooked.broker, hooked.receiver, hooked.receiver.secret
    rolled = broker.ask("POST", f"/webhooks/{hooked.hook}/secret", json={"overlap": 3600})
    new = rolled["secret"]
    assert new != old and new.startswith("whsec_") and rolled["previous_secret_until"]
    hooked.bring()
    (both,) = receiver.wait_for(1)
    for secret, header in ((old, "BundleUp-Signature"), (new, "BundleUp-Signature-Next")):
        faults, _, signed_in = verify(secret, both.headers, both.body)
        assert not faults and signed_in == header, faults
    assert len(both.headers["webhook-signature"].split()) == 2
    receiver.assert_sound()

    hooked.sql("update webhook_endpoint set previous_secret_until = previous_secret_until - 3600000")
    receiver.trust(new)
    hooked.bring()
    alone = receiver.wait_for(2)[-1]
    assert not alone.faults and alone.signed_in == "BundleUp-Signature"
    assert "bundleup-signature-next" not in alone.headers and len(alone.headers["webhook-signature"].split()) == 1
    assert len(verify(old, alone.headers, alone.body)[0]) == 2, "the old secret still signs"
    assert broker.ask("GET", f"/webhooks/{hooked.hook}")["previous_secret_until"] is None


def test_two_processes_deliver_each_event_once(hooked):
    other = hooked.broker.beside("webhooks-beside")
    hooked.ends.append(other.stop)
    other.serve()
    connections = [hooked.bring(through) for through in (hooked.broker, other) * 10]
    for through, connection in zip((other, hooked.broker) * 5, connections[:10]):
        through.ask("DELETE", f"/connections/{connection}")
    hooked.receiver.wait_for(30)
    hooked.settled(30)
    assert len(hooked.receiver.attempts) == 30 and set(hooked.receiver.events().values()) == {1}
    assert hooked.sql("select count(*), max(number) from delivery_attempt") == [("30", "1")]
    assert hooked.receiver.by_connection() == {c: [CREATED, DELETED] if c in connections[:10] else [CREATED] for c in connections}
    hooked.receiver.assert_sound()


def test_gone_disables_and_what_waited_goes_on_when_enabled(hooked):
    broker, receiver = hooked.broker, hooked.receiver
    receiver.down()
    connection = hooked.bring(externalId="waits")
    until("the first attempt", lambda: hooked.sql("select attempts from delivery") == [("1",)])
    broker.ask("DELETE", f"/connections/{connection}")
    receiver.answer(410)
    receiver.up()
    hooked.later(6)
    until("the 410's record", lambda: broker.ask("GET", f"/webhooks/{hooked.hook}")["status"] == "inactive")
    assert broker.ask("GET", f"/webhooks/{hooked.hook}")["disabled_reason"] == "gone"
    hooked.bring(externalId="while disabled")
    hooked.later(3600)
    assert hooked.waiting() == 2 and len(receiver.attempts) == 1

    receiver.answer(200)
    shown = broker.ask("PATCH", f"/webhooks/{hooked.hook}", json={"status": "active"})
    assert (shown["status"], shown["disabled_reason"]) == ("active", None)
    receiver.wait_for(2)
    hooked.settled(2)
    assert receiver.by_connection() == {connection: [CREATED, DELETED]}
    after = hooked.bring()
    assert receiver.wait_for(3)[-1].connection_id == after
    receiver.assert_sound()
