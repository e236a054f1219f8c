"""The binary under test: built, found, or given."""

import json
import os
import subprocess
from pathlib import Path

from .place import ROOT
from .say import GiveUp, limited, say

BUILD_SECONDS = 2400


class Binary:
    """A `claviger`, and how it came to be."""

    def __init__(self, path, how):
        self.path, self.how = path, how
        if not os.access(path, os.X_OK):
            raise GiveUp(f"no binary at {path}")


def find(given, short):
    """The binary that was given; else the release build, up to date; with `short` the newest that is there."""
    if given:
        return Binary(Path(given).resolve(), "given")
    release, debug = (_target() / profile / "claviger" for profile in ("release", "debug"))
    if short:
        there = [(path.stat().st_mtime, path, how) for path, how in ((release, "release"), (debug, "debug")) if path.exists()]
        if there:
            _, path, how = max(there)
            say(f"--short: taking the {how} binary that is there, the newest, without building")
            return Binary(path, f"{how}, as found")
        _build("the debug binary", [])
        return Binary(debug, "debug")
    _build("the release binary: some minutes, when little of it is built yet", ["--release"])
    return Binary(release, "release")


def commit():
    """The commit, and whether files differ from it."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _build(what, flags):
    limited(BUILD_SECONDS, f"building {what}", ["nice", "-n", "5", "cargo", "build", "-p", "claviger", *flags], cwd=ROOT)


def _target():
    done = subprocess.run(["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise GiveUp(f"cargo metadata failed\n{done.stderr[-1000:]}")
    return Path(json.loads(done.stdout)["target_directory"])
