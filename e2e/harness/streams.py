"""A caller's connection in HTTP/2, by the `h2` library: several calls at once, each of which can be ended anywhere."""

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .line import PATIENCE, Answer, Cut


class Streams:
    """One connection, in the clear and without asking first."""

    def __init__(self, port):
        self.port, self.queues, self.room, self.writer, self.listener = port, {}, asyncio.Event(), None, None

    async def open(self):
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.h2.initiate_connection()
        self.flush()
        self.listener = asyncio.create_task(self.listen())
        return self

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    async def listen(self):
        try:
            while data := await self.reader.read(1 << 16):
                for event in self.h2.receive_data(data):
                    queue = self.queues.get(getattr(event, "stream_id", None))
                    if queue and not isinstance(event, h2.events.WindowUpdated):
                        queue.put_nowait(event)
                self.room.set()
                self.flush()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.gone()

    def gone(self):
        """Whoever waits for something hears that nothing comes any more."""
        for queue in self.queues.values():
            queue.put_nowait(None)
        self.room.set()

    async def begin(self, head, body=None):
        """Begins a call, with a body that is sent as there is room for it; its number."""
        number = self.h2.get_next_available_stream_id()
        self.queues[number] = asyncio.Queue()
        try:
            self.h2.send_headers(number, head, end_stream=body is None)
            self.flush()
            at = 0
            while body is not None and at < len(body):
                most = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
                if most <= 0:
                    self.room.clear()
                    await asyncio.wait_for(self.room.wait(), PATIENCE)
                    if self.listener.done():
                        raise Cut("within the request")
                    continue
                self.h2.send_data(number, body[at:at + most], end_stream=at + most >= len(body))
                at += most
                self.flush()
                await self.writer.drain()
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError, ConnectionError):
            pass  # an answer that came before all was sent is read, as is its absence
        return number

    async def event(self, number):
        event = await asyncio.wait_for(self.queues[number].get(), PATIENCE)
        if event is None or isinstance(event, h2.events.StreamReset):
            raise Cut("a stream")
        return event

    async def head(self, number):
        while not isinstance(event := await self.event(number), h2.events.ResponseReceived):
            pass
        fields = dict(event.headers)
        return Answer(int(fields[":status"]), fields)

    async def pieces(self, number):
        """The body; each piece that is read makes room for another."""
        while not isinstance(event := await self.event(number), h2.events.StreamEnded):
            if isinstance(event, h2.events.DataReceived):
                self.taken(event, number)
                yield event.data

    def taken(self, event, number):
        if event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            self.flush()

    def end(self, number):
        """Ends a call that is not through, and forgets it; what it was sent makes room for the others."""
        queue = self.queues.pop(number, None)
        try:
            self.h2.reset_stream(number, 8)
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
            pass
        while queue and not queue.empty():
            event = queue.get_nowait()
            if isinstance(event, h2.events.DataReceived):
                self.taken(event, number)
        self.flush()

    async def close(self):
        """Hangs up, whatever is under way."""
        if self.writer:
            self.writer.close()
            self.listener.cancel()
            await asyncio.wait([self.listener])
