"""What is compared: each a process of its own on the same cores, with the same map from caller and connection to a credential."""

from . import pin
from .process import Process, free_port
from .nginx import HEAD
from .place import PROXIES
from .upstream import body
from . import browser
from .say import GiveUp

NGINX = HEAD + """    access_log {log};
    map_hash_max_size 65536; map_hash_bucket_size 256;
    map "$http_authorization\\t$http_bu_connection_id" $credential {{
        default "";
        include {folder}/map.conf;
    }}
    upstream to {{ server {upstream}; keepalive 512; keepalive_requests 100000000; keepalive_timeout 1h; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            if ($credential = "") {{ return 401; }}
            proxy_pass http://to;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization $credential;
            proxy_set_header BU-Connection-Id "";
            proxy_buffers 8 32k;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"""


NONE = "no proxy"


class Proxy:
    """One of those compared: how it is started, where it is asked, and with which connections."""

    def __init__(self, name, port, ids, key, launch, about=""):
        self.name, self.port, self.ids, self.key = name, port, ids, key
        self.launch, self.about, self.process = launch, about, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """A process of it, that answers calls. Whoever starts it ends it."""
        self.process = self.launch()
        return self.process

    def headers(self, connection):
        return {"Authorization": f"Bearer {self.key}", "BU-Connection-Id": connection}

    def check(self):
        """Bytes are the upstream's, our key is not told to it, a credential is. Nothing is measured that does not work."""
        for connection in (self.ids[0], self.ids[-1]):
            with browser.Browser() as client:
                _, data = client.ask("GET", f"{self.url}/bytes/100kB", headers=self.headers(connection))
                _, echo = client.ask("GET", f"{self.url}/echo", headers=self.headers(connection))
            if data != body("100kB"):
                raise GiveUp(f"{self.name}: the bytes that came are not the upstream's")
            credential, shown, path = echo.decode().split("|", 2)
            if not credential.startswith("Bearer ") or self.key in credential or shown or path != "/echo":
                raise GiveUp(f"{self.name}: what reached the upstream is not what should")


def none(upstream, ids, key):
    """The upstream itself, without anything in between: more than this the generator and the upstream can't do."""
    made = Proxy(NONE, upstream.port, ids, key, lambda: upstream.process)
    made.process = upstream.process
    return made


def write_map(folder, key, ids):
    """The map for the others: a made-up credential for each of these connections."""
    lines = [(f"Bearer {key}", connection, f"Bearer upstream-{at:032}") for at, connection in enumerate(ids)]
    file = folder / "map.tsv"
    file.touch(mode=0o600)
    file.write_text("".join(f"{a}\t{b}\t{c}\n" for a, b, c in lines))
    return file, lines


def nginx(binary, upstream, folder, pins, key, ids, log):
    port, name = free_port(), "nginx" if log else "nginx, no log"
    at = folder / ("nginx-log" if log else "nginx-plain")
    at.mkdir()
    _, lines = write_map(at, key, ids)
    (at / "map.conf").touch(mode=0o600)
    (at / "map.conf").write_text("".join(f'"{a}\\t{b}" "{c}";\n' for a, b, c in lines))
    config = at / "nginx.conf"
    config.write_text(NGINX.format(folder=at, upstream=upstream.address, port=port, workers=len(pins.proxy),
                                   log=f"{at}/access.log combined" if log else "off"))
    argv = pin.to(pins.proxy, [binary, "-e", "stderr", "-p", at, "-c", config])
    return Proxy(name, port, ids, key, lambda: Process(at.name, argv, folder))


def other(name, program, upstream, folder, pins, key, ids):
    """The bare hyper proxy and the one in Node.js, which take the same arguments."""
    port, at = free_port(), folder / name
    at.mkdir()
    file, _ = write_map(at, key, ids)
    argv = pin.to(pins.proxy, [*program, port, upstream.address, file])
    return Proxy(name, port, ids, key, lambda: Process(name, argv, folder))
