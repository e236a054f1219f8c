"""The load generators and the peers: found, or taken from Debian's packages or built, saying so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .place import PROXIES, ROOT, TOOLS
from .say import GiveUp, limited, say

OHA = "1.16.0"
NODE_LEAST = 18


def wrk():
    """The path of `wrk`; installs it when it is missing."""
    return shutil.which("wrk") or _package("wrk", lambda: shutil.which("wrk")) or sys.exit("bench: wrk was installed and is not on the path")


def nginx():
    """The path of an nginx: the upstream is one. Debian's package is unpacked into bench/.tools: installed, it would
    start a service of its own."""
    for path in (shutil.which("nginx"), "/usr/sbin/nginx", _unpacked()):
        if path and _works(path):
            return str(path)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise GiveUp("no nginx here and no Debian packages: install nginx by hand")
    TOOLS.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _lists()
    limited(180, "nginx is missing: downloading the Debian package into bench/.tools (it is not installed)",
            ["apt-get", "-qq", "download", "nginx"], show=False, cwd=TOOLS, env=_quiet())
    package = max(TOOLS.glob("nginx_*.deb"), key=lambda p: p.stat().st_mtime)
    limited(60, "unpacking it", ["dpkg-deb", "-x", str(package), str(TOOLS / "nginx")], show=False)
    if not _works(_unpacked()):
        raise GiveUp("the unpacked nginx does not start (a library is missing?): install nginx by hand")
    return str(_unpacked())


def oha(build=True):
    """The path of `oha`, built when it is missing; None where that can't be, or is not wanted."""
    ours = TOOLS / "bin/oha"
    if ours.exists() and version([ours, "--version"]).endswith(OHA):
        return str(ours)
    if not build:
        say("oha is not here: no fixed rate")
        return None
    try:
        limited(1800, f"oha is missing: building version {OHA} into bench/.tools (once, some minutes)",
                ["nice", "-n", "5", "cargo", "install", "oha", "--locked", "--version", OHA, "--root", str(TOOLS)], show=False)
    except GiveUp as error:
        say(f"{error}; going on without a fixed rate")
        return None
    return str(ours)


def hyper(build=True):
    """The path of the bare hyper proxy, built from bench/proxies/hyper when it is missing or older than its source."""
    ours, source = TOOLS / "hyper/release/bare-proxy", PROXIES / "hyper"
    newest = max(path.stat().st_mtime for path in (source / "src/main.rs", source / "Cargo.toml"))
    if ours.exists() and ours.stat().st_mtime > newest:
        return str(ours)
    if not build:
        say("the bare hyper proxy is not built: going on without it")
        return None
    limited(900, "building the bare hyper proxy (once, about a minute)",
            ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", str(source / "Cargo.toml")],
            env={**os.environ, "CARGO_TARGET_DIR": str(TOOLS / "hyper")})
    return str(ours)


def node(install=True):
    """The path of a Node.js that is new enough: the machine's, the end-to-end suite's, or Debian's package."""
    def found():
        for path in (shutil.which("node"), ROOT / "e2e/.tools/venv/bin/node"):
            if path and Path(path).exists() and _node_is_recent(path):
                return str(path)
        return None
    if found() or not install:
        return found()
    try:
        return _package("nodejs", found)
    except GiveUp as error:
        say(f"{error}; going on without Node.js")
        return None


def postgres(install=True):
    """The folder of PostgreSQL's programs, or None."""
    def found():
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
        if folders and (folders[-1] / "initdb").exists():
            return folders[-1]
        other = shutil.which("initdb")
        return Path(other).resolve().parent if other else None
    if found() or not install:
        return found()
    try:
        return _package("postgresql", found)
    except GiveUp as error:
        say(f"{error}; going on without PostgreSQL")
        return None


def version(argv):
    """The first line a program says of itself."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]


def _package(name, found):
    """Installs a Debian package."""
    if not shutil.which("apt-get"):
        raise GiveUp(f"{name} is missing, and there is no apt-get here: install it by hand")
    if os.geteuid() != 0:
        raise GiveUp(f"{name} is missing; run as root, or: apt-get install --no-install-recommends {name}")
    _lists()
    limited(600, f"{name} is missing: installing the Debian package",
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", name], show=False, env=_quiet())
    return found()


def _node_is_recent(path):
    number = version([path, "--version"]).lstrip("v").split(".")[0]
    return number.isdigit() and int(number) >= NODE_LEAST


def _unpacked():
    return TOOLS / "nginx/usr/sbin/nginx"


def _works(path):
    try:
        return subprocess.run([str(path), "-v"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


def _lists():
    try:
        limited(180, "refreshing the package lists", ["apt-get", "-qq", "update"], show=False, env=_quiet())
    except GiveUp as error:
        say(f"{error}; going on with the lists there are")


def _quiet():
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
