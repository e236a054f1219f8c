"""Very many tokens that are all about to expire, called at once over several nodes: each is refreshed once."""

import asyncio
import base64
import collections
import hashlib
import json
import secrets
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from . import database
from .claviger import Claviger
from .crowd import CLEAR, WORKED, Link, percentiles, sort
from .fleet import Fleet, Load
from .grants import Strict
from .process import until

MADE_AT_ONCE = 6   # connections that are made in parallel beforehand; those of one integration are written one after another
SETTLED = 120      # seconds after the last answer until every token is refreshed
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


FORM = "application/x-www-form-urlencoded"


def request(method, path, key=None, body="", kind="application/json", **headers):
    """A request's bytes; `key` is whose it is."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *([f"authorization: Bearer {key}"] if key else [])]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"content-type: {kind}", f"content-length: {len(body)}"] if body else []
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Rush:
    """`count` connections at one provider, behind three nodes; nothing refreshes ahead of a call."""

    def __init__(self, count, nodes=3, **settings):
        self.provider, self.ends = Strict(), [lambda: self.provider.server.stop()]
        self.provider.file = "sandbox"
        try:
            self.start(count, nodes, settings)
        except BaseException:
            self.stop()
            raise

    def start(self, count, nodes, settings):
        self.broker = Claviger("postgres", "rush", CLAVIGER_LOG="warn,claviger_engine::process=info", CLAVIGER_REFRESH_AHEAD="false", **settings)
        self.provider.start(f"{self.broker.app}/oauth2/callback/own")
        self.broker.apply([self.provider.integration()], ["http://127.0.0.1:9/shop"], self.provider.secret())
        self.fleet = Fleet(self.broker, nodes)
        self.ends.append(self.fleet.stop)
        self.fleet.start()
        began = time.monotonic()
        self.connections = asyncio.run(self.make(count))
        # As if that had been nearly an hour ago: they are good for 100 seconds more, which is within the margin.
        database.change(self.broker.database, "update credential set obtained_at = obtained_at - 3500000, expires_at = expires_at - 3500000")
        self.made_in = time.monotonic() - began

    async def make(self, count):
        """Grants that Claviger had no part in, and their connections; the ids."""
        ids, left = [], iter(range(count))

        async def maker(node):
            server, link = await Link.open(self.provider.server.port), await Link.open(node.broker.ports[0])
            for _ in left:
                tokens = await self.grant(server)
                given = {"integrationId": self.provider.key, "authToken": tokens["access_token"],
                         "refreshToken": tokens["refresh_token"], "expiresIn": 3600}
                status, body = await link.ask(request("POST", "/v1/connections", self.broker.api_key, json.dumps(given)))
                assert status == 201, body
                ids.append(json.loads(body)["id"])
            server.close()
            link.close()

        async with asyncio.TaskGroup() as tasks:
            for n in range(MADE_AT_ONCE):
                tasks.create_task(maker(self.fleet.nodes[n % len(self.fleet.nodes)]))
        return ids

    async def grant(self, link):
        """As `Sandbox.grant`, in a tenth of the time."""
        server = self.provider.server
        asked = {"response_type": "code", "client_id": server.client_id, "redirect_uri": server.own_redirect, "state": "own",
                 "scope": "read", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        _, _, head = await link.told(request("POST", f"/authorize?{urlencode(asked)}", None, "decision=allow&account=alice", FORM))
        (code,) = parse_qs(urlsplit(head.partition(b"\r\nlocation: ")[2].partition(b"\r\n")[0].decode()).query)["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": server.own_redirect, "code_verifier": VERIFIER,
                "client_id": server.client_id, "client_secret": server.client_secret}
        status, body = await link.ask(request("POST", "/token", None, urlencode(form), FORM))
        assert status == 200, body
        return json.loads(body)

    def call(self, through):
        """Calls each connection through so many of the nodes, all at the same moment. Returns how it went."""
        with Load(self.broker.database) as load:
            answers = asyncio.run(self.rush(through))
        try:
            until("every refresh to be written", lambda: self.open() == 0, SETTLED, every=0.5)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.open()} are left\n{Answers(answers, load.rates).report()}") from None
        return Answers(answers, load.rates)

    async def rush(self, through):
        calls = [(self.fleet.nodes[(n + k) % len(self.fleet.nodes)], c) for n, c in enumerate(self.connections) for k in range(through)]
        links = []
        for at in range(0, len(calls), 200):  # before it begins: a listener's queue is finite
            links += await asyncio.gather(*(Link.open(node.port) for node, _ in calls[at:at + 200]))
        self.began = time.monotonic()
        return await asyncio.gather(*(self.one(link, c) for link, (_, c) in zip(links, calls)))

    async def one(self, link, connection):
        try:
            status, body = await link.ask(request("GET", "/me", self.broker.api_key, bu_connection_id=connection))
            told, text = sort(status, body.decode(errors="replace"))
        except (OSError, asyncio.IncompleteReadError) as error:
            told, text = "cut off", repr(error)
        link.close()
        return told, text, time.monotonic() - self.began

    def open(self):
        """How many tokens are not refreshed yet, or being refreshed."""
        query = "select count(*) from refresh_intent where closed_at is null"
        late = "select count(*) from credential where version = 1"
        return database.number(self.broker.database, query) + database.number(self.broker.database, late)

    def versions(self):
        """How many credentials there are at each version."""
        rows = database.sql(self.broker.database, "select version, count(*) from credential group by version")
        return {int(version): int(count) for version, count in rows}

    def stop(self):
        for end in reversed(self.ends):
            end()
        self.ends = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Answers:
    """What the callers of one rush were told."""

    def __init__(self, answers, rates):
        self.answers, self.rates = answers, rates
        self.wrong = [(told, text) for told, text, _ in answers if told not in (WORKED, *CLEAR)]
        self.worked = sum(told == WORKED for told, _, _ in answers)

    def report(self):
        p50, p99, most = percentiles([seconds for _, _, seconds in self.answers], 50, 99, 100)
        others = collections.Counter(told for told, _, _ in self.answers if told != WORKED)
        return (f"{len(self.answers)} calls at once, {self.worked} worked{''.join(f', {n} {told}' for told, n in others.items())}; p50 {p50:.2f} s, p99 {p99:.2f} s, longest {most:.2f} s; "
                f"database: {', '.join(f'{n} {what}/s' for what, n in self.rates.items())}")
