"""Where things are."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TOOLS = BENCH / ".tools"
PROXIES = BENCH / "proxies"
RESULTS = BENCH / "results"
PAGE = ROOT / "docs/performance.md"
# What takes minutes to make and can be used again: databases with very many connections.
KEPT = TOOLS / "kept"
