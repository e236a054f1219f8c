"""A provider of every mood: an API on bare TCP whose path says how it behaves, and its token endpoint. One thread.

Each answer that is meant to be read names itself in `x-moody`, so that nobody takes Claviger's own for it.
"""

import asyncio
import itertools
import json
import random
import re
import socket
import struct
import threading

from .river import PIECE, chunk, taken

LARGEST = 4 << 20
WHOLE = PIECE * (LARGEST // len(PIECE))  # any body is its beginning
LIFE = 6  # seconds that a token lasts whose refresh token has `short` in it; others last an hour
HEAD = b"HTTP/1.1 %b\r\nx-moody: 1\r\n"


def sized(status, body, more=b""):
    return HEAD % status + b"Content-Length: %d\r\n%b\r\n%b" % (len(body), more, body)


def reset(writer):
    """Ends a connection with RST: what was sent may be lost."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Moody:
    """Below `/base`: a good mood is one that leaves the connection open for the next request.

    `give/N` N bytes of known length;  `pour/N` the same in chunks;  `take` reads a body, and says how long it was
    `slow` answers after a while;  `events/N` so many events, one after the other;  `ws` says back what it hears
    `reset` `hangup` no answer;  `nonsense` no HTTP;  `cut/N` half of a body;  `garble` a chunk that is none
    `stall` never answers;  `limp/N` half of a body, and never the rest;  `refuse` answers a body that it does not read
    `fail` 500;  `away` 503;  `busy` 429 with a time;  `expired` 401, whichever token is shown
    """

    def __init__(self, seed):
        self.dice, self.writers, self.asked, self.made = random.Random(f"{seed} provider"), set(), {}, itertools.count(1)
        self.unwilling = 0  # the share of token requests that fail
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024, limit=1 << 18))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self):
        self.hang_up()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def hang_up(self):
        """Ends every connection, as a provider does that restarts; returns how many there were."""
        async def all_of_them():
            writers = list(self.writers)
            for writer in writers:
                writer.close()
            return len(writers)
        return self.run(all_of_them())

    def config(self):
        return {"authorize_url": self.url + "/authorize", "token_url": self.url + "/token", "base_url": self.url + "/base"}

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            good = True
            while good:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                mood, _, rest = head.split(" ", 2)[1].partition("?")[0].removeprefix("/base").strip("/").partition("/")
                self.asked[mood] = self.asked.get(mood, 0) + 1
                came = await self.body(mood, head, reader)
                good = await getattr(self, "be_" + mood)(reader, writer, int(rest or 0), came)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def body(self, mood, head, reader):
        """How long the request's body was; of a token request what it says."""
        length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
        if mood == "token":
            return await reader.readexactly(int(length[1]))
        return await taken(reader, head) if mood != "refuse" and (length or "chunked" in head) else 0

    # Each is given a number from its path, and what came.

    async def be_give(self, reader, writer, size, _):
        writer.write(sized(b"200 OK", b"") if not size else HEAD % b"200 OK" + b"Content-Length: %d\r\n\r\n" % size)
        for at in range(0, size, len(PIECE)):
            writer.write(WHOLE[at:min(at + len(PIECE), size)])
            await writer.drain()
        return True

    async def be_pour(self, reader, writer, size, _):
        writer.write(HEAD % b"200 OK" + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, len(PIECE)):
            writer.write(chunk(WHOLE[at:min(at + len(PIECE), size)]))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    async def be_take(self, reader, writer, _, came):
        writer.write(sized(b"200 OK", str(came).encode()))
        return True

    async def be_slow(self, reader, writer, _, __):
        await asyncio.sleep(0.3)
        writer.write(sized(b"200 OK", b"at last"))
        return True

    async def be_events(self, reader, writer, count, _):
        writer.write(HEAD % b"200 OK" + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(count):
            writer.write(chunk(b"data: %d\n\n" % n))
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write(b"0\r\n\r\n")
        return True

    async def be_ws(self, reader, writer, _, __):
        # Frames are not read: what is said back is byte for byte what came.
        writer.write(HEAD % b"101 Switching Protocols" + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        return False

    async def be_reset(self, reader, writer, _, __):
        reset(writer)
        return False

    async def be_hangup(self, reader, writer, _, __):
        return False

    async def be_nonsense(self, reader, writer, _, __):
        writer.write(b"HELO there\r\n\r\n")
        return False

    async def be_cut(self, reader, writer, size, _):
        writer.write(HEAD % b"200 OK" + b"Content-Length: %d\r\n\r\n" % size + WHOLE[:size // 2])
        return False

    async def be_garble(self, reader, writer, _, __):
        writer.write(HEAD % b"200 OK" + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"begun") + b"no length\r\n")
        return False

    async def be_stall(self, reader, writer, _, __):
        await reader.read()
        return False

    async def be_limp(self, reader, writer, size, _):
        writer.write(HEAD % b"200 OK" + b"Content-Length: %d\r\n\r\n" % size + WHOLE[:size // 2])
        await reader.read()
        return False

    async def be_refuse(self, reader, writer, _, __):
        writer.write(sized(b"413 Content Too Large", b"no", b"Connection: close\r\n"))
        return False

    async def be_fail(self, reader, writer, _, __):
        writer.write(sized(b"500 Internal Server Error", b"oh"))
        return True

    async def be_away(self, reader, writer, _, __):
        writer.write(sized(b"503 Service Unavailable", b"away", b"Retry-After: 1\r\n"))
        return True

    async def be_busy(self, reader, writer, _, __):
        writer.write(sized(b"429 Too Many Requests", b"later", b"Retry-After: 1\r\n"))
        return True

    async def be_expired(self, reader, writer, _, __):
        writer.write(sized(b"401 Unauthorized", b"who?", b"WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"))
        return True

    async def be_token(self, reader, writer, _, form):
        """Gives new tokens, and now and then does not."""
        luck = self.dice.random()
        if luck < self.unwilling:
            writer.write(sized(b"503 Service Unavailable", b"away"))
            return True
        await asyncio.sleep(luck / 4)
        told = {"access_token": f"moody-access-token-{next(self.made)}", "token_type": "Bearer", "expires_in": LIFE if b"short" in form else 3600}
        writer.write(sized(b"200 OK", json.dumps(told).encode(), b"Content-Type: application/json\r\n"))
        return True
