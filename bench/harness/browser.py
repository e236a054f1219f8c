"""HTTP as a client and as a browser speak it, and the whole connect flow."""

import http.client
import json
from urllib.parse import parse_qs, urlencode, urlsplit

from .say import GiveUp

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CONSENT = urlencode({"account": "alice", "decision": "allow"})


class Browser:
    """One connection per origin, kept open; follows nothing by itself. A context: leaving it closes them."""

    def __init__(self):
        self.links = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.links.values():
            link.close()

    def ask(self, method, url, body=None, headers=None, want=(200,)):
        """The answer and its body; any status not in `want` is the end. The error names no query and no body of ours."""
        parts = urlsplit(url)
        link = self.links.get(parts.netloc)
        if link is None:
            link = self.links[parts.netloc] = http.client.HTTPConnection(parts.netloc, timeout=20)
        link.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers or {})
        answer = link.getresponse()
        data = answer.read()
        if answer.status not in want:
            raise GiveUp(f"{method} {parts.netloc}{parts.path} answered {answer.status}: {data[:300]!r}")
        return answer, data

    def step(self, *args):
        """Where an answer that redirects leads, and the cookie it sets."""
        answer, _ = self.ask(*args, want=(302, 303))
        return answer.getheader("Location", ""), (answer.getheader("Set-Cookie") or "").split(";")[0]


def connect(stage, number):
    """One whole flow in a browser of its own: link, consent, callback, exchange. Returns the connection's id.

    The consent page itself is not fetched: it is the sandbox's work, not Claviger's.
    """
    link = f"{stage.app}/authorize?" + urlencode({
        "client_id": stage.client_id, "integration_id": stage.integration, "redirect_uri": stage.product,
        "external_id": f"customer-{number}"})
    # A documentation address of its own, so that flows are not limited as those of one caller.
    address = f"2001:db8:{number >> 16:x}:{number & 0xffff:x}::1"
    with Browser() as browser:
        consent, cookie = browser.step("GET", link, None, {"X-Forwarded-For": address})
        callback, _ = browser.step("POST", consent, CONSENT, FORM)
        back, _ = browser.step("GET", callback, None, {"Cookie": cookie, "X-Forwarded-For": address})
        code = parameter(back, "code")
        _, data = browser.ask("POST", f"{stage.app}/connection", json.dumps({"code": code, "redirect_uri": stage.product}),
                              {"Content-Type": "application/json", "Authorization": f"Bearer {stage.api_key}"})
        return json.loads(data)["connection_id"]


def parameter(url, name):
    """A query parameter that is there once."""
    values = parse_qs(urlsplit(url).query).get(name, [])
    if len(values) != 1:
        raise GiveUp(f"a redirect to {urlsplit(url).netloc} without one `{name}`: it has {sorted(parse_qs(urlsplit(url).query))}")
    return values[0]
