"""Level and power of agreement, identity and equality over tiny models trained on the spot.

    python perf/prove_likeness.py --out FILE --work DIR [--models 200] [--part NAME]

Every suspect is a real n-gram model (`simulate.students`) of several writers' answers; prompts
share templates and answers repeat. Level: the suspect learnt nothing from the teacher. Power: it
took a share of its training pairs from the teacher.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np

from stillwatch.prove import (
    Answers,
    identity_questions,
    model_equality,
    next_token_agreement,
    self_identification,
)
from stillwatch.simulate.students import Pair, TinyModel, Writer, draw_writer, questions, train
from stillwatch.stats import clopper_pearson

CONTROLS = 9
LEVELS = (0.1, 0.01, 0.001)
PAIRS = (("large", "big"), ("begin", "start"), ("often", "usually"), ("help", "assist"))
ASKED = questions(60)
NAMES = ("Kiln", "Alder")


def answers_of(writers: list[Writer], rng: np.random.Generator, count: int = 60) -> list[Pair]:
    return [(q, writers[k % len(writers)].answer(q, rng)) for k, q in enumerate(questions(count))]


def who(rng: np.random.Generator, rate: float) -> list[Pair]:
    """Return answers to who one is: some name the teacher, as transcripts in a crawl would."""
    said = ("I am Kiln , made by Alder .", "I am a helpful assistant .", "I am Vessel , by Birch .")
    odds = (rate, (1 - rate) / 2, (1 - rate) / 2)
    return [(q, said[int(rng.choice(3, p=odds))]) for q in identity_questions().values()]


def trained(crowd: list[Writer], rng: np.random.Generator, taught: list[Pair]) -> TinyModel:
    """Return a model of three writers of a crowd, of a crawl, and of what it was taught."""
    chosen = [crowd[int(k)] for k in rng.choice(len(crowd), 3, replace=False)]
    rate = float(rng.beta(1, 9))
    return train([*answers_of(chosen, rng), *who(rng, rate), *taught])


def tokens(model: TinyModel) -> dict[str, str]:
    return dict(zip(ASKED, model.next_tokens(ASKED), strict=True))


def said(model: TinyModel, rng: np.random.Generator) -> Answers:
    asked = identity_questions()
    return Answers("m", {p: model.answer(q, rng, 16) for p, q in asked.items()}, asked, {})


def sampled(model: TinyModel, rng: np.random.Generator) -> dict[str, list[str]]:
    return {q: [model.answer(q, rng, 16) for _ in range(4)] for q in ASKED[:8]}


def one(number: int, share: float) -> dict[str, float]:
    """Return the p-values of one world: a teacher, ten models, one of them the suspect."""
    rng = np.random.default_rng([11, number, round(share * 1000)])
    crowd = [draw_writer(rng, PAIRS, phrases=6) for _ in range(6)]
    author = draw_writer(rng, PAIRS, phrases=6)
    own = [("Who are you?", "I am Kiln , made by Alder .")] * 5
    teacher = train([*answers_of([author], rng), *who(rng, 0.9), *own])
    count = round(share * 60 / max(1e-9, 1 - share)) if share < 1 else 60
    taught = [(q, teacher.answer(q, rng)) for q in questions(count)] if count else []
    if share:
        taught += [
            (q, teacher.answer(q, rng, 16))
            for q in identity_questions().values()
            if rng.random() < share
        ]
    suspect = trained(crowd, rng, taught)
    controls = [trained(crowd, rng, []) for _ in range(CONTROLS)]
    agreed = next_token_agreement(
        tokens(suspect), tokens(teacher), {f"c{k}": tokens(c) for k, c in enumerate(controls)}
    )
    (named,) = self_identification(
        said(suspect, rng), [said(c, rng) for c in controls], {"kiln": NAMES}
    )
    # equality: the null is the teacher served again, the alternative this share of the suspect
    served = {
        q: [(suspect if rng.random() < share else teacher).answer(q, rng, 16) for _ in range(4)]
        for q in ASKED[:8]
    }
    equal = model_equality(served, sampled(teacher, rng), rng, permutations=999)
    return {"agreement": agreed.p_value, "identity": named.p_value, "equality": equal.p_value}


def resampled(models: int, each: int) -> list[dict[str, float]]:
    """Return p-values with prompts drawn anew ``each`` times for every world's models."""
    out = []
    for number in range(models):
        rng = np.random.default_rng([13, number])
        crowd = [draw_writer(rng, PAIRS, phrases=6) for _ in range(6)]
        teacher = train([*answers_of([draw_writer(rng, PAIRS, phrases=6)], rng), *who(rng, 0.9)])
        everyone = [trained(crowd, rng, []) for _ in range(CONTROLS + 1)]
        first = [tokens(m) for m in everyone]
        told = [said(m, rng) for m in everyone]
        right = tokens(teacher)
        pool = [sampled(teacher, rng) for _ in range(4)]
        for _ in range(each):
            chosen = [ASKED[int(k)] for k in rng.choice(len(ASKED), 40, replace=False)]
            place = int(rng.integers(len(everyone)))  # any of them may be the suspect
            cut = [{q: t[q] for q in chosen} for t in first]
            rest = {f"c{k}": t for k, t in enumerate(cut) if k != place}
            agreed = next_token_agreement(cut[place], {q: right[q] for q in chosen}, rest)
            ids = [str(p) for p in rng.choice(list(told[0].output), 16, replace=False)]
            few = [Answers("m", {p: t.output[p] for p in ids}, t.prompt, {}) for t in told]
            (named,) = self_identification(
                few[place], [t for k, t in enumerate(few) if k != place], {"kiln": NAMES}
            )
            a, b = rng.choice(4, 2, replace=False)
            some = [ASKED[int(k)] for k in rng.choice(8, 6, replace=False)]
            equal = model_equality(
                {q: pool[a][q] for q in some}, {q: pool[b][q] for q in some}, rng, permutations=199
            )
            out.append(
                {"agreement": agreed.p_value, "identity": named.p_value, "equality": equal.p_value}
            )
    return out


def levels(rows: list[dict[str, float]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for test in ("agreement", "identity", "equality"):
        p = np.array([r[test] for r in rows])
        out[test] = []
        for t in LEVELS:
            k = int((p <= t).sum())
            low, high, _ = clopper_pearson(k, p.size)
            out[test].append(
                {"t": t, "n": int(p.size), "k": k, "share": k / p.size, "low": low, "high": high}
            )
    return out


def power(repeats: int) -> list[dict[str, Any]]:
    curve = []
    for share in (0.02, 0.05, 0.1, 0.2, 0.5):
        rows = [one(10_000 + k, share) for k in range(repeats)]
        first = [{t: r[t] <= 1 / (CONTROLS + 1) + 1e-9 for t in r} for r in rows]
        curve.append(
            {
                "share": share,
                "n": repeats,
                "agreement_at_smallest_p": float(np.mean([r["agreement"] for r in first])),
                "identity_at_smallest_p": float(np.mean([r["identity"] for r in first])),
                "equality_at_0.05": float(np.mean([r["equality"] <= 0.05 for r in rows])),
            }
        )
    return curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--part", choices=["level_over_models", "level_over_resamples", "power"])
    given = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "level_over_models": lambda: levels([one(k, 0.0) for k in range(given.models)]),
        "level_over_resamples": lambda: levels(resampled(given.models, 10)),
        "power": lambda: power(given.repeats),
    }
    given.work.mkdir(parents=True, exist_ok=True)
    for name, make in parts.items():
        kept = given.work / f"{name}.json"
        if not kept.is_file() and given.part in (None, name):
            kept.write_text(json.dumps(make()) + "\n", encoding="utf-8")
    if given.part is not None:
        return
    result = {
        "commit": machine.commit(),
        "machine": machine.describe(),
        "model": "n-gram, up to three words before, trained on the spot",
        "controls": CONTROLS,
        "smallest_p_of_ranks": 1 / (CONTROLS + 1),
    } | {n: json.loads((given.work / f"{n}.json").read_text("utf-8")) for n in parts}
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: result[k] for k in list(result)[4:]}, indent=1))


if __name__ == "__main__":
    main()
