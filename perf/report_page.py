"""How large a report of 50 campaigns is, how long writing and opening it takes.

    python perf/report_page.py [--runs 9] [--chromium /usr/bin/chromium]

The run directory is the made-up one of the report's tests (50 campaigns of 30 to 233 accounts).
Opening is from navigation until the page is laid out and painted, in Chromium at 1280 × 900, each
time in a new context. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from machine import describe
from playwright.sync_api import sync_playwright

from stillwatch.report import write_report

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
PAINTED = (
    "() => new Promise(r => requestAnimationFrame(() => setTimeout(() => r(performance.now()))))"
)


def build(folder: Path) -> Path:
    """Write the run directory of the test world with 50 campaigns."""
    sys.path.insert(0, str(FIXTURES))
    return Path(importlib.import_module("run_builder").write_run(folder, "many"))


def open_times(page: Path, chromium: str, runs: int) -> list[float]:
    """Return the milliseconds of some openings."""
    times = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(runs):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            tab.goto(page.as_uri())
            times.append(float(tab.evaluate(PAINTED)))
            context.close()
        browser.close()
    return times


def main() -> None:
    """Build, write, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = build(Path(folder))
        began = time.perf_counter()
        page = write_report(run)
        wrote = time.perf_counter() - began
        times = open_times(page, wanted.chromium, wanted.runs)
        size = page.stat().st_size
    result = {
        "benchmark": "report_page",
        "machine": describe(),
        "campaigns": 50,
        "bytes": size,
        "write_s": round(wrote, 2),
        "open_ms": {"median": round(statistics.median(times)), "highest": round(max(times))},
        "runs": wanted.runs,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
