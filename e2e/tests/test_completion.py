"""The three completion modes over real HTTP. The authorization server is Authlib: it tells how many token requests came."""

from urllib.parse import urljoin

import pytest

from harness import secret
from harness.claviger import Claviger, returned
from harness.consent import follow, forms, submit, walk
from harness.server import Authlib

MODES = ("redirect", "confirm", "server")


class Three:
    """One Claviger with a workspace per mode, all at one authorization server."""

    def __init__(self, kind, product):
        self.product, self.server, self.broker = product, Authlib(), Claviger(kind, "completion")
        self.keys = {mode: secret.api_key() for mode in MODES}
        spaces = self.broker.apply(None, None, {"IDP_SECRET": self.server.client_secret,
                                                **{f"KEY_{m.upper()}": k for m, k in self.keys.items()}},
                                   workspaces=[self.broker.workspace([self.server.integration()], [product.callback], mode,
                                                                     f"KEY_{mode.upper()}", completion=mode) for mode in MODES])
        self.server.start([spaces[m]["integrations"][0]["callback_url"] for m in MODES])
        self.broker.serve()

    def url(self, mode, **more):
        return self.broker.authorize_url("authlib", self.product.callback, mode, **more)

    def exchange(self, mode, code, **more):
        return self.broker.exchange(code, self.product.callback, self.keys[mode], **more)

    def call(self, mode, connection):
        return self.broker.call("GET", "/api/me", connection, key=self.keys[mode])

    def token_requests(self):
        return len(self.server.seen("token"))

    def stop(self):
        self.broker.stop()
        self.server.stop()


@pytest.fixture
def three(database_kind, product):
    running = Three(database_kind, product)
    yield running
    running.stop()


def test_redirect_hands_out_a_usable_connection(three):
    got = returned(walk(three.broker.web(), three.url("redirect", external_id="u1", state="s"), three.product.callback))
    assert set(got) == {"connection_id", "external_id", "integration_id", "state", "code"}
    assert three.call("redirect", got["connection_id"]).json()["user"] == "alice"


def test_confirm_names_everything_and_waits_for_a_click(three):
    web = three.broker.web()
    page, end = follow(web, web.get(three.url("confirm", external_id="user-4711", state="s"), allow_redirects=False),
                       three.product.callback)
    assert end is None and page.status_code == 200 and page.url.startswith(three.broker.app)
    assert three.server.seen() == [], "sent to the provider before the click"
    for name in ("The confirm company", "Test authlib", "user-4711"):
        assert name in page.text, f"{name} is not named"
    assert page.headers["Cache-Control"] == "no-store" and "frame-ancestors" in page.headers["Content-Security-Policy"]

    form = next(f for f in forms(page.text) if f["buttons"])
    press = {**form["fields"], "decision": "continue"}
    foreign = web.post(urljoin(page.url, form["action"]), data=press, allow_redirects=False,
                       headers={"Origin": "http://evil.invalid", "Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code in (400, 403) and three.server.seen() == [], "another site pressed the button"
    stranger = three.broker.web()  # no cookie: the link was opened by somebody else
    answer = stranger.post(urljoin(page.url, form["action"]), data=press, allow_redirects=False,
                           headers={"Origin": three.broker.app, "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code >= 400 and three.server.seen() == [], "another browser pressed the button"

    answer = submit(web, page)
    assert answer.status_code == 303, answer.text
    got = returned(walk(web, answer.headers["Location"], three.product.callback))
    assert three.call("confirm", got["connection_id"]).status_code == 200


def test_server_makes_no_token_request_before_the_product_asks(three):
    got = returned(walk(three.broker.web(), three.url("server", external_id="u1", state="s"), three.product.callback))
    assert set(got) == {"code", "state"}
    assert three.token_requests() == 0
    answer = three.exchange("server", got["code"], external_id="u1")
    assert answer.status_code == 200, answer.text
    assert three.token_requests() == 1
    connection = answer.json()
    assert connection["external_id"] == "u1"
    assert three.call("server", connection["connection_id"]).json()["user"] == "alice"
    assert three.exchange("server", got["code"], external_id="u1").status_code == 400
    assert three.token_requests() == 1


@pytest.mark.parametrize("wrong", [{"external_id": "u2"}, {"external_id": None}, {}], ids=["another", "null", "absent"])
def test_server_destroys_the_code_when_the_user_is_another(three, wrong):
    got = returned(walk(three.broker.web(), three.url("server", external_id="u1", state="s"), three.product.callback))
    refused = three.exchange("server", got["code"], **wrong)
    assert refused.status_code == 400 and "errors" in refused.json(), refused.text
    late = three.exchange("server", got["code"], external_id="u1")
    assert late.status_code == 400 and "code" in late.json()["errors"], late.text
    assert three.token_requests() == 0, "the provider's code was redeemed"


def test_a_code_of_one_workspace_is_nothing_to_another(three):
    got = returned(walk(three.broker.web(), three.url("redirect", external_id="u1"), three.product.callback))
    assert three.exchange("server", got["code"], external_id="u1").status_code == 400
    foreign = three.call("server", got["connection_id"])
    assert foreign.status_code == 400 and foreign.json()["code"] == "connection_invalid"
    unknown = three.call("server", "conn_" + "0" * 32)
    assert {**foreign.json()} == {**unknown.json()}, "a foreign connection looks other than an unknown one"
