"""Claviger as one of those compared: databases filled by `claviger seed`, and how it is started on one.

A setting that comes later and that a column of the tables is about has its place in `VARIANTS`.
"""

import fcntl
import json
import secrets
import shutil
import socket
import string
import subprocess
import time
import urllib.request
from pathlib import Path

from . import pin
from .place import KEPT
from .process import Process, env_of, free_port
from .proxies import Proxy
from .say import GiveUp, say

# Active, and so high that it never stops a call.
LIMIT = "1000000000/60s"
# The setting that says which share of good calls has a row in the request log. Until a binary has it, each call has one.
SAMPLE = "request_log_sample"
# Name, database, settings that the binary must know, and what they are.
VARIANTS = (
    ("Claviger", "sqlite", (), {}),
    ("Claviger, PostgreSQL", "postgres", (), {}),
    ("Claviger, a row for each call", "sqlite", (SAMPLE,), {SAMPLE: "100%"}),
)
# Beyond this many connections a database is kept for the next run.
SMALL = 10_000
# The metrics by which a process says what it had in memory.
HITS, MISSES = "claviger_proxy_cache_hits_total", "claviger_proxy_cache_misses_total"


class Home:
    """What every database of the benchmark is sealed with and points to, so that one that is kept can be used again."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(folder / "lock", "w", encoding="ascii")  # held until the process ends
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GiveUp("another run uses bench/.tools/kept: one at a time") from None
        file = folder / "home.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        if known and not _is_free(known["port"]):
            say("the port that kept databases point to is taken: they are made anew")
            for path in [*folder.glob("sqlite-*"), folder / "postgres"]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            known = {}
        if not known:
            known = {"port": free_port(), "api_key": "ck_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(46))}
            file.touch(mode=0o600)
            file.write_text(json.dumps(known))
        self.port, self.api_key, self.key = known["port"], known["api_key"], folder / "claviger.key"


def _is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Claviger:
    """Makes databases and proxies of one binary."""

    def __init__(self, binary, home, folder, upstream, pins, cluster):
        self.binary, self.home, self.folder = binary.path, home, folder
        self.upstream, self.pins, self.cluster = upstream, pins, cluster
        self.settings = self._settings()
        self.seeded = {}
        if not home.key.exists():
            home.key.touch(mode=0o600)
            home.key.write_text(self.run({}, "key", "generate"))

    def variants(self, databases):
        """Those that can be, of those asked for: name, database, settings. Others are said to be left out."""
        for name, kind, needs, settings in VARIANTS:
            if kind not in databases:
                continue
            if kind == "postgres" and not self.cluster:
                say(f"{name}: left out, there is no PostgreSQL")
            elif missing := [key for key in needs if key not in self.settings]:
                say(f"{name}: left out, this binary has no setting {', '.join(missing)}")
            else:
                yield name, kind, settings

    def proxy(self, name, kind, count, settings=()):
        """Claviger over a database with so many connections, as one of those compared."""
        url, ids = self.database(name, kind, count)
        app, proxy, metrics = free_port(), free_port(), free_port()
        env = self._env(url, CLAVIGER_PUBLIC_URL=f"http://127.0.0.1:{app}", CLAVIGER_PROXY_PUBLIC_URL=f"http://127.0.0.1:{proxy}",
                        CLAVIGER_LISTEN=f"127.0.0.1:{app}", CLAVIGER_PROXY_LISTEN=f"127.0.0.1:{proxy}",
                        CLAVIGER_METRICS_LISTEN=f"127.0.0.1:{metrics}", CLAVIGER_PROXY_RATE_LIMIT=LIMIT,
                        **{f"CLAVIGER_{key.upper()}": value for key, value in dict(settings).items()})
        file = "".join(c if c.isalnum() else "-" for c in name.lower()) + f"-{count}"
        made = Proxy(name, proxy, ids, self.home.api_key,
                     lambda: Process(file, pin.to(self.pins.proxy, [self.binary, "serve"]), self.folder, env))
        made.metrics = f"http://127.0.0.1:{metrics}/metrics"
        made.is_claviger = True
        return made

    def database(self, name, kind, count):
        """The URL of a database with so many made-up connections, a copy for this one alone, and the ids that can be used."""
        ids, began = self.home.folder / f"{kind}-{count}.ids", time.monotonic()
        label = "".join(c if c.isalnum() else "_" for c in name.lower())
        if kind == "postgres":
            kept, own = f"seed_{count}", f"run_{label}_{count}"
            if not (self.cluster.has(kept) and ids.exists()):
                self.cluster.drop(kept)
                self.cluster.make(kept)
                self._fill(self.cluster.url(kept), ids, kind, count)
                self.cluster.ask("vacuum analyze", kept)
            self.cluster.drop(own)
            self.cluster.make(own, like=kept)
            url = self.cluster.url(own)
        else:
            kept, own = self.home.folder / f"sqlite-{count}.db", self.folder / f"{label}-{count}.db"
            if not (kept.exists() and ids.exists()):
                for end in ("", "-wal", "-shm"):  # what a run that was broken off left
                    Path(f"{kept}{end}").unlink(missing_ok=True)
                self._fill(f"sqlite://{kept}", ids, kind, count)
            for end in ("", "-wal", "-shm"):
                if Path(f"{kept}{end}").exists():
                    shutil.copyfile(f"{kept}{end}", f"{own}{end}")
            url = f"sqlite://{own}"
        if count > SMALL:
            say(f"{count} connections in a database of its own for {name}: {time.monotonic() - began:.0f} s")
        return url, ids.read_text().split()

    def _fill(self, url, ids, kind, count):
        env, base, began = self._env(url), f"http://{self.upstream.address}", time.monotonic()
        # Nobody goes to these but a refresh, and nothing made up is ever refreshed.
        config = {name: f"{base}/none" for name in ("authorize_url", "token_url", "revoke_url", "userinfo_url")}
        wanted = {"workspaces": [{
            "name": "Bench", "client_id": "bench", "redirect_uris": ["http://127.0.0.1/done"],
            "api_keys": [{"name": "bench", "secret": "${env:BENCH_API_KEY}", "scopes": ["management", "proxy"]}],
            "integrations": [{"key": "sandbox", "provider": "sandbox", "client_id": "bench", "client_secret": "${env:BENCH_API_KEY}",
                              "config": {**config, "base_url": base}}]}]}
        file = self.folder / "bench.yaml"
        file.write_text(json.dumps(wanted))
        self.run({**env, "BENCH_API_KEY": self.home.api_key}, "apply", "-f", str(file))
        self.filled = time.monotonic()
        said = self.run(env, "seed", "--connections", str(count), "--ids", seconds=3600)
        if len(said.split()) < count * 9 // 10:
            raise GiveUp("claviger seed made too few connections")
        took = time.monotonic() - self.filled
        self.seeded[kind, count] = took
        if count > SMALL:
            say(f"claviger seed: {count} connections into {kind} in {took:.0f} s")
        ids.write_text(said)

    def run(self, env, *argv, seconds=120):
        done = subprocess.run([self.binary, *argv], cwd=self.folder, env=env or env_of(), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise GiveUp(f"claviger {argv[0]} ended with {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def _env(self, url, **more):
        return env_of(CLAVIGER_DATABASE_URL=url, CLAVIGER_MASTER_KEY_FILE=str(self.home.key), CLAVIGER_OUTBOUND_ALLOW="127.0.0.0/8",
                      CLAVIGER_LOG="warn", **more)

    def _settings(self):
        """The settings that the binary knows: each has a flag."""
        words = self.run({}, "serve", "--help").split()
        return {word[2:].replace("-", "_") for word in words if word.startswith("--")}


def home(options, folder):
    """Where databases are kept; a short run keeps none."""
    return Home(folder / "home" if options.short else Path(options.kept) if options.kept else KEPT)


def memory_hits(proxy):
    """Hits and misses so far, as the process tells them; None while it does not."""
    text = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(proxy.metrics, timeout=10).read().decode()
    told = {}
    for line in text.splitlines():
        name = line.split("{")[0].split(" ")[0]
        if name in (HITS, MISSES):
            told[name] = told.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return (told.get(HITS, 0.0), told.get(MISSES, 0.0)) if told else None
