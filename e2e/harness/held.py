"""What a process holds: by its own metrics, and by what the kernel says of it. After a load it must be what it was before."""

import os
import time

import requests

METRICS = ("claviger_proxied_calls_in_flight", "claviger_places_taken", "claviger_work_under_way", "claviger_client_connections",
           "claviger_tasks")
MIB = 1 << 20


class Held:
    """Of one process of Claviger, whose metrics are at `port`."""

    def __init__(self, pid, port):
        self.pid, self.url = pid, f"http://127.0.0.1:{port}/metrics"

    def metrics(self):
        """Every sample, by its series."""
        text = requests.get(self.url, timeout=60, headers={"Connection": "close"}).text
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")}

    def figures(self):
        """What is held now. The connection by which it is asked is not counted."""
        held = {series.removeprefix("claviger_"): int(n) for series, n in self.metrics().items() if series.partition("{")[0] in METRICS}
        held["client_connections"] -= 1
        held["sockets"], held["files"] = self.descriptors()
        return held

    def descriptors(self):
        """How many sockets are open, and how many other things; of a SQLite database as many connections as there was need for."""
        folder, sockets, others = f"/proc/{self.pid}/fd", 0, 0
        for name in os.listdir(folder):
            try:
                what = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:  # closed meanwhile
                continue
            sockets += what.startswith("socket:")
            others += not what.startswith("socket:") and ".db" not in what
        return sockets, others

    def resident(self):
        """Bytes of memory."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(row.split()[1]) << 10 for row in file if row.startswith("VmRSS"))

    def at_rest(self, seconds=3):
        """What is held when nobody calls: of each the least that was seen for so long."""
        least, end = self.figures(), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            least = {name: min(least[name], n) for name, n in self.figures().items()}
        return least

    def leaks(self, before, patience):
        """What is more than it was, after this patience at most: its names, each with what it was and is."""
        end = time.monotonic() + patience
        while True:
            now = self.figures()
            more = {name: (before[name], n) for name, n in now.items() if n > before[name]}
            if not more or time.monotonic() > end:
                return more
            time.sleep(0.2)


def slope(samples):
    """How `(seconds, bytes)` grow, in MiB per ten minutes: the straight line with the least squares."""
    count = len(samples)
    at, size = sum(t for t, _ in samples) / count, sum(b for _, b in samples) / count
    spread = sum((t - at) ** 2 for t, _ in samples)
    return sum((t - at) * (b - size) for t, b in samples) / spread * 600 / MIB if spread else 0.0
