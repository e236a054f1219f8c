"""The run, from arguments to result. Everything it starts is ended again, whatever happens."""

import argparse
import contextlib
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

from . import binary, install, load, machine, report
from .place import RESULTS
from .say import GiveUp, say
from .stage import Stage

CONNECTIONS = (64, 1)


def run():
    """Exit status 0 with a result, 1 without."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _stopped)
    try:
        _measure(options)
    except GiveUp as error:
        say(error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(options):
    wrk, nginx = install.wrk(), None if options.no_nginx else install.nginx()
    claviger = binary.find(options.binary, options.short)
    rounds, seconds = (1, 1) if options.short else (options.rounds, options.seconds)
    facts = machine.facts(claviger, wrk, nginx)
    routes = 3 if nginx else 2
    takes = 5 + rounds * (seconds + load.SETTLE) * (routes * len(CONNECTIONS) + 1)
    say(f"measuring: about {takes:.0f} s")
    signal.alarm(90 + int(2 * takes))  # ends what hangs
    with tempfile.TemporaryDirectory(prefix="claviger-bench.") as folder, contextlib.ExitStack() as stack:
        stage = Stage(claviger.path, nginx, Path(folder), stack)
        called, flowed, calls = _rounds(stage, wrk, rounds, seconds, warm=not options.short)
        logged = _logged(stage, calls)
        how = f"`bench/run{' --short' if options.short else ''}`, {rounds} × {seconds} s for each line, in turns; medians"
        text = report.write(facts, how, called, flowed, stage, logged)
    signal.alarm(0)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / ("short.md" if options.short else "latest.md")
    file.write_text(text, encoding="utf-8")
    print(text)
    say(f"written to {file}")


def _rounds(stage, wrk, rounds, seconds, warm):
    """All measurements; the routes take turns, each round beginning with another, so that noise hits all alike."""
    called, flowed, calls = {(c, r.name): [] for c in CONNECTIONS for r in stage.routes}, [], 0
    for route in stage.routes if warm else []:
        warmed = load.calls(wrk, stage, route, max(CONNECTIONS), 1).count
        calls += warmed if route.process is stage.claviger else 0
    for number in range(rounds):
        for connections in CONNECTIONS:
            turn = number % len(stage.routes)
            for route in stage.routes[turn:] + stage.routes[:turn]:
                figures = load.calls(wrk, stage, route, connections, seconds)
                called[connections, route.name].append(figures)
                calls += figures.count if route.process is stage.claviger else 0
                say(f"round {number + 1}, {connections} at a time, {route.name}: {figures.per_second:.0f} requests/s")
        flowed.append(load.flows(stage, seconds, 1 + sum(f.count for f in flowed)))
        say(f"round {number + 1}, connect flow: {flowed[-1].per_second:.0f} flows/s")
    return called, flowed, calls


def _logged(stage, calls):
    """How many of the proxied calls are in the request log: under load it drops rows rather than hold calls up."""
    with contextlib.closing(sqlite3.connect(f"file:{stage.database}?mode=ro", uri=True, timeout=20)) as database:
        rows = database.execute("select count(*) from request_log").fetchone()[0]
    return f"Of the proxied calls, {min(1.0, rows / calls):.0%} are in the request log."


def _options():
    parser = argparse.ArgumentParser(prog="bench/run", description="The load benchmark; docs/performance.md tells more.")
    parser.add_argument("--short", action="store_true", help="1 round of 1 s with the binary that is there")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds for each line and round (5)")
    parser.add_argument("--binary", metavar="PATH", help="measure this claviger instead of building one")
    parser.add_argument("--no-nginx", action="store_true", help="leave nginx out")
    options = parser.parse_args()
    if not (1 <= options.rounds <= 100 and 1 <= options.seconds <= 600):
        parser.error("--rounds is 1 to 100, --seconds 1 to 600")
    return options


def _stopped(number, _frame):
    if number == signal.SIGALRM:
        raise GiveUp("it takes too long: something hangs")
    sys.exit(128 + number)
