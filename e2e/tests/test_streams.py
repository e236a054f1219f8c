"""Streams through the proxy: events as they are sent, bodies of any size in constant memory, many that say nothing.

`make streams` makes them long and many: a gigabyte each way, ten thousand at once.
"""

import asyncio
import os
import resource
import time
from urllib.parse import urlsplit

import pytest

from harness.claviger import Claviger
from harness.process import until
from harness.river import PIECE, River

SIZE = int(os.environ.get("STREAM_BYTES", 256 << 20))
COUNT = int(os.environ.get("STREAM_COUNT", 500))
# What a process may need beyond what it needs at rest: buffers of one call, not its body.
GROWTH = 24 << 20


@pytest.fixture(scope="module")
def line(product):
    # Two sockets for each stream, here as there; a child has the limit of its parent.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    stops = []
    try:
        river = River()
        stops.append(river.close)
        broker = Claviger("sqlite", "streams", CLAVIGER_PROXY_CONNECTION_CALLS="off")
        url = river.url
        broker.apply([{"key": "river", "provider": "oauth2", "client_id": "c", "client_secret": "streams-client-secret", "config": {
            "authorize_url": url + "/authorize", "token_url": url + "/token", "base_url": url + "/base"}}], [product.callback])
        broker.serve()
        stops.append(broker.stop)
        broker.river, broker.connection = river, broker.bring({"access_token": "streams-access-token-1"}, integration="river")
        yield broker
    finally:
        for stop in reversed(stops):
            stop()


def memory(broker, what="VmRSS"):
    """Bytes of the serving process: `VmRSS` now, `VmHWM` at most since `forget`."""
    with open(f"/proc/{broker.process.popen.pid}/status", encoding="ascii") as file:
        return next(int(row.split()[1]) << 10 for row in file if row.startswith(what))


def forget(broker):
    with open(f"/proc/{broker.process.popen.pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


async def ask(broker, line, *headers):
    """A call on a connection of its own: the answer's head is read."""
    at = urlsplit(broker.proxy)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 20)
    fields = (line + " HTTP/1.1", "Host: here", f"Authorization: Bearer {broker.api_key}", f"BU-Connection-Id: {broker.connection}", *headers)
    writer.write("".join(field + "\r\n" for field in fields).encode() + b"\r\n")
    return reader, writer


async def answered(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 200 "), head
    return head


async def event(reader):
    """The next chunk, an event."""
    size = int(await asyncio.wait_for(reader.readline(), 60), 16)
    return (await reader.readexactly(size + 2))[:-2]


def test_each_event_comes_before_the_next_is_sent(line):
    async def listen():
        reader, writer = await ask(line, "GET /events")
        assert b"text/event-stream" in await answered(reader)
        assert await event(reader) == b"data: here\n\n"
        for text in ("one", "two", "three"):
            assert await asyncio.to_thread(line.river.tell, text) == 1
            assert await event(reader) == f"data: {text}\n\n".encode()
        writer.close()
    asyncio.run(listen())
    until("the end at the provider", lambda: not line.river.open)


def test_a_large_body_each_way_is_never_held(line):
    async def down(length):
        reader, writer = await ask(line, f"GET /down/{length}")
        await answered(reader)
        count = 0
        while size := int(await reader.readline(), 16):
            piece = await reader.readexactly(size + 2)
            at = count % len(PIECE)
            assert (piece[:1], piece[size - 1:size]) == (PIECE[at:at + 1], PIECE[(at + size - 1) % len(PIECE):][:1])
            count += size
        writer.close()
        return count

    async def up(length):
        reader, writer = await ask(line, "PUT /up", f"Content-Length: {length}")
        left = length
        while left:
            writer.write(PIECE[:left])
            left -= min(left, len(PIECE))
            await writer.drain()
        await answered(reader)
        said = await event(reader)
        writer.close()
        return int(said)

    for way in (down, up):
        asyncio.run(way(len(PIECE)))  # what grows once has grown
        before = memory(line)
        forget(line)
        begun = time.monotonic()
        assert asyncio.run(way(SIZE)) == SIZE
        took, most = time.monotonic() - begun, memory(line, "VmHWM") - before
        print(f"{way.__name__}: {SIZE >> 20} MiB in {took:.1f} s, {most >> 20} MiB more at most")
        assert most < GROWTH, f"{way.__name__}: {most >> 20} MiB more than at rest"


def test_many_streams_that_say_nothing(line):
    async def many():
        begun = time.monotonic()
        gate = asyncio.Semaphore(200)
        # As many as there may be sockets for.
        count = min(COUNT, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 400) // 2)

        async def one():
            async with gate:
                reader, writer = await ask(line, "GET /events")
                await answered(reader)
                assert await event(reader) == b"data: here\n\n"
                return reader, writer
        before = memory(line)
        streams = await asyncio.gather(*(one() for _ in range(count)))
        each = (memory(line) - before) / count / 1024
        print(f"{count} streams open after {time.monotonic() - begun:.1f} s, {each:.0f} KiB each")
        assert each < 200, "a stream that says nothing takes too much"
        assert await asyncio.to_thread(line.river.tell, "still there") == count
        for reader, _ in streams:
            assert await event(reader) == b"data: still there\n\n"
        for _, writer in streams:
            writer.close()
    asyncio.run(many())
    until("the end of all at the provider", lambda: not line.river.open)
