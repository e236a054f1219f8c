"""What was measured on: said with every result, which means little without it."""

import datetime
import os
import platform

from . import binary, install


def facts(claviger, pins, programs):
    """Pairs of what and which. `programs` are commands that tell versions."""
    versions = [f"claviger {install.version([claviger.path, '--version']).split()[-1]} ({claviger.how}; sources at {binary.commit()})"]
    versions += [_short(install.version(argv)) for argv in programs]
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("machine", f"{os.cpu_count()} cores ({_processor()}), {_memory():.0f} GiB, {_system()}, Linux {platform.release()}"),
        ("cores", pins.said()),
        ("versions", "; ".join(versions)),
        ("load before", f"{os.getloadavg()[0]:.1f} (one minute's average; much above 0 means that others were at work)"),
    ]


def _short(line):
    return line.removeprefix("nginx version: ").split(" Copyright")[0].split(" [")[0].split(" (Debian")[0]


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def _memory():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _system():
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            return next(line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME="))
    except (OSError, StopIteration):
        return platform.system()
