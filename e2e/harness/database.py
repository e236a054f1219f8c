"""Databases for one Claviger each: a SQLite file in its folder, or a new database in the run's PostgreSQL."""

import contextlib
import os
import sqlite3
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from . import place
from .process import base_env

KINDS = ("sqlite", "postgres")
LOOKED = 4  # seconds within which every process has heard of a change
MADE = place.PRIVATE / "databases"
MADE.mkdir(exist_ok=True)


def _postgres():
    url = os.environ.get("CLAVIGER_TEST_POSTGRES")
    if not url:
        pytest.skip("no CLAVIGER_TEST_POSTGRES: run through e2e/run")
    return url


def program(name, *argv):
    """One of PostgreSQL's own programs against the run's cluster; returns what it printed."""
    at = urlsplit(_postgres())
    path = os.path.join(os.environ["PG_BIN"], name) if "PG_BIN" in os.environ else name
    env = base_env(PGHOST=at.hostname, PGPORT=at.port, PGUSER=at.username or "postgres", PGCONNECT_TIMEOUT=20)
    return subprocess.run([path, *argv], check=True, capture_output=True, timeout=120, env=env, stdin=subprocess.DEVNULL).stdout


def new(kind, folder):
    """A fresh database's URL."""
    if kind == "sqlite":
        return f"sqlite://{folder}/claviger.db"
    name = "e2e_" + folder.name.replace("-", "_")
    program("createdb", "--template=template0", name)
    (MADE / name).touch()
    return _postgres().rsplit("/", 1)[0] + "/" + name


def made():
    """The names of PostgreSQL's databases that the run made, whichever of its processes did."""
    return sorted(file.name for file in MADE.iterdir())


def drop(name):
    """Drops one of them before the run ends."""
    program("dropdb", name)
    (MADE / name).unlink()


def sql(url, text):
    """What one statement answers, as rows of texts (None: null), in a database that Claviger has open as well.

    For what a story cannot wait for: an instant in the past is the clock moved on. The same text for both databases.
    """
    if url.startswith("sqlite://"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=20, isolation_level=None)) as store:
            return [tuple(None if v is None else str(v) for v in row) for row in store.execute(text).fetchall()]
    said = program("psql", "--no-psqlrc", "-qAtc", text, "--field-separator=\t", "--pset=null=\\N", url.rsplit("/", 1)[1]).decode()
    return [tuple(None if v == "\\N" else v for v in line.split("\t")) for line in said.splitlines()]


def change(url, text):
    """A statement on what processes remember, told to them as their own changes are; returns when each has looked."""
    sql(url, text)
    seq, at = number(url, "update change_head set seq = seq + 1 where id = 1 returning seq"), int(time.time() * 1000)
    sql(url, f"insert into change_log (seq, workspace_id, topic, target, at) values ({seq}, null, 'other', 'a story', {at})")
    time.sleep(LOOKED)


def number(url, text):
    """The one number that a query answers."""
    (row,) = sql(url, text)
    return int(row[0])


def wait_for(url, query, least, seconds=60):
    """Returns within a few milliseconds of the moment when a query's number is at least `least`."""
    if url.startswith("sqlite://"):
        end = time.monotonic() + seconds
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=20, isolation_level=None)) as store:
            while store.execute(query).fetchone()[0] < least:
                assert time.monotonic() < end, f"waited {seconds} s for {query}"
                time.sleep(0.001)
    else:  # asked by the server itself: starting a program for each look would take too long
        program("psql", "--no-psqlrc", "-qc", f"do $$ begin for n in 1..{seconds * 500} loop if ({query}) >= {least} then return; "
                "end if; perform pg_sleep(0.002); end loop; raise 'waited too long'; end $$", url.rsplit("/", 1)[1])
