"""A minute of everything at once: calls of all doors and sizes, callers who leave, a provider that fails. Then nothing may be left.

The short form. `make soak` runs the long one (`load.py`). `SEED=…` draws the same deeds again.
"""

import os
import random

import pytest

from harness.held import MIB, slope
from harness.mixed import Mixed

SEED = int(os.environ.get("SEED") or random.randrange(1_000_000))
# What a minute's load may need beyond what the warm-up did. So coarse that no machine, allocator or neighbour fails it: it would
# take a leak of tens of kilobytes in each call. What grows slowly is for the long form to find.
COARSE = 64 * MIB
# What must be seen to be held while one call is under way.
OF_A_CALL = {"proxied_calls_in_flight", "client_connections", 'places_taken{limit="proxy_connection_calls"}',
             'places_taken{limit="proxy_provider_calls"}', 'tasks{runtime="proxy"}', "sockets"}


def endure(capsys, seconds, warm, callers, pause):
    """Warms up, loads, and looks at what is left; the load, and its report."""
    with Mixed(SEED, callers, pause) as mixed:
        # What is made once and kept – threads, connections to the database, caches – is made before it counts.
        mixed.load("warm-up", warm)
        before, resident = mixed.at_rest(3), mixed.town.held.resident()
        mixed.done.clear()
        mixed.load("load", seconds)
        leaks = mixed.leaks(before)
        report = mixed.report(before)
        with capsys.disabled():
            print(f"\n{report}", flush=True)
        assert not mixed.faults, f"{len(mixed.faults)} faults (seed {SEED}): {mixed.faults[:10]}\n{mixed.town.broker.said()}"
        assert not leaks, f"still held, as (before, after) (seed {SEED}): {leaks}"
        assert not any(n for name, n in before.items() if not name.startswith(("tasks", "sockets", "files"))), f"held by nobody: {before}"
        assert OF_A_CALL <= set(mixed.seen(before)), mixed.seen(before)
        mixed.more = mixed.town.held.resident() - resident
    return mixed, report


@pytest.mark.timeout(420)
def test_nothing_is_left_of_a_minutes_load(capsys):
    mixed, _ = endure(capsys, seconds=32, warm=10, callers=16, pause=0.15)
    assert mixed.more < COARSE, f"{mixed.more / MIB:.0f} MiB more than after the warm-up"


@pytest.mark.parametrize(("samples", "grows"), [
    ([(n, 50 * MIB) for n in range(60)], 0),
    ([(n, 50 * MIB + n * MIB) for n in range(60)], 600),
    ([(n, (50 + n % 2) * MIB) for n in range(60)], 0),
    ([(n, 50 * MIB - n * MIB / 600) for n in range(60)], -1),
])
def test_the_slope_is_that_of_the_line_through_all(samples, grows):
    assert abs(slope(samples) - grows) < 1
