"""The bound on false accusations: benign worlds under every drift, and any accusation in them.

    python perf/alpha_bound.py --worlds 500 --work bench/work/alpha [--first 0 --step 2]
    python perf/alpha_bound.py --report --work bench/work/alpha --out bench/results/alpha-bound.json

Resumable: one JSON file a world. The result holds the number of worlds that were made.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from machine import commit, describe

from stillwatch.bench.alpha import benign_worlds, read_bound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("bench/work/alpha"))
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if not asked.report:
        benign_worlds(asked.worlds, asked.work, first=asked.first, step=asked.step)
    bound = read_bound(asked.work)
    if asked.out is not None:
        table = {
            "what": "benign worlds of about 3,000 accounts, the demo's honest people, by drift",
            "command": "make bench-alpha", "commit": commit(), **bound, "machine": describe(),
        }  # fmt: skip
        asked.out.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(bound["all"]))


if __name__ == "__main__":
    main()
