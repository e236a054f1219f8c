"""BundleUp's own Python SDK 0.7.0, unmodified: only the base URLs are assigned, as its constants allow."""

import importlib.metadata
import json

import bundleup
import bundleup.auth
import bundleup.mcp
import bundleup.proxy
import bundleup.resources.base
import bundleup.unify.base
import pytest
import requests

from harness.claviger import returned
from harness.consent import walk
from harness.dev import Dev

CALLBACK = "http://127.0.0.1:9/callback"  # `dev` accepts loopback on any port; nobody needs to listen


@pytest.fixture(scope="module")
def dev():
    running = Dev()
    yield running
    running.stop()


@pytest.fixture
def client(dev, monkeypatch):
    app = dev.facts["app_url"]
    monkeypatch.setattr(bundleup.auth, "BASE_URL", app)
    monkeypatch.setattr(bundleup.auth.Auth, "base_url", app)
    monkeypatch.setattr(bundleup.proxy.Proxy, "base_url", dev.facts["proxy_url"])
    monkeypatch.setattr(bundleup.resources.base.Base, "base_url", app)
    monkeypatch.setattr(bundleup.unify.base.Base, "base_url", app)
    monkeypatch.setattr(bundleup.mcp.MCP, "base_url", app + "/mcp")
    assert importlib.metadata.version("bundleup-sdk") == "0.7.0"
    return bundleup.BundleUp(dev.facts["api_key"])


def connect(dev, client, **more):
    """Through the SDK's own URL, over the sandbox's consent page, back with a code."""
    url = client.auth.build_authorization_url(
        client_id=dev.facts["client_id"], integration_id="sandbox", redirect_uri=CALLBACK, **more)
    return returned(walk(dev.web(), url, CALLBACK))


def test_connect_and_call_with_every_method(dev, client):
    got = connect(dev, client, external_id="user_42", state="opaque-state")
    assert got["state"] == "opaque-state"
    connection = client.auth.get_connection_from_code(got["code"], CALLBACK)
    assert connection == {"connection_id": got["connection_id"], "external_id": "user_42", "integration_id": "sandbox"}

    proxy = client.proxy(connection["connection_id"])
    me = proxy.get(dev.facts["sample_path"])
    assert me.status_code == 200 and "alice" in me.text.lower()
    read = proxy.get("/echo/a%2Fb", params={"q": "a b", "page": "2"}, headers={"X-Trace": "t-1"})
    echo = check(read, "GET", path="/api/echo/a%2Fb")
    assert echo["query"] == "q=a+b&page=2" and echo["headers"]["x-trace"] == ["t-1"]
    check(proxy.post("/items", body={"title": "Ünïcode"}), "POST", {"title": "Ünïcode"})
    check(proxy.put("/items/1", body={"a": [1, 2]}), "PUT", {"a": [1, 2]})
    check(proxy.patch("/items/1", body={"a": None}), "PATCH", {"a": None})
    check(proxy.delete("/items/1"), "DELETE")
    check(proxy.post("/items"), "POST")


def check(answer, method, body=None, path=None):
    """The sandbox's echo tells what arrived: what the SDK sent, with nothing of ours in it."""
    assert isinstance(answer, requests.Response) and answer.status_code == 200, answer.text
    echo = answer.json()
    assert echo["method"] == method
    assert path is None or echo["path"] == path
    assert echo["headers"]["authorization"] == ["(a valid bearer token)"]
    assert not [h for h in echo["headers"] if h.startswith(("bu-", "proxy-", "x-forwarded", "forwarded", "claviger"))]
    assert echo["headers"]["content-type"] == ["application/json"]
    assert (json.loads(echo["body"]) if echo["body"] else None) == body
    assert "ck_" not in answer.text, "the API key reached the provider"
    return echo


def test_a_connection_without_an_external_id(dev, client):
    got = connect(dev, client)
    assert "external_id" not in got
    assert client.auth.get_connection_from_code(got["code"], CALLBACK)["external_id"] is None


def test_wrong_and_spent_codes_raise_the_documented_text(dev, client):
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as wrong:
        client.auth.get_connection_from_code("no-such-code", CALLBACK)
    assert "Invalid or expired authorization code" in str(wrong.value)
    got = connect(dev, client)
    assert client.auth.get_connection_from_code(got["code"], CALLBACK)
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as spent:
        client.auth.get_connection_from_code(got["code"], CALLBACK)
    assert "Invalid or expired authorization code" in str(spent.value)
    assert got["code"] not in str(spent.value)


def test_the_redirect_uri_must_be_the_one_of_the_start(dev, client):
    got = connect(dev, client)
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as other:
        client.auth.get_connection_from_code(got["code"], CALLBACK + "2")
    assert '"errors"' in str(other.value)


def test_a_wrong_key_is_refused(dev, client):
    got = connect(dev, client)
    stranger = bundleup.BundleUp("ck_" + "0" * 46)
    with pytest.raises(Exception, match=r"^Failed to get connection: 401 - "):
        stranger.auth.get_connection_from_code(got["code"], CALLBACK)
    refused = stranger.proxy(got["connection_id"]).get("/echo")
    assert refused.status_code == 401 and refused.json()["code"] == "unauthorized"
    assert client.proxy("conn_nobody").get("/echo").json()["code"] == "connection_invalid"
