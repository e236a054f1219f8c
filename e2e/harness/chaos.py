"""Kills and freezes nodes at random times, and notes which refreshes each of them broke in between.

The times come of a seed: the same seed draws the same times and deeds for each node. What they meet differs from run to run.
"""

import dataclasses
import random
import threading
import time

from .fleet import NOTICED, listed, slowness

LONGER = (0.3, 1.2)  # seconds beyond a lease that a node stays frozen
DEEDS = ("kill", "kill", "freeze")


@dataclasses.dataclass
class Deed:
    """One kill or freeze. `between` are the intents that the node had open and not answered, `doubted` those of them that
    another node had found unanswered before a frozen one went on; `whole`: whether the node was in no transaction."""

    what: str
    node: int
    began: float
    between: frozenset
    whole: bool
    until: float = 0
    doubted: frozenset = frozenset()


def draws(dice):
    """What is done to a node, one after the other: of each three deeds two are kills, and so is the first of all."""
    yield "kill"
    yield from dice.sample(DEEDS[1:], 2)
    while True:
        yield from dice.sample(DEEDS, 3)


class Chaos:
    """One thread for each node, whose first deed is a kill; all but one of several may be down at a time."""

    def __init__(self, fleet, lease, seed, pause=(0.3, 1.4)):
        self.fleet, self.lease, self.seed, self.pause = fleet, lease, seed, pause
        self.deeds, self.failed, self.over = [], [], threading.Event()
        self.hands = threading.Semaphore(max(1, len(fleet.nodes) - 1))
        self.threads = [threading.Thread(target=self.haunt, args=(node,), name=f"chaos{node.number}") for node in fleet.nodes]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Ends when every node is up again."""
        self.over.set()
        for thread in self.threads:
            thread.join()

    def count(self, what):
        return sum(deed.what == what for deed in self.deeds)

    def broken(self):
        """How many refreshes were broken in between."""
        return sum(len(deed.between) for deed in self.deeds)

    def haunt(self, node):
        dice = random.Random(f"{self.seed} node {node.number}")
        drawn = draws(dice)
        try:
            # On a busy machine a node is left alone for longer: it is to be killed at work, and not while it starts.
            while not self.over.wait(dice.uniform(*self.pause) * slowness(node)):
                what, extra = next(drawn), dice.uniform(*LONGER)
                with self.hands:
                    self.kill(node) if what == "kill" else self.freeze(node, self.lease + extra)
        except Exception as error:
            self.failed.append(f"node {node.number}: {error!r}")

    def kill(self, node):
        held, began = self.fleet.open(node), time.time()
        node.kill()
        between, whole = self.fleet.left(node, held, began)
        self.deeds.append(Deed("kill", node.number, began, between, whole, time.time()))
        for again in (True, True, False):  # somebody else may have taken its port for a moment
            try:
                return node.start()
            except RuntimeError:
                node.kill()
                if not again:
                    raise

    def freeze(self, node, seconds):
        held, began = self.fleet.open(node), time.time()
        node.freeze()
        try:
            between, whole = self.fleet.left(node, held, began)
            time.sleep(NOTICED)
            node.shunned = True
            time.sleep(max(0, began + seconds - time.time()))
            doubted = {i for i, in self.fleet.look.rows(f"select id from refresh_intent where id in ({listed(between)}) and unknown_at is not null")}
        finally:
            node.thaw()
        self.deeds.append(Deed("freeze", node.number, began, between, whole, time.time(), frozenset(doubted)))
