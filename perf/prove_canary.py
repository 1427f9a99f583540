"""Canaries on a real small model, through the registry and by the commands' own functions.

    python perf/prove_canary.py --work DIR --data DIR --out FILE [--pieces N]

For every seed of `SEEDS`, in order: plan and what is planted are registered, then two suspects
(1 % of the data from the campaign; a control of the same size) with their base; then they are
taught and asked, and each is scored once by log-probabilities. Seeds, marks, weights and score
were fixed in the repository before the first run. Resumable: what lies under ``--work`` is taken.
A piece is one model taught and asked; a run stops after ``--pieces`` of them, and a seed is written
down once both of its suspects are scored.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import machine
import numpy as np

from stillwatch.bench.arms import Arm, compose, harvest
from stillwatch.bench.smollm_stage import smollm_stage
from stillwatch.bench.students import Stage
from stillwatch.prove import (
    Registration,
    ask_likelihoods,
    inquire_canary,
    read_questions,
    register,
    write_questions,
)
from stillwatch.seal import new_key

SEEDS = (20261128, 20261129, 20261130)
TOKENS = 27_000
ARMS = (Arm("1-percent", 0.01, tokens=TOKENS), Arm("control", 0.0, tokens=TOKENS))
START = datetime(2026, 11, 27, tzinfo=UTC)  # a clock of the benchmark's own: same bytes every run


class Stopped(Exception):
    """As many pieces as were wanted are made; the next run goes on from there."""


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


def lessons_of(stage: Stage, seed: int) -> dict[str, tuple[list[Any], dict[str, int]]]:
    """Return what each arm is taught, and what the campaign gave of it."""

    def size(pair: tuple[str, str]) -> int:
        return len(stage.teacher.tokens(pair[0])) + len(stage.teacher.tokens(pair[1])) + 8

    taken = harvest(stage.plan, stage.seed, stage.campaign, stage.said)
    out = {}
    for number, arm in enumerate(ARMS):
        rng = np.random.default_rng([seed, number])
        other = [stage.other[int(k)] for k in rng.permutation(len(stage.other))]
        pairs, told = compose(arm, stage.plan, taken, other, size, rng)
        out[arm.name] = pairs, {**told, "tokens": sum(map(size, pairs))}
    return out


def commit(stage: Stage, work: Path, planted: int) -> None:
    """Enter the plan, what is planted, and both suspects, in this order."""
    (work / "plan.json").write_text(json.dumps(stage.plan.to_json()), encoding="utf-8")
    (work / "seed.key").write_text(stage.seed.hex(), encoding="ascii")
    write_questions(work / "probes.jsonl", stage.plan.marks)
    facts = [m.mark_id for m in stage.plan.marks if m.probe][:planted]
    (work / "given.txt").write_text("\n".join(facts), encoding="utf-8")
    if not (work / "key").is_file():
        new_key(work / "key")
    (work / "registry.jsonl").unlink(missing_ok=True)
    steps = [
        Registration(plan=work / "plan.json"),
        Registration(
            planted=work / "plan.json",
            legal_basis="a benchmark with models of its own",
            campaign=stage.campaign,
            facts=work / "given.txt",
        ),
        *(
            Registration(
                suspect=arm.name,
                prompts=work / "probes.jsonl",
                base="base",
                log_probabilities=True,
            )
            for arm in ARMS
        ),
    ]
    for number, step in enumerate(steps):
        at = START + timedelta(minutes=number)
        register(step, work / "registry.jsonl", work / "key", at)


def run(seed: int, work: Path, data: Path, pieces: Iterator[int]) -> dict[str, Any]:
    """Return what one seed gave: both suspects against both campaigns, each scored once.

    Raises:
        Stopped: ``pieces`` are used up.
    """
    work.mkdir(parents=True, exist_ok=True)
    stage = smollm_stage(seed, data, work.parent, say)  # one teacher answers for all seeds
    lessons = lessons_of(stage, seed)
    commit(stage, work, lessons["1-percent"][1]["planted"])
    questions = read_questions(work / "probes.jsonl")
    asked_at = START + timedelta(hours=1)

    def base() -> Any:
        return stage.start.taught(stage.base_pairs, seed, work / "base")

    models = {"base": base} | {
        arm.name: lambda k=k, arm=arm: base().taught(
            lessons[arm.name][0], seed + 1 + k, work / arm.name
        )
        for k, arm in enumerate(ARMS)
    }
    for name, make in models.items():
        if not (work / f"{name}.jsonl").is_file():
            if next(pieces, None) is None:
                raise Stopped
            say(f"seed {seed}: {name} taught and asked")
            ask_likelihoods(make(), name, questions, asked_at, work / f"{name}.jsonl")
    found = {}
    for number, arm in enumerate(ARMS):
        scored = inquire_canary(
            work / "plan.json",
            work / "seed.key",
            work / f"{arm.name}.jsonl",
            work / "probes.jsonl",
            work / "registry.jsonl",
            work / "key.pub",
            work / f"{arm.name}-score.json",
            base=work / "base.jsonl",
            log_probabilities=True,
            now=asked_at + timedelta(hours=1 + number),
            private=work / "key",
        )
        told = {k: scored[k] for k in ("tests", "facts_counted", "scores")}
        found[arm.name] = {"taught": lessons[arm.name][1], **told}
    return {"seed": seed, "campaign": stage.campaign, "model": stage.model, "suspects": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=3 * len(SEEDS))
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the libraries' own notices; results do not depend on them
    begun = time.process_time()
    pieces = iter(range(given.pieces))
    rows = []
    try:
        for seed in SEEDS:
            rows.append(run(seed, given.work / str(seed), given.data, pieces))
            say(json.dumps({n: s["scores"] for n, s in rows[-1]["suspects"].items()}))
    except Stopped:
        say(f"{len(rows)} of {len(SEEDS)} seeds are scored: run it again")
    if rows:
        write(given.out, rows, len(SEEDS), time.process_time() - begun)


def write(out: Path, rows: list[dict[str, Any]], wanted: int, cpu_s: float) -> None:
    """Write what is finished; ``cpu_seconds`` are those of this run alone."""
    result = {
        "commit": machine.commit(),
        "machine": machine.describe(),
        "cpu_seconds": round(cpu_s),
        "seeds_wanted": wanted,
        "runs": rows,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
