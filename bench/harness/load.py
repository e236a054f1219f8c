"""The measuring: `wrk` on a route, and browsers one after another through the connect flow."""

import json
import math
import os
import subprocess
import time
from dataclasses import dataclass

from . import browser
from .say import GiveUp

# What is still written when the last answer is out (the request log) belongs to the requests that caused it.
SETTLE = 1.0
SCRIPT = """%s
done = function(summary, latency, requests)
  local e, file = summary.errors, io.open(%s, "w")
  file:write(string.format('{"requests":%%d,"duration_us":%%d,"p50_us":%%.1f,"p99_us":%%.1f,"wrong":%%d,"broken":%%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
  file:close()
end
"""


@dataclass
class Figures:
    """One measurement. Times in microseconds; `cpu` is of the process in between, `sandbox_cpu` of the sandbox."""

    count: int
    per_second: float
    p50: float
    p99: float
    cpu: float
    sandbox_cpu: float


class Meter:
    """Processor time per request, of the process in between and of the sandbox."""

    def __init__(self, stage, process):
        self.processes = (process, stage.sandbox_process)
        self.before = self._now()

    def per(self, count):
        """Microseconds per request since the beginning, when what follows the last request is done."""
        time.sleep(SETTLE)
        return [(now - then) * 1e6 / count for now, then in zip(self._now(), self.before)]

    def _now(self):
        return [process.cpu() if process else 0.0 for process in self.processes]


def calls(wrk, stage, route, connections, seconds):
    """`seconds` of GETs on a route, over so many connections. A wrong answer is the end."""
    script, told = stage.folder / "load.lua", stage.folder / "load.json"
    told.unlink(missing_ok=True)
    # In a file and not among the arguments, where every user of the machine could read them.
    script.touch(mode=0o600)
    headers = "\n".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in route.headers.items())
    script.write_text(SCRIPT % (headers, json.dumps(str(told))))
    meter = Meter(stage, route.process)
    threads = min(connections, 2, os.cpu_count() or 1)
    argv = [wrk, f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), route.url]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60, check=False)
    except subprocess.TimeoutExpired:
        raise GiveUp(f"wrk on {route.name} did not end") from None
    if done.returncode != 0 or not told.exists():
        raise GiveUp(f"wrk on {route.name} failed ({done.returncode})\n{done.stdout[-500:]}{done.stderr[-500:]}")
    got = json.loads(told.read_text())
    if got["wrong"] or got["broken"] or not got["requests"]:
        raise GiveUp(f"{route.name}: {got['wrong']} wrong answers and {got['broken']} broken off, of {got['requests']}; "
                     "nothing is measured that does not work")
    cpu, sandbox_cpu = meter.per(got["requests"])
    return Figures(got["requests"], got["requests"] * 1e6 / got["duration_us"], got["p50_us"], got["p99_us"], cpu, sandbox_cpu)


def flows(stage, seconds, first):
    """Browsers one after another, for `seconds`; `first` numbers the first. Each goes through a whole flow."""
    meter, took = Meter(stage, stage.claviger), []
    began = time.perf_counter()
    while not took or time.perf_counter() - began < seconds:
        then = time.perf_counter()
        browser.connect(stage, first + len(took))
        took.append((time.perf_counter() - then) * 1e6)
    lasted = time.perf_counter() - began
    cpu, sandbox_cpu = meter.per(len(took))
    took.sort()
    return Figures(len(took), len(took) / lasted, _at(took, 0.50), _at(took, 0.99), cpu, sandbox_cpu)


def _at(ordered, share):
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
