"""Measures the matching of identifiers without showing them: evaluations a second on one core.

    .venv/bin/python perf/match.py [--keep]

A holder answers batches of blinded values (the JSON message, decoding, quota and proof included);
a member makes tokens through both holders. Prints the median and range of --rounds; --keep writes
bench/results/match.json.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import commit, describe
from voprf import ristretto

from stillwatch.share.match import KeyHolder, Pinned, Quota, tokens

RESULT = Path(__file__).parents[1] / "bench" / "results" / "match.json"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
EPOCH = "2026-11"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    machine = describe()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    holders = [
        KeyHolder(role, {EPOCH: bytes([k]) * 32}, Quota(":memory:", per_day=10**9, per_epoch=10**9))
        for k, role in enumerate(("hub", "witness"))
    ]
    values = [f"+1555{k:07d}" for k in range(options.batch)]
    raw = [ristretto.Client.blind(value.encode())[1].serialize() for value in values]
    message = json.dumps(
        {"epoch": EPOCH, "blinded": [base64.b64encode(one).decode() for one in raw]}
    ).encode()
    pinned = [
        Pinned(lambda m, h=h: h.answer("m", m, now=NOW), h.public_key(EPOCH)) for h in holders
    ]
    result: dict[str, Any] = {
        "commit": commit(), "machine": machine, "batch": options.batch, "rounds": options.rounds,
        "evaluations_per_cpu_s": _rate(
            lambda: holders[0].answer("m", message, now=NOW), options.batch, options.rounds),
        "tokens_end_to_end_per_cpu_s": _rate(
            lambda: tokens("phone", values, EPOCH, hub=pinned[0], witness=pinned[1]),
            options.batch, max(3, options.rounds // 3)),
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    if options.keep:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


def _rate(work: Any, count: int, rounds: int) -> dict[str, float]:
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(count / (time.process_time() - began))
    return {"median": round(statistics.median(found)), "low": round(min(found)),
            "high": round(max(found))}  # fmt: skip


if __name__ == "__main__":
    main()
