"""A line to a server, as TCP: what goes through it can be cut, refused, or swallowed while both ends believe it is open."""

import contextlib
import socket
import struct
import threading

from .process import free_port


class Wire:
    """Listens at a port of its own and passes bytes on to `host:port`."""

    def __init__(self, host, port):
        self.to, self.lock, self.open, self.silent = (host, port), threading.Lock(), set(), threading.Event()
        self.listener, self.port = None, free_port()
        self.mend()

    def mend(self):
        """From now on connections are taken and passed on. Those that were swallowed stay so: whatever stood in between forgot them."""
        with self.lock:
            self.silent = threading.Event()
            if self.listener is None:
                self.listener = socket.create_server(("127.0.0.1", self.port))
                threading.Thread(target=self.take, args=(self.listener,), daemon=True).start()

    def cut(self):
        """Every connection is reset, and new ones are refused."""
        with self.lock:
            listener, self.listener = self.listener, None
            # A thread that waits for connections would keep the port open.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.reset()

    def swallow(self):
        """Nothing comes through any more, in either direction; connections are taken, and nobody is told anything."""
        self.silent.set()

    def reset(self):
        with self.lock:
            ends, self.open = self.open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        if self.listener is not None:
            self.cut()
        self.reset()

    def take(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            silent = self.silent
            if silent.is_set():
                with self.lock:
                    self.open.add(near)
                continue
            try:
                far = socket.create_connection(self.to, timeout=20)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self.lock:
                self.open |= {near, far}
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.pass_on, args=(*ends, silent), daemon=True).start()

    def pass_on(self, source, target, silent):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if silent.is_set():
                    return  # and both stay open
                target.sendall(data)
        if silent.is_set():
            return
        with self.lock:
            self.open -= {source, target}
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
