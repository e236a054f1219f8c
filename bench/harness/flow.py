"""What is measured: the sandbox, Claviger in front of it, and nginx in front of it, each a process of its own."""

import json
import secrets
import string
import subprocess

from . import browser
from .process import Process, env_of, free_port, until
from .say import GiveUp

SIZE = 1024
NGINX = """daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    upstream sandbox {{ server {sandbox}; keepalive 128; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://sandbox/api/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {token}";
        }}
    }}
}}
"""


class Route:
    """A way to the sandbox's bytes: where to ask, with what, and the process in between (None: there is none)."""

    def __init__(self, name, url, headers, process):
        self.name, self.url, self.headers, self.process = name, url, headers, process

    def check(self):
        """The answer is the sandbox's, byte for byte. Nothing is measured that does not work."""
        with browser.Browser() as client:
            _, data = client.ask("GET", self.url, headers=self.headers)
        if data != bytes(i % 251 for i in range(SIZE)):
            raise GiveUp(f"{self.name}: the bytes that came are not the sandbox's")


class Stage:
    """Starts everything into `stack`, whose end stops it."""

    client_id, integration, product = "bench", "sandbox", "http://127.0.0.1/done"

    def __init__(self, binary, nginx, folder, stack):
        self.binary, self.folder, self.stack = binary, folder, stack
        app, proxy = free_port(), free_port()
        self.app, self.proxy = f"http://127.0.0.1:{app}", f"http://127.0.0.1:{proxy}"
        self.api_key = "ck_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(46))
        self.database = folder / "claviger.db"
        self._play()
        self._serve(app, proxy)
        self.connection = browser.connect(self, 0)
        token = browser.token(self.sandbox)
        path = f"/bytes/{SIZE}"
        self.routes = [Route("direct", self.sandbox["base_url"] + path, {"Authorization": f"Bearer {token}"}, None)]
        if nginx:
            self.routes.append(self._nginx(nginx, token, path))
        self.routes.append(Route("Claviger", self.proxy + path, {
            "Authorization": f"Bearer {self.api_key}", "BU-Connection-Id": self.connection}, self.claviger))
        for route in self.routes:
            route.check()

    def _play(self):
        """The sandbox: takes a port of its own, and prints what its one client needs."""
        own = "http://127.0.0.1/bench"
        self.sandbox_process = self.stack.enter_context(Process(
            "sandbox", [self.binary, "sandbox", "--redirect-uri", own, "--redirect-prefix", f"{self.app}/oauth2/callback/"],
            self.folder, env_of(CLAVIGER_SANDBOX_LISTEN="127.0.0.1:0", CLAVIGER_LOG="warn")))

        def printed():
            if self.sandbox_process.popen.poll() is not None:
                raise GiveUp(f"the sandbox ended\n{self.sandbox_process.said()}")
            said = dict(line.split(None, 1) for line in self.sandbox_process.out.read_text().splitlines() if " " in line)
            return said if "client_secret" in said and said["client_secret"] else None
        self.sandbox = {**until("the sandbox's addresses", printed), "own_redirect": own}
        self.sandbox_process.ready(f"{self.sandbox['issuer']}/.well-known/oauth-authorization-server")

    def _serve(self, app, proxy):
        """`claviger serve` on an SQLite file, set up by `claviger apply`."""
        key = self.folder / "claviger.key"
        env = env_of(
            CLAVIGER_DATABASE_URL=f"sqlite://{self.database}", CLAVIGER_MASTER_KEY_FILE=str(key),
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
        self.claviger = self.stack.enter_context(Process("claviger", [self.binary, "serve"], self.folder, env))
        self.claviger.ready(f"{self.app}/readyz")

    def _run(self, env, *argv):
        done = subprocess.run([self.binary, *argv], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise GiveUp(f"claviger {argv[0]} ended with {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def _nginx(self, nginx, token, path):
        port, folder = free_port(), self.folder / "nginx"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.touch(mode=0o600)
        config.write_text(NGINX.format(folder=folder, sandbox=self.sandbox["issuer"].removeprefix("http://"), port=port, token=token))
        process = self.stack.enter_context(Process("nginx", [nginx, "-e", "stderr", "-p", folder, "-c", config], self.folder))
        process.ready(f"http://127.0.0.1:{port}{path}")
        return Route("nginx", f"http://127.0.0.1:{port}{path}", {}, process)
