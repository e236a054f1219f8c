"""What goes through the proxy arrives as it was sent, both ways: against httpbin, and an upstream that shows every byte."""

import base64
import gzip
import http.client
import json
import secrets
import sys
from urllib.parse import urlsplit

import pytest
import requests

from harness import place
from harness.catch import Upstream
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.process import Process, base_env, free_port
from harness.server import Authlib


class Lines:
    """A Claviger with a connection to httpbin (`bin`) and one to the test's own upstream (`own`), under a base path."""

    def __init__(self, product):
        self.stops = []
        try:
            self.start(product)
        except BaseException:
            self.stop()
            raise

    def start(self, product):
        port = free_port()
        self.direct = f"http://127.0.0.1:{port}"
        httpbin = Process("httpbin", [sys.executable, "-m", "gunicorn", "httpbin:app", "--bind", f"127.0.0.1:{port}", "--threads", "8",
                                      "--worker-class", "gthread", "--worker-tmp-dir", place.PRIVATE],
                          place.fresh(place.PRIVATE, "httpbin"), env=base_env())
        self.stops.append(httpbin.stop)
        self.upstream = Upstream()
        self.stops.append(self.upstream.close)
        self.server = Authlib()
        self.broker = Claviger("sqlite", "fidelity")
        made = [{**self.server.integration(base_url=base), "key": key}
                for key, base in (("bin", self.direct), ("own", self.upstream.url + "/base/v2"))]
        spaces = self.broker.apply(made, [product.callback], {"IDP_SECRET": self.server.client_secret})
        self.server.start([i["callback_url"] for i in spaces["acme"]["integrations"]])
        self.stops.append(self.server.stop)
        self.broker.serve()
        self.stops.append(self.broker.stop)
        httpbin.ready(self.direct + "/status/200")
        self.ids = {}
        for key in ("bin", "own"):
            got = returned(walk(self.broker.web(), self.broker.authorize_url(key, product.callback), product.callback))
            self.ids[key] = got["connection_id"]

    def bin(self, method, path, **kwargs):
        return self.broker.call(method, path, self.ids["bin"], **kwargs)

    def own(self, method, path, **kwargs):
        return self.broker.call(method, path, self.ids["own"], **kwargs)

    def socket(self):
        """A plain HTTP/1.1 connection to the proxy, and the headers a call needs."""
        at = urlsplit(self.broker.proxy)
        return http.client.HTTPConnection(at.hostname, at.port, timeout=60), {
            "Authorization": f"Bearer {self.broker.api_key}", "BU-Connection-Id": self.ids["own"]}

    def stop(self):
        for stop in reversed(self.stops):
            stop()


@pytest.fixture(scope="module")
def lines(product):
    running = Lines(product)
    yield running
    running.stop()


def test_echo_and_the_token(lines):
    body = bytes(range(256)) * 4
    answer = lines.bin("POST", "/anything/a%20b?x=1&y=a%20b&x=2", data=body, headers={"Content-Type": "application/x-odd"})
    assert answer.status_code == 200
    echo = answer.json()
    assert echo["method"] == "POST" and echo["args"] == {"x": ["1", "2"], "y": "a b"}
    assert echo["headers"]["Content-Type"] == "application/x-odd"
    assert base64.b64decode(echo["data"].partition(",")[2]) == body
    bearer = lines.bin("GET", "/bearer").json()
    assert bearer["authenticated"] and bearer["token"] in lines.server.access_tokens()
    assert answer.headers["Claviger-Request-Id"] != lines.bin("GET", "/get").headers["Claviger-Request-Id"]


def test_path_and_query_keep_their_bytes(lines):
    for target in ("/a%2Fb/%E2%82%AC%20?q=a+b&q=c%20d&empty=&flag", "/x//y/", "/~u/(1)/;p=1?a[]=1&b=%7B%7D&&", "/", "/%41?%41=%42"):
        sock, headers = lines.socket()
        sock.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in headers.items():
            sock.putheader(name, value)
        sock.endheaders()
        assert sock.getresponse().read() == lines.upstream.answer, target
        sock.close()
        assert lines.upstream.last()["line"] == f"GET /base/v2{target} HTTP/1.1"


def test_headers_in(lines):
    answer = lines.own("POST", "/h", data=b"x", headers={
        "Cookie": "a=b", "BU-Max-Retries": "0", "Proxy-Authorization": "Basic eDp5", "Forwarded": "for=1.2.3.4", "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https", "Keep-Alive": "timeout=5", "X-Mine": "v; w", "Accept": "application/vnd.x+json", "Accept-Encoding": "br",
        "User-Agent": "mine/1", "If-None-Match": '"e"'})
    assert answer.status_code == 200
    seen = lines.upstream.last_headers()
    for gone in ("cookie", "bu-max-retries", "bu-connection-id", "proxy-authorization", "forwarded", "x-forwarded-for",
                 "x-forwarded-proto", "keep-alive"):
        assert gone not in seen, gone
    assert seen["authorization"].removeprefix("Bearer ") in lines.server.access_tokens()
    assert lines.broker.api_key not in str(seen)
    kept = ("x-mine", "accept", "accept-encoding", "user-agent", "if-none-match")
    assert [seen[k] for k in kept] == ["v; w", "application/vnd.x+json", "br", "mine/1", '"e"']
    assert seen["host"] == urlsplit(lines.upstream.url).netloc


def test_headers_out(lines):
    answer = lines.own("GET", "/h")
    assert answer.headers["X-Plain"] == "kept"
    assert "Set-Cookie" not in answer.headers and "X-Echo" not in answer.headers, "the token's echo came through"
    assert not [t for t in lines.server.access_tokens() if t in str(answer.headers)]


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 403, 404, 409, 418, 422])
def test_statuses_pass(lines, status):
    assert lines.bin("GET", f"/status/{status}").status_code == status


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_failures_of_the_upstream_pass_unmasked(lines, status):
    assert lines.bin("POST", f"/status/{status}").status_code == status
    assert lines.bin("GET", f"/status/{status}", headers={"BU-Max-Retries": "0"}).status_code == status


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods_pass(lines, method):
    assert lines.own(method, "/m").status_code == 200
    assert lines.upstream.last()["line"].startswith(method + " ")


def test_gzip_is_untouched(lines):
    answer = lines.bin("GET", "/gzip", stream=True, headers={"Accept-Encoding": "gzip"})
    packed = answer.raw.read(decode_content=False)
    assert answer.headers["Content-Encoding"] == "gzip" and packed[:2] == b"\x1f\x8b"
    assert json.loads(gzip.decompress(packed))["gzipped"]


@pytest.mark.parametrize("path", ["/bytes/65537?seed=7", "/encoding/utf8", "/image/png", "/html", "/xml", "/stream-bytes/50000?seed=3&chunk_size=999"])
def test_bodies_are_equal_to_the_direct_ones(lines, path):
    through, direct = lines.bin("GET", path), requests.get(lines.direct + path, timeout=30)
    assert through.content == direct.content
    assert through.headers.get("Content-Type") == direct.headers.get("Content-Type")


def test_redirects_are_not_followed(lines):
    answer = lines.bin("GET", "/redirect-to", params={"url": "http://elsewhere.invalid/x?y=z", "status_code": "307"})
    assert answer.status_code == 307 and answer.headers["Location"] == "http://elsewhere.invalid/x?y=z"
    before = len(lines.upstream.requests)
    moved = lines.own("GET", "/moved")
    assert moved.status_code == 302 and moved.headers["Location"] == "http://elsewhere.invalid/a?b=c"
    assert len(lines.upstream.requests) == before + 1


def test_ranges(lines):
    answer = lines.bin("GET", "/range/1024", headers={"Range": "bytes=10-19"})
    assert answer.status_code == 206 and answer.text == "klmnopqrst" and answer.headers["Content-Range"] == "bytes 10-19/1024"


def test_an_upload_of_a_megabyte(lines):
    body = secrets.token_bytes(1 << 20)
    assert lines.own("POST", "/up", data=body).status_code == 200
    assert lines.upstream.last()["body"] == body
    assert lines.upstream.last_headers()["content-length"] == str(len(body))


def test_a_stream_is_handed_on_while_the_upstream_still_holds_the_rest(lines):
    answer = lines.own("GET", "/held", stream=True)
    parts = answer.iter_content(chunk_size=None)
    assert next(parts) == b"first"  # the second part is sent only after this one was read
    lines.upstream.release.set()
    assert b"".join(parts) == b"second"


def test_an_upload_is_handed_on_while_the_caller_still_holds_the_rest(lines):
    lines.upstream.half.clear()
    sock, headers = lines.socket()
    sock.putrequest("POST", "/upload")
    for name, value in {**headers, "Content-Length": "10"}.items():
        sock.putheader(name, value)
    sock.endheaders()
    sock.send(b"first")
    assert lines.upstream.half.wait(60), "nothing reached the upstream before the whole body was in"
    sock.send(b"secon")
    assert sock.getresponse().status == 200
    sock.close()
    assert lines.upstream.last()["body"] == b"firstsecon"


def test_lines_of_a_chunked_stream(lines):
    answer = lines.bin("GET", "/stream/7", stream=True)
    assert answer.headers.get("Transfer-Encoding") == "chunked"
    assert [json.loads(line)["id"] for line in answer.iter_lines()] == list(range(7))
