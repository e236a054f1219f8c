"""The soak: nodes that are killed and frozen all the time, callers who never stop, and providers that forgive nothing.

    with Soak("postgres", 3, [Strict(), Introspecting(), Graceful()], seed=7) as soak:
        soak.storm(seconds=45)
        soak.settle()
        print(soak.report())
        soak.assert_sound()

What is wrong at the end is a line in `soak.faults()`; `reckon.py` finds it.
"""

import collections
import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from . import place, reckon, secret
from .chaos import Chaos
from .claviger import Claviger, returned
from .consent import walk
from .crowd import Crowd
from .fleet import Fleet, Load
from .grants import binary

LEASE = 6      # seconds: a third of it must be enough for a busy machine to prolong it
EACH = 200     # callers for the first connection at each provider, where the machine is not busy
FEW = 50       # where it is, at least
QUIET = (3, 3) # how many more connections there are at each, and how many callers each of those has
PAUSE = 3      # seconds that a caller waits between two calls, on average
ANSWERS = 20   # seconds that Claviger waits for an answer: longer than any provider's and a freeze
STUCK = 60     # seconds without any progress after which nothing more is waited for
SETTLED = 180  # seconds in which everything is found out and authorized again
SHOP = "http://127.0.0.1:9/shop"


def at_once(work, items):
    """What `work` makes of each, at the same time, in their order."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, items))


class Browser(requests.Session):
    """A customer's browser: whatever is at the installation's address is answered by this one of its nodes."""

    def __init__(self, node, dice):
        super().__init__()
        self.trust_env, self.node = False, node
        # Customers are at many addresses; one alone may not begin so many authorizations.
        self.headers["X-Forwarded-For"] = f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}"

    def request(self, method, url, **kwargs):
        here = f"http://127.0.0.1:{self.node.broker.ports[0]}"
        kwargs.setdefault("timeout", 40)
        answer = super().request(method, url.replace(self.node.public, here, 1), **kwargs)
        for cookie in answer.cookies if answer.url.startswith(here) else ():
            secret.remember("browser cookie", cookie.value, "Set-Cookie")
        return answer


class Soak:
    """One installation before its providers, with one crowded connection at each, and a few that are quiet."""

    def __init__(self, kind, nodes, providers, seed, each=EACH, calm=(0.3, 1.4)):
        self.kind, self.providers, self.seed, self.calm = kind, providers, seed, calm
        self.ends, self.lost, self.failed, self.again, self.crowd = [], [], [], 0, None
        self.over, self.active = threading.Event(), collections.defaultdict(list)
        try:
            self.start(kind, nodes)
            self.slow = self.fleet.slowness()
            self.each = max(FEW, round(each / self.slow))
        except BaseException:
            self.stop()
            raise

    def start(self, kind, nodes):
        self.broker = Claviger(kind, f"soak{nodes}", binary=binary(), CLAVIGER_REFRESH_LEASE=f"{LEASE}s",
                               CLAVIGER_OUTBOUND_TOTAL_TIMEOUT=f"{ANSWERS}s", CLAVIGER_LOG="warn,claviger_engine::process=info", CLAVIGER_TRUSTED_PROXIES="127.0.0.0/8")
        workspace = self.broker.workspace([p.integration() for p in self.providers], [SHOP], completion="server")
        secrets = {name: value for p in self.providers for name, value in p.secret().items()}
        (made,) = self.broker.apply(None, None, secrets, workspaces=[workspace]).values()
        callbacks = {i["key"]: i["callback_url"] for i in made["integrations"]}
        for provider in self.providers:
            self.ends.append(provider.server.stop)
            provider.start(callbacks[provider.key])
        self.fleet = Fleet(self.broker, nodes)
        self.ends.append(self.fleet.stop)
        self.fleet.start()
        customers = [(p, n) for p in self.providers for n in range(1 + QUIET[0])]

        def first(customer):
            provider, number = customer
            return self.authorize(self.fleet.nodes[0], *customer, random.Random(f"{self.seed} first {provider.key} {number}"))

        self.connections = dict(zip(at_once(first, customers), customers))

    def authorize(self, node, provider, number, dice, **onto):
        """A customer consents at a provider, through this node; the connection's id."""
        web, name = Browser(node, dice), f"customer {number}"
        back = walk(web, self.broker.authorize_url(provider.key, SHOP, external_id=name, **onto), SHOP)
        code = returned(back)["code"]
        answer = web.post(f"{self.broker.app}/connection", json={"code": code, "redirect_uri": SHOP, "external_id": name},
                          headers={"Authorization": f"Bearer {self.broker.api_key}"})
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()["connection_id"]

    def storm(self, seconds, kills=0, freezes=0, least=0):
        """Calls, and kills and freezes among them, for so long, and on until there were so many of each, and so many refreshes
        were broken in between; not three times as long, nor half a minute longer where that is more."""
        dice = random.Random(f"{self.seed} pace")
        self.crowd = Crowd(self.fleet, {c: QUIET[1] if n else self.each for c, (_, n) in self.connections.items()}, PAUSE, self.seed)
        self.load = contextlib.nullcontext() if self.kind == "sqlite" else Load(self.broker.database)
        self.owners = [threading.Thread(target=self.own, args=(c,), name=f"owner of {c}") for c in self.connections]
        began = time.monotonic()
        for owner in self.owners:
            owner.start()
        self.crowd.__enter__()
        self.chaos = Chaos(self.fleet, LEASE, self.seed, pause=self.calm)
        with self.load, self.chaos:
            while (passed := time.monotonic() - began) < seconds or (
                    passed < max(3 * seconds, seconds + 30) and (
                        self.chaos.count("kill") < kills or self.chaos.count("freeze") < freezes or self.chaos.broken() < least)):
                for provider in self.providers:
                    provider.pace(dice)
                time.sleep(0.7)
        self.lasted = time.monotonic() - began

    def settle(self):
        """Nothing is killed any more: what became of every token is found out, and who lost a grant gets another.

        What a kill left open counts before anybody has found it: the callers, who go on calling, will.
        """
        for provider in self.providers:
            provider.hurry()
        began, now = time.monotonic(), int(time.time() * 1000)
        self.wait_for(f"""select id from refresh_intent where closed_at is null and (unknown_at is not null or sent_at <= {now})
            union all select id from connection where status <> 'active'""", began + SETTLED)
        self.crowd.leave()
        self.over.set()
        for owner in self.owners:
            owner.join()
        self.wait_for("select id from refresh_intent where closed_at is null", began + SETTLED)
        self.settled_in = time.monotonic() - began

    def wait_for(self, query, end):
        """Until there are no such rows; not when nothing moved for long, nor beyond the end."""
        before, since = None, time.monotonic()
        while (left := (self.again, sorted(self.fleet.look.rows(query))))[1]:
            now = time.monotonic()
            if left != before:
                before, since = left, now
            if now > min(since + STUCK, end):
                return
            time.sleep(0.1)

    def own(self, connection):
        """Its owner: when it is told to authorize it again it does so, a little later."""
        dice = random.Random(f"{self.seed} owner of {connection}")
        query = ("select c.status_reason, i.sent_at, i.unknown_at, i.outcome from connection c left join refresh_intent i "
                 f"on i.connection_id = c.id where c.id = '{connection}' and c.status <> 'active' order by i.sent_at desc limit {reckon.LAST}")
        try:
            while not self.over.wait(dice.uniform(0.3, 0.7)):
                waits = self.fleet.look.rows(query)
                if not waits:
                    self.active[connection].append(time.time())
                    continue
                self.lost.append((connection, waits[0][0], [refresh for _, *refresh in waits if refresh[0]]))
                self.over.wait(dice.uniform(0, 0.7))
                if self.fleet.look.rows(query):
                    self.authorize_again(connection, dice)
        except Exception as error:
            self.failed.append(f"the owner of {self.name(connection)}: {error!r}")

    def authorize_again(self, connection, dice):
        """At one node after the other, for each may be killed meanwhile; until it is done, or all is over."""
        said = None
        while not self.over.is_set():
            try:
                self.authorize(self.fleet.choose(dice), *self.connections[connection], dice, connection_id=connection)
                self.again += 1
                return
            except (requests.RequestException, AssertionError, KeyError) as error:
                said = repr(error)
                self.over.wait(0.2)
        self.failed.append(f"{self.name(connection)} could not be authorized again: {said}")

    def name(self, connection):
        provider, number = self.connections[connection]
        return f"{provider.key} {number}"

    def status(self, node, connection):
        """What one call through a node is answered."""
        headers = {"Authorization": f"Bearer {self.broker.api_key}", "BU-Connection-Id": connection}
        return requests.get(f"{node.broker.proxy}/me", timeout=60, headers=headers).status_code

    def works(self):
        """What each connection answers through each node, one after the other."""
        def through(connection):
            return {(n.number, self.name(connection)): self.status(n, connection) for n in self.fleet.nodes}
        return {key: status for answers in at_once(through, self.connections) for key, status in answers.items()}

    def faults(self):
        return reckon.faults(self)

    def report(self):
        return reckon.report(self)

    def assert_sound(self):
        found = self.faults()
        if found:
            text = "\n".join([f"{len(found)} things are wrong (seed {self.seed}):", *found, self.report()])
            (place.REPORT / f"soak-{self.kind}-{len(self.fleet.nodes)}.txt").write_text(text)
            raise AssertionError(text[:6000])

    def stop(self):
        self.over.set()
        if self.crowd:
            self.crowd.leave()
        for end in reversed(self.ends):
            end()
        self.ends = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
