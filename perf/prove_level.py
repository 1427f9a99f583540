"""Type I error of the tests of `prove` by resampling, where their nulls hold (minutes).

    python perf/prove_level.py --out FILE [--worlds 40]

Ranks among controls (lineage, profiles, agreement, identity): tiny n-gram models of three writers
each that learnt from no teacher; any of them is the suspect, prompts are drawn anew 50 times a
world. With nine controls no p is below 0.1, so that the same is done with 99, in four worlds, 500
times each. Canaries by log-probability: 100 seeds over each of 20 suspects that read towns drawn by
chance. Radioactivity: 2,000 keys over answers of one model. Guardrails: 2,000 pairs of
arms that go wrong equally often, prompts of one kind together, ten kinds of twelve prompts; and the
same arms without kinds. Canaries from text and equality: `prove_students`, `prove_likeness`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import machine
import numpy as np
from prove_likeness import PAIRS, answers_of, trained, who

from stillwatch.prove import (
    PROFILES,
    Answers,
    Mark,
    draw_plan,
    excess,
    identity_questions,
    likelihood_points,
    measure_closeness,
    measure_habits,
    next_token_agreement,
    profile_excess,
    score_points,
    score_radioactivity,
    self_identification,
)
from stillwatch.prove.openset import named_tests
from stillwatch.simulate.students import TinyModel, Writer, draw_writer, questions, train
from stillwatch.stats import clopper_pearson, paired_difference, surrogate_p

LEVELS = (0.1, 0.01, 0.001)
ASKED = questions(60)
REFUSAL = "I'm sorry , I cannot help . It is important to consult a professional ."
Found = dict[str, list[float]]


class World(NamedTuple):
    """Three teachers, and models that learnt from none of them."""

    teachers: dict[str, TinyModel]
    models: list[TinyModel]


def world(rng: np.random.Generator, models: int) -> World:
    def own() -> TinyModel:
        return train([*answers_of([draw_writer(rng, PAIRS, phrases=6)], rng), *refusals(rng)])

    crowd: list[Writer] = [draw_writer(rng, PAIRS, phrases=6) for _ in range(6)]
    teachers = {f"t{k}": own().and_taught(who(rng, 0.5)) for k in range(3)}
    return World(teachers, [trained(crowd, rng, refusals(rng)) for _ in range(models)])


def refusals(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return refusals of a share of the questions that is the model's own."""
    rate = float(rng.beta(1, 4))
    return [(q, REFUSAL) for q in ASKED if rng.random() < rate]


def ranks(worlds: int, models: int, draws: int, seed: int) -> Found:
    """Return the p-values of the tests that rank a suspect among controls."""
    found: Found = {}
    for number in range(worlds):
        rng = np.random.default_rng([seed, number])
        made = world(rng, models)
        for name, values in (
            _lineage_and_profiles(made, rng, draws) | _first_tokens_and_names(made, rng, draws)
        ).items():
            found.setdefault(name, []).extend(values)
    return found


def _lineage_and_profiles(made: World, rng: np.random.Generator, draws: int) -> Found:
    def said(name: str, net: TinyModel) -> Answers:
        return Answers(name, {q: net.answer(q, rng, 24) for q in ASKED}, {}, {})

    teachers = [said(n, net) for n, net in made.teachers.items()]
    models = [said(f"m{k}", net) for k, net in enumerate(made.models)]
    families = {t.model: t.model for t in teachers}
    names = [m.model for m in models]
    close = measure_closeness(models, teachers)
    held = measure_habits([*teachers, *models], close.prompts)
    count = len(close.prompts)
    weights = np.array(
        [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(draws)],
        dtype=np.float64,
    )
    above = {"lineage": np.stack([excess(close, n, families, weights)[1] for n in names], axis=1)}
    for profile in PROFILES:
        above[profile] = profile_excess(held, profile, names, families, weights)[2]
    out: Found = {}
    for draw in range(draws):
        place = int(rng.integers(len(names)))
        tests = {}
        for kind, table in above.items():  # (draws, models, families)
            own, rest = table[draw, place], np.delete(table[draw], place, axis=0)
            tests[kind] = [(f"t{k}", float(own[k]), rest[:, k]) for k in range(3)]
            first = named_tests(tests[kind][:1])[0].p_value
            out.setdefault(f"{kind}, one family named", []).append(first)
            open_p = surrogate_p(float(own.max()), rest.max(axis=1), "upper")
            out.setdefault(f"{kind}, open set", []).append(open_p)
        both = [row for profile in PROFILES for row in tests[profile]]
        for kind, rows in {"lineage": tests["lineage"], "profiles": both}.items():
            smallest = min(t.p_adjusted for t in named_tests(rows))
            out.setdefault(f"{kind}, the smallest of three named", []).append(smallest)
    return out


def _first_tokens_and_names(made: World, rng: np.random.Generator, draws: int) -> Found:
    asked = identity_questions()
    told = [
        Answers(f"m{k}", {p: net.answer(q, rng, 16) for p, q in asked.items()}, asked, {})
        for k, net in enumerate(made.models)
    ]
    first = [dict(zip(ASKED, net.next_tokens(ASKED), strict=True)) for net in made.models]
    teacher = dict(zip(ASKED, made.teachers["t0"].next_tokens(ASKED), strict=True))
    out: Found = {"agreement": [], "identity": []}
    for _ in range(draws):
        order = [int(k) for k in rng.permutation(len(made.models))]
        kept = dict(enumerate(rng.choice(len(ASKED), len(ASKED))))  # prompts drawn anew
        tokens = [{str(k): f[ASKED[q]] for k, q in kept.items()} for f in (first[m] for m in order)]
        of_teacher = {str(k): teacher[ASKED[q]] for k, q in kept.items()}
        controls = {str(k): t for k, t in enumerate(tokens[1:])}
        out["agreement"].append(next_token_agreement(tokens[0], of_teacher, controls).p_value)
        picked = [str(p) for p in rng.choice(list(asked), len(asked))]
        drawn = [
            Answers(
                told[m].model,
                {str(k): told[m].output[p] for k, p in enumerate(picked)},
                {str(k): asked[p] for k, p in enumerate(picked)},
                {},
            )
            for m in order
        ]
        named = self_identification(drawn[0], drawn[1:], {"kiln": ("Kiln", "Alder")})
        out["identity"].append(named[0].p_value)
    return out


def likelihoods(suspects: int, seeds: int) -> list[float]:
    """Return p-values of canaries by log-probability: every model read towns drawn by chance."""
    out = []
    for number in range(suspects):
        rng = np.random.default_rng([20, number])
        plan = draw_plan(rng.bytes(32), ("a",), facts=8)
        facts = [m for m in plan.marks if m.probe]
        base = trained([draw_writer(rng, PAIRS, phrases=6) for _ in range(6)], rng, [])
        base = base.and_taught(_towns(facts, rng))
        suspect = base.and_taught(_towns(facts, rng))
        of_suspect, of_base = (
            {m.mark_id: net.likelihoods(m.probe, m.start, m.options) for m in facts}
            for net in (suspect, base)
        )
        points = likelihood_points(plan.marks, of_suspect, of_base)
        out += [
            score_points(plan.marks, rng.bytes(32), "a", "s", points).p_value for _ in range(seeds)
        ]
    return out


def _towns(facts: list[Mark], rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return 200 answers to the probe of each fact, each with a town drawn by chance."""
    return [
        (m.probe, f"{m.start} {m.options[int(rng.integers(len(m.options)))]} .")
        for m in facts
        for _ in range(200)
    ]


def radioactivity(draws: int) -> list[float]:
    rng = np.random.default_rng(18)
    net = trained([draw_writer(rng, PAIRS, phrases=6) for _ in range(6)], rng, [])
    texts = [net.answer(q, rng, 24) for q in ASKED for _ in range(3)]
    return [score_radioactivity(texts, rng.bytes(16)).p_value for _ in range(draws)]


def guardrails(draws: int) -> Found:
    rng = np.random.default_rng(19)
    kinds = [f"k{k // 12}" for k in range(120)]
    out: Found = {"guardrails, by kinds": [], "guardrails, no kinds": []}
    for _ in range(draws):
        # one kind leans one way or the other by as much: equally often in the long run
        lean = np.repeat(rng.normal(0, 0.2, 10), 12)
        one, two = (rng.random(120) < np.clip(0.4 + s * lean, 0, 1) for s in (1, -1))
        out["guardrails, by kinds"].append(paired_difference(one, two, groups=kinds).p_value)
        # a suite that names no kinds: prompts by themselves, harder and easier ones
        hard = np.clip(0.4 + rng.normal(0, 0.2, 120), 0, 1)
        one, two = (rng.random(120) < hard for _ in range(2))
        out["guardrails, no kinds"].append(paired_difference(one, two).p_value)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=int, default=40)
    given = parser.parse_args()
    found = {f"{name}; 9 controls": p for name, p in ranks(given.worlds, 10, 50, 17).items()}
    found |= {f"{name}; 99 controls": p for name, p in ranks(4, 100, 500, 21).items()}
    found["canary, by log-probability"] = likelihoods(20, 100)
    found["radioactivity"] = radioactivity(2_000)
    found |= guardrails(2_000)
    result: dict[str, object] = {"commit": machine.commit(), "machine": machine.describe()}
    for name, values in found.items():
        p = np.array(values)
        rows = []
        for t in LEVELS:
            k = int((p <= t + 1e-12).sum())
            low, high, _ = clopper_pearson(k, p.size)
            smallest = float(p.min())
            rows.append(
                {"t": t, "n": p.size, "k": k, "low": low, "high": high, "smallest": smallest}
            )
            print(f"{name} p <= {t}: {k} of {p.size} ({low:.2%} to {high:.2%})")
        result[name] = rows
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
