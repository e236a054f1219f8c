"""`claviger dev`, as someone with a fresh clone runs it. Its stdout may hold secrets, so it is kept out of the sweep."""

import json
import os
import re
from urllib.parse import parse_qs, urlsplit

from . import place, secret
from .claviger import Web
from .process import Process, base_env, free_port, until

BUILDING = 900  # seconds that `make dev` may take to build first


class Dev:
    """One running `claviger dev`. With `plain` it is `make dev` in an empty folder; else the JSON line is in `facts`."""

    def __init__(self, plain=False, folder=None):
        self.folder = folder or place.fresh(place.SWEPT, "dev")
        self.state = self.folder / (".claviger" if plain else "state")
        self.plain = plain
        self.ports = [free_port() for _ in range(3)]
        names = ("CLAVIGER_LISTEN", "CLAVIGER_PROXY_LISTEN", "CLAVIGER_SANDBOX_LISTEN")
        env = base_env(**{n: f"127.0.0.1:{p}" for n, p in zip(names, self.ports)})
        argv = [place.BIN, "dev", "--dir", self.state, "--json"]
        if plain:
            argv = ["make", "-f", place.ROOT / "Makefile", "dev", f"CARGO={place.E2E / 'lib/cargo-elsewhere'}"]
            env.update({k: v for k, v in os.environ.items() if k.startswith(("CARGO_", "RUSTUP_"))})
        self.process = Process("dev", argv, self.folder, env=env, out_folder=place.fresh(place.PRIVATE, "dev"))
        try:
            self.connect_url = self.read_start()
        except BaseException:
            self.stop()
            raise
        self.app = "http://" + urlsplit(self.connect_url).netloc
        self.redirect_uri = parse_qs(urlsplit(self.connect_url).query)["redirect_uri"][0]
        self.remember()

    def read_start(self):
        if self.plain:
            return self.line(r"(http://\S+/authorize\?\S+)", seconds=BUILDING)
        self.facts = json.loads(self.line(r"(\{.*\})\n"))
        return self.facts["connect_url"]

    def line(self, pattern, seconds=60):
        """The first match on stdout, waited for."""
        def probe():
            self.process.alive()
            return re.search(pattern, self.process.out.read_text())
        return until(f"{pattern} on stdout", probe, seconds).group(1)

    def remember(self):
        """Everything secret in its dev.json, and in the JSON line."""
        def look(value, name):
            if isinstance(value, dict):
                for key, inner in value.items():
                    look(inner, key)
            elif isinstance(value, list):
                for inner in value:
                    look(inner, name)
            elif isinstance(value, str) and len(value) >= 12 and re.search("key|secret|password", name):
                secret.remember("dev's own", value.rsplit(":", 1)[-1], name)
        kept = self.state / "dev.json"
        look(json.loads(kept.read_text()), "")
        look({} if self.plain else {k: v for k, v in self.facts.items() if k != "workspace_key"}, "")

    def web(self):
        proxy = f"http://127.0.0.1:{self.ports[1]}"
        return Web(self.folder, self.app, proxy)

    def stop(self):
        return self.process.stop()
