"""Databases that take no write for a while, each in a way that happens: a story says `refuse()` and `yield_()`.

`readable` says whether reading goes on meanwhile, `rounds` how often it is worth calling.
"""

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from . import database
from .process import Process, until
from .wire import Wire

DISK = 24 << 20  # of the small disk, in bytes


class Refusing:
    """One way. `prepare` before the broker's first command, `started` when it serves; `close` whatever happens."""

    kind, readable, rounds = "sqlite", True, 2

    def prepare(self, broker):
        self.broker, self.url = broker, broker.database

    def started(self):
        pass

    def refuse(self):
        raise NotImplementedError

    def yield_(self):
        raise NotImplementedError

    def close(self):
        pass

    def sql(self, text):
        """What a statement answers, by another way than the broker's."""
        return database.sql(self.url, text)

    def script(self, *lines):
        """The binary, started by a small shell script."""
        file = self.broker.folder / "claviger"
        file.write_text("\n".join(["#!/usr/bin/env bash", *lines, ""]))
        file.chmod(0o755)
        return file


class FullDisk(Refusing):
    """A small disk of the broker's own (tmpfs in a mount namespace), which something else fills."""

    def prepare(self, broker):
        super().prepare(broker)
        if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("nsenter") is None:
            pytest.skip("a disk of its own wants root, unshare and nsenter")
        folder = broker.folder / "disk"
        folder.mkdir()
        mount = f"mount -t tmpfs -o size={DISK},mode=700 tmpfs '{folder}' && exec sleep infinity"
        self.holder = Process("disk", ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount], broker.folder)
        pid = self.holder.popen.pid
        self.seen = f"/proc/{pid}/root{folder}"  # the same folder from outside
        until("the small disk", lambda: self.holder.alive() and os.path.ismount(self.seen))
        self.file = f"{folder}/claviger.db"
        broker.database = f"sqlite://{self.file}"
        self.inside = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--"]
        broker.binary = self.script(f"exec {' '.join(self.inside)} '{broker.binary}' \"$@\"")

    def refuse(self):
        with open(f"{self.seen}/something-else", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 65536):
                pass
        # The last pages of it, too.
        with open(f"{self.seen}/something-else", "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 512):
                pass

    def yield_(self):
        os.unlink(f"{self.seen}/something-else")

    def sql(self, text):
        """Asked by a program in there: SQLite would take its way through /proc for a link to the folder out here."""
        asked = ("import json, sqlite3, sys; store = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None); "
                 "print(json.dumps(store.execute(sys.argv[2]).fetchall()))")
        argv = [*self.inside, sys.executable, "-c", asked, self.file, text]
        return json.loads(subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout)

    def close(self):
        if hasattr(self, "holder"):
            try:
                # The sweep looks for secrets in what was stored; the disk goes with its process.
                for file in os.listdir(self.seen):
                    shutil.copy(f"{self.seen}/{file}", self.broker.folder)
            finally:
                self.holder.stop()


class Quota(Refusing):
    """A limit on files' sizes: each write fails, with another error than a full disk's."""

    def prepare(self, broker):
        super().prepare(broker)
        # A program that is not told otherwise dies of the signal. What it logs goes elsewhere first: it would fail as well.
        broker.binary = self.script("trap '' XFSZ", f"exec '{broker.binary}' \"$@\" 2> >(trap '' TERM; exec cat >&2)")

    def refuse(self):
        self.limit(0)

    def yield_(self):
        self.limit(resource.RLIM_INFINITY)

    def limit(self, soft):
        pid = self.broker.process.popen.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


class Locked(Refusing):
    """Another program holds the one turn to write, and does not give it back."""

    rounds = 1  # each waits for the lock

    def refuse(self):
        self.other = sqlite3.connect(self.url.removeprefix("sqlite://"), timeout=20, isolation_level=None)
        self.other.execute("begin immediate")

    def yield_(self):
        self.other.execute("rollback")
        self.other.close()


class ReadOnly(Refusing):
    """PostgreSQL takes no change, as a standby does: connections are ended, and new ones are read-only."""

    kind = "postgres"

    def prepare(self, broker):
        super().prepare(broker)
        self.name = broker.database.rsplit("/", 1)[1]

    def refuse(self):
        self.set("on")

    def yield_(self):
        self.set("off")

    def set(self, what):
        for text in (f"alter database {self.name} set default_transaction_read_only = {what}",
                     f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{self.name}'"):
            database.program("psql", "--no-psqlrc", "-qAtc", text, "postgres")


class Cut(Refusing):
    """The line to PostgreSQL is cut: everything is reset and refused."""

    kind, readable, how, rounds = "postgres", False, "cut", 1

    def prepare(self, broker):
        super().prepare(broker)
        at = urlsplit(broker.database)
        self.wire = Wire(at.hostname, at.port)
        broker.database = broker.database.replace(f":{at.port}/", f":{self.wire.port}/")

    def refuse(self):
        getattr(self.wire, self.how)()

    def yield_(self):
        self.wire.mend()

    def close(self):
        self.wire.close()


class Swallowed(Cut):
    """The line swallows everything, and nobody is told; what was connected before stays so for ever."""

    how, rounds = "swallow", 2


WAYS = [FullDisk, Quota, Locked, ReadOnly, Cut, Swallowed]
