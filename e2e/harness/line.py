"""A caller's connection, by hand: heads and bodies can be sent and read in part, and it can be cut anywhere."""

import asyncio
import socket

from .moody import reset

PATIENCE = 40  # seconds until something must come: longer than any limit of the story's Claviger


class Cut(Exception):
    """The other end left before it was through."""


class Answer:
    def __init__(self, status, fields):
        self.status, self.fields = status, fields


class Line:
    """One connection of HTTP/1.1, opened when it is needed. `narrow` takes little at a time, so that whoever sends has to wait."""

    def __init__(self, port, narrow=False):
        self.port, self.narrow, self.reader, self.writer = port, narrow, None, None

    async def open(self):
        if self.writer is None:
            sock = socket.socket()
            sock.setblocking(False)
            if self.narrow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=1 << 14 if self.narrow else 1 << 18)
        return self

    async def send(self, *pieces):
        """Writes what the other end takes: one that has answered and gone is found out by reading."""
        await self.open()
        try:
            for piece in pieces:
                self.writer.write(piece)
                await asyncio.wait_for(self.writer.drain(), PATIENCE)
        except ConnectionError:
            pass

    async def head(self):
        """The head of the answer, after those that only say to go on."""
        while True:
            try:
                text = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
            except (asyncio.IncompleteReadError, ConnectionError):
                raise Cut("before a head") from None
            first, *lines = text.decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            status = int(first.split(" ")[1])
            if status == 101 or status >= 200:
                return Answer(status, fields)

    async def pieces(self, answer):
        """The body, as it comes; `Cut` when its end is missing."""
        fields = answer.fields
        try:
            if "content-length" in fields:
                left = int(fields["content-length"])
                while left:
                    piece = await self.some(min(left, 1 << 16))
                    left -= len(piece)
                    yield piece
            elif fields.get("transfer-encoding") == "chunked":
                while left := int(await asyncio.wait_for(self.reader.readline(), PATIENCE) or b"cut", 16):
                    while left:
                        piece = await self.some(min(left, 1 << 16))
                        left -= len(piece)
                        yield piece
                    await self.some(2)
                await self.some(2)
        except (ConnectionError, ValueError):
            raise Cut("within a body") from None

    async def some(self, most):
        piece = await asyncio.wait_for(self.reader.read(most), PATIENCE)
        if not piece:
            raise Cut("within a body")
        return piece

    def close(self, rudely=False):
        """Hangs up; rudely with RST, whatever is still under way."""
        if self.writer:
            reset(self.writer) if rudely else self.writer.close()
        self.reader = self.writer = None
