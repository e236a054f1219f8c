"""The pictures in docs/images/connect: `make screenshots` takes them anew. No test, and named so that no run of the tests takes it up."""

import io
import json

import pytest
from PIL import Image

from harness import place
from harness.gallery import FRAME, GO, M, Gallery, at

TO = place.ROOT / "docs/images/connect"
LARGEST = 80_000
WIDE, PHONE = {"width": 640, "height": 420}, {"width": 360, "height": 560}
DARK = {**WIDE, "scheme": "dark"}
PICTURES = {
    "form": ("form", WIDE), "form-dark": ("form", DARK), "form-phone": ("form", PHONE),
    "field-secret": ("secret", WIDE), "field-json": ("json", WIDE),
    "error": ("error", WIDE), "error-dark": ("error", DARK), "error-phone": ("error", PHONE), "refused": ("refused", WIDE),
    "confirm": ("confirm", WIDE), "confirm-dark": ("confirm", DARK),
    "device": ("device", WIDE), "waiting": ("waiting", WIDE), "waiting-dark": ("waiting", DARK), "waiting-phone": ("waiting", PHONE),
    "success": ("success", WIDE), "success-dark": ("success", DARK), "failure": ("failure", WIDE), "unknown": ("unknown", WIDE),
    "long-phone": ("long", {"width": 320, "height": 560}), "german-phone": ("error", {**PHONE, "language": "de-DE"}),
    "french": ("form", {**WIDE, "language": "fr-FR"}), "spanish-dark": ("waiting", {**DARK, "language": "es-ES"}),
}
# What a shop may look like around an iframe of ours.
SHOP = """<style>body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: #eef1f5; color: #1c2430 }
header { background: #123b5d; color: #fff; padding: 14px 20px; font-weight: 600 } main { padding: 20px }
.card { background: #fff; border-radius: 8px; padding: 14px 18px; margin: 12px 0 }</style>
<header>The shop</header><main><h1>Integrations</h1><div class=card>Kitchen</div><div class=card>Drive</div><div class=card>Keys</div></main>"""


@pytest.fixture(scope="module")
def gallery(shop):
    running = Gallery(shop, "pictures")
    yield running
    running.stop()


# A code and an address that are the same each time a picture is taken.
SETTLED = """void [['#code code', 'WDJB-MJHT'], ['#verification', 'https://livingroom.example/device']].forEach(([where, text]) => {
    const found = document.querySelector(where)
    if (found) found.innerText = text })"""


def keep(window, name):
    """Writes a picture with a palette of its own, which is a third of its size."""
    raw = place.fresh(place.PRIVATE, "picture") / "raw.png"
    window.shot(raw)
    picture = Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    assert len(out.getvalue()) <= LARGEST and picture.width <= 800, f"{name}: {len(out.getvalue())} bytes, {picture.width} wide"
    TO.mkdir(parents=True, exist_ok=True)
    (TO / f"{name}.png").write_bytes(out.getvalue())


@pytest.mark.parametrize("name", PICTURES)
def test_picture(gallery, chromium, name):
    state, how = PICTURES[name]
    with at(gallery, chromium, state, **how) as window:
        window.run(SETTLED)
        keep(window, name)


@pytest.mark.parametrize(("name", "integration", "until"), [
    ("embed", "kitchen", GO), ("embed-sign-in", "drive", GO), ("embed-chooser", "both", "button[name=way]")])
def test_in_a_shop(gallery, chromium, name, integration, until):
    page = gallery.shop.page(f"{SHOP}<script src={gallery.broker.app}/connect.js></script>")
    with chromium.window(page, gallery.broker, width=800, height=600) as window:
        given = {"token": gallery.broker.token("ann"), "integrationKey": integration, "mode": "iframe"}
        window.begin(f"Claviger.connect({json.dumps(given)})")
        window.frame("dialog iframe").see(until)
        keep(window, name)


def test_in_an_sdks_frame(gallery, chromium):
    page = gallery.shop.page(f"{SHOP}<script src=/{M}.js></script>")
    with chromium.window(page, gallery.broker, width=800, height=600) as window:
        gallery.sign_in(window, M, gallery.broker.token("ann"))
        window.begin("client.integration('drive').openNewConnection()")
        window.frame(FRAME).see(GO)
        window.run("new Promise((r) => setTimeout(r, 1200))")  # the SDK's own curtain
        keep(window, "embed-sdk")
