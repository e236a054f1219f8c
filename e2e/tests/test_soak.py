"""Nodes are killed and frozen all the time, under callers who never stop; the provider's own log says what was sent twice.

The short form. `make soak` runs the long one (`soak.py`). Each prints its seed; `SEED=…` draws the same times again.
"""

import collections
import itertools
import os
import random
import threading
import time
from types import SimpleNamespace

import pytest

from harness import reckon
from harness.chaos import Deed, draws
from harness.crowd import CUT, Call
from harness.fleet import Fleet, Look
from harness.grants import LIFE, Foreign, Graceful, Introspecting, Strict
from harness.process import until
from harness.rush import Rush
from harness.soak import STUCK, Soak

SEED = int(os.environ.get("SEED") or random.randrange(1_000_000))


def weather(capsys, kind, nodes, providers, seconds, kills=1, freezes=0, least=1, **more):
    """One soak, from its storm to the reckoning; at least so many refreshes were broken in between."""
    with Soak(kind, nodes, providers, SEED, **more) as soak:
        soak.storm(seconds, kills, freezes, least)
        soak.settle()
        with capsys.disabled():
            print(f"\n{soak.report()}", flush=True)
        soak.assert_sound()
        assert soak.chaos.count("kill") >= kills and soak.chaos.count("freeze") >= freezes
        assert soak.chaos.broken() >= least, f"nothing was broken in between\n{soak.report()}"


def ended(intents=(), deeds=(), answers=None, lost=(), changes=(), **provider):
    """The end of a soak, made up: of one node, one provider and one connection."""
    told = {"key": "strict", "most": 1, "sent": lambda: {"token": 1}, "trespasses": list, **provider}
    return SimpleNamespace(
        failed=[], lost=lost, providers=[SimpleNamespace(**told)], name=lambda connection: "strict 0",
        fleet=SimpleNamespace(look=SimpleNamespace(rows=lambda query: {reckon.INTENTS: list(intents), reckon.CHANGES: list(changes)}.get(query, []))),
        active={"conn": [SENT / 1000 + n / 10 for n in range(100)]}, chaos=SimpleNamespace(failed=[], deeds=deeds), works=lambda: {(0, "strict"): 200},
        crowd=SimpleNamespace(answers=answers or {"200": 9}, connections={"conn": 10}, unclear=lambda: {k: n for k, n in (answers or {}).items() if k == "500"},
                              calls=[Call("conn", 0, SENT / 1000 + n, SENT / 1000 + n + 0.5, told) for told, times in (answers or {"200": 9}).items() for n in range(times)],
                              texts=collections.defaultdict(dict), most={"conn": 10}))


NOW = int(time.time() * 1000)
SENT, REASON = NOW - 60_000, "a refresh was sent at {} and no answer to it was ever stored; it must be authorized again"


def intent(name="i", unknown=None, closed=NOW, outcome="renewed"):
    return name, "conn", str(SENT), unknown, closed and str(closed), outcome, "hash", "1", "1"


def deed(what="kill", between=("i",), whole=True, node=0):
    return Deed(what, node, SENT / 1000, frozenset(between), whole, SENT / 1000 + 3)


def at(millis):
    return REASON.format(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(millis // 1000))}.{millis % 1000:03}Z")


@pytest.mark.parametrize(("end", "said"), [
    (ended(), None),
    (ended([intent()]), None),
    (ended([intent(unknown="1", outcome="given_up")], [deed()]), None),
    (ended([intent()], [deed("freeze")]), None),
    (ended([intent(unknown="1")], [deed("freeze", (), whole=False)]), None),
    (ended(lost=[("conn", at(SENT), [(SENT, "1", "given_up")])]), None),
    (ended(lost=[("conn", at(SENT), [(SENT + 9, "1", "resent"), (SENT, "1", "given_up"), (SENT - 9, None, "renewed")])]), None),
    (ended([intent()], [deed()]), "it is not unknown"),
    (ended([intent(unknown="1")]), "neither a kill nor a freeze explains it"),
    (ended([intent(unknown="1")], [deed("freeze", ())]), "neither a kill nor a freeze explains it"),
    (ended([intent(unknown="1")], [deed(), deed()]), "2 kills broke one intent"),
    (ended([intent(closed=None, outcome=None)]), "open at the end"),
    (ended([intent(outcome=None)]), "closed without an outcome"),
    (ended(sent=lambda: {"token": 2}), "was sent 2 times"),
    (ended(sent=dict), "saw no refresh"),
    (ended(trespasses=lambda: ["twice"]), "outside the rule"),
    (ended(answers={"200": 9, "500": 1}), "were told '500'"),
    (ended(answers={"200": 8, "504": 2}), "few calls worked"),
    (ended(answers={"200": 18, "504": 2}), None),
    (ended(answers={CUT: 9}), "few calls worked"),
    (ended(answers={"200": 1, CUT: 9}), None),
    (ended(answers={"200": 9, "401": 2}), "few calls worked"),
    (ended(answers={"200": 9, "401": 2}, changes=[("conn", "connection.expired", SENT), ("conn", "connection.updated", SENT + 1600)]), None),
    (ended(answers={"200": 9, "401": 2}, changes=[("conn", "connection.expired", SENT), ("conn", "connection.updated", SENT + 400)]), "few calls worked"),
    (ended([intent(unknown=f"{SENT}", closed=SENT + 1600)], [deed(between=("i",), node=1)], answers={"200": 9, "504": 2}), None),
    (ended([intent(unknown=f"{SENT}", closed=SENT + 400)], [deed(between=("i",), node=1)], answers={"200": 9, "504": 2}), "few calls worked"),
    (ended([intent(unknown=f"{SENT - 40_000}", closed=SENT + 1600)], [deed(between=("i",), node=1)], answers={"200": 9, "504": 2}), "few calls worked"),
    (ended(answers={"200": 9, "504": 2}, deeds=[deed("freeze", ())]), None),
    (ended(answers={"200": 9, "504": 2}, deeds=[deed("freeze", (), node=1)]), "few calls worked"),
    (ended(answers={"200": 9, "401": 2}, changes=[("another", "connection.expired", SENT)]), "few calls worked"),
    (ended(answers={"200": 9, "401": 2}, changes=[("conn", "connection.expired", SENT - 1)]), "few calls worked"),
    (ended(lost=[("conn", "invalid_grant", [(SENT, "1", "given_up")])]), "the reason is not a lost answer"),
    (ended(lost=[("conn", at(SENT), [])]), "no refresh was sent then"),
    (ended(lost=[("conn", at(SENT - 1), [(SENT, "1", "given_up")])]), "no refresh was sent then"),
    (ended(lost=[("conn", at(SENT), [(SENT, None, "refused")])]), "that one is not unknown"),
    (ended(lost=[("conn", at(SENT), [(SENT + 9, None, "renewed"), (SENT, "1", "given_up")])]), "went well"),
    (ended(lost=[("conn", at(SENT), [(SENT, "1", "late")])]), "went well"),
])
def test_the_reckoning_notices(end, said):
    found = reckon.faults(end)
    assert any(said in line for line in found) if said else not found, found


def test_of_three_deeds_two_are_kills():
    drawn = draws(random.Random(SEED))
    first, *others = [[next(drawn) for _ in range(3)] for _ in range(9)]
    assert first[0] == "kill" and all(sorted(three) == ["freeze", "kill", "kill"] for three in (first, *others))


def fleet(*answers):
    """One whose database is asked and answers this, one after the other, and the last from then on."""
    answers = list(answers)
    look = SimpleNamespace(rows=lambda query: answers.pop(0) if len(answers) > 1 else answers[0], number=lambda query: 0)
    made = Fleet.__new__(Fleet)
    made.__dict__.update(look=look, database="postgres://")
    return made


def test_what_a_dead_node_left_open_is_its_own_though_another_took_it_over():
    node = SimpleNamespace(id="proc_a", name="a", broker=SimpleNamespace(process=None))
    held = fleet([("i", "proc_a/x"), ("j", "proc_b/y"), ("k", None)]).open(node)
    assert held == {"i"}
    assert fleet([("i",)], [("j", "proc_b/y")]).left(node, held, SENT / 1000) == ({"i"}, True)
    assert fleet([], [("l", "proc_a/z")]).left(node, held, SENT / 1000) == ({"l"}, True)


@pytest.mark.parametrize(("answers", "asked"), [([[]], 0), ([[("i",)], [("i",)], []], 2), ([[("i",)]], None)])
def test_it_is_waited_until_nothing_is_left_or_nothing_moves(answers, asked, monkeypatch):
    clock = itertools.count(0, 7)
    monkeypatch.setattr("harness.soak.time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    soak = SimpleNamespace(again=0, fleet=fleet(*answers))
    Soak.wait_for(soak, "", 10_000)
    assert next(clock) // 7 == (asked + 1 if asked is not None else STUCK // 7 + 3)


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_three_nodes_over_postgres(capsys):
    weather(capsys, "postgres", 3, [Strict(), Introspecting(), Graceful()], 36, kills=12, freezes=5, least=5, calm=(0.5, 2.5))


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_one_process_over_sqlite(capsys):
    weather(capsys, "sqlite", 1, [Strict(), Introspecting(), Graceful()], 12, kills=3, freezes=1, each=100, calm=(1, 3))


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_provider_that_others_wrote(capsys):
    weather(capsys, "postgres", 2, [Foreign()], 8, least=1, calm=(0.5, 2.5))


@pytest.mark.timeout(150)
def test_a_node_that_freezes_in_a_transaction_lets_go():
    with Soak("postgres", 2, [Graceful()], SEED) as soak:
        (frozen, other), connection = soak.fleet.nodes, next(iter(soak.connections))
        until("its first refresh", lambda: soak.status(frozen, connection) == 200
              and soak.fleet.look.number(f"select count(*) from refresh_state where connection_id = '{connection}'"))
        time.sleep(LIFE)
        lock = Look(soak.broker.database)
        lock.rows("begin")
        lock.rows(f"select 1 from refresh_state where connection_id = '{connection}' for update")
        caller = threading.Thread(target=soak.status, args=(frozen, connection))
        caller.start()
        busy = f"select count(*) from pg_stat_activity where application_name = '{frozen.name}' and "
        until("a claim that waits", lambda: soak.fleet.look.number(busy + "wait_event_type = 'Lock'"))
        frozen.freeze()
        lock.rows("rollback")
        lock.close()
        until("a transaction nobody goes on with", lambda: soak.fleet.look.number(busy + "state like 'idle in%'"))
        until("the other node to refresh", lambda: soak.status(other, connection) == 200, 30)
        frozen.thaw()
        caller.join()
        assert soak.status(frozen, connection) == 200


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_many_tokens_at_once_are_refreshed_once_each(capsys):
    rush(capsys, 150, through=3)


def rush(capsys, count, through):
    with Rush(count) as tokens:
        first = tokens.call(through)
        again = tokens.call(1)
        with capsys.disabled():
            print(f"\n{count} tokens within the margin, three nodes (made in {tokens.made_in:.0f} s)\n  {first.report()}\n"
                  f"  then {again.report()}", flush=True)
        assert not first.wrong and not again.wrong, (first.wrong + again.wrong)[:5]
        assert first.worked == count * through and again.worked == count
        assert tokens.versions() == {2: count}
        sent = tokens.provider.sent()
        assert len(sent) == count and set(sent.values()) == {1} and not tokens.provider.trespasses()
