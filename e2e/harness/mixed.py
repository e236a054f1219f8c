"""The load soak: callers who do all that callers do, a provider that fails as providers do, and what is left when they have gone."""

import asyncio
import collections
import os
import random
import threading
import time

from .deeds import LATE, RIGHT, Caller
from .held import MIB, slope
from .line import Line
from .town import Town

LONGEST = 150  # seconds that a deed may take: longer than its patience with each of its steps
GRACE = 30    # seconds until everything must be given back
EVERY = 1.0   # seconds between two looks at the memory


class Mixed:
    """A town and its callers. `pause` is how long each of them rests between two deeds, on average."""

    def __init__(self, seed, callers, pause):
        self.seed, self.callers, self.pause = seed, callers, pause
        self.done, self.faults, self.samples = collections.Counter(), [], []
        self.town = Town(seed)

    def load(self, name, seconds):
        """Deeds for so long, and then until the last of them is done. Nobody is left after it, at the provider neither."""
        self.over, self.began = threading.Event(), time.monotonic()
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        try:
            asyncio.run(self.all_of_them(name, self.began + seconds))
        finally:
            self.over.set()
            watcher.join()
        self.lasted = time.monotonic() - self.began
        self.town.moody.hang_up()

    async def all_of_them(self, name, end):
        await asyncio.gather(*(self.one(random.Random(f"{self.seed} {name} {n}"), end) for n in range(self.callers)))

    async def one(self, dice, end):
        caller = Caller(self.town, dice)
        names, weights = list(RIGHT), [often for often, _ in RIGHT.values()]
        try:
            while time.monotonic() < end and len(self.faults) < 50:
                (deed,) = dice.choices(names, weights)
                try:
                    word = await asyncio.wait_for(caller.do(deed), LONGEST)
                except Exception as error:
                    word = f"{type(error).__name__} {error}"
                self.done[deed, word] += 1
                if word not in RIGHT[deed][1] | LATE:
                    self.faults.append(f"{deed}: {word}")
                    await caller.leave()
                await asyncio.sleep(dice.expovariate(1 / self.pause))
        finally:
            await caller.leave()

    def watch(self):
        """Looks at the memory now and then."""
        self.samples = []
        while not self.over.wait(EVERY):
            self.samples.append((time.monotonic() - self.began, self.town.held.resident()))

    def at_rest(self, seconds):
        """What is held after a load, once all is given back that will be: the measure of the next one."""
        time.sleep(1)
        return self.town.held.at_rest(seconds)

    def leaks(self, before):
        return self.town.held.leaks(before, GRACE)

    def seen(self, before):
        """What of all that is held is more while one call is: a look that sees no such call would see no leak of one."""
        async def hold():
            door = self.town.doors["bundleup"][0]
            line = Line(door.port)
            await line.send(door.head("GET", "events/300"))
            await line.head()
            found = await asyncio.to_thread(self.town.held.leaks, before, 0)
            line.close()
            return found
        return asyncio.run(hold())

    def slope(self):
        """MiB in ten minutes, from when a quarter of the time has passed: until then memory grows for good reasons."""
        return slope([sample for sample in self.samples if sample[0] >= self.lasted / 4])

    def late(self):
        """The share of good calls that ended as they may on a slow machine only."""
        good = {(deed, word): n for (deed, word), n in self.done.items() if deed in ("get", "put", "json", "streams")}
        return sum(n for (deed, word), n in good.items() if word not in RIGHT[deed][1]) / max(1, sum(good.values()))

    def report(self, before):
        """A table, as docs/performance.md has it."""
        busy = ", ".join(f"{n:.1f}" for n in os.getloadavg())
        lines = [f"{sum(self.done.values())} deeds of {self.callers} callers in {self.lasted:.0f} s; seed {self.seed}; load of the machine {busy}", "",
                 "| what | before | after |", "|---|--:|--:|"]
        after = self.town.held.figures()
        lines += [f"| {name} | {n} | {after[name]} |" for name, n in before.items()]
        lines += ["", "| minute | RSS, MiB |", "|--:|--:|"]
        step = max(1, len(self.samples) // 10)
        lines += [f"| {at / 60:.1f} | {size / MIB:.1f} |" for at, size in self.samples[::step]]
        lines += ["", f"slope after the first quarter: {self.slope():+.2f} MiB in ten minutes; {self.late():.2%} of the good calls were too late"]
        lines += ["", "| deed | how they ended |", "|---|---|"]
        for deed in RIGHT:
            words = sorted(((word, n) for (d, word), n in self.done.items() if d == deed), key=lambda pair: -pair[1])
            lines.append(f"| {deed} | {', '.join(f'{n} {word}' for word, n in words)} |")
        return "\n".join(lines)

    def stop(self):
        self.town.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
