"""The product's own web pages, on an origin that is not Claviger's: the vendors' SDKs, a plain form, a callback.

Nobody changes the SDKs: `dist/bundle.js` of each package is served as it was published. The same server answers at two
origins, `origin` (localhost, another site than Claviger's 127.0.0.1) and `elsewhere` (127.0.0.1), which is the wrong one.
"""

import html
import json
from urllib.parse import parse_qs, urlsplit

from . import place
from .catch import Quiet, Small

SDKS = {"MembraneClient": "@membranehq/sdk", "IntegrationAppClient": "@integration-app/sdk"}
HEAD = "<!doctype html><meta charset=utf-8><title>Shop</title><link rel=icon href=data:,>"
# What is posted to the page stays in `heard`.
QUIET = HEAD + "<script>heard = []; addEventListener('message', (e) => heard.push({origin: e.origin, data: e.data}))</script><p>The shop"
PAGES = {"/quiet": QUIET, "/callback": HEAD + "<p>back at the shop", **{f"/{sdk}": f"{QUIET}<script src=/{sdk}.js></script>" for sdk in SDKS}}


def installed(package):
    """The version of a package of node_modules."""
    return json.loads((place.E2E / "node_modules" / package / "package.json").read_text())["version"]


class Storefront(Small):
    """`/` and an SDK's name is a page with that SDK, `/quiet` one without, `/callback` where flows end."""

    def __init__(self):
        self.arrived, self.pages = [], dict(PAGES)
        outer = self

        class Handler(Quiet):
            def do_GET(self):
                path = urlsplit(self.path).path
                package = SDKS.get(path.removeprefix("/").removesuffix(".js"))
                if package and path.endswith(".js"):
                    return self.say((place.E2E / "node_modules" / package / "dist/bundle.js").read_bytes(), "text/javascript")
                if path == "/callback":
                    outer.arrived.append(self.path)
                page = outer.pages.get(path)
                self.say((page or "nothing here").encode(), "text/html", 200 if page else 404)

            def say(self, body, kind, status=200):
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)
        self.elsewhere = self.url
        self.origin = self.url.replace("127.0.0.1", "localhost")
        self.callback = self.origin + "/callback"

    def page(self, text, path="/page"):
        """Puts a page with this markup; returns its address."""
        self.pages[path] = HEAD + text
        return self.origin + path


def seed_form(app, payload):
    """The form of the seed's example, its payload as given."""
    value = html.escape(json.dumps(payload), quote=True)
    return f"""<form method="POST" action="{app}/connection-popup" enctype="application/x-www-form-urlencoded">
<input type="hidden" name="payload" value='{value}' />
<button type="submit">Connect</button>
</form>"""


def result(address):
    """The query that a flow's end added to the redirect URI: each parameter once."""
    query = parse_qs(urlsplit(address).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(v) == 1 for v in query.values()), f"a parameter twice: {sorted(query)}"
    return {k: v[0] for k, v in query.items()}
