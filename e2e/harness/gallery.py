"""Every state of the pages that a product's customers see, each with the steps that lead a window there.

The stories of `tests/test_page.py` look at each, and `tests/pictures.py` takes their pictures.
"""

import contextlib
import json

from . import kitchen, place
from .door import Door, deny
from .storefront import SDKS
from .ways import Devices

M, IA = SDKS
GO, CANCEL = "button.go", "button[value=cancel]"
FRAME = "#__integration-app-popup"
CHECK = ".wait + form button"  # for whoever has no scripts
CAREFUL = "careful"
# Letters without a place to break, as some languages have them.
LONG = "Donaudampfschifffahrtsgesellschaftskapitänspatent"
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="40" height="40" rx="10" fill="#7a1fa2"/>
<path d="M12 30 20 10l8 20" fill="none" stroke="#fff" stroke-width="4"/><rect x="52" y="16" width="60" height="8" rx="4" fill="#7a1fa2"/></svg>"""
TYPED = {"account": "acme-eu", "api_key": "wrong-key-1234", "certificate": "-----BEGIN CERTIFICATE-----\nMIIB"}


def field(name, typed=True):
    """The selector of a field; those of a credential are told from other inputs."""
    return f"#in-{'credential-' if typed else ''}{name}"


def error(name, typed=True):
    return field(name, typed).replace("#in-", "#error-")


class Gallery(Door):
    """A door with a branded workspace, providers of each kind of field, one that gives device codes, and a second workspace
    that wants a confirming click."""

    def __init__(self, shop, name="gallery", files=None, brand="Acme", logo=LOGO):
        self.devices = Devices(interval=1, device_ttl=600)
        binary = kitchen.altered({"salesforce": kitchen.FORMS, "github": kitchen.DOCUMENT, "microsoft": kitchen.DEVICE, **(files or {})})
        self.logo = place.fresh(place.PRIVATE, "logo") / "logo.svg"
        self.logo.write_text(logo)
        super().__init__("sqlite", shop, name, {"DEVICE_SECRET": self.devices.client_secret}, binary, settings={
            "allowed_origins": [shop.origin]}, brand={"name": brand, "colour": "#7a1fa2", "logo": str(self.logo)})
        try:
            self.devices.start([self.broker.app + "/"])
        except BaseException:
            self.stop()
            raise

    def more(self):
        device = self.devices.integration()
        return [
            {"key": "kitchen", "provider": "salesforce", "name": "Kitchen", "config": {"base_url": self.api.url}},
            {"key": "robots", "provider": "github", "name": "Robots", "config": {
                "base_url": self.devices.url, "token_url": self.devices.url + "/oauth/token"}},
            {**device, "key": "tv", "name": "Living room", "provider": "microsoft", "client_secret": "${env:DEVICE_SECRET}"},
            {"key": "long", "provider": "apikey", "name": LONG, "config": {
                "base_url": self.api.url, "api_key": {"in": "query", "name": "api_key"}}},
        ]

    def others(self):
        careful = self.broker.workspace([{**self.server.integration(), "key": "drive", "name": "Drive"}], [self.shop.callback], CAREFUL,
                                        completion="confirm")
        return [{**careful, "name": "Careful Inc.", "jwt_secret": "${env:ACME_JWT}", "api_keys": []}]

    def stop(self):
        super().stop()
        self.devices.stop()

    # Where each state is.

    def form(self, window, integration="kitchen", **given):
        window.goto(self.start_url("ann", integrationKey=integration, **given))
        window.see(GO)

    def error(self, window):
        """What was typed is wrong in two places."""
        self.form(window)
        window.run("document.querySelector('form').noValidate = true")
        window.fill(field("account"), "NOT lower case")
        window.fill(field("api_key"), "")
        window.click(GO)
        window.see(error("account"))

    def refused(self, window):
        """The provider does not take the key."""
        self.form(window, "keys")
        window.fill(field("api_key"), "not-the-key-1234")
        window.click(GO)
        window.see(error("api_key"))

    def careful_url(self, integration, customer):
        """Where a link of the second workspace leads, for a customer of this name."""
        token = self.broker.token("ann", workspace=CAREFUL, name=customer)
        return self.start_url(token=token, integrationKey=integration)

    def confirm(self, window):
        window.goto(self.careful_url("drive", "Ann Example"))
        window.see(GO)

    def waiting(self, window):
        """A code is shown, and somebody has to enter it elsewhere."""
        self.form(window, "tv")
        window.click(GO)
        window.see("#code")

    def success(self, window):
        self.form(window, "keys")
        window.fill(field("api_key"), self.api.key)
        window.click(GO)
        window.see("#told")

    def failure(self, window):
        window.goto(self.start_url("ann", integrationKey="drive"))
        if window.url().startswith(self.broker.app):
            window.click(GO)
        deny(window)
        window.see("#failure")

    def unknown(self, window):
        """A link that leads nowhere."""
        window.goto(self.broker.app + "/connect/flow_0")
        window.see("h1")

    def embed(self, window, integration="kitchen", until=GO):
        window.goto(f"{self.shop.origin}/{M}")
        self.sign_in(window, M, self.broker.token("ann"))
        window.begin(f"client.integration({json.dumps(integration)}).openNewConnection()")
        window.frame(FRAME).see(until)

    def states(self):
        """Name → steps."""
        return {"form": self.form, "json": lambda w: self.form(w, "robots"), "secret": lambda w: self.form(w, "keys"),
                "long": lambda w: self.form(w, "long"), "error": self.error, "refused": self.refused, "confirm": self.confirm,
                "device": lambda w: self.form(w, "tv"), "waiting": self.waiting, "success": self.success, "failure": self.failure,
                "unknown": self.unknown}


@contextlib.contextmanager
def at(gallery, chromium, state, **how):
    """A window of a new profile that is in a state."""
    with chromium.window(None, gallery.broker, **how) as window:
        gallery.states()[state](window)
        yield window
