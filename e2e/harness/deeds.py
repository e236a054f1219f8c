"""What callers of the load soak do: each deed is one call or a few, and ends with a word for how that went.

A status that is the provider's is its number; one of Claviger's own has `ours` behind it. `cut` is an answer that is missing,
or its end: also a refusal is lost to whoever still sends when the connection ends. `left` is a call that the caller itself ended.
`RIGHT` says how each deed may end, and `LATE` how any may end on a machine that is too slow for the story's short patience;
everything else is a fault.
"""

import asyncio
import contextlib
import json

from .line import Cut, Line
from .moody import LARGEST, PIECE, WHOLE
from .streams import Streams

SIZES = [0, 1, 1000, 20_000, 65_537, 300_000, 1 << 20, LARGEST]
OFTEN = [30, 10, 40, 20, 10, 6, 3, 1]  # of each size
LIMITED = "429 ours"
LATE = {"408 ours", "503 ours", "504 ours", "cut"}
# What a call may be told when its token is to be refreshed, and the provider would not.
UNFRESH = {LIMITED, "401 ours", "502 ours", "503 ours", "504 ours"}

# How often each is done, and how it may end.
RIGHT = {
    "get": (60, {"200", LIMITED}),
    "put": (25, {"200", LIMITED}),
    "json": (5, {"200", LIMITED}),
    "refreshed": (20, {"200"} | UNFRESH),
    "expired": (2, {"401"} | UNFRESH),
    "streams": (12, {"200", LIMITED}),
    "streams_left": (4, {"left"}),
    "events": (4, {"200", "left", LIMITED}),
    "socket": (6, {"101", "left", LIMITED}),
    "half_head": (4, {"left"}),
    "half_body": (5, {"left"}),
    "half_answer": (6, {"left"}),
    "not_waiting": (5, {"left"}),
    "slowly": (2, {"200", LIMITED}),
    "never": (1, {"cut", LIMITED}),
    "silent": (1, {"cut"}),
    "broken": (8, {"502 ours", "cut", LIMITED}),
    "stalled": (3, {"504 ours", "cut", LIMITED}),
    "refused": (4, {"413", "502 ours", "cut", LIMITED}),
    "failing": (5, {"500", "503", "429", LIMITED}),
    "crowd": (2, {"200", LIMITED}),
    "hasty": (1, {"200", LIMITED}),
    "stranger": (3, {"400 ours", "401 ours", "404 ours"}),
    "life": (5, {"through", "not now"}),
}


def told(answer):
    return str(answer.status) if "x-moody" in answer.fields else f"{answer.status} ours"


def worst(words):
    """Of several calls, the one that says most: none of these is wrong where the worst is not."""
    return max(words, key=lambda word: (word not in ("200", LIMITED), word == LIMITED))


async def whole(pieces, size):
    """Reads a body, which must be what the provider sends, byte for byte."""
    at = 0
    async for piece in pieces:
        if piece != WHOLE[at:at + len(piece)]:
            raise AssertionError(f"other bytes than the provider's after {at}")
        at += len(piece)
    if at != size:
        raise AssertionError(f"{at} bytes of {size}, and an end")


async def drained(pieces):
    return b"".join([piece async for piece in pieces])


class Caller:
    """One who does one deed after the other. `town` knows where everybody is: doors, connections, keys."""

    def __init__(self, town, dice):
        self.town, self.dice, self.lines, self.streams_at = town, dice, {}, None

    async def do(self, deed):
        try:
            return await getattr(self, deed)()
        except Cut:
            return "cut"

    async def leave(self):
        for line in self.lines.values():
            line.close()
        self.lines = {}
        if self.streams_at:
            await self.streams_at.close()
            self.streams_at = None

    def size(self):
        return self.dice.choices(SIZES, OFTEN)[0]

    @contextlib.asynccontextmanager
    async def kept(self, port):
        """A connection that is used again, unless something went wrong on it."""
        line = self.lines.pop(port, None) or Line(port)
        good = False
        try:
            yield line
            good = self.dice.random() < 0.95
        finally:
            if good:
                self.lines[port] = line
            else:
                line.close()

    @contextlib.asynccontextmanager
    async def own(self, port, rudely=None, **more):
        """A connection of its own, that ends one way or the other."""
        line = Line(port, **more)
        try:
            yield line
        finally:
            line.close(self.dice.random() < 0.5 if rudely is None else rudely)

    async def asked(self, door, path, method="GET", more=(), body=(), size=None):
        """A call that is read to its end."""
        async with self.kept(door.port) as line:
            await line.send(door.head(method, path, *more), *body)
            answer = await line.head()
            if size is None or told(answer) != "200":
                await drained(line.pieces(answer))
            else:
                await whole(line.pieces(answer), size)
            # Where the body was not read to its end, Claviger may hang up without having said so.
            if "close" in answer.fields.get("connection", "") or (body and told(answer) != "200"):
                line.close()
            return told(answer)

    # Good calls.

    async def get(self):
        size = self.size()
        return await self.asked(self.town.door(self.dice), f"{self.dice.choice(['give', 'pour'])}/{size}", size=size)

    async def put(self):
        size, door = self.size(), self.town.door(self.dice, "bundleup", "membrane")
        pieces = [WHOLE[at:min(at + len(PIECE), size)] for at in range(0, size, len(PIECE))]
        if self.dice.random() < 0.5:
            return await self.asked(door, "take", "PUT", [f"Content-Length: {size}"], pieces)
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        return await self.asked(door, "take", "POST", ["Transfer-Encoding: chunked"], [*chunks, b"0\r\n\r\n"])

    async def json(self):
        body = json.dumps({"url": "/take", "method": "POST", "data": "x" * self.dice.choice([1, 1000, 30_000])}).encode()
        door = self.town.door(self.dice, "informer")
        return await self.asked(door, "", "POST", ["Content-Type: application/json", f"Content-Length: {len(body)}"], [body])

    async def refreshed(self):
        return await self.asked(self.town.refreshed(self.dice), "give/1000", size=1000)

    async def expired(self):
        return await self.asked(self.town.refreshed(self.dice), "expired")

    async def streams(self):
        """Several calls at once on one connection."""
        wire, door = await self.wire(), self.town.door(self.dice, "bundleup")

        async def one():
            if self.dice.random() < 0.3:
                size = self.size()
                number = await wire.begin(door.fields("PUT", "take"), WHOLE[:size] or None)
                answer = await wire.head(number)
                await drained(wire.pieces(number))
            else:
                size = self.size()
                number = await wire.begin(door.fields("GET", f"give/{size}"))
                answer = await wire.head(number)
                await (whole(wire.pieces(number), size) if told(answer) == "200" else drained(wire.pieces(number)))
            wire.end(number)
            return told(answer)
        return worst(await asyncio.gather(*(one() for _ in range(4))))

    async def wire(self):
        if self.streams_at is None or self.streams_at.listener.done() or self.dice.random() < 0.1:
            if self.streams_at:
                await self.streams_at.close()
            self.streams_at = await Streams(self.town.door(self.dice, "bundleup").port).open()
        return self.streams_at

    # Callers who leave.

    async def streams_left(self):
        wire, door = await self.wire(), self.town.door(self.dice, "bundleup")
        for path in ("stall", f"pour/{LARGEST}", "events/50"):
            number = await wire.begin(door.fields("GET", path))
            if path != "stall" and told(await wire.head(number)) == "200":
                await anext(wire.pieces(number))
            wire.end(number)
        if self.dice.random() < 0.3:  # and once the whole connection, with a call under way
            await wire.begin(door.fields("GET", "stall"))
            await wire.close()
        return "left"

    async def events(self):
        door, count, stays = self.town.door(self.dice), self.dice.randrange(1, 12), self.dice.random() < 0.5
        async with self.own(door.port) as line:
            await line.send(door.head("GET", f"events/{count}", "Accept: text/event-stream"))
            answer = await line.head()
            seen = 0
            async for _ in line.pieces(answer):
                seen += 1
                if not stays and seen == 1 + count // 2:
                    return "left"
            return told(answer)

    async def socket(self):
        door = self.town.door(self.dice, "bundleup")
        async with self.own(door.port) as line:
            await line.send(door.head("GET", "ws", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                      "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA=="))
            answer = await line.head()
            if answer.status != 101:
                return told(answer)
            for _ in range(self.dice.randrange(1, 6)):
                said = WHOLE[:self.dice.choice([1, 100, 70_000])]
                await line.send(said)
                if self.dice.random() < 0.1:
                    return "left"
                await asyncio.wait_for(line.reader.readexactly(len(said)), 40)
            return told(answer)

    async def half_head(self):
        door = self.town.door(self.dice)
        async with self.own(door.port) as line:
            head = door.head("GET", "give/1")
            await line.send(head[:self.dice.randrange(1, len(head) - 1)])
            return "left"

    async def half_body(self):
        door = self.town.door(self.dice, "bundleup", "membrane")
        async with self.own(door.port) as line:
            await line.send(door.head("PUT", "take", "Content-Length: 1000000"), WHOLE[:self.dice.randrange(300_000)])
            await asyncio.sleep(self.dice.random() / 10)
            return "left"

    async def half_answer(self):
        door = self.town.door(self.dice)
        async with self.own(door.port) as line:
            await line.send(door.head("GET", f"{self.dice.choice(['give', 'pour'])}/{LARGEST}"))
            answer = await line.head()
            if told(answer) == "200":
                await anext(line.pieces(answer))
            return "left"

    async def not_waiting(self):
        door = self.town.door(self.dice)
        async with self.own(door.port) as line:
            await line.send(door.head("GET", "stall"))
            await asyncio.sleep(self.dice.random() / 3)
            return "left"

    async def slowly(self):
        """Takes an answer so slowly that the provider has to wait."""
        door = self.town.door(self.dice)
        async with self.own(door.port, narrow=True) as line:
            await line.send(door.head("GET", "give/300000"))
            answer, count = await line.head(), 0
            async for piece in line.pieces(answer):
                count += len(piece)
                await asyncio.sleep(0.02)
            assert told(answer) != "200" or count == 300_000
            return told(answer)

    async def never(self):
        """Takes nothing of a large answer, until Claviger hangs up."""
        door = self.town.door(self.dice, "bundleup")
        async with self.own(door.port, narrow=True) as line:
            await line.send(door.head("GET", f"give/{LARGEST}"))
            answer = await line.head()
            if told(answer) != "200":
                return told(answer)
            await asyncio.sleep(self.town.READS + 3)
            await drained(line.pieces(answer))
            return told(answer)

    async def silent(self):
        """Connects and says nothing, until Claviger hangs up."""
        async with self.own(self.town.door(self.dice).port) as line:
            await line.open()
            await line.head()

    # A provider that fails.

    async def broken(self):
        return await self.asked(self.town.door(self.dice), self.dice.choice(["reset", "hangup", "nonsense", "cut/100000", "garble"]))

    async def stalled(self):
        return await self.asked(self.town.door(self.dice), self.dice.choice(["stall", "limp/100000"]))

    async def refused(self):
        """The provider answers before it was sent the whole body."""
        door = self.town.door(self.dice, "bundleup", "membrane")
        async with self.own(door.port, rudely=False) as line:
            await line.send(door.head("PUT", "refuse", "Content-Length: 2000000"), WHOLE[:2_000_000])
            answer = await line.head()
            await drained(line.pieces(answer))
            return told(answer)

    async def failing(self):
        return await self.asked(self.town.door(self.dice), self.dice.choice(["fail", "away", "busy"]))

    # Limits, strangers, and connections that come and go.

    async def crowd(self):
        """More calls at once on one connection than there are places."""
        door = self.town.crowded

        async def one():
            async with self.own(door.port, rudely=False) as line:
                await line.send(door.head("GET", "slow"))
                answer = await line.head()
                await drained(line.pieces(answer))
                return told(answer)
        return worst(await asyncio.gather(*(one() for _ in range(self.town.PLACES + 4))))

    async def hasty(self):
        """More calls one after the other on one connection than may be made in its window; on a slow machine as many as it makes."""
        words, end = [], asyncio.get_running_loop().time() + self.town.RATE[1]
        while not words or (words[-1] == "200" and asyncio.get_running_loop().time() < end):
            words.append(await self.asked(self.town.hasty, "give/1", size=1))
        return words[-1]

    async def stranger(self):
        return await self.asked(self.dice.choice(self.town.strangers), "give/1")

    async def life(self):
        """A connection is made, used and ended, at one door or the other."""
        at_v1 = self.dice.random() < 0.5
        token = f"short-lived-{self.dice.randrange(1 << 60):x}"
        if at_v1:
            new = {"integrationId": "moody", "authToken": token, "expiresIn": 3600}
            made = await self.said("bundleup", "POST", "/v1/connections", new)
        else:
            new = {"integrationKey": "moody", "allowMultipleConnections": True,
                   "credentials": {"access_token": token, "refresh_token": token, "expires_in": 3600}}
            made = await self.said("membrane", "POST", "/connections", new)
            if made is None:  # the token is tried at once, and the provider would not, or it was one try too many
                return "not now"
        used = await self.asked(self.town.short_lived(made["id"], at_v1), "give/1", size=1)
        if used != "200":
            return f"used: {used}"
        path = f"/v1/connections/{made['id']}" if at_v1 else f"/connections/{made['id']}"
        await self.said("bundleup" if at_v1 else "membrane", "DELETE", path)
        return "through"

    async def said(self, who, method, path, body=None):
        """One request at the app listener, which must succeed, or be refused for now: what its answer says."""
        data = json.dumps(body).encode() if body else b""
        head = self.town.at_the_app(who, method, path, "Content-Type: application/json", f"Content-Length: {len(data)}")
        async with self.kept(self.town.app_port) as line:
            await line.send(head, data)
            answer = await line.head()
            text = await drained(line.pieces(answer))
            if who == "membrane" and answer.status in (429, 502, 503):
                return None
            assert answer.status < 300, f"{method} {path}: {answer.status} {text[:300]}"
            return json.loads(text) if text else None
