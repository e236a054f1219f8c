"""Both vendors' SDKs, unmodified, in a real browser: `@integration-app/sdk` 1.14.1 and `@membranehq/sdk` 0.28.3, as a shop's
page uses them. The shop is another site than Claviger; OAuth goes to oidc-provider; the API with a key is the test's own."""

import json

import pytest

from harness import database
from harness.chromium import Chromium
from harness.door import WRONG_KEY, Door, consent, deny
from harness.storefront import SDKS, result

M, IA = SDKS
pytestmark = pytest.mark.timeout(120)
# What is between the browser and us, whatever it is kept in.
on_one = pytest.mark.parametrize("door", ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=database.KINDS)
def door(request, shop):
    running = Door(request.param, shop, "sdk-door")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def strict(shop):
    """A workspace that says which origins may hear of its connections: the shop's, not the same server's other name."""
    running = Door("sqlite", shop, "strict-door", settings={"allowed_origins": [shop.origin]})
    yield running
    running.stop()


@pytest.fixture(params=SDKS)
def sdk(request):
    return request.param


def connect(integration, **given):
    return f"client.integration({json.dumps(integration)}).connect({json.dumps(given)})"


def by_key(door, **given):
    return connect("keys", parameters={"apiKey": door.api.key}, **given)


def sound(connection, integration, door, **more):
    return door.sound(connection, integration, **more)


def test_every_call(door, sdk, chromium):
    with door.shopper(chromium, sdk, f"calls-{sdk}", name="Ann", fields={"plan": "pro"}) as window:
        def call(script):
            return window.run(f"client.{script}")

        def refused(script):
            return window.throws(f"client.{script}")["data"]

        me = call("self.get()")
        assert (me["internalId"], me["name"], me["fields"]) == (f"calls-{sdk}", "Ann", {"plan": "pro"}) and me["id"] != me["internalId"]
        call("self.patch({credentials: {note: 'of the shop'}})")

        assert [i["key"] for i in call("integrations.find({search: 'key', limit: 5})")["items"]] == ["keys"]
        assert {i["key"] for i in call("integrations.findAll()")} == {"drive", "keys", "both"}
        first = call("integrations.find({limit: 1})")
        rest = call(f"integrations.find({{limit: 2, cursor: {json.dumps(first['cursor'])}}})")
        assert {i["key"] for i in first["items"] + rest["items"]} == {"drive", "keys", "both"}
        keys = call("integration('keys').get()")
        assert keys["id"] == door.made["keys"]["id"] and keys.get("connection") is None
        assert call("integration({key: 'keys'}).get()")["id"] == call(f"integration({json.dumps(keys['id'])}).get()")["id"] == keys["id"]
        (option,) = keys["authOptions"]
        assert option["type"] == "client-credentials"
        schema = option["inputSchema"]
        assert schema == option["ui"]["schema"] and schema["required"] == list(schema["properties"]) == ["api_key"], schema
        assert call("integration('drive').getConnectorSpec()")["auth"]["type"] == "oauth2"
        both = call("integration('both').getConnectorSpec()")["auth"]
        assert (both["type"], both["options"]["by-key"]["type"]) == ("oauth2", "client-credentials")

        assert call("connections.find({integrationKey: 'keys'})")["items"] == []
        credential = {"credentials": {"apiKey": door.api.key}} if sdk == IA else {"input": {"apiKey": door.api.key}}
        made = call(f"connections.create({json.dumps({'name': 'Mine', 'integrationId': keys['id'], **credential})})")
        mine = sound(made, "keys", door, name="Mine", userId=me["id"])
        assert [c["id"] for c in call("connections.find({integrationKey: 'keys'})")["items"]] == [mine]
        assert call("connections.find()")["items"][0]["id"] == call("connection('keys').get()")["id"] == mine
        assert call("integration('keys').get()")["connection"]["id"] == mine
        assert refused(f"connection('{mine}').get({{includeSecrets: true}})")["key"] == "access_denied"
        assert call(f"connection('{mine}').patch({{name: 'Other'}})")["name"] == "Other"
        assert call(f"connection('{mine}').put({{name: 'Third'}})")["name"] == "Third"

        proxy = f"connection('{mine}').proxy"
        for script, wanted in (
                ("get('/a//b?x=1%2B')", ("GET", "/a//b", "x=1%2B", "")), (f"get('{door.api.url}/whole/')", ("GET", "/whole/", "", "")),
                ("post('/p', {a: 1})", ("POST", "/p", "", '{"a":1}')), ("post('/p')", ("POST", "/p", "", "")),
                ("put('/p', {a: null})", ("PUT", "/p", "", '{"a":null}')), ("patch('/p', [1])", ("PATCH", "/p", "", "[1]")),
                ("delete('/p')", ("DELETE", "/p", "", ""))):
            told = call(f"{proxy}.{script}")
            assert (told["method"], told["path"], told["query"], told["body"]) == wanted, script
            arrived = door.api.requests[-1]["headers"]
            assert not [h for h in arrived if h in ("authorization", "cookie", "origin", "membrane-api-version") or h.startswith("x-forwarded")], arrived
        assert refused(f"{proxy}.get('https://elsewhere.example/')")["type"] == "bad_request"

        missing = window.throws("client.connection('nothing').get()")
        assert missing["data"]["key"] == "not_found" and "BadRequest" in missing["name"], missing
        assert refused("customers.find({})")["key"] == "access_denied"
        if sdk == IA:
            call("integration('keys').disconnect()")
        else:
            call(f"connection('{mine}').archive()")
        gone = call(f"connection('{mine}').get()")
        assert gone["archivedAt"] and gone["disconnected"]
        assert call("connections.find({})")["items"] == []
        assert [c["id"] for c in call("connections.find({includeArchived: true})")["items"]] == [mine]
        assert refused(f"{proxy}.get('/p')")["type"] in ("bad_request", "connection")

        door.sign_in(window, sdk, door.broker.token(isAdmin=True))
        found = call("customers.find({})")["items"]
        assert me["id"] in [c["id"] for c in found] and call(f"customer('{me['id']}').get()")["internalId"] == f"calls-{sdk}"
        door.sign_in(window, sdk, door.broker.token(f"calls-{sdk}", key="x" * 64))
        stranger = window.throws("client.self.get()")
        assert stranger["data"] == {**stranger["data"], "type": "bad_request", "key": "not_authenticated"}


def test_connecting_in_a_popup(door, sdk, chromium):
    with door.shopper(chromium, sdk, f"popup-{sdk}") as window:
        connecting = window.begin(connect("drive", name="My drive"))
        popup = window.popup()
        consent(popup)
        mine = sound(connecting.value(), "drive", door, name="My drive")
        assert popup.closed()
        assert window.run(f"client.connection('{mine}').proxy.get('{door.server.me}')")["sub"] == "alice"
        assert not window.run(f"client.connection('{mine}').refreshCredentials()").get("disconnected")
        assert window.run("client.connection('drive').proxy.get('/me')")["sub"] == "alice"
        first, refreshed = door.server.access_tokens()[-2:]
        assert first != refreshed

        again = window.begin(f"client.connection('{mine}').reconnect({{}})")
        consent(window.popup(), signed_in=True)
        assert sound(again.value(), "drive", door) == mine, "reconnecting made another connection"
        assert door.server.access_tokens()[-1] != refreshed
        assert window.run("client.connection('drive').proxy.get('/me')")["sub"] == "alice"

        another = window.begin(connect("drive", allowMultipleConnections=True))
        consent(window.popup(), signed_in=True)
        other = sound(another.value(), "drive", door)
        assert other != mine and {c["id"] for c in window.run("client.connections.find()")["items"]} == {mine, other}
        assert window.throws("client.connection('drive').get()")["data"]["type"] == "bad_request", "one of two was picked"


@on_one
def test_a_denial_and_a_closed_popup(door, sdk, chromium):
    with door.shopper(chromium, sdk, f"denied-{sdk}") as window:
        denied = window.begin(connect("drive"))
        popup = window.popup()
        deny(popup)
        error = denied.thrown()
        assert error["message"] and error["data"]["type"] and error["data"]["message"], error
        assert popup.closed()
        closed = window.begin(connect("drive"))
        popup = window.popup()
        popup.see("input[name=prompt]")
        popup.close()
        assert closed.value() is None
        assert window.run("client.connections.find()")["items"] == []


@on_one
def test_a_blocked_popup(door, sdk):
    # The page connects by itself, as it loads: what a test runs in a page counts as somebody's click.
    options = json.dumps({"apiUri": door.broker.app, "token": door.broker.token("blocked")})
    page = door.shop.page(f"""<script src=/{sdk}.js></script><script>client = new {sdk}({options})
    {connect("drive")}.then((made) => JSON.stringify(made), (error) => error.message).then((told) => location = '/callback?told=' + told)</script>""")
    careful = Chromium(block_popups=True)
    try:
        with careful.window(page, door.broker) as window:
            assert "blocked" in result(window.at(door.shop.callback))["told"]
    finally:
        careful.stop()


@on_one
def test_connecting_in_the_same_window(door, sdk, chromium):
    shop = door.shop
    with door.shopper(chromium, sdk, f"same-{sdk}") as window:
        window.begin(connect("drive", sameWindow=True, redirectUri=f"{shop.callback}?page=a%20b&connectionless#end"))
        consent(window)
        address = window.at(shop.callback)
        assert address.startswith(f"{shop.callback}?page=a%20b&connectionless&connectionId=") and address.endswith("#end"), address
        window.goto(f"{shop.origin}/{sdk}")
        door.sign_in(window, sdk, door.broker.token(f"same-{sdk}"))
        (found,) = window.run("client.connections.find()")["items"]
        assert sound(found, "drive", door) in address
    with door.shopper(chromium, sdk, f"same-{sdk}-no") as window:
        window.begin(connect("drive", sameWindow=True, redirectUri=shop.callback))
        deny(window)
        got = result(window.at(shop.callback))
        assert set(got) == {"error", "errorData"} and got["error"]
        assert {"type", "message"} <= set(json.loads(got["errorData"])), got


def test_a_typed_key_in_an_unseen_frame(door, sdk, chromium):
    with door.shopper(chromium, sdk, f"frame-{sdk}") as window:
        mine = sound(window.run(by_key(door, name="Framed")), "keys", door, name="Framed")
        assert window.run(f"client.connection('{mine}').proxy.get('/p')")["path"] == "/p"
        wrong = window.throws(connect("keys", parameters={"apiKey": "not-" + door.api.key[:8]}))
        assert WRONG_KEY in json.dumps(wrong["data"]), f"the customer is not told why: {wrong}"
        none = window.throws(connect("keys"))
        assert none["data"]["type"] == "bad_request", none
        assert sound(window.run(by_key(door)), "keys", door) == mine, "connecting again made a second connection"
        chosen = window.run(connect("both", authOptionKey="by-key", parameters={"apiKey": door.api.key}))
        sound(chosen, "both", door, authOptionKey="by-key")
        assert {c["integrationId"] for c in window.run("client.connections.find()")["items"]} == {door.made[k]["id"] for k in ("keys", "both")}
        to = dict(sameWindow=True, redirectUri=door.shop.callback)
        if sdk == IA:  # keeps to the frame, and waits for what only the stream can tell
            assert sound(window.run(by_key(door, **to)), "keys", door) == mine
        else:
            window.begin(by_key(door, **to))
            assert result(window.at(door.shop.callback)) == {"connectionId": mine}


@on_one
def test_membranes_own_connect(door, chromium):
    with door.shopper(chromium, M, "own") as window:
        given = {"integrationKey": "keys", "input": {"apiKey": door.api.key}, "name": "Own"}
        sound(window.run(f"client.connect({json.dumps(given)})"), "keys", door, name="Own")


@on_one
def test_each_channel_suffices(door, sdk, chromium):
    with door.shopper(chromium, sdk, f"message-{sdk}") as window:
        window.cut("**/sse/**")
        connecting = window.begin(connect("drive"))
        consent(window.popup())
        sound(connecting.value(), "drive", door)
        (heard,) = [m for m in window.run("heard") if (m["data"] or {}).get("source") == "integration.app"]
        assert heard["origin"] == door.broker.app and heard["data"]["type"] == "newConnectionCreated"
    with door.shopper(chromium, sdk, f"stream-{sdk}") as window:
        window.before("opener = null")  # as a provider's Cross-Origin-Opener-Policy leaves a popup
        connecting = window.begin(connect("drive"))
        popup = window.popup()
        consent(popup)
        sound(connecting.value(), "drive", door)
        assert popup.closed() and window.run("heard") == []


def test_an_origin_that_is_not_allowed_hears_nothing(strict, chromium):
    door, shop, sdk = strict, strict.shop, M
    with door.shopper(chromium, sdk, f"allowed-{sdk}") as window:
        window.cut("**/sse/**")
        connecting = window.begin(connect("drive"))
        consent(window.popup())
        sound(connecting.value(), "drive", door)
        sound(window.run(by_key(door)), "keys", door)
    with door.shopper(chromium, sdk, f"elsewhere-{sdk}", origin=shop.elsewhere) as window:
        connecting = window.begin(connect("drive"))
        popup = window.popup()
        consent(popup)
        sound(connecting.value(), "drive", door)  # by the stream, which needs the request's id
        assert popup.closed() and window.run("heard") == []


def test_a_page_that_took_the_openers_place_hears_nothing(strict, chromium):
    door, shop = strict, strict.shop
    with door.shopper(chromium, IA, "left") as window:
        window.begin(connect("drive"))
        popup = window.popup()
        popup.see("input[name=login]")
        window.goto(shop.elsewhere + "/quiet")
        consent(popup)
        assert popup.closed()
        assert window.run("heard") == []
