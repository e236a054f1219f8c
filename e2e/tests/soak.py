"""`make soak`: the long form of test_soak.py. At least 200 kills and 100 freezes, and 10,000 tokens at once."""

import pytest

from harness.grants import Foreign, Graceful, Introspecting, Strict
from test_soak import rush, weather


@pytest.mark.timeout(1500)
def test_three_nodes_over_postgres(capsys):
    weather(capsys, "postgres", 3, [Strict(), Introspecting(), Graceful()], 300, kills=200, freezes=100, least=100)


@pytest.mark.timeout(600)
def test_two_nodes_over_postgres(capsys):
    weather(capsys, "postgres", 2, [Strict(), Introspecting(), Graceful()], 60, kills=20, freezes=10, least=10)


@pytest.mark.timeout(600)
def test_one_process_over_sqlite(capsys):
    weather(capsys, "sqlite", 1, [Strict(), Introspecting(), Graceful()], 60, kills=10, least=5)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_provider_that_others_wrote(capsys, nodes):
    weather(capsys, "postgres", nodes, [Foreign()], 45, kills=5, least=3)


@pytest.mark.timeout(1200)
def test_ten_thousand_tokens_at_once_are_refreshed_once_each(capsys):
    rush(capsys, 10_000, through=1)
