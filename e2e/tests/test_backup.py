"""A live database is copied while calls go on, and a second server lives off the copy – with the root key, not without."""

import pytest

from harness import database, place, secret
from harness.claviger import Claviger
from harness.load import Load
from harness.process import until
from harness.server import Sandbox

CONNECTIONS = 20


@pytest.fixture
def live(database_kind):
    broker, sandbox = Claviger(database_kind, "backup"), Sandbox()
    try:
        sandbox.start([f"{broker.app}/oauth2/callback/"])
        broker.apply([sandbox.integration()], ["http://127.0.0.1:9/callback"], {"IDP_SECRET": sandbox.client_secret})
        broker.serve()
        connections = [broker.bring(sandbox.grant()) for _ in range(CONNECTIONS)]
        yield broker, sandbox, connections
    finally:
        broker.stop()
        sandbox.stop()


def copy(broker):
    """A copy as operations.md says to make one; returns its URL."""
    target = broker.folder / "copy.db"
    if broker.database.startswith("sqlite"):
        assert broker.run("backup", target) == ""
        broker.run("backup", target, rc=1)
        assert "no backup was made" in broker.complaint, "over another one"
        return f"sqlite://{target}"
    broker.run("backup", target, rc=1)
    assert "pg_dump --format=custom" in broker.complaint and not target.exists()
    dump, name = place.fresh(place.PRIVATE, "dump") / "copy.dump", broker.database.rsplit("/", 1)[1]
    database.program("pg_dump", "--format=custom", f"--file={dump}", name)
    restored = database.new("postgres", place.fresh(place.SWEPT, "restored"))
    database.program("pg_restore", "--no-owner", f"--dbname={restored.rsplit('/', 1)[1]}", str(dump))
    return restored


def test_a_copy_of_a_live_database_serves(live):
    broker, sandbox, connections = live
    with Load(broker, connections) as load:
        until("calls", lambda: load.count() >= 20)
        url = copy(broker)
        calls = load.count()
        later = broker.bring(sandbox.grant())
        until("calls after it", lambda: load.count() >= calls + 20)
    load.assert_no_failure()

    second = broker.beside("backup-second")
    second.database = url
    second.run("serve", rc=1, CLAVIGER_MASTER_KEY="")
    assert "there is no master key" in second.complaint
    said = second.run("doctor", rc=1, CLAVIGER_MASTER_KEY=secret.master_key("k9"))
    assert "stored secrets that the given root keys don't open" in said
    second.serve()
    try:
        assert [second.call("GET", "/me", c).status_code for c in connections] == [200] * CONNECTIONS
        assert second.call("GET", "/me", later).json()["code"] == "connection_invalid", "it was made after the copy"
        assert sorted(c["id"] for c in second.ask("GET", "/connections", params={"limit": 100})) == sorted(connections)
    finally:
        second.stop()
