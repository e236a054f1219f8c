"""BundleUp's own Python SDK 0.7.0, unmodified: only the base URLs are assigned, as its constants allow. All of it but
unify and MCP, on both databases; the provider is the sandbox, whose API echoes what arrived."""

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

from harness import database, secret
from harness.claviger import CLIENT_ID, Claviger, returned
from harness.consent import walk
from harness.server import Sandbox

CALLBACK = "http://127.0.0.1:9/callback"  # registered; nobody needs to listen


class Served:
    """`claviger serve` with one integration at the sandbox."""

    def __init__(self, kind):
        self.broker, self.sandbox = Claviger(kind, "sdk"), Sandbox()
        self.sandbox.start([f"{self.broker.app}/oauth2/callback/"])
        found = self.broker.apply([self.sandbox.integration()], [CALLBACK], {"IDP_SECRET": self.sandbox.client_secret})
        self.integration = found[CLIENT_ID]["integrations"][0]["id"]
        self.broker.serve()

    def stop(self):
        self.broker.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module", params=database.KINDS)
def served(request):
    running = Served(request.param)
    yield running
    running.stop()


@pytest.fixture
def client(served, monkeypatch):
    app = served.broker.app
    monkeypatch.setattr(bundleup.auth, "BASE_URL", app)
    monkeypatch.setattr(bundleup.auth.Auth, "base_url", app)
    monkeypatch.setattr(bundleup.proxy.Proxy, "base_url", served.broker.proxy)
    monkeypatch.setattr(bundleup.resources.base.Base, "base_url", app)
    monkeypatch.setattr(bundleup.unify.base.Base, "base_url", app)
    monkeypatch.setattr(bundleup.mcp.MCP, "base_url", app + "/mcp")
    assert importlib.metadata.version("bundleup-sdk") == "0.7.0"
    return bundleup.BundleUp(served.broker.api_key)


def connect(served, client, **more):
    """Through the SDK's own URL, over the sandbox's consent page, back with a code."""
    url = client.auth.build_authorization_url(
        client_id=CLIENT_ID, integration_id="sandbox", redirect_uri=CALLBACK, **more)
    return returned(walk(served.broker.web(), url, CALLBACK))


def test_connect_and_call_with_every_method(served, client):
    got = connect(served, client, external_id="user_42", state="opaque-state")
    assert got["state"] == "opaque-state"
    connection = client.auth.get_connection_from_code(got["code"], CALLBACK)
    assert connection == {"connection_id": got["connection_id"], "external_id": "user_42", "integration_id": "sandbox"}

    proxy = client.proxy(connection["connection_id"])
    me = proxy.get("/me")
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


def test_a_connection_without_an_external_id(served, client):
    got = connect(served, client)
    assert "external_id" not in got
    assert client.auth.get_connection_from_code(got["code"], CALLBACK)["external_id"] is None


def test_wrong_and_spent_codes_raise_the_documented_text(served, client):
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as wrong:
        client.auth.get_connection_from_code("no-such-code", CALLBACK)
    assert "Invalid or expired authorization code" in str(wrong.value)
    got = connect(served, client)
    assert client.auth.get_connection_from_code(got["code"], CALLBACK)
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as spent:
        client.auth.get_connection_from_code(got["code"], CALLBACK)
    assert "Invalid or expired authorization code" in str(spent.value)
    assert got["code"] not in str(spent.value)


def test_the_redirect_uri_must_be_the_one_of_the_start(served, client):
    got = connect(served, client)
    with pytest.raises(Exception, match=r"^Failed to get connection: 400 - ") as other:
        client.auth.get_connection_from_code(got["code"], CALLBACK + "2")
    assert '"errors"' in str(other.value)


def test_a_wrong_key_is_refused(served, client):
    got = connect(served, client)
    stranger = bundleup.BundleUp("ck_" + "0" * 46)
    with pytest.raises(Exception, match=r"^Failed to get connection: 401 - "):
        stranger.auth.get_connection_from_code(got["code"], CALLBACK)
    refused = stranger.proxy(got["connection_id"]).get("/echo")
    assert refused.status_code == 401 and refused.json()["code"] == "unauthorized"
    assert client.proxy("conn_nobody").get("/echo").json()["code"] == "connection_invalid"


def connected(served, client, **more):
    return client.auth.get_connection_from_code(connect(served, client, **more)["code"], CALLBACK)["connection_id"]


def test_connections_are_listed_read_and_deleted(served, client):
    mine, other = connected(served, client, external_id="lists-1"), connected(served, client, external_id="lists-2")
    found = client.connection.list({"external_id": "lists-1"})["data"]
    assert [c["id"] for c in found] == [mine]
    for name, camel, value in (("external_id", "externalId", "lists-1"), ("integration_id", "integrationId", served.integration),
                               ("is_valid", "isValid", True)):
        assert found[0][name] == found[0][camel] == value
    assert not [k for k in found[0] if "token" in k.lower()], "a token field"
    assert client.connection.retrieve(mine) == found[0]
    newest = client.connection.list({"limit": 1, "integration_identifier": "sandbox", "active": True})["data"]
    assert [c["id"] for c in newest] == [other]
    assert [c["id"] for c in client.connection.list({"limit": 1, "offset": 1})["data"]] == [mine]

    assert client.connection.delete(mine) is None
    with pytest.raises(Exception, match="^Failed to retrieve connections: 404$"):
        client.connection.retrieve(mine)
    with pytest.raises(Exception, match="^Failed to delete connections: 404$"):
        client.connection.delete(mine)
    assert client.proxy(mine).get("/me").json()["code"] == "connection_invalid"
    assert client.proxy(other).get("/me").status_code == 200
    assert client.connection.list({"external_id": "lists-1"}) == {"data": []}


def test_wrong_paging_raises(served, client):
    for wrong in ({"limit": 0}, {"limit": 101}, {"limit": "many"}, {"offset": -1}):
        with pytest.raises(Exception, match="^Failed to fetch connections: 400$"):
            client.connection.list(wrong)


def test_integrations_are_listed_and_read(served, client):
    found = client.integration.list({"limit": 100, "status": "active"})["data"]
    assert [i["identifier"] for i in found] == ["sandbox"]
    one = client.integration.retrieve(served.integration)
    assert one == found[0] == client.integration.retrieve("sandbox")
    assert {"id", "identifier", "name", "category", "created_at", "createdAt", "updated_at", "updatedAt"} <= set(one)
    assert one["auth_type"] == "oauth2" and served.sandbox.client_secret not in json.dumps(one)
    with pytest.raises(Exception, match="^Failed to retrieve integrations: 404$"):
        client.integration.retrieve("nothing")


def test_webhooks_are_made_read_changed_and_deleted(served, client):
    made = client.webhook.create({"name": "main", "url": "https://hooks.example/in", "events": {"connection.created": True}})
    hook, shown = made["id"], secret.remember("webhook secret", made.pop("secret"), "the SDK")
    assert shown.startswith("whsec_")
    everything = ("connection.created", "connection.updated", "connection.deleted", "connection.expired", "connection.expiring",
                  "webhook.disabled")
    assert made["events"] == {**dict.fromkeys(everything, False), "connection.created": True}
    assert client.webhook.retrieve(hook) == made
    assert hook in [w["id"] for w in client.webhook.list({"limit": 50})["data"]]

    changed = client.webhook.update(hook, {"events": ["connection.created", "connection.deleted"]})
    assert [name for name, on in changed["events"].items() if on] == ["connection.created", "connection.deleted"]
    assert (changed["name"], changed["url"]) == ("main", "https://hooks.example/in"), "what was not named stays"
    assert client.webhook.update(hook, {"status": "inactive"})["status"] == "inactive"
    assert "secret" not in client.webhook.retrieve(hook) and shown not in json.dumps(client.webhook.list())
    with pytest.raises(Exception, match="^Failed to create webhooks: 400$"):
        client.webhook.create({"name": "bad", "url": "not a url", "events": ["connection.created"]})

    assert client.webhook.delete(hook) is None
    with pytest.raises(Exception, match="^Failed to retrieve webhooks: 404$"):
        client.webhook.retrieve(hook)


def test_a_wrong_key_manages_nothing(served, client):
    stranger = bundleup.BundleUp("ck_" + "0" * 46)
    for resource in (stranger.connection, stranger.integration, stranger.webhook):
        with pytest.raises(Exception, match=": 401$"):
            resource.list()
