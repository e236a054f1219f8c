"""The upstream: an nginx that answers at once, so that it is not what limits. And `/echo`, which tells what reached it."""

from .nginx import HEAD
from .process import Process
from . import pin

BODIES = {"1kB": 1024, "100kB": 100 * 1024, "10MB": 10 * 1024 * 1024}
CONFIG = HEAD + """    access_log off;
    sendfile on; tcp_nopush on; tcp_nodelay on;
    open_file_cache max=16 inactive=1h;
    types {{ }} default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /echo {{ return 200 "$http_authorization|$http_bu_connection_id|$request_uri"; }}
        location = /bytes/1kB {{ return 200 "{kilobyte}"; }}
        location /bytes/ {{ root {folder}/files; }}
    }}
}}
"""


def body(name):
    """What a path answers with: letters only, for the shortest stands in the configuration."""
    return bytes(97 + i * 7 % 26 for i in range(1024)) * (BODIES[name] // 1024)


class Upstream:
    """Runs until `stack` ends."""

    def __init__(self, nginx, folder, stack, pins, port):
        self.port, self.address = port, f"127.0.0.1:{port}"
        at = folder / "upstream"
        (at / "files/bytes").mkdir(parents=True)
        for name in BODIES:
            (at / "files/bytes" / name).write_bytes(body(name))
        for path in (at, at / "files", at / "files/bytes", folder):
            path.chmod(0o755)
        config = at / "nginx.conf"
        config.write_text(CONFIG.format(folder=at, port=port, workers=len(pins.others), kilobyte=body("1kB").decode()))
        argv = pin.to(pins.others, [nginx, "-e", "stderr", "-p", at, "-c", config])
        self.process = stack.enter_context(Process("upstream", argv, folder))
        self.process.ready(f"http://{self.address}/bytes/1kB")
