"""What the connect flow is measured on: the sandbox, and Claviger with an SQLite file in front of it."""

import json
import secrets
import string
import subprocess

from . import pin
from .process import Process, env_of, free_port, until
from .say import GiveUp


class Stage:
    """Starts everything into `stack`, whose end stops it."""

    client_id, integration, product = "bench", "sandbox", "http://127.0.0.1/done"

    def __init__(self, binary, folder, stack, pins):
        self.binary, self.folder, self.stack, self.pins = binary.path, folder / "flow", stack, pins
        self.folder.mkdir()
        app, proxy = free_port(), free_port()
        self.app, self.proxy = f"http://127.0.0.1:{app}", f"http://127.0.0.1:{proxy}"
        self.api_key = "ck_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(46))
        self._play()
        self._serve(app, proxy)

    def cpu(self):
        """Seconds of processor time so far: Claviger's, the sandbox's."""
        return self.claviger.cpu(), self.sandbox_process.cpu()

    def _play(self):
        """The sandbox: takes a port of its own, and prints what its one client needs."""
        own = "http://127.0.0.1/bench"
        argv = [self.binary, "sandbox", "--redirect-uri", own, "--redirect-prefix", f"{self.app}/oauth2/callback/"]
        env = env_of(CLAVIGER_SANDBOX_LISTEN="127.0.0.1:0", CLAVIGER_LOG="warn")
        self.sandbox_process = self.stack.enter_context(Process("sandbox", pin.to(self.pins.others, argv), self.folder, env))

        def printed():
            if self.sandbox_process.popen.poll() is not None:
                raise GiveUp(f"the sandbox ended\n{self.sandbox_process.said()}")
            said = dict(line.split(None, 1) for line in self.sandbox_process.out.read_text().splitlines() if " " in line)
            return said if "client_secret" in said and said["client_secret"] else None
        self.sandbox = until("the sandbox's addresses", printed)
        self.sandbox_process.ready(f"{self.sandbox['issuer']}/.well-known/oauth-authorization-server")

    def _serve(self, app, proxy):
        """`claviger serve` on an SQLite file, set up by `claviger apply`."""
        key = self.folder / "claviger.key"
        env = env_of(
            CLAVIGER_DATABASE_URL=f"sqlite://{self.folder / 'claviger.db'}", CLAVIGER_MASTER_KEY_FILE=str(key),
            CLAVIGER_PUBLIC_URL=self.app, CLAVIGER_PROXY_PUBLIC_URL=self.proxy, CLAVIGER_LISTEN=f"127.0.0.1:{app}",
            CLAVIGER_PROXY_LISTEN=f"127.0.0.1:{proxy}", CLAVIGER_OUTBOUND_ALLOW="127.0.0.0/8", CLAVIGER_PROXY_RATE_LIMIT="off",
            CLAVIGER_TRUSTED_PROXIES="127.0.0.0/8")
        key.touch(mode=0o600)
        key.write_text(self._run(env, "key", "generate"))
        urls = {k: self.sandbox[k] for k in ("authorize_url", "token_url", "revoke_url", "userinfo_url", "base_url")}
        wanted = {"workspaces": [{
            "name": "Bench", "client_id": self.client_id, "redirect_uris": [self.product],
            "api_keys": [{"name": "bench", "secret": "${env:BENCH_API_KEY}", "scopes": ["management", "proxy"]}],
            "integrations": [{
                "key": self.integration, "provider": "sandbox", "client_id": self.sandbox["client_id"],
                "client_secret": "${env:BENCH_CLIENT_SECRET}", "config": urls}]}]}
        file = self.folder / "bench.yaml"
        file.write_text(json.dumps(wanted))
        secret = {"BENCH_API_KEY": self.api_key, "BENCH_CLIENT_SECRET": self.sandbox["client_secret"]}
        self._run({**env, **secret}, "apply", "-f", str(file))
        self.claviger = self.stack.enter_context(Process(
            "claviger", pin.to(self.pins.proxy, [self.binary, "serve"]), self.folder, env))
        self.claviger.ready(f"{self.app}/readyz")

    def _run(self, env, *argv):
        done = subprocess.run([self.binary, *argv], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise GiveUp(f"claviger {argv[0]} ended with {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout
