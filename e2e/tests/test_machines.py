"""OAuth 2 client credentials (RFC 6749 §4.4) at oidc-provider: a customer types a client's id and secret, and tokens are
fetched with them, and again when one has ended."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import database
from harness.claviger import Claviger
from harness.process import until
from harness.server import Machines
from harness.storefront import result

TTL = 2  # seconds that a short-lived token lives
NOWHERE = ["http://127.0.0.1:9/none"]


@pytest.fixture
def machines(database_kind, product):
    """A Claviger with one integration, at which nobody consents to anything. The server is the story's to start."""
    server, broker = Machines(), Claviger(database_kind, "machines")
    try:
        integration = {"key": "machine", "provider": "client-credentials", "name": "Machine", "scopes": ["read"],
                       "config": {"token_url": server.url + "/token", "base_url": server.url, "client_auth": "basic"}}
        document = {**broker.workspace([integration], [product.callback]), "jwt_secret": "${env:ACME_JWT}"}
        broker.apply(None, None, workspaces=[document])
        broker.serve()
        broker.server = server
        yield broker
    finally:
        broker.stop()
        server.stop()


def typed(broker, product, customer, **given):
    """What the redirect to the shop says after these were typed in: there is no page in between."""
    payload = {"integrationKey": "machine", "token": broker.token(customer), "connectionParameters": given, "redirectUri": product.callback}
    answer = broker.web().post(broker.app + "/connection-popup", data={"payload": json.dumps(payload)}, allow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"].startswith(product.callback), answer.text
    return result(answer.headers["Location"])


def call(broker, connection, token):
    return broker.rest("GET", f"/connections/{connection}/proxy{broker.server.answers}", token)


def test_a_typed_client_gets_its_own_tokens(machines, product):
    server, token = machines.server.start(NOWHERE, first_ttl=TTL), machines.token("ann")
    (option,) = machines.rest("GET", "/integrations/machine", token).json()["authOptions"]
    assert option["type"] == "client-credentials" and set(option["inputSchema"]["required"]) == {"client_id", "client_secret"}
    wrong = typed(machines, product, "ann", clientId="machine", clientSecret="wrong-" + server.machine_secret[:8])
    assert set(wrong) == {"error", "errorData"} and server.fetches() == []
    assert machines.rest("GET", "/connections", token).json()["items"] == []

    mine = typed(machines, product, "ann", clientId="machine", clientSecret=server.machine_secret)["connectionId"]

    connected_at = time.time()
    assert len(server.fetches()) == 1
    until("the first token's end", lambda: time.time() > connected_at + TTL + 0.1)
    with ThreadPoolExecutor(8) as pool:
        burst = list(pool.map(lambda _: call(machines, mine, token), range(8)))
    assert [a.status_code for a in burst] == [200] * 8 and burst[0].json() == {"client": "machine", "scope": "read"}, burst[0].text
    # Of tokens that live two seconds another may have ended on the way.
    assert 2 <= len(server.fetches()) <= 3 and len(set(server.access_tokens())) == len(server.access_tokens())
    assert all(row["basic"] for row in server.fetches())
    shown = machines.rest("GET", f"/connections/{mine}", token).text
    assert server.machine_secret not in shown and not any(t in shown for t in server.access_tokens())


def test_a_token_that_the_provider_ended_is_fetched_anew(machines, product):
    server, token = machines.server.start(NOWHERE), machines.token("bob")
    mine = typed(machines, product, "bob", clientId="machine", clientSecret=server.machine_secret)["connectionId"]
    server.revoke(server.access_tokens()[0])
    assert call(machines, mine, token).status_code == 401, "a token just fetched is not to blame"
    database.change(machines.database, "update credential set obtained_at = obtained_at - 120000")
    assert call(machines, mine, token).status_code == 200
    assert len(server.fetches()) == 2
