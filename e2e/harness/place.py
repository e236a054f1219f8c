"""Where things are: the repository, the tools, and the folder of this run.

`private/` belongs to the tests and the test servers; `swept/` holds everything that Claviger wrote or said, and is
what the canary sweep reads.
"""

import os
import pathlib
import re
import tempfile
import threading

E2E = pathlib.Path(__file__).resolve().parent.parent
ROOT = E2E.parent
if "E2E_WORK" in os.environ:
    WORK = pathlib.Path(os.environ["E2E_WORK"])
else:  # pytest alone: a folder of its own, gone at the end
    _folder = tempfile.TemporaryDirectory(prefix="claviger-e2e.")
    WORK = pathlib.Path(_folder.name)
PRIVATE = WORK / "private"
SWEPT = WORK / "swept"
PIDS = WORK / "pids"
REPORT = E2E / "report"
BIN = pathlib.Path(os.environ.get("CLAVIGER_BIN") or ROOT / "target/debug/claviger")
for _path in (PRIVATE, SWEPT, PIDS, REPORT):
    _path.mkdir(parents=True, exist_ok=True)

# Stories run in several processes at once (pytest-xdist): which of how many this is.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

_taken = {}
_lock = threading.Lock()


def fresh(parent, name):
    """A new folder under `parent`, named after `name`; none has this name in the run, whichever process or thread asks."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    while True:
        with _lock:
            _taken[name] = _taken.get(name, 0) + 1
            folder = parent / f"{name}-{_taken[name] * WORKERS + WORKER}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:  # of stories that ran before
            pass
