"""The product's webhook endpoint: verifies every delivery both ways, and can be down, slow, rude, or the place where
something happens at a given moment.

    receiver = Receiver()                                   # receiver.url goes into the subscription
    receiver.trust("whsec_…")                               # the secret that Claviger told
    receiver.answer(500, times=2)                           # the next two; then 200 again
    receiver.when("arrived", 3, lambda _: process.kill())   # before the third is answered
    first, second = receiver.wait_for(2, timeout=30)
    receiver.assert_sound()

It judges nothing by itself: what is wrong with a delivery stands in its `faults`.
"""

import dataclasses
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
import traceback
from collections import deque

from standardwebhooks import Webhook

from . import secret as ledger

FRESH = 60  # seconds that `webhookTimestamp` may be off


@dataclasses.dataclass
class Delivery:
    """One attempt, as it arrived."""

    order: int                  # 1, 2, … as bodies were read to their end
    at: float                   # seconds since 1970
    id: str                     # webhook-id
    type: str
    data: dict
    connection_id: str          # the connection that the event is about
    headers: dict               # names in lower case
    body: bytes
    faults: list                # what the two verifications, and the contract, found wrong
    signed_in: str = ""         # the header whose hex signature held: BundleUp-Signature, or -Next during an overlap
    status: int | None = None   # what it was answered with, whether or not that was still read; None: not (yet)
    lost: bool = False          # its answer could not be delivered, or was held back

    @property
    def accepted(self):
        return self.status is not None and 200 <= self.status < 300

    def __str__(self):
        wrong = f" faults={self.faults}" if self.faults else ""
        return f"#{self.order} {self.type} {self.id} {self.connection_id} -> {self.status}{wrong}"


class Receiver:
    """A listening endpoint until `close`. All of it may be used from any thread."""

    def __init__(self, secret=None, path="/webhooks"):
        self.secret = None
        self._change = threading.Condition()
        self._attempts, self._planned, self._hooks, self._trouble = [], deque(), [], []
        self._usual = ("answer", 200, {}, b"")
        self._open = set()                   # sockets with somebody at the other end
        self._released = threading.Event()   # lets hanging attempts go
        self._server = None
        self.up()
        self.path, self.url = path, f"http://127.0.0.1:{self._port}{path}"
        if secret:
            self.trust(secret)

    # How it behaves.

    def trust(self, secret):
        """From now on deliveries are verified with this secret."""
        self.secret = ledger.remember("webhook secret", secret, "the product")

    def answer(self, status=200, headers=None, body=b"", times=None):
        """Answers so: always, or the next `times` attempts only."""
        self._do(("answer", status, headers or {}, body), times)

    def hang(self, times=None):
        """Reads, and answers nothing until `release`; then hangs up."""
        self._do(("hang",), times)

    def drop(self, times=None):
        """Reads, and hangs up."""
        self._do(("drop",), times)

    def _do(self, step, times):
        with self._change:
            if times is None:
                self._usual = step
                self._planned.clear()
            else:
                self._planned.extend([step] * times)

    def release(self):
        """Lets the attempts go that hang now."""
        with self._change:
            self._released.set()
            self._released = threading.Event()

    def down(self):
        """Connections are refused, and those there are end."""
        with self._change:
            server, self._server = self._server, None
            sockets = list(self._open)
        if server:
            server.shutdown()
            server.server_close()
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.release()

    def up(self):
        """Listens, again at the same address."""
        with self._change:
            if self._server:
                return
            handler = type("Handler", (_Handler,), {"receiver": self})
            self._server = _Server(("127.0.0.1", getattr(self, "_port", 0)), handler)
            self._port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.down()

    def when(self, moment, which, action):
        """Calls `action(delivery)` once at a moment: `arrived` (before its answer) or `answered` (after it).

        `which` is the attempt's order, or a function that says of a delivery whether it is the one.
        """
        assert moment in ("arrived", "answered"), moment
        wanted = which if callable(which) else lambda delivery: delivery.order == which
        with self._change:
            self._hooks.append((moment, wanted, action))

    # What it saw.

    @property
    def attempts(self):
        """All that arrived, in order."""
        with self._change:
            return list(self._attempts)

    @property
    def accepted(self):
        """Those answered with 2xx, in order of arrival."""
        return [d for d in self.attempts if d.accepted]

    def events(self):
        """Accepted events by id, each with how often it was accepted."""
        counts = {}
        for delivery in self.accepted:
            counts[delivery.id] = counts.get(delivery.id, 0) + 1
        return counts

    def by_connection(self):
        """The types of the accepted events of each connection, in order of arrival, repetitions left out."""
        seen, out = set(), {}
        for delivery in self.accepted:
            if delivery.id not in seen:
                seen.add(delivery.id)
                out.setdefault(delivery.connection_id, []).append(delivery.type)
        return out

    def wait_for(self, n, timeout=60, where=None, accepted=True):
        """The first `n` deliveries that were answered with 2xx (`accepted=False`: that arrived at all) and are as
        `where(delivery)` wants; fails with what there is after `timeout` seconds."""
        def found():
            return [d for d in self._attempts if (d.accepted or not accepted) and (where is None or where(d))]

        end = time.monotonic() + timeout
        with self._change:
            while len(found()) < n:
                self._raise_trouble()
                left = end - time.monotonic()
                if left <= 0:
                    there = "\n".join(map(str, self._attempts)) or "nothing"
                    raise TimeoutError(f"waited {timeout} s for {n} deliveries; there are {len(found())} of:\n{there}")
                self._change.wait(left)
            self._raise_trouble()
            return found()[:n]

    def assert_sound(self):
        """Nothing was wrong with any delivery, and no action failed."""
        with self._change:
            self._raise_trouble()
            bad = [str(d) for d in self._attempts if d.faults]
        assert not bad, "deliveries with faults:\n" + "\n".join(bad)

    def _raise_trouble(self):
        if self._trouble:
            raise AssertionError("in the receiver:\n" + "\n".join(self._trouble))

    # Called by the handler.

    def _arrived(self, headers, body):
        """Takes an attempt down, and tells what to do with it."""
        faults, said, signed_in = verify(self.secret, headers, body)
        data = said.get("data") if isinstance(said.get("data"), dict) else {}
        with self._change:
            delivery = Delivery(
                order=len(self._attempts) + 1, at=time.time(), id=headers.get("webhook-id", ""), type=str(said.get("type", "")),
                data=data, connection_id=str(data.get("id", "")), headers=headers, body=body, faults=faults, signed_in=signed_in)
            self._attempts.append(delivery)
            step = self._planned.popleft() if self._planned else self._usual
            released = self._released
            self._change.notify_all()
        self._act("arrived", delivery)
        return delivery, step, released

    def _answered(self, delivery, status):
        with self._change:
            delivery.status, delivery.lost = status, status is None
            self._change.notify_all()
        self._act("answered", delivery)

    def _act(self, moment, delivery):
        with self._change:
            due = [hook for hook in self._hooks if hook[0] == moment and hook[1](delivery)]
            for hook in due:
                self._hooks.remove(hook)
        for _, _, action in due:
            try:
                action(delivery)
            except Exception:  # a thread's failure is the story's, where it waits
                with self._change:
                    self._trouble.append(traceback.format_exc())
                    self._change.notify_all()

    def _connected(self, one, there):
        with self._change:
            (self._open.add if there else self._open.discard)(one)


def verify(secret, headers, body, now=None):
    """What is wrong with a delivery, what it says, and the header whose hex signature held.

    Once as BundleUp's page says (hex HMAC over the raw body, then the age), once with the published library.
    """
    now, faults, said, signed_in = time.time() if now is None else now, [], {}, ""
    if not secret:
        return ["no secret is known yet"], _read(body, faults), ""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    for name in ("BundleUp-Signature", "BundleUp-Signature-Next"):
        if not signed_in and hmac.compare_digest(headers.get(name.lower(), "").encode(), expected.encode()):
            signed_in = name
    if not signed_in:
        faults.append("BundleUp-Signature does not hold")
    try:
        Webhook(secret if secret.startswith("whsec_") else secret.encode()).verify(body, headers)
    except Exception as error:  # the library has its own class for some faults, and Python's for others
        faults.append(f"standardwebhooks: {type(error).__name__}: {error}")
    said = _read(body, faults)
    sent = said.get("webhookTimestamp")
    if not isinstance(sent, int) or abs(now - sent / 1000) > FRESH:
        faults.append(f"webhookTimestamp {sent!r} is not of now")
    elif headers.get("webhook-timestamp") != str(sent // 1000):
        faults.append(f"webhook-timestamp {headers.get('webhook-timestamp')!r} is not webhookTimestamp's second")
    if said.get("id") != headers.get("webhook-id"):
        faults.append("webhook-id is not the event's id")
    if headers.get("content-type") != "application/json":
        faults.append(f"content type {headers.get('content-type')!r}")
    if json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() != body:
        faults.append("JSON.stringify of the parsed body gives other bytes")
    return faults, said, signed_in


def _read(body, faults):
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if isinstance(said, dict):
        return said
    faults.append("the body is not a JSON object")
    return {}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    receiver = None

    def setup(self):
        super().setup()
        self.receiver._connected(self.connection, True)

    def finish(self):
        self.receiver._connected(self.connection, False)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except OSError:  # the other end is gone
            pass

    def log_message(self, *args):
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # killed half way: nothing has arrived
            self.close_connection = True
            return
        if self.path != self.receiver.path:
            return self.write(404, {}, b"")
        headers = {name.lower(): value for name, value in self.headers.items()}
        delivery, step, released = self.receiver._arrived(headers, body)
        if step[0] == "answer":
            _, status, more, text = step
            try:
                self.write(status, more, text)
            except OSError:
                status = None
            return self.receiver._answered(delivery, status)
        if step[0] == "hang":
            released.wait(self.timeout)
        self.close_connection = True
        self.receiver._answered(delivery, None)

    def write(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
