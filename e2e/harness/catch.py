"""Small servers of the test's own: the product's callback page, and an upstream API whose every byte is known.

The upstream is ours because no public one lets a test hold a stream half way; what it answers is fixed by the test.
"""

import contextlib
import http.server
import threading
from urllib.parse import urlsplit


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


class Small:
    """An HTTP server in a thread, on a free port, until closed."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Product(Small):
    """The product's callback page: keeps the queries it was called with."""

    def __init__(self):
        arrived = self.arrived = []

        class Handler(Quiet):
            def do_GET(self):
                if urlsplit(self.path).path == "/callback":
                    arrived.append(self.path)
                body = b"<!doctype html><title>Product</title><p>back at the product"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)
        self.callback = self.url + "/callback"


class Upstream(Small):
    """An API that keeps each request's bytes, and can hold its answer or its reading half way.

    (the paths as their last part)
    `/held`     sends `first`, then waits for `release` before `second`: chunked
    `/upload`   sets `half` when the first 5 body bytes are in, then reads on
    `/moved`    302 to another host;  anything else: 200 with `answer`
    """

    def __init__(self):
        outer = self
        self.requests, self.answer = [], b"{\"ok\": true}"
        self.release, self.half = threading.Event(), threading.Event()

        class Handler(Quiet):
            def body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    left, parts = int(self.headers.get("Content-Length") or 0), []
                    while left:
                        parts.append(self.rfile.read1(min(left, 65536)))
                        left -= len(parts[-1])
                        outer.half.set()
                    return b"".join(parts)
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                    outer.half.set()
                while self.rfile.readline().strip():
                    pass
                return b"".join(parts)

            def any(self):
                body = self.body()
                outer.requests.append({"line": self.requestline, "headers": self.headers.items(), "body": body})
                if "/held" in self.path:
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.chunk(b"first")
                    outer.release.wait(60)
                    with contextlib.suppress(ConnectionError):  # nobody has to wait for it
                        self.chunk(b"second")
                        self.chunk(b"")
                    return
                answer = outer.answer
                moved = "/moved" in self.path
                self.send_response(302 if moved else 200)
                if moved:
                    self.send_header("Location", "http://elsewhere.invalid/a?b=c")
                self.send_header("Content-Type", "application/json")
                self.send_header("Set-Cookie", "upstream=1")
                self.send_header("X-Echo", self.headers.get("Authorization", ""))
                self.send_header("X-Plain", "kept")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            def chunk(self, data):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = any

        super().__init__(Handler)

    def last(self):
        return self.requests[-1]

    def last_headers(self):
        return {k.lower(): v for k, v in self.last()["headers"]}
