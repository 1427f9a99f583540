"""Keeps what `stillwatch bench share` measured: bench/results/share.json and docs/benchmark.md.

.venv/bin/python perf/share.py --work bench/work/share
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from machine import commit, describe

from stillwatch.bench.sharing import results

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "bench" / "results" / "share.json"
PAGE = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- results: python perf/share.py -->", "<!-- end of share -->"


def row(*cells: object) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def share_of(part: int, whole: int) -> str:
    """Return a count with its share."""
    return f"{part} of {whole}" + (f" ({100 * part / whole:.0f}%)" if whole else "")


def lines(told: dict[str, Any]) -> str:
    """Return the section of docs/benchmark.md."""
    made = [
        f"{told['worlds']} worlds, {told['accounts']:,} accounts, commit "
        f"{', '.join(told['commits'])}. "
        "Each line compares the same members, alone and with the exchange.\n\n",
        row("exchange", "campaign accounts accused alone", "together", "false accusations alone",
            "together", "of honest accounts", "hypotheses tested"),
        row(*["---"] * 7),
    ]  # fmt: skip
    for name, one in told["by_exchange"].items():
        a, t = one["alone"], one["together"]
        made.append(
            row(name, share_of(a["accounts_accused"], a["accounts"]),
                share_of(t["accounts_accused"], t["accounts"]), a["false_accusations"],
                t["false_accusations"], f"{t['honest_accounts']:,}", t["tested"])
        )  # fmt: skip
    made += ["\nSlices with an accused account, by the campaign's accounts at a provider:\n\n",
             row("exchange", "accounts a slice", "slices", "alone", "together"),
             row(*["---"] * 5)]  # fmt: skip
    for name, one in told["by_exchange"].items():
        for size, counts in sorted(one["by_accounts_a_slice"].items(), key=lambda kv: int(kv[0])):
            made.append(row(name, size, counts["slices"], counts["alone"], counts["together"]))
    every = list(told["by_exchange"].values())
    total = {
        name: sum(e[name] for e in every)
        for name in ("wire_bytes", "identifiers_searched", "identifiers_found", "texts_searched",
                     "texts_found")
    }  # fmt: skip
    made.append(
        f"\nOver the wire went {total['wire_bytes']:,} bytes, searched for "
        f"{total['identifiers_searched']:,} identifiers (plain, hex, Base64, SHA-256) and for "
        f"passages of 24 characters of {total['texts_searched']:,} prompts of the campaigns: "
        f"{total['identifiers_found']} and {total['texts_found']} found.\n"
    )
    return "".join(made)


def main() -> None:
    """Keep the result and write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / "bench" / "work" / "share")
    given = parser.parse_args()
    told = results(given.work / "worlds")
    kept = {"what": "stillwatch bench share --suite standard", "commit": commit(),
            "machine": describe(), **told}  # fmt: skip
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n{lines(told)}{END}{tail}", encoding="utf-8")
    print(f"kept in {KEPT.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
