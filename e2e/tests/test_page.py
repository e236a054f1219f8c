"""The pages that a product's customers see, in Chromium: by eye, by ear, by keyboard, without scripts, in four languages."""

import json
import time

import pytest

from harness.door import consent
from harness.gallery import CANCEL, CHECK, FRAME, GO, M, Gallery, TYPED, at, error, field
from harness.process import until
from harness.ways import enter_code

pytestmark = pytest.mark.timeout(120)
STATES = ["form", "json", "secret", "long", "error", "refused", "confirm", "device", "waiting", "success", "failure", "unknown"]
LOOKS = [{}, {"scheme": "dark"}, {"width": 320, "height": 640}]
SIDEWAYS = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
# What sticks out of the window, or of the box that it is in.
STICKS_OUT = """[...document.querySelectorAll('body *')].filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1) }).map((e) => e.outerHTML.slice(0, 120))"""
# Texts that are cut off where nobody can scroll to the rest.
CUT_OFF = """[...document.querySelectorAll('main *')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1
    && getComputedStyle(e).overflowX !== 'visible' && !['INPUT', 'TEXTAREA', 'PRE'].includes(e.tagName)).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def gallery(shop):
    running = Gallery(shop)
    yield running
    running.stop()


def quiet(window, gallery):
    """Nothing to complain of, and nobody else was asked for anything."""
    assert window.complaints("status of 4") == []
    known = {gallery.broker.app, gallery.shop.origin, gallery.server.url, gallery.devices.url, "https://fonts.googleapis.com"}
    assert set(window.heard()["origins"]) <= known


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(gallery, chromium, state):
    with at(gallery, chromium, state) as window:
        for look in LOOKS:
            window.do("look", **look)
            assert window.axe() == [], look
            assert window.run(SIDEWAYS) == 0 and window.run(STICKS_OUT) == [] and window.run(CUT_OFF) == [], look
        quiet(window, gallery)


def test_axe_finds_nothing_in_an_embed(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.embed(window)
        frame = window.frame(FRAME)
        for look in LOOKS:
            window.do("look", **look)
            assert frame.axe() == [], look
            assert frame.run(SIDEWAYS) == 0 and frame.run(STICKS_OUT) == [], look
        frame.run("document.querySelector('form').noValidate = true")
        frame.fill(field("account"), "NOT lower case")
        frame.click(GO)
        frame.see(error("account"))
        assert frame.axe() == []
        gallery.embed(window, "both", "button[name=way]")
        assert frame.axe() == []
        frame.click("button[name=way]")
        frame.see(GO)
        assert frame.axe() == []
        quiet(window, gallery)


@pytest.mark.parametrize("state", ["form", "error", "waiting", "long", "confirm"])
def test_twice_as_large(gallery, chromium, state):
    # A browser's zoom of 200 % at 1280: half as many of the page's own pixels. Then text alone twice as large as well.
    with at(gallery, chromium, state, width=640, height=400, ratio=2) as window:
        assert window.run(SIDEWAYS) == 0 and window.run(STICKS_OUT) == [] and window.run(CUT_OFF) == []
        window.run("void (document.documentElement.style.fontSize = '200%')")
        assert window.run(SIDEWAYS) == 0 and window.run(STICKS_OUT) == [] and window.run(CUT_OFF) == []


def walk_through(window, key, most=25):
    """What has the keyboard, one after another, until it leaves the page or comes back to the first."""
    passed = []
    for _ in range(most):
        window.press(key)
        now = window.focused()
        if now is None or passed and now == passed[0]:
            break
        passed.append(now)
    return passed


def test_the_keyboard_alone_fills_and_sends_a_form(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.form(window, redirectUri=gallery.shop.callback)
        passed = walk_through(window, "Tab")
        assert all(one["ring"] and one["shown"] for one in passed), passed
        names = [one["name"] for one in passed if one["name"]]
        assert names == ["credential-account", "region", "credential-plan", "credential-api_key", "credential-certificate", "decision", "decision"]
        assert [one["text"] for one in passed[-2:]] == ["Connect", "Cancel"], passed

        gallery.form(window, redirectUri=gallery.shop.callback)
        values = {"credential-account": "acme-eu", "region": "Eu", "credential-plan": "p", "credential-api_key": gallery.api.key}
        for _ in range(30):
            window.press("Tab")
            now = window.focused()
            if now["text"] == "Connect":
                break
            if now["name"] in values:
                window.type(values.pop(now["name"]))
        assert not values, f"never came to {list(values)}"
        window.press("Enter")
        assert "connectionId=" in window.at(gallery.shop.callback)


def test_the_keyboard_goes_back_the_way_it_came(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.form(window)
        there = walk_through(window, "Tab")
        window.press("Shift+Tab")
        back = [window.focused()]
        while back[-1] and back[-1] != there[0] and len(back) < 30:
            window.press("Shift+Tab")
            back.append(window.focused())
        assert back[::-1] == there, (there, back)


def test_the_keyboard_puts_right_what_was_wrong(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.refused(window)
        now = window.focused()
        assert now and now["name"] == "problems", f"nobody is led to what is wrong: {now}"
        window.press("Tab")
        assert "API key" in window.focused()["text"]
        window.press("Enter")
        now = window.focused()
        assert now["name"] == "credential-api_key" and now["ring"] and now["shown"], f"its link does not lead to the field: {now}"
        window.type(gallery.api.key)
        window.press("Enter")
        window.see("#told")


def tab(window, before):
    """Tab, and what has the keyboard then: a frame of another site is a process of its own, and hears of it a moment later."""
    window.press("Tab")
    end = time.monotonic() + 1
    while (now := window.focused()) == before and time.monotonic() < end:
        time.sleep(0.02)
    return now


def test_the_keyboard_alone_in_an_embed_with_oauth(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        window.goto(f"{gallery.shop.origin}/{M}")
        gallery.sign_in(window, M, gallery.broker.token("keyboard"))
        promised = window.begin("client.integration('drive').openNewConnection()")
        window.frame(FRAME).see(GO)
        now = window.focused()
        for _ in range(24):
            if now and now["tag"] == "button" and now["name"] == "decision" and "Drive" in now["text"]:
                break
            now = tab(window, now)
        else:
            raise AssertionError(f"the keyboard never came to the button: {now}")
        assert now["ring"] and now["shown"], now
        window.press("Space")
        popup = window.popup()
        consent(popup)
        gallery.sound(promised.value(), "drive")


LANGUAGES = {"de-AT": ("de", "Abbrechen"), "fr": ("fr", "Annuler"), "es-MX": ("es", "Cancelar"), "ja": ("en", "Cancel")}


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_it_speaks_the_browsers_language(gallery, chromium, wanted):
    language, cancel = LANGUAGES[wanted]
    with chromium.window(None, gallery.broker, language=wanted) as window:
        gallery.error(window)
        assert window.run("document.documentElement.lang") == language
        assert window.run(f"document.querySelector('{CANCEL}').innerText") == cancel
        if language != "en":
            heading, wrong = (window.run(f"document.querySelector('{one}').innerText") for one in ("h1", error("account")))
            assert "Connect " not in heading and not {"the", "is", "must", "fill"} & set(wrong.lower().split()), (heading, wrong)
            assert window.axe() == []
            window.do("look", width=320, height=640)
            assert window.run(SIDEWAYS) == 0 and window.run(STICKS_OUT) == []


def test_nothing_typed_is_lost_but_secrets(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.form(window)
        odd = ' Ünï "quoted" <b>&amp;</b> {{ 7 * 7 }} '
        window.run("document.querySelector('form').noValidate = true")
        window.fill(field("account"), odd)
        window.choose(field("region", False), "us")
        window.choose(field("plan"), "pro")
        window.fill(field("api_key"), TYPED["api_key"])
        window.fill(field("certificate"), TYPED["certificate"])
        window.click(GO)
        window.see(error("account"))
        def value(selector):
            return window.run(f"document.querySelector({json.dumps(selector)}).value")
        assert value(field("account")).strip() == odd.strip()
        assert (value(field("region", False)), value(field("plan"))) == ("us", "pro")
        assert value(field("api_key")) == value(field("certificate")) == "", "a secret came back"
        html = window.html()
        assert TYPED["api_key"] not in html and "MIIB" not in html


def test_a_document_is_chosen_as_a_file(gallery, chromium):
    where, secret_part = field("account"), "canary-private-part"
    def value():
        return window.run(f"document.querySelector('{where}').value")
    with chromium.window(None, gallery.broker) as window:
        gallery.form(window, "robots")
        document = json.dumps({"client_email": "not an address", "private_key": secret_part}, indent=2)
        window.upload("input[type=file]", "key.json", document)
        window.run(f"new Promise((r) => {{ const look = () => document.querySelector('{where}').value ? r(1) : setTimeout(look, 20); look() }})")
        assert value() == document
        window.click(GO)
        window.see(error("account"))
        assert value() == "" and secret_part not in window.html(), "a document came back into the page"
        window.fill(where, "typed")
        window.upload("input[type=file]", "huge.json", json.dumps({"a": "x" * (1 << 16)}))
        window.see("text=larger than 64 kB")
        assert value() == "typed" and window.axe() == []
        window.upload("input[type=file]", "small.json", "{}")
        window.run(f"new Promise((r) => {{ const look = () => document.querySelector('{where}').value === '{{}}' ? r(1) : setTimeout(look, 20); look() }})")
        assert "larger than" not in window.run("document.body.innerText")
        quiet(window, gallery)


def test_a_secret_is_shown_on_demand_and_hidden_again(gallery, chromium):
    with chromium.window(None, gallery.broker) as window:
        gallery.form(window, "keys")
        window.fill(field("api_key"), "not-the-key-1234")
        def kind():
            return window.run(f"document.querySelector('{field('api_key')}').type")
        assert kind() == "password"
        window.click("button[data-show]")
        assert kind() == "text" and window.axe() == []
        window.click(GO)
        window.see(error("api_key"))
        assert kind() == "password"


@pytest.mark.parametrize("how", ["typed", "oauth", "device"])
def test_without_scripts(gallery, chromium, how):
    shop, callback = gallery.shop, gallery.shop.callback
    with chromium.window(None, gallery.broker, script=False) as window:
        if how == "typed":
            gallery.form(window, "keys", redirectUri=callback)
            window.fill(field("api_key"), "not-the-key-1234")
            window.click(GO)
            window.see(error("api_key"))
            window.fill(field("api_key"), gallery.api.key)
            window.click(GO)
        elif how == "oauth":
            window.goto(gallery.start_url("ann", integrationKey="drive", redirectUri=callback))
            consent(window)
        else:
            gallery.form(window, "tv", redirectUri=callback)
            window.click(GO)
            window.see("#code")
            code = window.do("words", selector="#code code")
            enter_code(gallery.devices.url + "/device", code.replace(" ", ""))
            until("the code's end", lambda: window.url().startswith(callback) or window.click(CHECK), every=0.5)
        assert "connectionId=" in window.at(callback)


@pytest.mark.parametrize("how", ["typed", "oauth"])
def test_an_embed_without_scripts(gallery, chromium, how):
    key = {"typed": "keys", "oauth": "drive"}[how]
    customer = f"scriptless-{how}"
    url = gallery.start_url(customer, f"/embed/integrations/{key}/connect")
    page = gallery.shop.page(f"<title>Shop</title><iframe id=embed width=800 height=600 src='{url.replace('&', '&amp;')}'></iframe>", f"/{customer}")
    with chromium.window(page, gallery.broker, script=False) as window:
        frame = window.frame("#embed")
        if how == "typed":
            frame.fill(field("api_key"), "not-the-key-1234")
            frame.click(GO)
            frame.see(error("api_key"))
            frame.fill(field("api_key"), gallery.api.key)
            frame.click(GO)
        else:
            frame.click(GO)
            popup = window.popup()
            consent(popup)
            popup.see("text=connected")
            popup.close()
            frame.click("button[value=check]")
        frame.see("text=is connected")
        found = gallery.broker.rest("GET", "/connections", gallery.broker.token(customer)).json()["items"]
        assert [c["integrationId"] for c in found] == [gallery.made[key]["id"]]
