"""A browser in 100 lines: cookies, redirects, and the forms of login and consent pages filled as a person would.

For pages that need no script. What needs a real browser is in `harness/browser.py`.
"""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

ANSWERS = {"login": "alice", "username": "alice", "password": "pw-alice"}
YES = ("allow", "login", "confirm", "continue", "approve", "yes")


class _Forms(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.select, self.area = [], None, None

    def handle_starttag(self, tag, attrs):
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.forms.append({"action": a.get("action", ""), "method": a.get("method", "get").lower(), "fields": {}, "buttons": []})
        if not self.forms:
            return
        form, name, kind = self.forms[-1], a.get("name"), a.get("type", "text" if tag == "input" else "submit").lower()
        if tag == "select":
            self.select = name
        elif tag == "option" and self.select:
            if "selected" in a or self.select not in form["fields"]:
                form["fields"][self.select] = a.get("value", "")
        elif tag == "textarea" and name:
            self.area, form["fields"][name] = name, ""
        elif tag == "button" or (tag == "input" and kind == "submit"):
            if kind == "submit":
                form["buttons"].append((name, a.get("value", "")))
        elif tag == "input" and name:
            if kind in ("radio", "checkbox"):
                if "checked" in a or (kind == "radio" and name not in form["fields"]):
                    form["fields"][name] = a.get("value", "on")
            else:
                form["fields"][name] = a.get("value", "")

    def handle_endtag(self, tag):
        if tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data):
        if self.area:
            self.forms[-1]["fields"][self.area] += data


def forms(html):
    """The forms of a page: action, method, fields as they stand, submit buttons as (name, value)."""
    parser = _Forms()
    parser.feed(html)
    return parser.forms


def submit(web, page, fill=None, press=None):
    """Submits the page's first form with a button. `press` is the wanted button's value; else the one that says yes."""
    found = [f for f in forms(page.text) if f["buttons"]]
    assert found, f"no form to submit at {page.url.split('?')[0]}: {page.status_code}\n{page.text[:2000]}"
    form = found[0]
    fields = {k: {**ANSWERS, **(fill or {})}.get(k, v) for k, v in form["fields"].items()}
    wanted = (press,) if press else YES
    named = [b for b in form["buttons"] if b[0] and b[1] in wanted]
    assert named or not press, f"no button {press!r}: {form['buttons']}"
    button = named[0] if named else form["buttons"][0]
    if button[0]:
        fields[button[0]] = button[1]
    at = urlsplit(page.url)
    headers = {"Origin": f"{at.scheme}://{at.netloc}", "Sec-Fetch-Site": "same-origin"}
    if form["method"] != "post":
        return web.get(urljoin(page.url, form["action"]), params=fields, allow_redirects=False)
    return web.post(urljoin(page.url, form["action"]), data=fields, headers=headers, allow_redirects=False)


def follow(web, response, stop):
    """Follows redirects from `response` to a page, or to the first address that starts with `stop`."""
    for _ in range(20):
        if response.status_code not in (301, 302, 303, 307, 308):
            return response, None
        target = urljoin(response.url, response.headers["Location"])
        if target.startswith(stop):
            return response, target
        response = web.get(target, allow_redirects=False)
    raise AssertionError("redirected in circles")


def walk(web, url, stop, press=None, pages=None, who="alice", fill=None):
    """Opens `url` and says yes on every page (or presses `press` where it is) until sent to `stop`; returns that address.

    Each page passed is appended to `pages`. `who` signs in at the provider; `fill` is typed into fields of these names.
    """
    response = web.get(url, allow_redirects=False)
    for _ in range(10):
        response, end = follow(web, response, stop)
        if end:
            return end
        assert response.status_code == 200, f"{response.url.split('?')[0]} answered {response.status_code}\n{response.text[:2000]}"
        if pages is not None:
            pages.append(response)
        offered = [b[1] for f in forms(response.text) for b in f["buttons"]]
        response = submit(web, response, {"login": who, "username": who, "password": f"pw-{who}", **(fill or {})}, press if press in offered else None)
    raise AssertionError("ten pages, and no end")
