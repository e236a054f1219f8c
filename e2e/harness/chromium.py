"""A headless Chromium that stays open for many stories, through browser/drive.mjs: windows, popups, and promises of pages.

`harness/browser.py` is for one page and a list of steps; this is for a page that opens windows and waits for them.
"""

import json
import subprocess
import threading

from . import place, secret
from .process import base_env


class Chromium:
    """One browser program. `block_popups`: as people have it, where windows open only upon a click."""

    def __init__(self, block_popups=False):
        argv = ["node", str(place.E2E / "browser/drive.mjs"), *(["--block-popups"] if block_popups else [])]
        self.complaints = open(place.fresh(place.PRIVATE, "chromium") / "err", "ab")
        self.program = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints, text=True,
                                        env=base_env(), cwd=place.E2E)
        self.pid_file = place.PIDS / str(self.program.pid)
        self.pid_file.write_text("chromium")

    def ask(self, what, **given):
        """One thing done; fails with where the window was and what it showed."""
        self.program.stdin.write(json.dumps({"do": what, **given}) + "\n")
        self.program.stdin.flush()
        patience = threading.Timer(given.get("seconds", 30) + 60, self.program.kill)
        patience.start()
        line = self.program.stdout.readline()
        patience.cancel()
        assert line, "the browser's program has ended"
        answer = json.loads(line)
        assert "failed" not in answer, f"{what} {given.get('selector') or given.get('prefix') or ''}: {answer['failed']}\n" \
            f"at {(answer.get('url') or '').split('?')[0]}\n{answer.get('text')}"
        return answer["ok"]

    def window(self, url=None, broker=None, **how):
        """A window of a new profile: no cookies. What `broker` answers in it is kept for the sweep.

        `how`: script=False, language, scheme, width, height, ratio: see browser/drive.mjs.
        """
        keep = {"keep": {"origin": broker.app, "file": str(broker.folder / "answers.txt")}} if broker else {}
        window = Window(self, self.ask("open", **keep, **{"as": how}))
        if url:
            window.goto(url)
        return window

    def stop(self):
        self.program.stdin.close()
        try:
            self.program.wait(20)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait(20)
        self.complaints.close()
        self.pid_file.unlink(missing_ok=True)


class View:
    """What can be done in a window, and in a frame of one."""

    def do(self, what, **given):
        raise NotImplementedError

    def click(self, selector):
        return self.do("click", selector=selector)

    def fill(self, selector, value):
        return self.do("fill", selector=selector, value=value)

    def choose(self, selector, value):
        """Takes an option of a list."""
        return self.do("choose", selector=selector, value=value)

    def upload(self, selector, name, text):
        """Gives a file with this text."""
        return self.do("upload", selector=selector, name=name, text=text)

    def see(self, selector):
        return self.do("see", selector=selector)

    def gone(self, selector):
        """Waits until nothing matches."""
        return self.do("gone", selector=selector)

    def count(self, selector):
        return self.do("count", selector=selector)

    def text(self):
        return self.do("text")

    def html(self):
        return self.do("html")

    def axe(self):
        """What axe finds wrong: rule, words and places."""
        return self.do("axe")["violations"]

    def begin(self, script):
        """Starts an expression in the page without waiting for it."""
        return Run(self.browser, self.do("begin", script=script))

    def run(self, script, seconds=30):
        """What an expression in the page comes to; fails where it throws."""
        return self.begin(script).value(seconds)

    def throws(self, script, seconds=30):
        """What an expression in the page throws: name, message, type, key, data, status."""
        return self.begin(script).thrown(seconds)


class Window(View):
    """A window or tab. `with` ends its whole profile, with all windows that it opened."""

    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        seen = self.do("end")
        for name, value in seen["cookies"]:
            secret.remember("session" if name == "sid" else "browser cookie", value, "Set-Cookie")
        for handle in seen["handles"]:
            secret.remember("popup handle", handle, "a redirect")
        for handle in seen["forms"]:
            secret.remember("embed handle", handle, "a form of a framed page")

    def do(self, what, **given):
        return self.browser.ask(what, **{"in": self.name}, **given)

    def goto(self, url):
        return self.do("goto", url=url)

    def at(self, prefix):
        """Waits until it is at an address that begins so; returns it whole."""
        return self.do("at", prefix=prefix)

    def url(self):
        return self.do("url")

    def close(self):
        return self.do("close")

    def closed(self):
        """Waits until it is closed."""
        return self.do("closed")

    def cut(self, pattern):
        """Requests of this profile to such addresses fail from here on."""
        return self.do("cut", pattern=pattern)

    def before(self, script):
        """Runs at the beginning of each later document of this profile."""
        return self.do("before", script=script)

    def popup(self):
        """The window that was opened next."""
        return Window(self.browser, self.browser.ask("popup", of=self.name))

    def frame(self, selector="iframe"):
        """What is in a frame of it."""
        return Frame(self, selector)

    def press(self, *keys):
        return self.do("press", keys=keys)

    def type(self, text):
        """On the keyboard, into what has it."""
        return self.do("type", text=text)

    def focused(self):
        """What has the keyboard, through frames: {tag, type, name, text, ring, shown}, or None."""
        return self.do("focused")

    def shot(self, path, whole=True):
        return self.do("shot", path=str(path), whole=whole)

    def back(self):
        return self.do("back")

    def complaints(self, *but):
        """Policies broken, errors on the console, dialogs, scripts that ran; without those that hold one of these words, and without
        what oidc-provider's own pages give cause for."""
        heard = self.heard()
        said = [f"{kind}: {what}" for kind in ("policy", "console", "dialog", "ran") for what in heard[kind]]
        return [one for one in said if not any(word in one for word in ("favicon", "fonts.googleapis.com", *but))]

    def heard(self):
        """What no page of this profile should have given cause for: policy, console, dialog, ran; and the origins asked."""
        return self.do("heard")


class Frame(View):
    """A frame of a window, by its selector there."""

    def __init__(self, window, selector):
        self.window, self.selector, self.browser = window, selector, window.browser

    def do(self, what, **given):
        return self.window.do(what, frame=self.selector, **given)


class Run:
    """An expression that a page is at."""

    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def outcome(self, seconds=30):
        return self.browser.ask("outcome", of=self.number, seconds=seconds)

    def value(self, seconds=30):
        outcome = self.outcome(seconds)
        assert "thrown" not in outcome, f"the page threw {outcome['thrown']}"
        return outcome.get("value")

    def thrown(self, seconds=30):
        outcome = self.outcome(seconds)
        assert "thrown" in outcome, f"the page threw nothing: {outcome}"
        return outcome["thrown"]
