"""The parts of a run. In each, those compared take turns within every round, so that what else the machine does hits all."""

import statistics
import time

from . import load
from .say import GiveUp, say

PARTS = ("throughput", "latency", "streams", "scale", "start", "connect")
PATTERNS = ("hot", "zipf", "uniform")
# The one whose rate tells how fast the fixed rate is.
YARDSTICK = "nginx"


class Run:
    """What all parts need: who is compared, what makes load, for how long."""

    def __init__(self, proxies, generator, rounds, seconds):
        self.proxies, self.generator, self.rounds, self.seconds = proxies, generator, rounds, seconds

    def turns(self, what, proxies, measure):
        """Rounds of `measure`, each beginning with another. Gives the figures of each by name; one who fails is out, and said."""
        figures, out = {proxy.name: [] for proxy in proxies}, set()
        for number in range(self.rounds):
            turn = number % len(proxies)
            for proxy in proxies[turn:] + proxies[:turn]:
                if proxy.name in out:
                    continue
                try:
                    got = measure(proxy)
                except GiveUp as error:
                    if getattr(proxy, "is_claviger", False):
                        raise
                    say(f"{error}; going on without it here")
                    out.add(proxy.name)
                    figures[proxy.name] = []
                    continue
                figures[proxy.name].append(got)
                said = f"{got.per_second:.0f} requests/s, {got.cpu:.1f} µs" if hasattr(got, "cpu") else f"{got:.3f}"
                say(f"{what}, round {number + 1}, {proxy.name}: {said}")
        return figures


def throughput(run, bodies, connections, direct):
    """As fast as it goes, for each body and number of connections; and without a proxy, for comparison."""
    compared = [direct, *run.proxies]
    for proxy in compared if run.rounds > 1 else []:
        run.generator.calls(proxy, "1kB", 64, 1)
    found = {}
    for body in bodies:
        for many in connections:
            measure = lambda proxy, b=body, m=many: run.generator.calls(proxy, b, m, run.seconds)
            found[body, many] = run.turns(f"{body}, {many} at a time", compared, measure)
    return found


def yardstick(run, thrown):
    """The rate at which the yardstick is saturated: requests/s of 1 kB at 64 connections."""
    known = (thrown or {}).get(("1kB", 64), {}).get(YARDSTICK)
    if not known:
        proxy = next(proxy for proxy in run.proxies if proxy.name == YARDSTICK)
        known = [run.generator.calls(proxy, "1kB", 64, run.seconds) for _ in range(run.rounds)]
    return statistics.median(f.per_second for f in known)


def latency(run, rate):
    """At one fixed rate for all."""
    return run.turns(f"at {rate} requests/s", run.proxies, lambda proxy: run.generator.paced(proxy, rate, 64, run.seconds * 2))


def streams(run):
    """64 bodies of 10 MB at once."""
    return run.turns("64 streams of 10 MB", run.proxies, lambda proxy: run.generator.calls(proxy, "10MB", 64, run.seconds))


def scale(run, maker, databases, counts):
    """Claviger over ever more stored connections: by kind of access. And a call's time, one after another, where most are not in memory."""
    found = {}
    for kind, name in databases:
        proxies = []
        try:
            for count in counts:
                proxy = maker.proxy(name, kind, count)
                proxy.name = f"{count}"
                load.first_answer(proxy)
                proxies.append(proxy)
            for pattern in PATTERNS:
                for proxy in proxies:
                    run.generator.calls(proxy, "1kB", 64, 1 if run.seconds < 3 else 3, pattern)
                measure = lambda proxy, p=pattern: run.generator.calls(proxy, "1kB", 64, run.seconds, p)
                found[kind, pattern] = run.turns(f"{kind}, {pattern}, connections stored", proxies, measure)
            measure = lambda proxy: run.generator.calls(proxy, "1kB", 1, run.seconds, "fresh")
            found[kind, "alone"] = run.turns(f"{kind}, one at a time, connections stored", proxies, measure)
        finally:
            for proxy in proxies:
                proxy.process.stop()
    return found


def start(run):
    """How long from nothing to the first good answer, and what a process that has made one call and idles takes."""
    began, idle = {}, {}

    def measure(proxy):
        running = proxy.process
        if running:
            running.stop()
        took = load.first_answer(proxy)
        time.sleep(1.0)
        idle.setdefault(proxy.name, []).append(proxy.process.memory())
        return took
    began = run.turns("seconds to the first answer", run.proxies, measure)
    return {name: (figures, idle.get(name, [])) for name, figures in began.items()}


def connect(run, stage):
    """Browsers one after another through the connect flow."""
    flowed = []
    for number in range(run.rounds):
        flowed.append(load.flows(stage, run.seconds, sum(f.count for f in flowed)))
        say(f"connect flow, round {number + 1}: {flowed[-1].per_second:.0f} flows/s")
    return flowed
