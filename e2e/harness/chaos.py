"""Kills and freezes nodes at random times, and notes which refreshes each of them broke in between.

The times come of a seed: the same seed draws the same times and deeds for each node. What they meet differs from run to run.
"""

import dataclasses
import random
import threading
import time

LONGER = (0.3, 1.2)  # seconds beyond a lease that a node stays frozen


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


class Chaos:
    """One thread for each node, whose first deed is a kill; all but one of several may be down at a time."""

    def __init__(self, fleet, lease, seed, kills=0.66, pause=(0.3, 1.4)):
        self.fleet, self.lease, self.seed, self.kills, self.pause = fleet, lease, seed, kills, pause
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
        dice, first = random.Random(f"{self.seed} node {node.number}"), True
        try:
            while not self.over.wait(dice.uniform(*self.pause)):
                kill, extra = dice.random() < self.kills or first, dice.uniform(*LONGER)
                first = False
                with self.hands:
                    self.kill(node) if kill else self.freeze(node, self.lease + extra)
        except Exception as error:
            self.failed.append(f"node {node.number}: {error!r}")

    def kill(self, node):
        began = time.time()
        node.kill()
        left, whole = self.fleet.left(node)
        self.deeds.append(Deed("kill", node.number, began, unanswered(left), whole, time.time()))
        for again in (True, True, False):  # somebody else may have taken its port for a moment
            try:
                return node.start()
            except RuntimeError:
                node.kill()
                if not again:
                    raise

    def freeze(self, node, seconds):
        began = time.time()
        node.freeze()
        try:
            left, whole = self.fleet.left(node)
            time.sleep(0.3)
            node.shunned = True
            time.sleep(max(0, began + seconds - time.time()))
            between = unanswered(left)
            names = ", ".join(f"'{intent}'" for intent in between) or "''"
            doubted = {i for i, in self.fleet.look.rows(f"select id from refresh_intent where id in ({names}) and unknown_at is not null")}
        finally:
            node.thaw()
        self.deeds.append(Deed("freeze", node.number, began, between, whole, time.time(), frozenset(doubted)))


def unanswered(left):
    return frozenset(intent for intent, known in left.items() if not known)
