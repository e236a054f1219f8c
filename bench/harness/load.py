"""The measuring: `wrk` as fast as it goes, `oha` at a fixed rate, and browsers one after another through the connect flow."""

import json
import math
import random
import socket
import subprocess
import time
from dataclasses import dataclass

from . import browser, claviger, pin
from .say import GiveUp
from .upstream import BODIES

# What is still written when the last answer is out (the request log) belongs to the requests that caused it.
SETTLE = 0.5
# As many picks as a run of some seconds makes; the generator starts over behind them.
PICKS = 400_000
SCRIPT = """local file = io.open(%(picks)s, "rb")
local data = file:read("*a")
file:close()
local width, nth, threads = %(width)d, 0, 0
local count, at = #data / width, 0
function setup(thread) thread:set("nth", threads); threads = threads + 1 end
function init() at = math.floor(nth * count / %(threads)d) end
function request()
  local from = at * width
  at = at + 1
  if at >= count then at = 0 end
  return %(head)s .. data:sub(from + 1, from + width) .. "\\r\\n\\r\\n"
end
done = function(summary, latency, requests)
  local e, file = summary.errors, io.open(%(told)s, "w")
  file:write(string.format('{"requests":%%d,"bytes":%%d,"duration_us":%%d,"p50_us":%%.1f,"p99_us":%%.1f,"p999_us":%%.1f,"wrong":%%d,"broken":%%d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.status, e.connect + e.read + e.write + e.timeout))
  file:close()
end
"""


@dataclass
class Figures:
    """One measurement. Times in microseconds; `cpu` is the proxy's per request, `busy` the part of its cores that it used."""

    count: int
    per_second: float
    megabytes: float
    p50: float
    p99: float
    p999: float
    cpu: float = 0.0
    busy: float = 0.0
    memory: float = 0.0
    hits: tuple = None


class Generator:
    """What makes load, where it runs, and where it keeps what it needs."""

    def __init__(self, wrk, oha, folder, pins):
        self.wrk, self.oha, self.folder, self.pins = wrk, oha, folder, pins
        self.files, self.fresh = {}, 0

    def calls(self, proxy, body, connections, seconds, pattern="uniform"):
        """`seconds` of GETs, as fast as the answers come, over so many connections; longer where a busy machine let nothing
        come in that time. A wrong answer is the end."""
        return self._calls(proxy, body, connections, seconds, pattern) or self._calls(proxy, body, connections, seconds * 10, pattern, True)

    def _calls(self, proxy, body, connections, seconds, pattern, last=False):
        script, told = self.folder / "load.lua", self.folder / "load.json"
        told.unlink(missing_ok=True)
        # In a file and not among the arguments, where every user of the machine could read it.
        script.touch(mode=0o600)
        head = (f"GET /bytes/{body} HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\nAuthorization: Bearer {proxy.key}\r\n"
                "BU-Connection-Id: ")
        threads = min(connections, len(self.pins.others))
        script.write_text(SCRIPT % {"picks": json.dumps(str(self._picks(proxy, pattern))), "width": len(proxy.ids[0]), "threads": threads,
                                    "head": json.dumps(head), "told": json.dumps(str(told))})
        argv = pin.to(self.pins.others, [self.wrk, f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script,
                                         f"{proxy.url}/bytes/{body}"])
        with Meter(proxy, self.pins) as meter:
            try:
                done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 90, check=False)
            except subprocess.TimeoutExpired:
                raise GiveUp(f"wrk on {proxy.name} did not end") from None
        if done.returncode != 0 or not told.exists():
            raise GiveUp(f"wrk on {proxy.name} failed ({done.returncode})\n{done.stdout[-500:]}{done.stderr[-500:]}")
        got = json.loads(told.read_text())
        # Of large bodies many are under way when time is up: their part counts.
        count = got["requests"] if body == "1kB" else got["bytes"] / BODIES[body]
        if not got["wrong"] and not got["broken"] and not count and not last:
            return None
        if got["wrong"] or got["broken"] or not count:
            raise GiveUp(f"{proxy.name}: {got['wrong']} wrong answers and {got['broken']} broken off, of {got['requests']}; "
                         "nothing is measured that does not work")
        lasted = got["duration_us"] / 1e6
        return meter.fill(Figures(int(count), count / lasted, got["bytes"] / lasted / 1e6, got["p50_us"], got["p99_us"], got["p999_us"]),
                          count, lasted)

    def paced(self, proxy, rate, connections, seconds):
        """`seconds` of GETs of 1 kB, so many each second whatever the answers do: each call's time is counted from when it was to begin."""
        argv = pin.to(self.pins.others, [
            self.oha, "--no-tui", "--output-format", "json", "-z", f"{seconds}s", "-w", "-q", rate, "--latency-correction", "-c", connections,
            "-H", f"Authorization: Bearer {proxy.key}", "-H", f"BU-Connection-Id: {proxy.ids[0]}", f"{proxy.url}/bytes/1kB"])
        with Meter(proxy, self.pins) as meter:
            try:
                done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds * 6 + 60, check=False)
            except subprocess.TimeoutExpired:
                raise GiveUp(f"oha on {proxy.name} did not end") from None
        if done.returncode != 0:
            raise GiveUp(f"oha on {proxy.name} failed ({done.returncode})\n{done.stderr[-500:]}")
        got = json.loads(done.stdout)
        statuses, broken = got["statusCodeDistribution"], got["errorDistribution"]
        if set(statuses) != {"200"} or broken:
            raise GiveUp(f"{proxy.name}: answers {statuses}, errors {broken}; nothing is measured that does not work")
        count, lasted, times = statuses["200"], got["summary"]["total"], got["latencyPercentiles"]
        return meter.fill(Figures(count, count / lasted, count * 1024 / lasted / 1e6, times["p50"] * 1e6, times["p99"] * 1e6,
                                  times["p99.9"] * 1e6), count, lasted)

    def _picks(self, proxy, pattern):
        """A file of ids in the order in which they are asked for. `fresh` are others each time, none of them twice."""
        if pattern == "fresh":
            self.fresh += 1
            file = self.folder / "picks-fresh"
            file.write_text("".join(random.Random(100 + self.fresh).sample(proxy.ids, min(len(proxy.ids), PICKS // 10))))
            return file
        at = (id(proxy.ids), pattern)
        if at not in self.files:
            ids, draw = proxy.ids, random.Random(8)
            if pattern == "zipf":
                ids = draw.sample(ids, len(ids))
                sums, total = [], 0.0
                for rank in range(1, len(ids) + 1):
                    total += rank ** -1.2
                    sums.append(total)
                picked = draw.choices(ids, cum_weights=sums, k=PICKS)
            elif pattern == "hot":
                picked = draw.choices(draw.sample(ids, min(1000, len(ids))), k=PICKS // 10)
            else:
                picked = draw.choices(ids, k=PICKS)
            file = self.folder / f"picks-{len(self.files)}"
            file.write_text("".join(picked))
            self.files[at] = file
        return self.files[at]


class Meter:
    """While it is open, what a proxy uses: processor time, memory, and what it says of its own memory."""

    def __init__(self, proxy, pins):
        self.proxy, self.process, self.cores = proxy, proxy.process, len(pins.proxy)

    def __enter__(self):
        self.hits = self._hits()
        self.watch = self.process.watched()
        self.most = self.watch.__enter__()
        self.before = self.process.cpu()
        return self

    def __exit__(self, *_):
        time.sleep(SETTLE if getattr(self.proxy, "is_claviger", False) else 0.05)
        self.used = self.process.cpu() - self.before
        self.watch.__exit__(None, None, None)

    def fill(self, figures, count, lasted):
        figures.cpu, figures.busy, figures.memory = self.used * 1e6 / count, self.used / lasted / self.cores, self.most[0]
        after = self._hits()
        if after and self.hits:
            figures.hits = tuple(now - then for now, then in zip(after, self.hits))
        return figures

    def _hits(self):
        return claviger.memory_hits(self.proxy) if getattr(self.proxy, "is_claviger", False) else None


def first_answer(proxy, patience=60):
    """Starts it. Seconds until its first good answer to a call that goes to the upstream."""
    request = (f"GET /bytes/1kB HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\nAuthorization: Bearer {proxy.key}\r\n"
               f"BU-Connection-Id: {proxy.ids[0]}\r\nConnection: close\r\n\r\n").encode()
    began = time.perf_counter()
    process = proxy.start()
    while time.perf_counter() - began < patience:
        process.alive()
        try:
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as link:
                link.sendall(request)
                if link.recv(64).startswith(b"HTTP/1.1 200"):
                    return time.perf_counter() - began
        except OSError:
            pass
        time.sleep(0.002)
    raise GiveUp(f"{proxy.name} gave no good answer within {patience} s\n{process.said()}")


@dataclass
class Flows:
    """The connect flow: times and processor times in microseconds."""

    count: int
    per_second: float
    p50: float
    p99: float
    cpu: float
    sandbox_cpu: float


def flows(stage, seconds, first):
    """Browsers one after another, for `seconds`; `first` numbers the first. Each goes through a whole flow."""
    before, took = stage.cpu(), []
    began = time.perf_counter()
    while not took or time.perf_counter() - began < seconds:
        then = time.perf_counter()
        browser.connect(stage, first + len(took))
        took.append((time.perf_counter() - then) * 1e6)
    lasted = time.perf_counter() - began
    time.sleep(SETTLE)
    cpu, sandbox_cpu = ((now - then) * 1e6 / len(took) for now, then in zip(stage.cpu(), before))
    took.sort()
    return Flows(len(took), len(took) / lasted, _at(took, 0.50), _at(took, 0.99), cpu, sandbox_cpu)


def _at(ordered, share):
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
