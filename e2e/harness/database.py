"""Databases for one Claviger each: a SQLite file in its folder, or a new database in the run's PostgreSQL."""

import os
import subprocess
from urllib.parse import urlsplit

import pytest

from .process import base_env

KINDS = ("sqlite", "postgres")
made = []


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
    made.append(name)
    return _postgres().rsplit("/", 1)[0] + "/" + name
