"""The iframe pages that both vendors' SDKs open, unmodified, on a page of a shop that the workspace allows to frame them."""

import json

import pytest

from harness.door import Door, consent, deny, login
from harness.storefront import SDKS

M, IA = SDKS
pytestmark = pytest.mark.timeout(120)
FRAME = "#__integration-app-popup"
KEY, GO, CANCEL = "#in-credential-api_key", "button.go", "button[value=cancel]"


@pytest.fixture(scope="module")
def door(shop):
    running = Door("sqlite", shop, "embed-door", settings={"allowed_origins": [shop.origin]})
    yield running
    running.stop()


def opening(integration, way, **given):
    """The call by which a page of the shop opens the iframe."""
    name = json.dumps(integration)
    if way == "ui.connect":
        return f"client.ui.connect({json.dumps({'integrationKey': integration, **given})})"
    return f"client.integration({name}).{way}({json.dumps(given)})"


WAYS = [(IA, "openNewConnection"), (M, "openNewConnection"), (M, "openNewConnectionV2"), (M, "ui.connect")]
each_way = pytest.mark.parametrize(("sdk", "way"), WAYS)
by_get_and_by_post = pytest.mark.parametrize(("sdk", "way"), [(IA, "openNewConnection"), (M, "ui.connect")])
each_sdk = pytest.mark.parametrize("sdk", SDKS)


def stands_below(frame, field, error):
    """Whether an error is next to its field, for eyes and for screen readers."""
    return frame.run(f"""(() => {{
        const field = document.querySelector({json.dumps(field)}), error = document.querySelector({json.dumps(error)});
        const gap = error.getBoundingClientRect().top - field.getBoundingClientRect().bottom;
        return field.getAttribute('aria-invalid') === 'true' && gap >= 0 && gap < 60 && error.innerText.trim().length > 5
            && (field.getAttribute('aria-describedby') || '').split(' ').includes(error.id) }})()""")


@each_way
def test_a_typed_key(door, chromium, sdk, way):
    with door.shopper(chromium, sdk, f"typed-{sdk}-{way}") as window:
        promised = window.begin(opening("keys", way, name="Framed"))
        frame = window.frame(FRAME)
        frame.fill(KEY, "not-" + door.api.key[:8])
        frame.click(GO)
        frame.see("#error-credential-api_key")
        assert stands_below(frame, KEY, "#error-credential-api_key"), frame.html()
        assert frame.run(f"document.querySelector({json.dumps(KEY)}).value") == "", "a secret came back into the page"
        assert window.run("client.connections.find()")["items"] == []
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        made = promised.value()
        mine = door.sound(made, "keys", name="Framed")
        window.gone(FRAME)
        assert window.run(f"client.connection('{mine}').proxy.get('/p')")["path"] == "/p"
        assert window.run("client.integration('keys').get()")["connection"]["id"] == mine
        assert window.complaints("422") == []  # the status that says that the key is wrong


def test_what_is_wrong_has_the_keyboard(door, chromium):
    with door.shopper(chromium, M, "focus") as window:
        window.begin(opening("keys", "openNewConnection"))
        frame = window.frame(FRAME)
        frame.fill(KEY, "not-" + door.api.key[:8])
        frame.click(GO)
        frame.see("#error-credential-api_key")
        window.run("new Promise((r) => setTimeout(r, 300))")
        assert (window.focused() or {}).get("name") == "problems", window.focused()


@each_way
def test_oauth_in_a_popup(door, chromium, sdk, way):
    with door.shopper(chromium, sdk, f"oauth-{sdk}-{way}") as window:
        promised = window.begin(opening("drive", way, name="My drive"))
        frame = window.frame(FRAME)
        frame.click(GO)
        popup = window.popup()
        consent(popup)
        mine = door.sound(promised.value(), "drive", name="My drive")
        assert popup.closed()
        window.gone(FRAME)
        assert window.run(f"client.connection('{mine}').proxy.get('{door.server.me}')")["sub"] == "alice"


@each_sdk
def test_reconnecting(door, chromium, sdk):
    with door.shopper(chromium, sdk, f"again-{sdk}") as window:
        mine = door.sound(window.run(f"client.integration('keys').connect({json.dumps({'parameters': {'apiKey': door.api.key}})})"), "keys")
        promised = window.begin(f"client.connection('{mine}').openReconnectUI()")
        frame = window.frame(FRAME)
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        assert door.sound(promised.value(), "keys") == mine, "reconnecting made another connection"
        window.gone(FRAME)

        connecting = window.begin("client.integration('drive').connect({})")
        consent(window.popup())
        drive = door.sound(connecting.value(), "drive")
        before = len(door.server.access_tokens())
        promised = window.begin(f"client.connection('{drive}').openReconnectUI()")
        window.frame(FRAME).click(GO)
        consent(window.popup(), signed_in=True)
        assert door.sound(promised.value(), "drive") == drive
        assert len(door.server.access_tokens()) == before + 1
        assert {c["id"] for c in window.run("client.connections.find()")["items"]} == {mine, drive}


@by_get_and_by_post
def test_closing_makes_nothing(door, chromium, sdk, way):
    with door.shopper(chromium, sdk, f"closed-{sdk}-{way}") as window:
        for integration in ("keys", "drive"):
            promised = window.begin(opening(integration, way))
            window.frame(FRAME).click(CANCEL)
            assert promised.value() is None
            window.gone(FRAME)
        assert window.run("client.connections.find()")["items"] == []


def test_another_try_after_a_denial_and_a_closed_popup(door, chromium):
    with door.shopper(chromium, IA, "tries") as window:
        promised = window.begin(opening("drive", "openNewConnection"))
        frame = window.frame(FRAME)
        frame.click(GO)
        popup = window.popup()
        popup.see("input[name=login]")
        popup.close()
        frame.click(GO)
        popup = window.popup()
        deny(popup)
        assert popup.closed()
        frame.click(GO)
        consent(window.popup(), signed_in=True)
        door.sound(promised.value(), "drive")
        assert len(window.run("client.connections.find()")["items"]) == 1


@by_get_and_by_post
def test_choosing_how(door, chromium, sdk, way):
    with door.shopper(chromium, sdk, f"ways-{sdk}-{way}") as window:
        promised = window.begin(opening("both", way))
        frame = window.frame(FRAME)
        frame.click("button[name=way][value=by-key]")
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        door.sound(promised.value(), "both", authOptionKey="by-key")


def test_allowing_several(door, chromium):
    with door.shopper(chromium, M, "several") as window:
        made = []
        for several in (False, False, True):
            promised = window.begin(opening("keys", "openNewConnection", allowMultipleConnections=several))
            frame = window.frame(FRAME)
            frame.fill(KEY, door.api.key)
            frame.click(GO)
            made.append(door.sound(promised.value(), "keys"))
            window.gone(FRAME)
        assert made[0] == made[1] != made[2], made


@by_get_and_by_post
def test_a_page_of_another_origin_cannot_frame_it(door, chromium, sdk, way):
    shop = door.shop
    with door.shopper(chromium, sdk, f"stranger-{sdk}-{way}", origin=shop.elsewhere) as window:
        said = window.run(f"Promise.race([{opening('keys', way)}.then(() => 'resolved'), new Promise((r) => setTimeout(r, 1500, 'nothing'))])")
        assert said == "nothing"
        assert any("frame-ancestors" in c or "frame" in c.lower() and door.broker.app in c for c in window.heard()["console"]), window.heard()
        assert window.frame(FRAME).count(KEY) == 0 and window.run("heard") == []


def test_a_stranger_around_the_shop_frames_neither(door, chromium):
    shop = door.shop
    page = shop.page(f"<iframe src='{shop.origin}/{IA}' width=900 height=600></iframe>", "/around").replace(shop.origin, shop.elsewhere)
    with chromium.window(page, door.broker) as window:
        inner = window.frame("iframe")
        inner.see("p")
        door.sign_in(inner, IA, door.broker.token("around"))
        inner.begin(opening("keys", "openNewConnection"))
        inner.see(FRAME)
        inner.run("new Promise((r) => setTimeout(r, 1000))")
        assert any("frame-ancestors" in c for c in window.heard()["console"]), window.heard()
        assert "API key" not in window.do("frames")


def test_a_forged_end_is_not_taken(door, chromium):
    """What other frames of the shop say is nothing to the page in the iframe: one says all the time that it is the page around it."""
    hostile = json.dumps([{"penpal": "synAck", "methodNames": []}, {"penpal": "reply", "id": 1, "resolution": "fulfilled"}])
    door.shop.page(f"<script>setInterval(() => {{ for (let i = 0; i < parent.length; i++) {hostile}.forEach((m) => parent[i].postMessage(m, '*')) }}, 5)"
                   "</script>", "/hostile")
    with door.shopper(chromium, M, "forged") as window:
        window.run(f"new Promise((r) => {{ const f = document.createElement('iframe'); f.src = '{door.shop.elsewhere}/hostile'; f.onload = r; "
                   "document.body.append(f) })")
        promised = window.begin(opening("drive", "openNewConnection"))
        frame = window.frame(FRAME)
        frame.see(GO)
        for message in ({"source": "integration.app", "type": "newConnectionCreated", "connection": {"id": "con_forged"}},
                        {"penpal": "reply", "id": 1, "resolution": "fulfilled"}, {"source": "claviger", "connection": {"id": "con_forged"}},
                        {"penpal": "synAck", "methodNames": ["onSuccess", "close", "handshake"]}):
            window.run(f"void document.querySelector('{FRAME}').contentWindow.postMessage({json.dumps(message)}, '*')")
        frame.see(GO)
        frame.click(GO)
        popup = window.popup()
        login(popup, "alice")
        popup.see("input[name=prompt][value=consent]")
        assert window.run("client.connections.find()")["items"] == []
        popup.click("button[type=submit]")
        made = promised.value()
        assert made["id"] != "con_forged"
        door.sound(made, "drive")
