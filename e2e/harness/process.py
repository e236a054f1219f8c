"""Processes of the run: started with logs in files, waited for by what they answer, always stopped by pid."""

import os
import socket
import subprocess
import threading
import time

import requests

from . import place

_given = set()
_lock = threading.Lock()


def free_port():
    """A port nobody listens on now, never given twice in a run: of each two neighbours one process takes none."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with _lock:
            if port not in _given and port // 2 % place.WORKERS == place.WORKER:
                _given.add(port)
                return port


def until(what, probe, seconds=60, every=0.05):
    """Asks `probe` until it answers something true; fails by name after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(every)


def base_env(**more):
    """A small environment of our own: nothing of the caller's settings leaks into a story."""
    keep = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR", "CHROMIUM") if k in os.environ}
    return {**keep, **{k: str(v) for k, v in more.items()}}


class Process:
    """A running program. `name.out` and `name.err` in `folder` hold what it says; `out_folder` takes its stdout apart."""

    def __init__(self, name, argv, folder, env=None, cwd=None, out_folder=None):
        self.name, self.out, self.err = name, (out_folder or folder) / f"{name}.out", folder / f"{name}.err"
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.popen = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          env=env if env is not None else base_env(), cwd=cwd or folder)
        self.pid_file = place.PIDS / str(self.popen.pid)
        self.pid_file.write_text(name)

    def said(self):
        """The end of both logs, for a failure's message."""
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in (self.out, self.err) if p.exists())

    def alive(self):
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}\n{self.said()}")
        return True

    def ready(self, url, seconds=60):
        """Waits until `url` answers below 500."""
        def probe():
            self.alive()
            try:
                return requests.get(url, timeout=5, allow_redirects=False).status_code < 500
            except requests.RequestException:
                return False
        try:
            until(f"{self.name} at {url}", probe, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.said()}") from None
        return self

    def listening(self, port, seconds=60):
        """Waits until somebody takes connections at this port: for a server that answers only whom it knows."""
        def probe():
            self.alive()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        until(f"{self.name} at port {port}", probe, seconds)
        return self

    def kill(self, patience=15):
        """SIGKILL: it writes nothing more, and answers nobody."""
        self.popen.kill()
        self.popen.wait(patience)
        self.pid_file.unlink(missing_ok=True)

    def stop(self, patience=15):
        """Asks it to end, then ends it; returns its exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(patience)
        self.pid_file.unlink(missing_ok=True)
        return self.popen.returncode
