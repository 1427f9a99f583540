"""Type I error of lineage, radioactivity and guardrails by resampling (a minute).

    python perf/prove_level.py --out FILE [--worlds 40]

Lineage: tiny n-gram models of three writers each, ten that learnt from no teacher; any of them is
the suspect, prompts are drawn anew 50 times a world. Radioactivity: 2,000 keys over answers of one
such model. Guardrails: 2,000 pairs of arms that go wrong equally often, prompts of one kind
together, ten kinds of twelve prompts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import machine
import numpy as np
from prove_likeness import PAIRS, answers_of, trained

from stillwatch.prove import Answers, excess, measure_closeness, score_radioactivity
from stillwatch.simulate.students import draw_writer, questions, train
from stillwatch.stats import clopper_pearson, paired_difference, surrogate_p

LEVELS = (0.1, 0.01, 0.001)
ASKED = questions(60)
DRAWS = 50


def lineage(worlds: int) -> list[float]:
    out = []
    for number in range(worlds):
        rng = np.random.default_rng([17, number])
        crowd = [draw_writer(rng, PAIRS, phrases=6) for _ in range(6)]
        nets = {
            f"t{k}": train(answers_of([draw_writer(rng, PAIRS, phrases=6)], rng)) for k in range(3)
        }
        nets |= {f"m{k}": trained(crowd, rng, []) for k in range(10)}
        said = {
            n: Answers(n, {q: net.answer(q, rng, 24) for q in ASKED}, {}, {})
            for n, net in nets.items()
        }
        teachers = [said[f"t{k}"] for k in range(3)]
        close = measure_closeness([said[f"m{k}"] for k in range(10)], teachers)
        families = {t.model: t.model for t in teachers}
        count = len(close.prompts)
        weights = np.array(
            [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(DRAWS)],
            dtype=np.float64,
        )
        above = np.stack([excess(close, f"m{k}", families, weights)[1][:, 0] for k in range(10)])
        for draw in above.T:
            place = int(rng.integers(10))
            out.append(surrogate_p(draw[place], np.delete(draw, place), "upper"))
    return out


def radioactivity(draws: int) -> list[float]:
    rng = np.random.default_rng(18)
    net = trained([draw_writer(rng, PAIRS, phrases=6) for _ in range(6)], rng, [])
    texts = [net.answer(q, rng, 24) for q in ASKED for _ in range(3)]
    return [score_radioactivity(texts, rng.bytes(16)).p_value for _ in range(draws)]


def guardrails(draws: int) -> list[float]:
    rng = np.random.default_rng(19)
    kinds = [f"k{k // 12}" for k in range(120)]
    out = []
    for _ in range(draws):
        # one kind leans one way or the other by as much: equally often in the long run
        lean = np.repeat(rng.normal(0, 0.2, 10), 12)
        one, two = (rng.random(120) < np.clip(0.4 + s * lean, 0, 1) for s in (1, -1))
        out.append(paired_difference(one, two, groups=kinds).p_value)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=int, default=40)
    given = parser.parse_args()
    found = {
        "lineage": lineage(given.worlds),
        "radioactivity": radioactivity(2_000),
        "guardrails": guardrails(2_000),
    }
    result: dict[str, object] = {"commit": machine.commit(), "machine": machine.describe()}
    for name, values in found.items():
        p = np.array(values)
        rows = []
        for t in LEVELS:
            k = int((p <= t + 1e-12).sum())
            low, high, _ = clopper_pearson(k, p.size)
            rows.append({"t": t, "n": p.size, "k": k, "low": low, "high": high})
            print(f"{name} p <= {t}: {k} of {p.size} ({low:.2%} to {high:.2%})")
        result[name] = rows
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
