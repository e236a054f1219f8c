"""A PostgreSQL cluster for the benchmark: loopback, trust, in a folder of its own. No other is touched."""

import os
import pwd
import shutil
import subprocess

from . import pin
from .process import free_port
from .say import GiveUp, say


class Cluster:
    """Runs until `stack` ends. Its data stays in `home`, for the databases that took long to fill."""

    def __init__(self, programs, home, folder, stack, pins):
        self.programs, self.home, self.port = programs, home / "postgres", free_port()
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.sockets = folder / "pg"
        for path in (self.home, self.sockets):
            path.mkdir(parents=True, exist_ok=True)
            if self.user:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        folder.chmod(0o755)
        data = self.home / "data"
        if not (data / "PG_VERSION").exists() or (data / "PG_VERSION").read_text().strip() != programs.parent.name:
            shutil.rmtree(data, ignore_errors=True)
            self._run("initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        options = (f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.sockets} "
                   "-c max_connections=200 -c shared_buffers=512MB -c max_wal_size=4GB")
        self._run("pg_ctl", f"--pgdata={data}", f"--log={self.sockets}/server.log", "--wait", "--timeout=60", "--silent",
                  "-o", options, "start", cores=pins.others)
        stack.callback(self._stop)

    def url(self, name):
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def has(self, name):
        return self.ask(f"select 1 from pg_database where datname = '{name}'") == "1"

    def make(self, name, like=None):
        """An empty database, or a copy of another."""
        self.ask(f"create database {name}" + (f" template {like} strategy file_copy" if like else ""))

    def drop(self, name):
        self.ask(f"drop database if exists {name} with (force)")

    def ask(self, text, database="postgres"):
        argv = [self.programs / "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-d", database, "-Atqc", text]
        return self._run_any([str(a) for a in argv], "psql").strip()

    def _run(self, program, *argv, cores=None):
        argv = [self.programs / program, *argv]
        if self.user:
            argv = ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups", *argv]
        return self._run_any(pin.to(cores, argv) if cores else [str(a) for a in argv], program)

    def _run_any(self, argv, program):
        # Not piped: a server that is started would keep a pipe open.
        out = self.sockets / "said"
        with open(out, "wb") as file:
            done = subprocess.run(argv, cwd=self.sockets, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                  timeout=300, check=False)
        text = out.read_text(errors="replace")
        if done.returncode != 0:
            raise GiveUp(f"{program} failed ({done.returncode})\n{text[-1000:]}")
        return text

    def _stop(self):
        try:
            self._run("pg_ctl", f"--pgdata={self.home / 'data'}", "--mode=fast", "--silent", "--timeout=60", "stop")
        except GiveUp as error:
            say(error)
