"""`make soak`: the long form of test_load.py, twenty minutes or LOAD_MINUTES, and how memory grows meanwhile."""

import os

import pytest

from harness import place
from test_load import endure

MINUTES = float(os.environ.get("LOAD_MINUTES", "20"))
MOST = 1.0  # MiB that may be added in ten minutes, once a quarter of the time has passed
LATE = 0.02  # the share of good calls that may end as if the machine were too slow


@pytest.mark.timeout(60 * MINUTES + 600)
def test_memory_does_not_grow_and_nothing_is_left(capsys):
    mixed, report = endure(capsys, seconds=60 * MINUTES, warm=60, callers=24, pause=0.1)
    (place.REPORT / "load.md").write_text(report)
    assert mixed.late() < LATE, f"{mixed.late():.1%} of the good calls were too late"
    assert mixed.slope() < MOST, f"memory grows by {mixed.slope():.2f} MiB in ten minutes"
