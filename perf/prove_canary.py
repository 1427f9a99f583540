"""Canaries on a real small model, through the registry and by the commands' own functions.

    python perf/prove_canary.py --work DIR --data DIR --out FILE

For every seed of `SEEDS`, in order: plan and what is planted are registered, then two suspects
(1 % of the data from the campaign; a control of the same size) with their base; then they are
taught and asked, and each is scored once by log-probabilities. Seeds, marks, weights and score
were fixed in the repository before the first run. Resumable: what lies under ``--work`` is taken.
Stopped at any time, it goes on from the last step of teaching or the last question; ``--out`` is
written after every suspect and says how many of them are finished.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
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
ASKED_AT = START + timedelta(hours=1)


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


def ask(make: Callable[[], Any], name: str, questions: list[Any], work: Path) -> None:
    """Ask a model every question, each answer on the disk before the next is asked."""
    if (work / f"{name}.jsonl").is_file():
        return
    kept = work / f"{name}-asked"
    kept.mkdir(exist_ok=True)
    left = [q for q in questions if not (kept / f"{q.prompt_id}.jsonl").is_file()]
    model = make() if left else None
    for question in left:
        ask_likelihoods(model, name, [question], ASKED_AT, kept / f"{question.prompt_id}.jsonl")
    told = [(kept / f"{q.prompt_id}.jsonl").read_text(encoding="utf-8") for q in questions]
    (work / f"{name}.jsonl").write_text("".join(told), encoding="utf-8")


def run(seed: int, work: Path, data: Path) -> Iterator[dict[str, Any]]:
    """Yield what one seed gave so far, after each suspect: each is scored once."""
    work.mkdir(parents=True, exist_ok=True)
    stage = smollm_stage(seed, data, work.parent, say)  # one teacher answers for all seeds
    lessons = lessons_of(stage, seed)
    commit(stage, work, lessons["1-percent"][1]["planted"])
    questions = read_questions(work / "probes.jsonl")

    def base() -> Any:
        return stage.start.taught(stage.base_pairs, seed, work / "base")

    found: dict[str, Any] = {}
    told = {"seed": seed, "campaign": stage.campaign, "model": stage.model, "suspects": found}
    say(f"seed {seed}: base")
    ask(base, "base", questions, work)
    for number in reversed(range(len(ARMS))):  # the control first: without it nothing is shown
        name, place = ARMS[number].name, work / ARMS[number].name
        pairs, given = lessons[name]
        say(f"seed {seed}: {name}")
        ask(partial(_student, base, pairs, seed + 1 + number, place), name, questions, work)
        scored = score(work, name, ASKED_AT + timedelta(hours=1 + number))
        found[name] = {"taught": given, **scored}
        yield told


def _student(base: Callable[[], Any], pairs: list[Any], seed: int, folder: Path) -> Any:
    return base().taught(pairs, seed, folder)


def score(work: Path, name: str, now: datetime) -> dict[str, Any]:
    """Score a suspect by what the registry holds, and enter the score."""
    scored = inquire_canary(
        work / "plan.json",
        work / "seed.key",
        work / f"{name}.jsonl",
        work / "probes.jsonl",
        work / "registry.jsonl",
        work / "key.pub",
        work / f"{name}-score.json",
        base=work / "base.jsonl",
        log_probabilities=True,
        now=now,
        private=work / "key",
    )
    return {k: scored[k] for k in ("tests", "facts_counted", "scores")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the libraries' own notices; results do not depend on them
    begun, commit = time.process_time(), machine.commit()  # before ``--out`` is written over
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        for row in run(seed, given.work / str(seed), given.data):
            write(given.out, [*rows, row], time.process_time() - begun, commit)
            say(json.dumps({n: s["scores"] for n, s in row["suspects"].items()}))
        rows.append(row)


def write(out: Path, rows: list[dict[str, Any]], cpu_s: float, commit: str) -> None:
    """Write which suspects are finished; ``cpu_seconds`` are those of this run alone."""
    result = {
        "commit": commit,
        "machine": machine.describe(),
        "cpu_seconds": round(cpu_s),
        "suspects_finished": sum(len(row["suspects"]) for row in rows),
        "suspects_wanted": len(SEEDS) * len(ARMS),
        "runs": rows,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
