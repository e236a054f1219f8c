"""Headless Chromium, through browser/walk.mjs: one call opens a page, takes steps, and tells where it ended."""

import json
import subprocess

from . import place
from .process import base_env


def browse(url, steps, patience=30):
    """Returns {url, text, code, html, title, calls, complaints}; fails with the page's text when a step did not work."""
    plan = json.dumps({"url": url, "steps": steps, "patience": patience * 1000})
    done = subprocess.run(["node", str(place.E2E / "browser/walk.mjs"), plan], stdin=subprocess.DEVNULL, env=base_env(),
                          capture_output=True, text=True, timeout=patience * 3 + 60, cwd=place.E2E)
    last = (done.stdout.strip().splitlines() or ["{}"])[-1]
    result = json.loads(last)
    assert done.returncode == 0 and "failed" not in result, f"{result}\n{done.stderr[-3000:]}"
    return result


def click(selector):
    return {"do": "click", "selector": selector}


def fill(selector, value):
    return {"do": "fill", "selector": selector, "value": value}


def see(selector):
    return {"do": "see", "selector": selector}


def at(prefix):
    return {"do": "at", "prefix": prefix}


def shot(name):
    """A screenshot into e2e/report."""
    return {"do": "shot", "path": str(place.REPORT / name)}


def save(path):
    return {"do": "save", "path": str(path)}


def go(url):
    """To another page; its status is the next of `calls`."""
    return {"do": "go", "url": url}


def call(method, path, body=None):
    """A fetch by the page itself, with its cookies; the answer is the next of `calls`: {path, status, text}."""
    step = {"do": "call", "method": method, "path": path}
    return step if body is None else {**step, "body": body}
