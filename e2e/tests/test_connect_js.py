"""Our own script for a product's pages, `/connect.js`: as a plain script and as a module, in a window, in a frame, and by sending
the browser away; and what it makes of messages that are not from whom they say."""

import json
import subprocess

import pytest

from harness import place
from harness.chromium import Chromium
from harness.door import Door, consent, deny
from harness.gallery import CANCEL, GO, error, field
from harness.process import base_env
from harness.storefront import QUIET, result

pytestmark = pytest.mark.timeout(120)
KEY = field("api_key")
LOADERS = {"classic": "<script src='{app}/connect.js'></script>",
           "module": "<script type=module>import {{ connect }} from '{app}/connect.mjs'; window.Claviger = {{ connect }}</script>"}
each_loader = pytest.mark.parametrize("loader", LOADERS)
NOTHING = "new Promise((r) => setTimeout(r, 800, 'nothing'))"


@pytest.fixture(scope="module")
def door(shop):
    running = Door("sqlite", shop, "script-door", settings={"allowed_origins": [shop.origin]})
    yield running
    running.stop()


def page(door, loader="classic", head=""):
    return door.shop.page(head + LOADERS[loader].format(app=door.broker.app) + QUIET, f"/script-{loader}")


def at_shop(door, chromium, loader="classic", origin=None, head=""):
    address = page(door, loader, head).replace(door.shop.origin, origin or door.shop.origin)
    window = chromium.window(address, door.broker)
    window.run("new Promise((r) => { const look = () => window.Claviger ? r(1) : setTimeout(look, 20); look() })")
    return window


def connect(door, customer, integration, **options):
    return f"Claviger.connect({json.dumps({'token': door.broker.token(customer), 'integrationKey': integration, **options})})"


def connections(door, customer):
    return door.broker.rest("GET", "/connections", door.broker.token(customer)).json()["items"]


@each_loader
def test_in_a_window(door, chromium, loader):
    with at_shop(door, chromium, loader) as window:
        promised = window.begin(connect(door, f"popup-{loader}", "drive", name="Mine"))
        popup = window.popup()
        popup.see("input[name=login]")
        consent(popup)
        made = promised.value()
        door.sound(made, "drive", name="Mine")
        assert popup.closed()
        assert [c["id"] for c in connections(door, f"popup-{loader}")] == [made["id"]]
        assert window.complaints("422") == []


def test_a_denial_and_a_closed_window(door, chromium):
    with at_shop(door, chromium) as window:
        denied = window.begin(connect(door, "denied", "drive"))
        popup = window.popup()
        deny(popup)
        thrown = denied.thrown()
        assert thrown["message"] and thrown["data"]["type"] and thrown["data"]["message"], thrown
        assert popup.closed()
        closed = window.begin(connect(door, "denied", "drive"))
        popup = window.popup()
        popup.see("input[name=prompt]")
        popup.close()
        assert closed.value() is None
        assert connections(door, "denied") == []


def test_in_a_frame(door, chromium):
    with at_shop(door, chromium, "module") as window:
        promised = window.begin(connect(door, "frame", "keys", mode="iframe", name="Framed"))
        frame = window.frame("dialog iframe")
        frame.fill(KEY, "not-" + door.api.key[:8])
        frame.click(GO)
        frame.see(error("api_key"))
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        mine = door.sound(promised.value(), "keys", name="Framed")
        window.gone("dialog")
        again = window.begin(connect(door, "frame", None, mode="iframe", connectionId=mine))
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        assert door.sound(again.value(), "keys") == mine
        assert window.complaints("422") == []


def test_a_frame_in_a_place_of_the_pages_own_with_oauth(door, chromium):
    with at_shop(door, chromium) as window:
        window.run("void document.body.insertAdjacentHTML('beforeend', '<div id=here style=\"height:400px\"></div>')")
        promised = window.begin(connect(door, "here", "drive", mode="iframe", container="#here"))
        window.frame("#here iframe").click(GO)
        consent(window.popup())
        door.sound(promised.value(), "drive")
        window.gone("#here iframe")


def test_a_frame_is_closed_in_three_ways(door, chromium):
    with at_shop(door, chromium) as window:
        frame = window.frame("dialog iframe")
        promised = window.begin(connect(door, "closing", "keys", mode="iframe"))
        frame.click(CANCEL)
        assert promised.value() is None
        window.gone("dialog")
        promised = window.begin(connect(door, "closing", "keys", mode="iframe"))
        frame.see(KEY)
        window.run("void document.querySelector('dialog').focus()")
        window.press("Escape")
        assert promised.value() is None
        window.gone("dialog")
        window.run("void (stop = new AbortController())")
        given = {"token": door.broker.token("closing"), "integrationKey": "keys", "mode": "iframe"}
        promised = window.begin(f"Claviger.connect({{...{json.dumps(given)}, signal: stop.signal}})")
        frame.see(KEY)
        window.run("stop.abort(new Error('enough'))")
        assert promised.thrown()["message"] == "enough"
        window.gone("dialog")
        assert connections(door, "closing") == []


def test_a_policy_of_the_shops_own_is_enough(door, chromium):
    app = door.broker.app
    policy = f"default-src 'none'; script-src {app} 'sha256-none'; frame-src {app}; connect-src {app}; form-action {app}; img-src data:"
    address = door.shop.page(f'<meta http-equiv=Content-Security-Policy content="{policy}"><script src={app}/connect.js></script>', "/strict")
    with chromium.window(address, door.broker) as window:
        promised = window.begin(connect(door, "policy", "keys", mode="iframe"))
        frame = window.frame("dialog iframe")
        frame.fill(KEY, door.api.key)
        frame.click(GO)
        door.sound(promised.value(), "keys")
        assert window.complaints("422") == []


def test_where_windows_are_blocked_the_browser_is_sent_there_and_back(door):
    careful = Chromium(block_popups=True)
    shop = door.shop
    try:
        # The page connects by itself, as it loads: what a test runs in a page counts as somebody's click.
        def on_load(options):
            then = ".catch((error) => location = '/callback?told=' + error.data.key)"
            script = f"<script>{connect(door, 'blocked', 'drive', **options)}{then}</script>"
            return shop.page("<p>The shop" + LOADERS["classic"].format(app=door.broker.app) + script)

        with careful.window(on_load({"redirectUri": shop.callback}), door.broker) as window:
            consent(window)
            got = result(window.at(shop.callback))
            assert [got] == [{"connectionId": made["id"]} for made in connections(door, "blocked")]
        with careful.window(on_load({}), door.broker) as window:
            assert result(window.at(shop.callback)) == {"told": "popup_blocked"}
    finally:
        careful.stop()


def test_being_sent_there_and_back(door, chromium):
    with at_shop(door, chromium) as window:
        window.begin(connect(door, "away", "drive", mode="redirect", redirectUri=door.shop.callback))
        deny(window)
        assert set(result(window.at(door.shop.callback))) == {"error", "errorData"}


def forged(request_id=None, **more):
    return json.dumps({"source": "integration.app", "requestId": request_id, "type": "newConnectionCreated",
                       "connection": {"id": "con_forged"}, **more})


# A page that says to all who might listen that it is done: to the page around it, and to the one that opened it.
def forger(message):
    return f"<p>forger<script>for (const w of [parent, opener]) if (w && w !== self) for (const m of {message}) w.postMessage(m, '*')</script>"


def framed(address):
    """Puts a frame into the page."""
    return f"new Promise((r) => {{ const f = document.createElement('iframe'); f.src = '{address}'; f.onload = r; document.body.append(f) }})"


def test_forged_messages_to_a_page_with_a_window(door, chromium):
    shop = door.shop
    with at_shop(door, chromium) as window:
        promised = window.begin(connect(door, "forged", "drive"))
        popup = window.popup()
        popup.see("input[name=login]")
        request_id = popup.run("window.name").removeprefix("claviger-")
        assert len(request_id) == 32
        message = forged(request_id)
        window.run(f"void window.postMessage({message}, '*')")
        shop.page(forger(f"[{message}]"), "/forger")
        for address in (f"{shop.elsewhere}/forger", f"{shop.origin}/forger", f"{door.broker.app}/healthz"):
            window.run(framed(address))
        window.frame(f"iframe[src='{door.broker.app}/healthz']").run(f"void parent.postMessage({message}, '*')")
        window.run(f"void document.querySelector('iframe').contentWindow.postMessage({message}, '*')")
        # The window itself, led elsewhere: whence it came does not count.
        address = popup.url()
        for place_ in (f"{shop.elsewhere}/forger", f"{shop.origin}/forger"):
            popup.goto(place_)
        window.run(NOTHING)
        heard = window.run("heard.filter((m) => m.data.connection).map((m) => m.origin)")
        assert len(heard) >= 4 and door.broker.app in heard, f"the forgeries never arrived: {heard}"
        assert connections(door, "forged") == []
        popup.goto(address)
        consent(popup)
        made = promised.value()
        assert made["id"] != "con_forged"
        door.sound(made, "drive")


def test_forged_messages_to_a_page_with_a_frame(door, chromium):
    shop = door.shop
    calls = [{"penpal": "syn"}, {"penpal": "call", "id": 1, "methodName": "onSuccess", "args": [{"id": "con_forged"}]},
             {"penpal": "call", "id": 2, "methodName": "close", "args": []}]
    shop.page(forger(json.dumps(calls)), "/forger")
    with at_shop(door, chromium) as window:
        promised = window.begin(connect(door, "framed", "keys", mode="iframe"))
        frame = window.frame("dialog iframe")
        frame.see(KEY)
        for address in (f"{shop.elsewhere}/forger", f"{shop.origin}/forger"):
            window.run(framed(address))
        for call in calls:
            window.run(f"void window.postMessage({json.dumps(call)}, '*')")
        window.run(NOTHING)
        frame.see(KEY)
        # The frame itself, led to another site.
        window.run(f"void (document.querySelector('dialog iframe').src = '{shop.elsewhere}/forger')")
        frame.see("text=forger")
        window.run(NOTHING)
        assert len(window.run("heard.filter((m) => m.data.penpal === 'call')")) >= 6, "the forgeries never arrived"
        window.run("void document.querySelector('dialog').close()")
        assert promised.value() is None
        assert connections(door, "framed") == []


def test_a_page_of_another_origin_is_told_nothing(door, chromium):
    shop = door.shop
    with at_shop(door, chromium, origin=shop.elsewhere) as window:
        window.cut("**/sse/**")
        promised = window.begin(connect(door, "stranger", "drive"))
        popup = window.popup()
        consent(popup)
        assert popup.closed()
        assert promised.value() is None and window.run("heard") == []
        said = window.run(f"Promise.race([{connect(door, 'stranger', 'keys', mode='iframe')}, {NOTHING}])")
        assert said == "nothing" and window.frame("dialog iframe").count(KEY) == 0
        assert any("frame-ancestors" in c for c in window.heard()["console"]), window.heard()


def test_a_hostile_opener_hears_nothing(door, chromium):
    """A page opens the shop's page, which connects: what is told goes to the shop's alone."""
    shop = door.shop
    with chromium.window(f"{shop.elsewhere}/quiet", door.broker) as hostile:
        hostile.run(f"void (victim = window.open('{page(door)}'))")
        victim = hostile.popup()
        victim.see("script")
        victim.run("new Promise((r) => { const look = () => window.Claviger ? r(1) : setTimeout(look, 20); look() })")
        promised = victim.begin(connect(door, "victim", "drive"))
        popup = hostile.popup()
        popup.see("input[name=login]")
        hostile.run(f"void victim.postMessage({forged()}, '*')")
        hostile.run(f"void victim.postMessage({forged(popup.run('window.name').removeprefix('claviger-'))}, '*')")
        consent(popup)
        assert promised.value()["id"] != "con_forged"
        assert hostile.run("heard") == []


def test_no_token_in_an_address(door, chromium):
    with at_shop(door, chromium) as window:
        promised = window.begin(connect(door, "addresses", "keys", mode="iframe"))
        frame = window.frame("dialog iframe")
        frame.see(KEY)
        addresses = [frame.run("location.href")]
        frame.click(CANCEL)
        assert promised.value() is None
        window.begin(connect(door, "addresses", "keys"))
        popup = window.popup()
        popup.see(KEY)
        addresses.append(popup.url())
        assert all(a.startswith(door.broker.app) and "eyJ" not in a for a in addresses), addresses


GOOD = """import { connect, type Connection, type ConnectError } from "./connect";
const made: Promise<Connection | null> = connect({ token: "t", integrationKey: "crm" });
void connect({ token: async () => "t", connectionId: "con_1", mode: "iframe", container: document.body, title: "Connect" });
void connect({ token: "t", integrationId: "int_1", mode: "redirect", redirectUri: true, parameters: { subdomain: "acme" } });
void window.Claviger.connect({ token: "t", integrationKey: "crm", redirectUri: "https://shop.example/", signal: new AbortController().signal });
void made.then((connection) => connection?.id.toUpperCase(), (error: ConnectError) => error.data.type);
// @ts-expect-error the token is missing
void connect({ integrationKey: "crm" });
// @ts-expect-error nothing to connect
void connect({ token: "t" });
// @ts-expect-error there is no such way
void connect({ token: "t", integrationKey: "crm", mode: "window" });
// @ts-expect-error nowhere to come back to
void connect({ token: "t", integrationKey: "crm", mode: "redirect" });
// @ts-expect-error it may be null
void made.then((connection) => connection.id);
"""


def test_its_types(door, tmp_path):
    (tmp_path / "connect.d.ts").write_text(door.broker.web().get(door.broker.app + "/connect.d.ts").text)
    argv = ["node", str(place.E2E / "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--target", "es2022", "--module", "es2022",
            "--moduleResolution", "bundler", "page.ts"]

    def checked(text):
        (tmp_path / "page.ts").write_text(text)
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=base_env(), stdin=subprocess.DEVNULL)

    done = checked(GOOD)
    assert done.returncode == 0, done.stdout
    wrong = checked(GOOD.replace("made: Promise<Connection | null>", "made: Promise<Connection>"))
    assert wrong.returncode and "null" in wrong.stdout, wrong.stdout
