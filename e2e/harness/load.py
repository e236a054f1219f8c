"""Calls at a fixed rate, in threads, while something else happens."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

LONGEST = 60  # seconds after which it ends by itself
SLOWEST = 10  # seconds that no call may take, also on a busy machine


def in_threads(web, work, items, workers=8):
    """`work(session, item)` for each item, several at once, a session per thread; the results in order."""
    sessions = threading.local()

    def one(item):
        if not hasattr(sessions, "web"):
            sessions.web = web()
        return work(sessions.web, item)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, items))


class Load:
    """`GET /me` through the proxy, `rate` times a second, for the given connections in turn, until the block ends."""

    def __init__(self, broker, connections, rate=50, workers=32):
        self.broker, self.connections, self.rate, self.workers = broker, itertools.cycle(connections), rate, workers
        self.answers, self.stop = [], threading.Event()  # answers: (when it began, how long it took, status, text)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.lasted, self.in_time = time.monotonic() - self.began, self.count()
        self.stop.set()
        self.thread.join()

    def run(self):
        in_threads(self.broker.web, self.call, self.beats(), self.workers)

    def beats(self):
        """Connections, each when its time has come: they are taken in one thread, whether or not a worker is free."""
        for n in itertools.count():
            at = self.began + n / self.rate
            if self.stop.wait(max(0, at - time.monotonic())) or at > self.began + LONGEST:
                return
            yield next(self.connections)

    def call(self, web, connection):
        began = time.monotonic()
        try:
            answer = self.broker.call("GET", "/me", connection, web=web)
            status, text = answer.status_code, answer.text
        except Exception as error:
            status, text = 0, repr(error)
        self.answers.append((began - self.began, time.monotonic() - began, status, text))

    def count(self):
        return len(self.answers)

    def assert_no_failure(self):
        """Every call succeeded, none waited for long, and there were as many as there should have been."""
        failed = [a for a in self.answers if a[2] != 200]
        assert not failed, f"{len(failed)} of {self.count()} calls failed, such as {failed[:3]}\n{self.broker.said()}"
        due = self.rate * min(self.lasted, LONGEST)
        assert self.count() >= 0.95 * due, f"{self.count()} calls begun in {self.lasted:.1f} s"
        # A busy machine may leave some to be answered after the end; a standstill would leave most.
        assert self.in_time >= 0.5 * due, f"{self.in_time} calls answered in {self.lasted:.1f} s"
        slowest = max(a[1] for a in self.answers)
        assert slowest < SLOWEST, f"a call took {slowest:.1f} s"
