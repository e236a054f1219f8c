"""A database takes no write for a while: no refresh token is spent, calls with good tokens go on, and all is well afterwards."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness.claviger import Claviger
from harness.database import LOOKED
from harness.process import until
from harness.refusing import WAYS, FullDisk
from harness.server import Sandbox

SOON = 10     # seconds within which /readyz says so
PATIENT = 40  # seconds that a call may take which can't succeed
REMEMBERED = 50  # seconds for which calls go on that were made before, though nothing can be read; it is a minute in all
MINUTE = 60_000


class Scene:
    """A broker whose database can be had to refuse, and connections whose tokens are good, about to end, and at their end."""

    def __init__(self, way):
        self.way, self.sandbox, self.broker = way(), Sandbox(), None
        try:
            # Whoever refreshes by itself would be there before the story.
            self.broker = Claviger(way.kind, f"refusing-{way.__name__}", CLAVIGER_REFRESH_AHEAD="false")
            self.way.prepare(self.broker)
            self.sandbox.start([f"{self.broker.app}/oauth2/callback/"])
            self.broker.apply([self.sandbox.integration()], ["http://127.0.0.1:9/callback"], {"IDP_SECRET": self.sandbox.client_secret})
            self.broker.serve()
            self.way.started()
            self.good, self.near, *self.ended = [self.broker.bring(self.sandbox.grant()) for _ in range(6)]
            now = int(time.time() * 1000)
            self.ends(self.near, now + MINUTE)
            for connection in self.ended:
                self.ends(connection, now - MINUTE)
        except BaseException:
            self.stop()
            raise

    def ends(self, connection, at):
        """Has a token of an hour end then."""
        self.way.sql(f"update credential set expires_at = {at}, obtained_at = {at - 60 * MINUTE} where connection_id = '{connection}'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.broker:
            self.broker.stop()
        self.way.close()
        self.sandbox.stop()

    def ready(self):
        began = time.monotonic()
        answer = requests.get(self.broker.app + "/readyz", timeout=60)
        return answer.status_code, answer.json()["database"], time.monotonic() - began

    def call(self, connection):
        """The status of a call, and how long it took."""
        began = time.monotonic()
        answer = self.broker.call("GET", "/me", connection)
        return answer.status_code, time.monotonic() - began, answer.text

    def at_once(self, connections):
        with ThreadPoolExecutor(len(connections)) as pool:
            return list(pool.map(self.call, connections))

    def log(self):
        return requests.get(self.sandbox.url + "/tokens/log", timeout=20).json()

    def number(self, query):
        ((value,),) = self.way.sql(query)
        return int(value)


def nothing_is_spent_while_the_database_takes_no_write(scene):
    way, broker = scene.way, scene.broker
    # What was just brought in is heard of once more, and forgotten by that: what is remembered from then on stays.
    time.sleep(LOOKED)
    assert scene.ready()[:2] == (200, "ok") and scene.call(scene.good)[0] == 200
    way.refuse()
    refused = time.monotonic()
    status, database, took = scene.ready()
    assert (status, database) == (503, "failing") and took < SOON, (status, database, took)
    assert requests.get(broker.app + "/healthz", timeout=5).status_code == 200, "the process is well"

    # More than once, and many at once: what fails must not leave anything behind that the next one waits for.
    for _ in range(way.rounds):
        began = time.monotonic()
        answers = dict(zip(["good", "near"] + ["ended"] * 8, scene.at_once([scene.good, scene.near] + scene.ended * 2)))
        for what, (status, took, text) in answers.items():
            assert took < PATIENT, f"{what}: {took:.1f} s for {status} {text}"
            remembered = what == "good" and began - refused < REMEMBERED
            if remembered or way.readable and what != "ended":
                assert status == 200, f"{what}: {status} {text}\n{broker.said()}"
            elif what != "good":
                assert status >= 500, f"{what}: {status} {text}"
    assert scene.log()["sent"] == 0, "no refresh token left"

    way.yield_()
    until("it is ready again", lambda: scene.ready()[0] == 200, SOON * 3)
    until("calls succeed again", lambda: scene.call(scene.good)[0] == 200, SOON)
    for status, took, text in scene.at_once((scene.ended + [scene.near]) * 3):
        assert status == 200 and took < PATIENT, f"{status} after {took:.1f} s: {text}\n{broker.said()}"
    until("the one that was about to end", lambda: scene.log()["sent"] == len(scene.ended) + 1, 20)
    assert scene.log()["outside"] == 0 and all(t["times"] == 1 for t in scene.log()["tokens"].values()), "each once"
    assert scene.number("select count(*) from connection where status <> 'active'") == 0
    assert scene.number("select count(*) from refresh_intent where unknown_at is not null or closed_at is null") == 0
    assert scene.number("select count(*) from event where kind = 'connection.expired'") == 0


def an_answer_that_finds_the_disk_full_is_kept_until_it_is_not(scene):
    sandbox, connection = scene.sandbox, scene.ended[0]
    sandbox.faults(token_delay_ms=3000)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(scene.call, connection)
        until("the refresh token is on its way", lambda: scene.log()["sent"] == 1, 20)
        scene.way.refuse()
        until("it is answered", lambda: sandbox.stats()["token_requests"]["refresh_token"] == 1 and not pending(scene), 20)
        time.sleep(2)  # its first tries to write
        scene.way.yield_()
        status, _, text = waiting.result()
        assert status == 200 or status >= 500, text
    sandbox.faults(token_delay_ms=None)
    until("it is stored", lambda: scene.call(connection)[0] == 200, 40)
    assert scene.log()["sent"] == 1 and scene.log()["outside"] == 0, "it was never sent again"
    assert scene.number("select count(*) from connection where status <> 'active'") == 0


def pending(scene):
    return any(s["answer"] == "pending" for t in scene.log()["tokens"].values() for s in t["sendings"])


def a_disk_that_takes_nothing_is_said_at_the_start(scene):
    broker = scene.broker
    broker.stop()
    scene.way.refuse()
    said = broker.run("doctor", rc=1)
    assert "FAIL  database" in said, said
    broker.run("serve", rc=1)
    assert broker.complaint and "panic" not in broker.complaint, broker.complaint
    scene.way.yield_()
    broker.run("doctor")
    broker.serve()
    assert scene.call(scene.good)[0] == 200


STORIES = [(nothing_is_spent_while_the_database_takes_no_write, way) for way in WAYS]
STORIES += [(story, FullDisk) for story in (an_answer_that_finds_the_disk_full_is_kept_until_it_is_not, a_disk_that_takes_nothing_is_said_at_the_start)]


def tell(story, way):
    with Scene(way) as scene:
        story(scene)


@pytest.fixture(scope="module")
def told(request):
    """All of them at once, each before a broker of its own: they mostly wait until a patience of Claviger's ends."""
    chosen = [(item.callspec.params["story"], item.callspec.params["way"]) for item in request.session.items if item.parent is request.node]
    with ThreadPoolExecutor(len(chosen)) as pool:
        yield {which: pool.submit(tell, *which) for which in chosen}


@pytest.mark.parametrize(("story", "way"), STORIES, ids=lambda part: part.__name__)
def test_what_becomes_of_it(told, story, way):
    told[story, way].result()
