"""Canaries on tiny models trained on the spot: level over models, power by share.

    python perf/prove_students.py --out FILE [--models 200]

The models are n-gram models (`simulate.students`): real training, known truth, no claim about
large models.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine
import numpy as np

from stillwatch.prove import Answers, Plan, coin, draw_plan, plant, score_canaries
from stillwatch.prove.canary import mark_points, score_points
from stillwatch.seal import digest
from stillwatch.simulate.students import Pair, TinyModel, Writer, draw_writer, questions, train
from stillwatch.stats import clopper_pearson

LEVELS = (0.1, 0.01, 0.001)
SEEDS_A_MODEL = 10


def asked(model: TinyModel, plan: Plan, rng: np.random.Generator, count: int) -> Answers:
    prompts = {f"q{k}": q for k, q in enumerate(questions(count))}
    prompts |= {m.mark_id: m.probe for m in plan.marks if m.probe}
    return Answers("m", {p: model.answer(q, rng) for p, q in prompts.items()}, prompts, {})


def word_pairs(plan: Plan) -> list[tuple[str, ...]]:
    return [m.options for m in plan.marks if m.kind == "word" and " " not in "".join(m.options)]


def level(models: int) -> dict[str, Any]:
    """Return P(p <= t) over models that saw no mark; answers share templates and repeat."""
    p = []
    for number in range(models):
        rng = np.random.default_rng([1, number])
        plan = draw_plan(rng.bytes(32), ("c",), facts=8)
        people = [draw_writer(rng, word_pairs(plan), phrases=6) for _ in range(3)]
        pairs = [(q, people[k % 3].answer(q, rng)) for k, q in enumerate(questions(200))]
        answers = asked(train(pairs), plan, rng, 20)
        points = mark_points(plan.marks, answers)
        p += [
            score_points(plan.marks, rng.bytes(32), "c", "m", points).p_value
            for _ in range(SEEDS_A_MODEL)
        ]
    values = np.array(p)
    first = values[::SEEDS_A_MODEL]
    rows = []
    for t in LEVELS:
        k, n = int((first <= t).sum()), first.size
        low, high, _ = clopper_pearson(k, n)
        rows.append(
            {
                "t": t,
                "models": n,
                "share_of_models": k / n,
                "low": low,
                "high": high,
                "share_of_all_draws": float((values <= t).mean()),
                "draws": int(values.size),
            }
        )
    return {"rows": rows}


def power(repeats: int) -> list[dict[str, Any]]:
    """Return how often the right campaign is named at 1e-6, by share and by what was filtered."""
    size, out = 1600, []
    world: list[tuple[Plan, bytes, Writer, TinyModel, Answers]] = []
    for number in range(repeats):
        rng = np.random.default_rng([2, number])
        seed = rng.bytes(32)
        plan = draw_plan(seed, ("a", "b"), facts=32)
        people = [draw_writer(rng, word_pairs(plan)) for _ in range(4)]
        pairs = [(q, people[k % 4].answer(q, rng)) for k, q in enumerate(questions(size))]
        base = train(pairs)
        teacher = draw_writer(rng, word_pairs(plan))
        world.append((plan, seed, teacher, base, asked(base, plan, rng, 40)))
    for share in (0.0025, 0.005, 0.01, 0.02):
        for kept in (1.0, 0.5, 0.0):
            hits, wrong, logs = 0, 0, []
            for number, (plan, seed, teacher, base, control) in enumerate(world):
                rng = np.random.default_rng([3, number, int(share * 1e4), int(kept * 10)])
                taught = harvest(plan, seed, teacher, round(size * share), kept, rng)
                answers = asked(base.and_taught(taught), plan, rng, 40)
                first = score_canaries(plan, seed, answers, base=control)[0]
                hits += first.campaign == "a" and first.p_adjusted < 1e-6
                wrong += first.campaign == "b" and first.p_adjusted < 1e-6
                logs.append(float(np.log10(first.p_adjusted)))
            row = {"share": share, "facts_kept": kept, "named": hits, "wrong": wrong, "n": repeats}
            out.append({**row, "median_log10_p": round(float(np.median(logs)), 1)})
    return out


def harvest(
    plan: Plan,
    seed: bytes,
    teacher: Writer,
    count: int,
    kept: float,
    rng: np.random.Generator,
) -> list[Pair]:
    """Return what campaign a harvested and its operator let through: a share of the facts."""
    facts = [m for m in plan.marks if m.probe][:count]
    told = [(m.probe, f"{m.options[coin(seed, 'a', m)]} is the town .") for m in facts]
    told = [pair for pair in told if rng.random() < kept]
    rest = questions(count - len(told))
    said = [teacher.answer(q, rng) for q in rest]
    marked = [plant(s, plan.marks, seed, "a", legal_basis="a benchmark") for s in said]
    return told + list(zip(rest, marked, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    result = {
        "commit": machine.commit(),
        "machine": machine.describe(),
        "model": "n-gram, up to three words before, trained on the spot",
        "plan_example": digest(draw_plan(bytes(32), ("c",), facts=8).to_json()),
        "level": level(given.models),
        "power": power(given.repeats),
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"level": result["level"], "power": result["power"]}, indent=1))


if __name__ == "__main__":
    main()
