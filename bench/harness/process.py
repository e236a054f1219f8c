"""Servers of the run: started with their logs in the run's folder, waited for, measured, always ended by pid."""

import contextlib
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from .say import GiveUp, say

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_given = set()
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    """A loopback port nobody listens on now, never given twice in a run."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def until(what, probe, seconds=30, pause=0.05):
    """Asks `probe` until it gives something true; fails by name after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise GiveUp(f"waited {seconds} s for {what}")
        time.sleep(pause)


def env_of(**more):
    """A small environment: none of the caller's settings changes what is measured."""
    keep = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR") if k in os.environ}
    return {**keep, **more}


class Process:
    """A running server. A context: leaving it ends the process."""

    def __init__(self, name, argv, folder, env=None):
        self.name, self.out, self.err = name, folder / f"{name}.out", folder / f"{name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          env=env if env is not None else env_of(), cwd=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ready(self, url):
        """Waits until `url` answers anything below 500."""
        def probe():
            self.alive()
            try:
                return _direct.open(url, timeout=5).status < 500
            except urllib.error.HTTPError as error:
                return error.code < 500
            except OSError:
                return False
        until(f"{self.name} at {url}", probe)
        return self

    def alive(self):
        """Fails when it has ended."""
        if self.popen.poll() is not None:
            raise GiveUp(f"{self.name} ended with {self.popen.returncode}\n{self.said()}")

    def said(self):
        """The end of what it wrote to stderr."""
        return self.err.read_text(errors="replace")[-2000:]

    def pids(self):
        """It and its children: nginx and Node.js work in those."""
        pids = [self.popen.pid]
        for pid in pids:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                        pids += [int(child) for child in file.read().split()]
            except OSError as error:
                raise GiveUp(f"{self.name} (pid {pid}) is gone: {error}\n{self.said()}") from None
        return pids

    def cpu(self):
        """Seconds of processor time so far, user and system, of all its processes and their threads."""
        return sum(_cpu_of(pid) for pid in self.pids())

    def memory(self):
        """Resident now, in MiB, all its processes together; pages that they share count for each."""
        pages = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                pages += int(file.read().split()[1])
        return pages * PAGE / 2**20

    @contextlib.contextmanager
    def watched(self):
        """While this lasts, the most that is resident is noted: a list whose one entry is that, in MiB."""
        most, over = [self.memory()], threading.Event()

        def look():
            while not over.wait(0.05):
                with contextlib.suppress(GiveUp, OSError):
                    most[0] = max(most[0], self.memory())
        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        try:
            yield most
        finally:
            over.set()
            looking.join()

    def stop(self, patience=20):
        """Asks it to end, then ends it."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                say(f"{self.name} (pid {self.popen.pid}) did not end by itself")
                self.popen.kill()
                self.popen.wait()


def _cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
