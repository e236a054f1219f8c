"""Two processes and more over one PostgreSQL, nobody bound to any: what is said at one is true at each.

No load balancer stands in between: each story says itself which process it asks.
"""

import glob
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from harness import database, secret
from harness.catch import Product, Upstream
from harness.claviger import Claviger, returned
from harness.consent import walk
from harness.door import KeyApi
from harness.server import Sandbox

REQUEST = "a-request-of-two-nodes"
WITHIN = 2.0   # seconds until what was ended at one process is cut at every other
BUSY = 1.0     # what a busy machine may add
SKEW = 600     # seconds by which a clock is wrong


class Cluster:
    """Processes `a` and `b` of one installation, with a provider, an API of the test's own, one with keys, and a user."""

    def __init__(self):
        self.ends = []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        self.a, self.sandbox, self.upstream, self.keys, self.product = Claviger("postgres", "nodes"), Sandbox(), Upstream(), KeyApi(), Product()
        self.ends += [self.upstream.close, self.keys.close, self.product.close]
        made = self.sandbox.integration()
        self.password = secret.made("password", "ann", 24)
        document = self.a.workspace([
            {**made, "shares": [{"principal": "ann", "level": "use"}]},
            {**self.sandbox.integration(base_url=self.upstream.url), "key": "own"},
            {**self.keys.integration(), "key": "keys", "name": "Keys"},
        ], [self.product.callback])
        self.second = secret.api_key()
        document["api_keys"].append({"name": "second", "secret": "${env:SECOND}", "scopes": ["proxy"]})
        document |= {"jwt_secret": "${env:ACME_JWT}", "users": [{"username": "ann", "password": "${env:PW_ANN}"}]}
        secrets = {"IDP_SECRET": self.sandbox.client_secret, "PW_ANN": self.password, "SECOND": self.second}
        self.a.apply(None, None, secrets, workspaces=[document])
        self.sandbox.start([f"{self.a.app}/oauth2/callback/"])
        self.ends.append(self.sandbox.stop)
        self.a.serve()
        self.ends.append(self.a.stop)
        self.b = self.node("b")

    def node(self, name, **settings):
        """One more process. Wherever a browser comes back to, it is one installation."""
        node = self.a.beside(f"nodes-{name}", CLAVIGER_PUBLIC_URL=self.a.app, CLAVIGER_PROXY_PUBLIC_URL=self.a.proxy, **settings).serve()
        self.ends.append(node.stop)
        return node

    def connect(self, integration="sandbox", **more):
        got = returned(walk(self.a.web(), self.a.authorize_url(integration, self.product.callback, **more), self.product.callback))
        return got["connection_id"]

    def refreshes(self):
        return self.sandbox.stats()["token_requests"].get("refresh_token", 0)

    @contextmanager
    def held(self, node, connection, key=None):
        """A call through a process whose answer has begun and goes on; gives what is set once it is cut."""
        self.upstream.release.clear()
        answer = node.call("GET", "/held", connection, key=key, stream=True)
        assert answer.status_code == 200 and answer.raw.read(5) == b"first"
        cut = threading.Event()

        def read():
            try:
                answer.raw.read(6)
            except Exception:  # whatever a client says of an answer that breaks off
                cut.set()
        reader = threading.Thread(target=read, daemon=True)
        reader.start()

        try:
            yield cut
        finally:
            self.upstream.release.set()
            reader.join(20)
            answer.close()

    def stop(self):
        for end in reversed(self.ends):
            end()


@pytest.fixture(scope="module")
def cluster():
    running = Cluster()
    yield running
    running.stop()


def test_sign_in_at_one_and_go_on_at_the_other(cluster):
    a, b = cluster.a, cluster.b
    web = a.person("ann", cluster.password)  # cookies know no ports
    listed = web.get(b.app + "/api/integrations")
    assert listed.status_code == 200 and "sandbox" in listed.text
    assert web.post(b.app + "/api/auth/logout").status_code < 300
    assert web.get(a.app + "/api/integrations").status_code == 401


def test_a_flow_begins_at_one_and_ends_at_the_other(cluster):
    a, b, web = cluster.a, cluster.b, cluster.a.web()
    back = walk(web, a.authorize_url("sandbox", cluster.product.callback, external_id="two"), a.app + "/oauth2/callback")
    assert back.startswith(a.app)
    done = web.get(b.app + back.removeprefix(a.app), allow_redirects=False)
    assert done.status_code == 302 and done.headers["Location"].startswith(cluster.product.callback), done.text
    got = returned(done.headers["Location"])
    assert a.exchange(got["code"], cluster.product.callback).json()["connection_id"] == got["connection_id"]
    assert [n.call("GET", "/me", got["connection_id"]).status_code for n in (a, b)] == [200, 200]


def test_who_listens_at_one_hears_what_ends_at_the_other(cluster):
    a, b = cluster.a, cluster.b
    with requests.get(f"{b.app}/sse/connection-events/{REQUEST}", stream=True, timeout=20) as stream:
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines).startswith(b":")
        payload = {"integrationKey": "keys", "token": a.token("ann"), "connectionParameters": {"apiKey": cluster.keys.key},
                   "requestId": REQUEST, "redirectUri": cluster.product.callback}
        ended = a.web().post(a.app + "/connection-popup", data={"payload": json.dumps(payload)}, allow_redirects=False)
        assert ended.status_code == 303, ended.text
        began = time.monotonic()
        told = json.loads(next(line for line in lines if line.startswith(b"data: "))[6:])
        assert (told["type"], told["requestId"]) == ("newConnectionCreated", REQUEST)
        assert time.monotonic() - began < WITHIN


def test_a_revoked_key_opens_nothing_anywhere(cluster):
    a, b, connection, key = cluster.a, cluster.b, cluster.connect("own"), cluster.second
    assert [n.call("GET", "/x", connection, key=key).status_code for n in (a, b)] == [200, 200]
    with cluster.held(b, connection, key) as cut, cluster.held(b, connection) as own:
        a.run("api-key", "revoke", key[:11])
        assert cut.wait(WITHIN + BUSY), "it goes on"
        assert b.call("GET", "/x", connection, key=key).status_code == 401
        assert not own.is_set(), "by another key"


def test_what_is_frozen_or_ended_at_one_is_cut_at_the_other(cluster, tmp_path):
    a, b = cluster.a, cluster.b
    frozen, ended, kept = (cluster.connect("own", external_id=f"cut-{n}") for n in range(3))
    ids = tmp_path / "ids"
    ids.write_text(frozen)
    with cluster.held(b, frozen) as one, cluster.held(b, ended) as two, cluster.held(b, kept) as three:
        a.run("freeze", "--workspace", "acme", "--ids", ids, "--yes")
        assert one.wait(WITHIN + BUSY), "it goes on"
        a.ask("DELETE", f"/connections/{ended}")
        assert two.wait(WITHIN + BUSY), "it goes on"
        assert not three.is_set()
    assert b.call("GET", "/x", frozen).status_code == 403 and b.call("GET", "/x", ended).status_code == 400
    a.run("unfreeze", "--workspace", "acme", "--ids", ids, "--yes")
    assert b.call("GET", "/x", frozen).status_code == 200


def test_a_limit_holds_for_all_together(cluster):
    count, part = 48, 3
    limited = {"CLAVIGER_PROXY_RATE_LIMIT": f"{count}/60s", "CLAVIGER_RATE_LIMIT_HEADERS": "true"}
    nodes, connection = [cluster.node("c", **limited), cluster.node("d", **limited)], cluster.connect("own")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: nodes[n % 2].call("GET", "/x", connection), range(2 * count)))
    passed = sum(answer.status_code == 200 for answer in answers)
    assert {answer.status_code for answer in answers} == {200, 429}
    # Not one more but for what passes before the others know of it; what a process has left of its last slice is lost.
    assert count - 8 <= passed <= count + 2 * part, passed
    assert len(cluster.upstream.requests) >= passed
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {f'"claviger-connection";q={count};w=60'}
    said = [re.fullmatch(r'"claviger-connection";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in answers]
    assert all(int(one[1]) < count and int(one[2]) <= 60 for one in said)
    assert {one[1] for one, answer in zip(said, answers) if answer.status_code == 429} == {"0"}


@pytest.mark.parametrize("skew", [SKEW, -SKEW], ids=["ahead", "behind"])
def test_a_wrong_clock_refreshes_nothing_twice(cluster, skew):
    (library, *_) = glob.glob("/usr/lib/*/faketime/libfaketime.so.1") + glob.glob("/usr/lib/faketime/libfaketime.so.1")
    off = cluster.node("off", LD_PRELOAD=library, FAKETIME=f"{skew:+d}s", FAKETIME_DONT_FAKE_MONOTONIC="1")
    said = off.web().get(off.app + "/healthz").headers["Date"]
    wrong = time.mktime(time.strptime(said, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())
    assert abs(wrong - skew) < 60, "its clock is right"
    nodes = [cluster.a, off, cluster.b]
    before = cluster.refreshes()
    # Good for longer than the clocks are apart by: to a clock ten minutes ahead these would be over.
    fresh = [cluster.a.bring({**cluster.sandbox.grant(), "expires_in": SKEW - 60}) for _ in range(3)]
    for connection in fresh:
        assert [n.call("GET", "/me", connection).status_code for n in nodes] == [200] * 3
    assert cluster.refreshes() == before
    ids = ", ".join(f"'{c}'" for c in fresh)
    database.change(cluster.a.database, f"update credential set expires_at = obtained_at + 1 where connection_id in ({ids})")
    with ThreadPoolExecutor(18) as pool:
        answers = list(pool.map(lambda n: nodes[n % 3].call("GET", "/me", fresh[n // 3 % 3]).status_code, range(36)))
    assert answers == [200] * 36
    assert cluster.refreshes() == before + len(fresh), "each once"
    assert cluster.sandbox.stats()["refresh_reuse_detections"] == 0
    off.stop()
