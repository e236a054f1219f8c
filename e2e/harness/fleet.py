"""Several `claviger serve` over one database, each of which may be killed or frozen at any moment."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

from . import database
from .process import base_env

NOTICED = 0.3  # seconds until a balancer sends nobody to a node any more that does not answer
START = 1      # seconds that a node takes to start at most on a machine that is not busy
SLOW = 4       # times as long is the most that is gone by
STARTED = 120  # seconds in which a node serves, though all callers come at once
GONE = 20      # seconds in which PostgreSQL lets go of a dead process's connections
OPEN = """select i.id, s.owner from refresh_intent i join refresh_state s on s.connection_id = i.connection_id
where i.closed_at is null and i.unknown_at is null and s.fence = i.fence"""


class Look:
    """Queries through one lasting connection: starting a program for each would cost more than the query."""

    def __init__(self, url):
        self.url, self.lock, self.store, self.shell = url, threading.Lock(), None, None
        if url.startswith("sqlite://"):
            self.store = sqlite3.connect(url.removeprefix("sqlite://"), timeout=20, isolation_level=None, check_same_thread=False)
            return
        address, _, name = url.rpartition("/")
        host, _, port = address.rpartition("@")[2].partition(":")
        psql = os.path.join(os.environ.get("PG_BIN", ""), "psql")
        self.shell = subprocess.Popen(
            [psql, "--no-psqlrc", "-qAt", "--field-separator=\t", "--pset=null=\\N", "--set=ON_ERROR_STOP=1", name], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=base_env(PGHOST=host, PGPORT=port, PGUSER="postgres"))

    def rows(self, query):
        """The rows of one query, as texts (None: null)."""
        with self.lock:
            if self.store:
                return [tuple(None if v is None else str(v) for v in row) for row in self.store.execute(query).fetchall()]
            self.shell.stdin.write(f"{query};\n\\echo =end=\n")
            self.shell.stdin.flush()
            found = []
            while (line := self.shell.stdout.readline()) != "=end=\n":
                assert line, f"psql ended at: {query}"
                found.append(tuple(None if v == "\\N" else v for v in line.rstrip("\n").split("\t")))
            return found

    def number(self, query):
        ((value,),) = self.rows(query)
        return int(value)

    def close(self):
        if self.store:
            self.store.close()
        else:
            self.shell.stdin.close()
            self.shell.stdout.close()
            self.shell.wait(20)


class Node:
    """One of them, life after life."""

    def __init__(self, broker, number, public):
        self.broker, self.number, self.public, self.life, self.id = broker, number, public, 0, None
        self.port, self.host = broker.ports[1], f"127.0.0.1:{broker.ports[1]}"
        self.downs, self.shunned, self.started_in = [], True, 0

    @property
    def name(self):
        """What its connections to PostgreSQL are called."""
        return f"node{self.number}-{self.life}"

    def start(self):
        """Serves, from now on."""
        self.life += 1
        began = time.monotonic()
        if not self.broker.database.startswith("sqlite://"):
            self.broker.settings["CLAVIGER_DATABASE_URL"] = f"{self.broker.database}?application_name={self.name}"
        self.broker.serve(STARTED)
        announced = re.findall(r"announced.*?process=.*?(\w+)", self.log())
        self.id = announced[-1]
        if self.downs:
            self.downs[-1][1] = time.time()
        self.shunned, self.started_in = False, time.monotonic() - began

    def log(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", (self.broker.folder / "serve.err").read_text(errors="replace"))

    def kill(self):
        """SIGKILL."""
        self.downs.append([time.time(), None])
        self.broker.kill()
        self.shunned = True

    def freeze(self):
        """SIGSTOP."""
        os.kill(self.broker.process.popen.pid, signal.SIGSTOP)

    def thaw(self):
        """SIGCONT."""
        if self.broker.process:
            os.kill(self.broker.process.popen.pid, signal.SIGCONT)
        self.shunned = False

    def was_down(self, since, until):
        """Whether it was dead at some time in between."""
        return any(since <= (up or until) and down <= until for down, up in self.downs)


def slowness(node):
    """How many times as long as on a machine with nothing else to do a node took to start last, as far as it is gone by that."""
    return min(SLOW, max(1, node.started_in / START))


class Fleet:
    """The nodes of one installation."""

    def __init__(self, broker, count, **settings):
        self.api_key, self.database = broker.api_key, broker.database
        brokers = [broker] + [broker.beside(f"node{n}") for n in range(1, count)]
        for one in brokers:
            # Wherever a browser comes back to, it is one installation.
            one.settings = {**one.settings, "CLAVIGER_PUBLIC_URL": broker.app, "CLAVIGER_PROXY_PUBLIC_URL": broker.proxy, **settings}
        self.nodes = [Node(one, n, broker.app) for n, one in enumerate(brokers)]
        self.look = None

    def start(self):
        for node in self.nodes:
            node.start()
        self.look = Look(self.database)
        return self

    def slowness(self):
        """That of the slowest node."""
        return max(slowness(node) for node in self.nodes)

    def choose(self, dice):
        """A node as a balancer chooses one: any that seems to answer, or just any."""
        seeming = [n for n in self.nodes if not n.shunned]
        return dice.choice(seeming or self.nodes)

    def left(self, node, held, since):
        """The intents that a node which is dead or frozen since then has left open, unless they were known to be unanswered
        before: their ids. `held` are those that were open in its hands right before.

        And whether that is all: a frozen one may be in the middle of a transaction. Nothing moves here but what PostgreSQL had
        been told before, and what another node takes over when its lease ends: the look may take longer on a busy machine.
        """
        whole = True
        if not self.database.startswith("sqlite://"):
            dead = node.broker.process is None
            going_on = "true" if dead else "state <> 'idle'"
            count = f"select count(*) from pg_stat_activity where application_name = '{node.name}' and {going_on}"
            end = time.monotonic() + (GONE if dead else 0.2)
            while not (whole := self.look.number(count) == 0) and time.monotonic() < end:
                time.sleep(0.005)
        # What PostgreSQL had been told to close is closed by now.
        kept = self.look.rows(f"""select id from refresh_intent where id in ({listed(held)}) and (unknown_at >= {int(since * 1000)}
            or closed_at is null and unknown_at is null)""")
        return self.open(node) | {intent for intent, in kept}, whole

    def open(self, node):
        """The intents that are open in a node's hands."""
        return frozenset(intent for intent, owner in self.look.rows(OPEN) if (owner or "").startswith(node.id))

    def stop(self):
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                node.thaw()
            node.broker.stop()
        if self.look:
            self.look.close()


def listed(ids):
    """Ids as the list of a query."""
    return ", ".join(f"'{one}'" for one in ids) or "''"


class Load:
    """What a database of PostgreSQL has to do within a block: transactions a second, and statements where those are counted."""

    def __init__(self, url):
        self.base, _, self.name = url.rpartition("/")
        self.base += "/postgres"
        (preloaded,), = database.sql(self.base, "show shared_preload_libraries")
        self.counted = "pg_stat_statements" in preloaded
        if self.counted:
            database.sql(self.base, "create extension if not exists pg_stat_statements")

    def __enter__(self):
        self.began, self.before = time.monotonic(), self.read()
        return self

    def __exit__(self, *_):
        seconds = time.monotonic() - self.began
        time.sleep(1)  # until the backends have told
        self.rates = {what: round((now - self.before[what]) / seconds) for what, now in self.read().items()}

    def read(self):
        wanted = {"transactions": f"select xact_commit + xact_rollback from pg_stat_database where datname = '{self.name}'"}
        if self.counted:
            wanted["statements"] = ("select coalesce(sum(calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid "
                                    f"where d.datname = '{self.name}'")
        return {what: database.number(self.base, query) for what, query in wanted.items()}
