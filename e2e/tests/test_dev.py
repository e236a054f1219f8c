"""`make dev` in a fresh clone: open the link, consent, run the printed `curl`, get the account's data."""

import os
import stat
import subprocess

import pytest

from harness import browser
from harness.claviger import returned
from harness.consent import walk
from harness.dev import Dev
from harness.process import base_env

ALLOW = "button[name=decision][value=allow]"


@pytest.fixture
def dev(request):
    running = Dev(plain=getattr(request, "param", False))
    yield running
    running.stop()


def bash(line, **env):
    done = subprocess.run(["bash", "-c", line], env=base_env(**env), capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_open_consent_and_run_the_printed_curl(dev):
    facts = dev.facts
    end = browser.browse(dev.connect_url, [
        browser.see(ALLOW), browser.shot("consent.png"), browser.click(ALLOW), browser.at(dev.redirect_uri),
        browser.shot("landing.png"), browser.save(dev.folder / "landing.html")])
    connection = returned(end["url"])["connection_id"]
    assert connection in end["text"]
    assert facts["api_key"] not in end["html"], "the page shows the key itself"
    assert not [c for c in end["complaints"] if c.startswith(dev.app) and "favicon" not in c]
    lines = [c.strip() for c in end["code"] if c.strip().startswith("curl")]
    assert lines and "$CLAVIGER_API_KEY" in lines[0], end["text"]

    assert "alice" in bash(lines[0], CLAVIGER_API_KEY=facts["api_key"]).lower()
    sample = dev.web().get(facts["proxy_url"] + facts["sample_path"], headers={
        "Authorization": f"Bearer {facts['api_key']}", "BU-Connection-Id": connection})
    assert sample.status_code == 200 and "alice" in sample.text.lower()
    refused = dev.web().get(facts["proxy_url"] + facts["sample_path"], headers={
        "Authorization": "Bearer ck_" + "0" * 46, "BU-Connection-Id": connection})
    assert refused.status_code == 401 and refused.json()["code"] == "unauthorized"


@pytest.mark.timeout(1200)  # `make dev` may have to build
@pytest.mark.parametrize("dev", [True], indirect=True, ids=["make"])
def test_the_terminal_prints_the_full_curl_line(dev):
    web = dev.web()
    landing = web.get(walk(web, dev.connect_url, dev.redirect_uri))
    assert landing.status_code == 200 and "$CLAVIGER_API_KEY" in landing.text
    line = dev.line(r"(?m)^\s*(curl (?:.*\\\n)*.*)$")
    assert "$CLAVIGER_API_KEY" not in line and "ck_" in line
    assert "alice" in bash(line).lower()


def test_a_second_start_keeps_the_keys_and_the_connections(dev):
    kept = dev.state / "dev.json"
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    web = dev.web()
    got = returned(walk(web, dev.connect_url, dev.redirect_uri))
    assert dev.stop() == 0, dev.process.said()
    again = Dev(folder=dev.folder)
    try:
        for name in ("client_id", "api_key", "workspace_key", "workspace_secret", "admin"):
            assert again.facts[name] == dev.facts[name], name
        # The sandbox forgets its tokens when it ends, so the call fails at the provider: the connection is still known.
        answer = again.web().get(again.facts["proxy_url"] + again.facts["sample_path"], headers={
            "Authorization": f"Bearer {again.facts['api_key']}", "BU-Connection-Id": got["connection_id"]})
        assert "connection_invalid" not in answer.text
    finally:
        again.stop()
