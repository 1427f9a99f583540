"""Long runs about detection; each makes one JSON file a world and goes on where it was stopped.

    python perf/detection.py alpha --worlds 500        # any accusation in worlds without campaigns
    python perf/detection.py prevalence --worlds 100   # floor ≤ truth ≤ bound
    python perf/detection.py ablation --worlds 4       # recall without each signal
    python perf/detection.py mmd --worlds 3            # window MMD beside its published figure
    python perf/detection.py alpha --report            # keeps bench/results/detect-alpha.json
    python perf/detection.py alone --worlds 1          # stillwatch alone, a seed of each world
    python perf/detection.py detect --report           # keeps what `stillwatch bench detect` made

The result holds the number of worlds that were made.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from machine import commit, describe

from stillwatch.bench import ablation, alpha, mmd_check, prevalence, results_of, suite
from stillwatch.bench.harness import run_alone
from stillwatch.bench.page import (
    ablation_lines,
    alone_lines,
    alpha_lines,
    coverage_lines,
    mmd_lines,
    tables_of,
)

PAGE = Path(__file__).parents[1] / "docs" / "benchmark.md"
BEGIN, END = "<!-- results: python perf/detection.py {name} --report -->", "<!-- end of {name} -->"
RESULTS = Path(__file__).parents[1] / "bench" / "results"
WHAT = {
    "alpha": "worlds of about 3,000 accounts without campaigns, by drift: any accusation",
    "prevalence": "small worlds of random campaigns: detected ≤ truth ≤ not excluded",
    "ablation": "recall at the default alpha, with everything and without each signal",
    "alone": "suite standard, stillwatch alone",
    "detect": "suite standard of `stillwatch bench detect`",
    "mmd": "window MMD, the protocol of arXiv 2606.05725 on this project's worlds",
}
KEPT = {
    "alpha": "detect-alpha.json", "alone": "detect-alone.json",
    "prevalence": "detect-prevalence.json",
    "ablation": "detect-ablation.json", "detect": "detect-standard.json", "mmd": "detect-mmd.json",
}  # fmt: skip


TABLES = {
    "detect": tables_of, "alone": alone_lines, "alpha": alpha_lines, "prevalence": coverage_lines,
    "ablation": ablation_lines, "mmd": mmd_lines,
}  # fmt: skip


def make(name: str, worlds: int, world: str, work: Path) -> None:
    if name == "alpha":
        alpha.benign_worlds(worlds, work)
    elif name == "prevalence":
        prevalence.prevalence_worlds(worlds, work)
    elif name == "ablation":
        ablation.ablation_worlds(world, worlds, work)
    elif name == "alone":
        run_alone(suite("standard"), worlds, work)
    elif name == "detect":
        raise SystemExit("stillwatch bench detect --suite standard --out bench/work/detect")
    else:
        mmd_check.check_worlds(world, worlds, work)


def read(name: str, work: Path, made_at: str) -> dict[str, Any]:
    """Return the result of what is there, and put its tables into docs/benchmark.md."""
    readers = {
        "detect": results_of, "alone": results_of,
        "alpha": alpha.read_bound, "prevalence": prevalence.read_coverage,
        "ablation": ablation.read_ablation, "mmd": mmd_check.read_check,
    }  # fmt: skip
    result = readers[name](work)
    text = PAGE.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name=name), END.format(name=name)
    if begin in text:
        before, rest = text.split(begin, 1)
        tables = f"{begin}\n\nCommit {made_at}.\n\n{TABLES[name](result)}\n{end}"
        PAGE.write_text(before + tables + rest.split(end, 1)[1], encoding="utf-8")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=sorted(WHAT))
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--world", default="demo")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--commit", help="of the records, where the tree has moved on since")
    asked = parser.parse_args()
    work = asked.work or Path("bench/work") / asked.name
    work.mkdir(parents=True, exist_ok=True)
    if not asked.report:
        make(asked.name, asked.worlds, asked.world, work)
        return
    if not any(work.rglob("*.json")):
        raise SystemExit(f"no records under {work}: what is kept stays as it is. Make some first")
    made_at = asked.commit or commit()
    result = {
        "what": WHAT[asked.name], "command": f"make bench-{asked.name}", "commit": made_at,
        **read(asked.name, work, made_at), "machine": describe(),
    }  # fmt: skip
    (RESULTS / KEPT[asked.name]).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
