"""An API that streams: endless events, bodies of any size both ways. One thread, however many streams are open."""

import asyncio
import threading

PIECE = bytes(range(256)) * 256


class River:
    """On bare TCP.

    `GET …/down/N`   N bytes, chunked;  `PUT …/up` reads a chunked or sized body and says how many bytes came
    `GET …/events`   server-sent events: one at once, and each that `tell` sends to all
    """

    def __init__(self):
        self.open, self.told = set(), 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096, limit=1 << 20))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def tell(self, text):
        """One event to all who listen; returns how many that were."""
        async def all_of_them():
            for writer in self.open:
                writer.write(chunk(f"data: {text}\n\n".encode()))
            return len(self.open)
        return self.run(all_of_them())

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ")[1]
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
                if path.endswith("/events"):
                    return await self.events(reader, writer)
                writer.write(b"\r\n")
                if path.endswith("/up"):
                    writer.write(chunk(str(await taken(reader, head)).encode()))
                else:
                    left = int(path.rsplit("/", 1)[1])
                    while left:
                        writer.write(chunk(PIECE[:left]))
                        left -= min(left, len(PIECE))
                        await writer.drain()
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def events(self, reader, writer):
        writer.write(b"Content-Type: text/event-stream\r\n\r\n" + chunk(b"data: here\n\n"))
        self.open.add(writer)
        try:
            await reader.read()
        finally:
            self.open.discard(writer)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


async def taken(reader, head):
    """Reads a body and forgets it; how long it was."""
    count, fields = 0, {}
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        fields[name.lower()] = value
    if "content-length" in fields:
        while count < int(fields["content-length"]):
            piece = await reader.read(min(1 << 18, int(fields["content-length"]) - count))
            if not piece:
                raise ConnectionResetError("a body without its end")
            count += len(piece)
        return count
    while size := int((await reader.readuntil()).split(b";")[0], 16):
        await reader.readexactly(size + 2)
        count += size
    await reader.readline()
    return count
