"""WebSockets through the proxy, both ends of them other people's: what Autobahn's cases try (its suite wants Python 2).

Frames of every size and kind, fragments, pings, closes by either side, compression, large messages, many at once.
"""

import asyncio
import contextlib
import threading

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.claviger import Claviger
from harness.process import until

# Lengths at which a frame's head changes, and their neighbours (RFC 6455 §5.2).
LENGTHS = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537]
CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]


class Echo:
    """Says back what it hears, whole as it came; `close N` has it close with that code. In a thread of its own."""

    def __init__(self):
        self.open, self.heads, ready = set(), [], threading.Event()
        self.loop = asyncio.new_event_loop()

        async def answer(socket):
            self.open.add(socket)
            self.heads.append(socket.request)
            try:
                async for message in socket:
                    if isinstance(message, str) and message.startswith("close "):
                        await socket.close(int(message.split()[1]), "as asked")
                    else:
                        await socket.send(message)
            except ConnectionClosed:
                pass
            finally:
                self.open.discard(socket)

        def chosen(_, offered):
            return "chat" if "chat" in offered else None

        async def run():
            self.done = asyncio.Event()
            async with serve(answer, "127.0.0.1", 0, max_size=64 << 20, select_subprotocol=chosen) as server:
                self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                ready.set()
                await self.done.wait()
        threading.Thread(target=lambda: self.loop.run_until_complete(run()), daemon=True).start()
        assert ready.wait(30)

    def close(self):
        self.loop.call_soon_threadsafe(self.done.set)


@pytest.fixture(scope="module")
def line(product):
    with contextlib.ExitStack() as stops:
        echo = Echo()
        stops.callback(echo.close)
        broker = Claviger("sqlite", "websockets")
        broker.apply([{"key": "echo", "provider": "oauth2", "client_id": "c", "client_secret": "sockets-client-secret", "config": {
            "authorize_url": echo.url + "/authorize", "token_url": echo.url + "/token", "base_url": echo.url + "/base"}}], [product.callback])
        broker.serve()
        stops.callback(broker.stop)
        broker.echo, broker.connection = echo, broker.bring({"access_token": "sockets-access-token-1"}, integration="echo")
        yield broker


def dial(line, path="/ws?a=%2F", key=None, **more):
    return connect(line.proxy.replace("http", "ws", 1) + path, max_size=64 << 20, proxy=None, additional_headers={
        "Authorization": f"Bearer {key or line.api_key}", "BU-Connection-Id": line.connection}, **more)


def told(line, work, **more):
    async def run():
        async with dial(line, **more) as socket:
            return await asyncio.wait_for(work(socket), 60)
    return asyncio.run(run())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_every_length_and_kind(line, compression):
    async def work(socket):
        assert bool(socket.protocol.extensions) == bool(compression), "what both sides can, they agreed on"
        for length in LENGTHS:
            for message in ("\u20ac" * (length // 3) + "x" * (length % 3), bytes(i % 251 for i in range(length))):
                await socket.send(message)
                assert await socket.recv() == message
    told(line, work, compression=compression)
    head = line.echo.heads[-1]
    assert head.path == "/base/ws?a=%2F" and head.headers["Authorization"] == "Bearer sockets-access-token-1"
    assert "BU-Connection-Id" not in head.headers and line.api_key not in str(head.headers)


def test_fragments_pings_and_what_comes_between(line):
    async def work(socket):
        for pieces in (["a", "", "b"], [b"\x00" * 70000, b"", b"\xff" * 126], ["\u20ac"] * 300):
            await socket.send(pieces)
            assert await socket.recv() == pieces[0][:0].join(pieces)
        for payload in (b"", b"x" * 125, bytes(range(125))):
            await asyncio.wait_for(await socket.ping(payload), 60)
        await socket.send(["begun", "ended"])
        pong = await socket.ping(b"between")
        assert await socket.recv() == "begunended"
        await asyncio.wait_for(pong, 60)
    told(line, work)


def test_closes_by_either_side(line):
    async def ours(socket):
        await socket.close(code, "a reason \u20ac")
        return socket.close_code

    async def theirs(socket):
        await socket.send(f"close {code}")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return socket.close_code, socket.close_reason
    for code in CODES:
        assert told(line, ours) == code
        assert told(line, theirs) == (code, "as asked")
    until("the end of all at the provider", lambda: not line.echo.open)


def test_large_messages_and_many_small_ones(line):
    async def work(socket):
        for message in (bytes(4 << 20), "x" * (4 << 20)):
            await socket.send(message)
            assert await socket.recv() == message

        async def say():
            for n in range(2000):
                await socket.send(str(n))
        saying = asyncio.create_task(say())
        for n in range(2000):
            assert await socket.recv() == str(n)
        await saying
    told(line, work, compression=None)


def test_many_at_once(line):
    async def one(n):
        async with dial(line) as socket:
            for _ in range(5):
                await socket.send(f"mine {n}")
                assert await socket.recv() == f"mine {n}"

    async def all_of_them():
        await asyncio.gather(*(one(n) for n in range(50)))
    asyncio.run(all_of_them())


def test_a_protocol_is_chosen_and_a_stranger_refused(line):
    async def work(socket):
        return socket.subprotocol
    assert told(line, work, subprotocols=["other", "chat"]) == "chat"
    before = len(line.echo.heads)
    with pytest.raises(InvalidStatus) as refused:
        told(line, work, key="ck_wrong")
    assert refused.value.response.status_code == 401 and len(line.echo.heads) == before


def test_the_process_ends_them(line):
    async def run():
        async with dial(line) as socket:
            await socket.send("there?")
            assert await socket.recv() == "there?"
            await asyncio.to_thread(line.stop)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 30)
    line.settings["CLAVIGER_SHUTDOWN_TIMEOUT"] = "1s"
    line.stop()
    line.serve()
    asyncio.run(run())
    until("the end at the provider", lambda: not line.echo.open)
