"""Teacher, base, students with known truth, and what each of them says when asked.

1. The teacher answers a campaign's prompts; the answers carry the campaign's marks.
2. A base model that is not the teacher's student is taught a share of them, the rest by others.
3. Every model is asked the same prompts, once; answers are kept, so the rest can be done anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench.arms import ARMS, Arm, compose, harvest
from stillwatch.prove import Item, Plan, Reference
from stillwatch.simulate import Learner, Pair

__all__ = ["Reading", "Stage", "made_students", "read_model"]

Tell = Callable[[str], None]

_COMPARED: Final = ("teacher", "base", "control", "all")
_SAID_TWICE: Final = ("lineage", "sampled")


@dataclass(frozen=True)
class Stage:
    """All that is fixed before a student is made.

    ``said`` is the teacher's watermarked answers to the campaign's prompts, without marks;
    ``other`` pairs of another author, cut into the base's, the students' and the controls';
    ``guarded`` refusals that the base is taught. ``prompts`` are asked of every model by purpose:
    lineage, next (first tokens), identity, sampled (several answers). ``references`` are other
    teachers and controls with answers to the lineage prompts.
    """

    model: str
    teacher: Learner
    start: Learner
    plan: Plan
    seed: bytes
    key: bytes
    campaign: str
    said: Sequence[Pair]
    base_pairs: Sequence[Pair]
    other: Sequence[Pair]
    suite: Sequence[Item]
    prompts: Mapping[str, Mapping[str, str]]
    references: Sequence[Reference]
    aliases: Mapping[str, Sequence[str]]
    words: int | None = None
    longest: int = 36
    samples: int = 4
    scale: float = 1.0
    extra_controls: int = 3
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What one model said: by purpose, prompt_id to text; of facts also log-probabilities."""

    model: str
    said: Mapping[str, Mapping[str, str]]
    sampled: Mapping[str, Sequence[str]]
    likelihood: Mapping[str, Sequence[float]]
    taught: Mapping[str, Any]


def made_students(
    stage: Stage, work: Path, tell: Tell, *, seed: int, only: Sequence[str] | None = None
) -> dict[str, Reading]:
    """Return the readings of teacher (twice), base, controls and arms, by name.

    What lies in ``work`` is taken: an adapter, a reading. Stopped, it goes on from there. With
    ``only``, other students are left out; those that are made do not depend on it.
    """
    work.mkdir(parents=True, exist_ok=True)
    read = _reader(stage, work, tell)
    found = {
        "teacher": read("teacher", lambda: stage.teacher, {}, 1),
        "teacher-again": read("teacher-again", lambda: stage.teacher, {}, 2),
    }
    held: list[Learner] = []

    def base() -> Learner:
        if not held:
            held.append(stage.start.taught(stage.base_pairs, seed, work / "base"))
        return held[0]

    def size(pair: Pair) -> int:
        return len(stage.teacher.tokens(pair[0])) + len(stage.teacher.tokens(pair[1])) + 8

    found["base"] = read("base", base, {"tokens": sum(map(size, stage.base_pairs))}, 3)
    taken = harvest(stage.plan, stage.seed, stage.campaign, stage.said)
    for number, arm in enumerate([*ARMS[:3], *_controls(stage), *ARMS[3:]]):
        if only is not None and arm.name not in only:
            continue
        rng = np.random.default_rng([seed, number])
        other = [stage.other[int(k)] for k in rng.permutation(len(stage.other))]
        small = Arm(
            arm.name, arm.share, arm.kept_facts, arm.paraphrased, round(arm.tokens * stage.scale)
        )
        pairs, given = compose(small, stage.plan, taken, other, size, rng)
        told = {
            "share_wanted": arm.share,
            "kept_facts": arm.kept_facts,
            "paraphrased": arm.paraphrased,
            "tokens": sum(map(size, pairs)),
            "pairs": len(pairs),
            **given,
        }
        found[arm.name] = read(
            arm.name,
            partial(_student, base, pairs, seed + 1 + number, work / arm.name),
            told,
            4 + number,
        )
    return found


def _student(base: Callable[[], Learner], pairs: list[Pair], seed: int, folder: Path) -> Learner:
    return base().taught(pairs, seed, folder)


def _controls(stage: Stage) -> list[Arm]:
    """Return small students of others' data: ranks need more models than one control."""
    return [Arm(f"control-{k}", 0.0, tokens=4_000) for k in range(2, 2 + stage.extra_controls)]


def _reader(
    stage: Stage, work: Path, tell: Tell
) -> Callable[[str, Callable[[], Learner], Mapping[str, Any], int], Reading]:
    def read(name: str, make: Callable[[], Learner], told: Mapping[str, Any], seed: int) -> Reading:
        kept = work / f"{name}.json"
        if not kept.is_file():
            tell(f"{name}: taught and asked")
            reading = read_model(stage, name, make(), told, seed)
            aside = kept.with_suffix(".part")
            aside.write_text(json.dumps(reading.__dict__) + "\n", encoding="utf-8")
            aside.replace(kept)
        return Reading(**json.loads(kept.read_text(encoding="utf-8")))

    return read


def purposes_of(name: str) -> tuple[str, ...]:
    """Return what a model is asked for: what its tests need and no more, since answers cost."""
    if name == "teacher-again":
        return _SAID_TWICE
    always = ("lineage", "next", "identity", "probes")
    return (*always, "guardrails", "sampled") if name in _COMPARED else always


def read_model(
    stage: Stage, name: str, model: Learner, told: Mapping[str, Any], seed: int
) -> Reading:
    """Return what a model says to the prompts of its purposes."""
    wanted = purposes_of(name)
    facts = [m for m in stage.plan.marks if m.probe]
    asked = {
        "lineage": (stage.prompts["lineage"], stage.longest),
        "identity": (stage.prompts["identity"], 16),
        "guardrails": ({i.prompt_id: i.prompt for i in stage.suite}, 16),
        "probes": ({m.mark_id: m.probe for m in facts}, 12),
    }
    said = {
        purpose: _said(model, prompts, longest, 1000 * seed)
        for purpose, (prompts, longest) in asked.items()
        if purpose in wanted
    }
    if "next" in wanted:
        ids = list(stage.prompts["next"])
        tokens = model.next_tokens([stage.prompts["next"][p] for p in ids])
        said["next"] = dict(zip(ids, tokens, strict=True))
    sampled: dict[str, list[str]] = {}
    for number in range(stage.samples if "sampled" in wanted else 0):
        fresh = _said(model, stage.prompts["sampled"], 12, 1000 * seed + 500 + number)
        for prompt_id, text in fresh.items():
            sampled.setdefault(prompt_id, []).append(text)
    likelihood = {
        m.mark_id: model.likelihoods(m.probe, m.start, m.options)
        for m in facts
        if "probes" in wanted
    }
    return Reading(name, said, sampled, likelihood, dict(told))


def _said(model: Learner, prompts: Mapping[str, str], most: int, seed: int) -> dict[str, str]:
    texts = model.answers(list(prompts.values()), most=most, seed=seed)
    return dict(zip(prompts, texts, strict=True))
