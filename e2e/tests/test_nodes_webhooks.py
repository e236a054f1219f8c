"""Two nodes over PostgreSQL, killed and restarted while the product's sink is down: every event arrives, in order."""

import threading
import time

import pytest

from harness import database
from harness.claviger import Claviger
from harness.process import until
from harness.receiver import Receiver
from harness.server import Sandbox

CREATED, DELETED = "connection.created", "connection.deleted"
HOUR = 3600


class Pair:
    """Two nodes of one installation, a provider, and a sink of its events."""

    def __init__(self):
        self.ends = []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        first, self.sandbox, self.receiver = Claviger("postgres", "sink"), Sandbox(), Receiver()
        self.ends.append(self.receiver.close)
        self.sandbox.start([f"{first.app}/oauth2/callback/"])
        self.ends.append(self.sandbox.stop)
        first.apply([self.sandbox.integration()], ["https://app.acme.example/done"], {"IDP_SECRET": self.sandbox.client_secret})
        self.nodes = [first, first.beside("sink-beside")]
        for node in self.nodes:
            node.serve()
            self.ends.append(node.stop)
        self.hook = first.hook(self.receiver)

    def sql(self, text):
        return database.sql(self.nodes[0].database, text)

    def waiting(self):
        return database.number(self.nodes[0].database, "select count(*) from delivery where next_at is not null")

    def later(self, seconds=HOUR):
        """Moves the clock on, for all that waits to be sent, and for leases of nodes that are no more."""
        self.sql(f"update delivery set next_at = next_at - {seconds * 1000} where next_at is not null")

    def life(self, node):
        """A connection comes and goes, through a node; each is an event."""
        connection = node.bring(self.sandbox.grant())
        node.ask("DELETE", f"/connections/{connection}")
        return connection

    def stop(self):
        for end in reversed(self.ends):
            end()


@pytest.fixture
def pair():
    running = Pair()
    yield running
    running.stop()


def arrived(pair, lives):
    """All arrived, and what happened to each connection in its order."""
    def rest():
        pair.later()
        return pair.waiting() == 0

    until("every delivery's record", rest, every=0.3)
    assert pair.sql("select count(*), count(delivered_at) from delivery") == [(str(2 * len(lives)),) * 2]
    assert pair.receiver.by_connection() == dict.fromkeys(lives, [CREATED, DELETED])
    pair.receiver.assert_sound()


def test_the_sink_is_down_while_nodes_are_killed_and_restarted(pair):
    receiver, lives = pair.receiver, []
    lives += [pair.life(node) for node in pair.nodes]
    receiver.wait_for(4)

    receiver.down()
    for round_ in range(4):
        doomed, other = pair.nodes[round_ % 2], pair.nodes[(round_ + 1) % 2]
        lives += [pair.life(doomed), pair.life(other)]
        if round_ == 2:  # it takes what it is told, and says nothing: attempts hang when the node dies
            receiver.hang()
            receiver.up()
            pair.later()
            until("attempts that hang", lambda: any(not d.accepted for d in receiver.attempts))
        doomed.kill()
        lives.append(pair.life(other))
        doomed.serve()
        if round_ == 2:
            receiver.down()
    assert not [d for d in receiver.accepted if d.connection_id in lives[2:]]
    receiver.answer(200)
    receiver.up()
    arrived(pair, lives)
    assert len(receiver.events()) == 2 * len(lives)


def test_nodes_are_killed_while_the_sink_takes_what_it_is_told(pair):
    """Each is sent by one node; only what a dead one had in hand may come twice, with the id that it had."""
    lives, stop = [], threading.Event()

    def living():
        while not stop.is_set():
            for node in pair.nodes:
                try:
                    lives.append(pair.life(node))
                except Exception:  # it was killed meanwhile; what it committed is told all the same
                    pass
                if stop.is_set():
                    return

    thread = threading.Thread(target=living)
    thread.start()
    for round_ in range(3):
        time.sleep(0.7)
        node = pair.nodes[round_ % 2]
        node.kill()
        node.serve()
    stop.set()
    thread.join(60)

    def rest():
        pair.later()
        return pair.waiting() == 0

    until("every delivery's record", rest, every=0.3)
    told = pair.receiver.by_connection()
    assert all(told[one] == [CREATED, DELETED] for one in lives) and len(lives) > 5
    written = dict(pair.sql("select id, kind from event"))
    assert set(pair.receiver.events()) == set(written), "an event was lost"
    assert all(kinds in ([CREATED], [CREATED, DELETED]) for kinds in told.values())
    pair.receiver.assert_sound()
