"""The run, from arguments to result. Everything it starts is ended again, whatever happens."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

from . import binary, claviger, flow, install, load, machine, parts, pin, postgres, proxies, report
from .place import PAGE, RESULTS
from .say import GiveUp, say
from .upstream import BODIES, Upstream

# Connections stored while those compared are compared; all of them are in the others' maps.
STORED = 1000
BEGIN, END = "<!-- bench:begin, written by bench/run -->", "<!-- bench:end -->"


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
    build = not options.short
    programs = {"wrk": install.wrk(), "nginx": install.nginx(), "oha": install.oha(build), "hyper": install.hyper(build),
                "node": install.node(build), "postgres": install.postgres(build)}
    found = binary.find(options.binary, options.short)
    pins = pin.choose(options.shared)
    if options.nice:
        _hurry(options.nice)
    versions = [[programs["wrk"], "-v"], [programs["nginx"], "-v"]]
    versions += [[programs["oha"], "--version"]] if programs["oha"] else []
    versions += [[programs["postgres"] / "postgres", "--version"]] if programs["postgres"] else []
    facts = machine.facts(found, pins, versions)
    if programs["node"]:
        facts.append(("Node.js", install.version([programs["node"], "--version"])))
    words = ["bench/run", *("PATH" if word in (options.binary, options.kept) else word for word in sys.argv[1:])]
    facts.append(("run", f"`{' '.join(words)}`; {options.rounds} × {options.seconds} s for each figure, in turns; medians"))
    if options.short:
        signal.alarm(170)  # ends what hangs
    with tempfile.TemporaryDirectory(prefix="claviger-bench.") as folder, contextlib.ExitStack() as stack:
        results = _results(options, programs, found, pins, Path(folder), stack)
    signal.alarm(0)
    _keep(options, report.write(facts, results))


def _results(options, programs, found, pins, folder, stack):
    home = claviger.home(options, folder)
    upstream = Upstream(programs["nginx"], folder, stack, pins, home.port)
    generator = load.Generator(programs["wrk"], programs["oha"], folder, pins)
    cluster = None
    if programs["postgres"] and "postgres" in options.databases:
        cluster = postgres.Cluster(programs["postgres"], home.folder, folder, stack, pins)
    maker = claviger.Claviger(found, home, folder, upstream, pins, cluster)
    compared = _compared(options, programs, upstream, folder, pins, maker)
    for proxy in compared:
        load.first_answer(proxy)
        stack.callback(lambda proxy=proxy: proxy.process.stop())
        proxy.check()
    run = parts.Run(compared, generator, options.rounds, options.seconds)
    direct = proxies.none(upstream, compared[0].ids, home.api_key)
    results = {"names": [proxy.name for proxy in (direct, *compared)]}
    if "start" in options.only:
        results["start"] = parts.start(run)
    if "throughput" in options.only:
        results["throughput"] = parts.throughput(run, options.bodies, options.connections, direct)
    if "latency" in options.only and programs["oha"]:
        results["rate"] = options.rate or round(parts.yardstick(run, results.get("throughput")) / 2)
        results["latency"] = parts.latency(run, results["rate"])
    if "streams" in options.only:
        results["streams"] = parts.streams(run)
    if "scale" in options.only:
        for proxy in compared:
            proxy.process.stop()
        databases = [kind for kind in options.databases if kind != "postgres" or cluster]
        results["scale"] = parts.scale(run, maker, [(kind, f"scale {kind}") for kind in databases], options.stored)
    if "connect" in options.only:
        results["connect"] = parts.connect(run, flow.Stage(found, folder, stack, pins))
    results["seeded"] = maker.seeded
    return results


def _compared(options, programs, upstream, folder, pins, maker):
    """Those compared, nginx first."""
    mine = [maker.proxy(name, kind, STORED, settings) for name, kind, settings in maker.variants(options.databases)
            if _wanted(options, name)]
    ids = maker.database("others", "sqlite", STORED)[1]
    key = maker.home.api_key
    others = [proxies.nginx(programs["nginx"], upstream, folder, pins, key, ids, log) for log in (True, False)]
    if programs["hyper"]:
        others.append(proxies.other("hyper", [programs["hyper"]], upstream, folder, pins, key, ids))
    if programs["node"]:
        script = proxies.PROXIES / "node/proxy.mjs"
        others.append(proxies.other("Node.js", [programs["node"], script], upstream, folder, pins, key, ids))
    return [proxy for proxy in others if _wanted(options, proxy.name)] + mine


def _wanted(options, name):
    return not options.targets or name == parts.YARDSTICK or any(word.lower() in name.lower() for word in options.targets)


def _keep(options, text):
    RESULTS.mkdir(exist_ok=True)
    whole = not options.short and set(options.only) == set(parts.PARTS) and not options.targets
    file = RESULTS / ("short.md" if options.short else "latest.md" if whole else "part.md")
    file.write_text(f"# Benchmark\n\n{text}", encoding="utf-8")
    print(text)
    say(f"written to {file}")
    if options.page or (whole and options.page is None):
        page = PAGE.read_text(encoding="utf-8")
        if page.count(BEGIN) != 1 or page.count(END) != 1:
            raise GiveUp(f"{PAGE} has no place for the result: {BEGIN} … {END}")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
        say(f"written into {PAGE}")


def _options():
    parser = argparse.ArgumentParser(prog="bench/run", description="The load benchmark; docs/performance.md tells more.")
    parser.add_argument("--short", action="store_true", 
                        help="1 round of 1 s of the least of each part, with what is there: shows that the benchmark works")
    parser.add_argument("--only", metavar="PARTS", type=_list(parts.PARTS), help=f"some of: {','.join(parts.PARTS)}")
    parser.add_argument("--targets", metavar="NAMES", type=_list(), default=[], help="only those whose names have one of these words, and nginx")
    parser.add_argument("--databases", metavar="NAMES", type=_list(("sqlite", "postgres")), help="sqlite,postgres")
    parser.add_argument("--bodies", metavar="NAMES", type=_list(tuple(BODIES)), help=",".join(BODIES))
    parser.add_argument("--connections", metavar="COUNTS", type=_counts, help="1,16,64,256")
    parser.add_argument("--stored", metavar="COUNTS", type=_counts, help="connections stored, for the part `scale`: 1000,100000,1000000")
    parser.add_argument("--rounds", type=int, help="rounds (3)")
    parser.add_argument("--seconds", type=int, help="seconds of one measurement (4)")
    parser.add_argument("--rate", type=int, help="the fixed rate, in place of half of nginx's")
    parser.add_argument("--binary", metavar="PATH", help="measure this claviger instead of building one")
    parser.add_argument("--kept", metavar="FOLDER", help="where databases with very many connections are kept (bench/.tools/kept)")
    parser.add_argument("--shared", action="store_true", help="all on all cores, in place of the proxy on its own")
    parser.add_argument("--nice", type=int, default=0, metavar="BY", help="run everything at this niceness: -10 where others are at work, as root")
    parser.add_argument("--page", action=argparse.BooleanOptionalAction, help="write the result into docs/performance.md; a whole run does")
    options = parser.parse_args()
    short = options.short
    options.only = options.only or (["start", "throughput", "latency", "streams"] if short else list(parts.PARTS))
    options.databases = options.databases or (["sqlite"] if short else ["sqlite", "postgres"])
    options.bodies = options.bodies or (["1kB"] if short else list(BODIES))
    options.connections = options.connections or ([64] if short else [1, 16, 64, 256])
    options.stored = options.stored or [1000, 100_000, 1_000_000]
    options.rounds = options.rounds or (1 if short else 3)
    options.seconds = options.seconds or (1 if short else 4)
    if not (1 <= options.rounds <= 100 and 1 <= options.seconds <= 600):
        parser.error("--rounds is 1 to 100, --seconds 1 to 600")
    return options


def _hurry(by):
    """Niceness for everything that is started. Where Linux groups processes by session, a session of our own has it too."""
    os.nice(by)
    with contextlib.suppress(OSError):  # it leads a session already
        os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(by), encoding="ascii")


def _list(known=None):
    def read(text):
        names = [name.strip() for name in text.split(",") if name.strip()]
        if wrong := [name for name in names if known and name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: not one of {', '.join(known)}")
        return names
    return read


def _counts(text):
    counts = sorted({int(count) for count in text.split(",")})
    if not counts or counts[0] < 1:
        raise argparse.ArgumentTypeError("numbers above 0, separated by commas")
    return counts


def _stopped(number, _frame):
    if number == signal.SIGALRM:
        raise GiveUp("it takes too long: something hangs")
    sys.exit(128 + number)
