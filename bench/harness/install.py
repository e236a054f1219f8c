"""The load generator and the peer: found, or taken from Debian's packages, saying so."""

import os
import shutil
import subprocess
import sys

from .place import TOOLS
from .say import GiveUp, limited, say


def wrk():
    """The path of `wrk`; installs it when it is missing."""
    found = shutil.which("wrk")
    if not found:
        if not shutil.which("apt-get"):
            raise GiveUp("wrk is missing, and there is no apt-get here: install wrk by hand")
        if os.geteuid() != 0:
            raise GiveUp("wrk is missing; run as root, or: apt-get install --no-install-recommends wrk")
        _lists()
        limited(300, "wrk is missing: installing the Debian package",
                ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "wrk"], show=False, env=_quiet())
        found = shutil.which("wrk")
    return found or sys.exit("bench: wrk was installed and is not on the path")


def nginx():
    """The path of an nginx, or None when there is none to be had. Debian's package is unpacked into bench/.tools:
    installed, it would start a service of its own."""
    for path in (shutil.which("nginx"), "/usr/sbin/nginx", _unpacked()):
        if path and _works(path):
            return str(path)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        say("no nginx here and no Debian packages: going on without it")
        return None
    TOOLS.mkdir(parents=True, exist_ok=True)
    try:
        if os.geteuid() == 0:
            _lists()
        limited(180, "nginx is missing: downloading the Debian package into bench/.tools (it is not installed)",
                ["apt-get", "-qq", "download", "nginx"], show=False, cwd=TOOLS, env=_quiet())
        package = max(TOOLS.glob("nginx_*.deb"), key=lambda p: p.stat().st_mtime)
        limited(60, "unpacking it", ["dpkg-deb", "-x", str(package), str(TOOLS / "nginx")], show=False)
    except (GiveUp, ValueError) as error:
        say(f"{error}; going on without nginx")
        return None
    if _works(_unpacked()):
        return str(_unpacked())
    say("the unpacked nginx does not start (a library is missing?): going on without it")
    return None


def version(argv):
    """The first line a program says of itself."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]


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
