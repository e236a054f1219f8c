"""Many callers at once: each calls through the proxies again and again, and notes what it is told.

On bare sockets and one thread: hundreds of callers share the machine with what they call, and a client library's share of it
would be the larger one.
"""

import asyncio
import collections
import contextlib
import json
import random
import re
import threading
import time
from typing import NamedTuple

PATIENCE = 90  # seconds in which every call is answered, whatever happens
LONGEST = 12   # seconds that a caller waits between two calls on average, where answers take long
KEPT = 3       # texts that are kept of each kind of answer
CLEAR = {
    "401 connection_refresh_failed": "the connection must be authorized again, and why",
    "502 upstream_unreachable": "the provider can't be asked now",
    "502 upstream_refused": "the provider does not want to be asked now",
    "504 upstream_timeout": "the provider did not answer in time",
    "503 unavailable": "too much is going on, and when to try again",
}
"""The answers that are no working token and say so clearly: status and code, and what they mean."""
WORKED, CUT = "200", "cut off by a kill"


class Call(NamedTuple):
    """One call: through which node, from when to when, and a word for what it was told."""

    connection: str
    node: int
    began: float
    ended: float
    told: str


class Link:
    """One connection to a listener, kept alive."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request):
        """Status and body of the answer."""
        status, body, _ = await self.told(request)
        return status, body

    async def told(self, request):
        """The same, and the answer's head."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head[9:12]), await self.body(head.lower()), head

    async def body(self, head):
        length = re.search(rb"\r\ncontent-length: *(\d+)", head)
        if length:
            return await self.reader.readexactly(int(length[1]))
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body

    def close(self):
        self.writer.close()


class Crowd:
    """So many callers for each connection, who choose a node anew for each call among those that a balancer would."""

    def __init__(self, fleet, connections, pause, seed, path="/me"):
        self.fleet, self.connections, self.pause, self.seed, self.path = fleet, connections, pause, seed, path
        self.answers, self.texts = collections.Counter(), collections.defaultdict(dict)
        self.calls, self.parallel, self.most, self.over = [], collections.Counter(), collections.Counter(), False
        self.loop, self.rest = asyncio.new_event_loop(), asyncio.Event()
        self.thread = threading.Thread(target=self.stay, name="crowd")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Every caller ends its call and goes."""
        self.over = True
        with contextlib.suppress(RuntimeError):  # they went already
            self.loop.call_soon_threadsafe(self.rest.set)
        if self.thread.ident:
            self.thread.join()

    def stay(self):
        with contextlib.closing(self.loop):
            self.loop.run_until_complete(self.run())

    async def run(self):
        async with asyncio.TaskGroup() as tasks:
            for connection, callers in self.connections.items():
                for number in range(callers):
                    tasks.create_task(self.caller(connection, random.Random(f"{self.seed} {connection} {number}")))

    async def caller(self, connection, dice):
        links, took = {}, 0
        while not self.over:
            # Where the machine is busy with other things, there are fewer calls; many wait for the same token all the same.
            pause = max(self.pause, min(took / 2, LONGEST))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.rest.wait(), dice.uniform(0, 2 * pause))
                break
            node = self.fleet.choose(dice)
            began = time.time()
            self.parallel[connection] += 1
            self.most[connection] = max(self.most[connection], self.parallel[connection])
            told, text = await self.told(links, node, connection, began)
            self.parallel[connection] -= 1
            self.answers[told] += 1
            self.calls.append(Call(connection, node.number, began, time.time(), told))
            took = self.calls[-1].ended - began
            if len(self.texts[told]) < KEPT:
                self.texts[told].setdefault(re.sub(r"\d", "#", text), f"{text} (node {node.number}, {connection}, began {began:.3f})")
        for link in links.values():
            link.close()

    async def told(self, links, node, connection, began):
        """What became of one call: a word for it, and its text."""
        try:
            async with asyncio.timeout(PATIENCE):
                status, body = await self.ask(links, node, connection)
        except TimeoutError:
            return f"no answer in {PATIENCE} s", ""
        except (OSError, asyncio.IncompleteReadError) as error:
            return (CUT if node.was_down(began, time.time()) else "cut off without a kill"), repr(error)
        return sort(status, body.decode(errors="replace"))

    async def ask(self, links, node, connection):
        request = (f"GET {self.path} HTTP/1.1\r\nhost: {node.host}\r\nauthorization: Bearer {self.fleet.api_key}\r\n"
                   f"bu-connection-id: {connection}\r\n\r\n").encode()
        kept = links.pop(node.number, None)
        if kept:
            try:
                answer = await kept.ask(request)
                links[node.number] = kept
                return answer
            except (OSError, asyncio.IncompleteReadError):
                kept.close()  # it may have been closed long ago: once more, as every client does
        link = await Link.open(node.port)
        try:
            answer = await link.ask(request)
        except BaseException:
            link.close()
            raise
        links[node.number] = link
        return answer

    def unclear(self):
        """The kinds of answers that are neither a working token nor a clear error nor a call that died with its node."""
        return {told: n for told, n in self.answers.items() if told not in (WORKED, CUT, *CLEAR)}

    def slowest(self, *percent):
        """How long calls took, at these percentiles, in seconds."""
        return percentiles([call.ended - call.began for call in self.calls], *percent)


def sort(status, text):
    """A word for an answer: its status, and for an error whose it is."""
    if status == 200:
        return WORKED, ""
    try:
        said = json.loads(text)
        code, message = said["code"], said["message"]
    except (ValueError, KeyError, TypeError):
        return f"{status} of the provider's", text[:300]
    told = f"{status} {code}"
    if told == "401 connection_refresh_failed" and "a refresh was sent at" not in message:
        told += " for another reason than a lost answer"
    return told, message


def percentiles(values, *percent):
    """These percentiles of a list; of an empty one zeros."""
    ordered = sorted(values) or [0.0]
    return [ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in percent]
