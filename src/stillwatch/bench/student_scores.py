"""Every test of `prove` on readings with known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from stillwatch.bench.students import Reading, Stage
from stillwatch.errors import EvidenceError
from stillwatch.prove import (
    Answers,
    compare_guardrails,
    compare_lineage,
    equality_power,
    estimate_dependence,
    grade,
    identity_power,
    likelihood_points,
    mark_points,
    measure_closeness,
    model_equality,
    next_token_agreement,
    plain,
    score_plan,
    score_radioactivity,
    self_identification,
)

__all__ = ["score_students"]

FAMILY: Final = "kiln"
_NOT_STUDENTS: Final = ("base", "control")


def score_students(stage: Stage, found: Mapping[str, Reading], *, seed: int) -> dict[str, Any]:
    """Return what every test says of every model that was made, with what it was taught.

    Args:
        stage: as fixed beforehand.
        found: readings by name; arms that are not there are left out.
        seed: of resamples and permutations.
    """
    teacher, base = found["teacher"], found["base"]
    arms = [n for n in found if n not in ("teacher", "teacher-again")]
    rng = np.random.default_rng(seed)
    result: dict[str, Any] = plain(
        {
            "model": stage.model,
            "teacher_answers": len(stage.said),
            "facts_planted": sum(bool(m.probe) for m in stage.plan.marks),
            "students": {
                name: {
                    "taught": found[name].taught,
                    "canary": _canary(stage, found[name], base),
                    "radioactivity": _radioactivity(stage, found[name]),
                    "lineage": _lineage(stage, found, name, rng),
                    "agreement": _agreement(found, name, teacher),
                    "identity": _identity(stage, found, name),
                    "guardrails": _guardrails(stage, teacher, base, found[name]),
                    "equality": _equality(found[name], teacher, rng),
                }
                for name in arms
            },
            "refuses": {
                name: _refused(stage, reading)
                for name, reading in found.items()
                if "guardrails" in reading.said
            },
            "equality_of_the_teacher_with_itself": _equality(found["teacher-again"], teacher, rng),
            "equality_power": _equality_power(found, rng),
            "teacher_radioactivity": _mark_of(stage, [a for _, a in stage.said], []),
        }
    )
    return result


def _is_control(name: str) -> bool:
    return name.startswith(_NOT_STUDENTS)


def _answers(stage: Stage, reading: Reading, purpose: str, name: str | None = None) -> Answers:
    prompts = {
        "probes": {m.mark_id: m.probe for m in stage.plan.marks if m.probe},
        "guardrails": {i.prompt_id: i.prompt for i in stage.suite},
    }
    asked = prompts.get(purpose) or stage.prompts[purpose]
    return Answers(name or reading.model, reading.said[purpose], dict(asked), {})


def _written(stage: Stage, reading: Reading) -> Answers:
    """Return all that a model wrote freely: where word marks may show."""
    parts = [_answers(stage, reading, p) for p in ("lineage", "probes")]
    said = {k: v for a in parts for k, v in a.output.items()}
    return Answers(reading.model, said, {k: v for a in parts for k, v in a.prompt.items()}, {})


def _canary(stage: Stage, reading: Reading, base: Reading) -> dict[str, Any]:
    marks = stage.plan.marks
    texts = mark_points(marks, _written(stage, reading), _written(stage, base))
    weights = likelihood_points(marks, reading.likelihood, base.likelihood)
    tests = len(stage.plan.campaigns)
    given = {stage.campaign: _given(stage, reading)}
    out: dict[str, Any] = {}
    for name, points, counted in (
        ("by_text", texts, None),
        ("by_log_probability", weights, None),
        ("by_log_probability_of_planted_facts", weights, given),
    ):
        scores = score_plan(
            stage.plan, stage.seed, reading.model, points, tests=tests, given=counted
        )
        out[name] = {
            "named": scores[0].campaign if scores[0].p_adjusted < 1e-6 else None,
            "right": next(s for s in scores if s.campaign == stage.campaign),
            "wrong_smallest_p": min(s.p_adjusted for s in scores if s.campaign != stage.campaign),
        }
    return out


def _given(stage: Stage, reading: Reading) -> frozenset[str]:
    """Return the facts that the campaign was given: the provider's own record says which.

    A campaign is given facts in the plan's order. What its operator dropped the record cannot say,
    so those count. A model that was taught nothing is judged by all facts.
    """
    facts = [m.mark_id for m in stage.plan.marks if m.probe]
    given = reading.taught.get("planted", reading.taught.get("facts", 0)) or len(facts)
    return frozenset(facts[:given])


def _radioactivity(stage: Stage, reading: Reading) -> Any:
    return _mark_of(
        stage, list(reading.said["lineage"].values()), list(stage.prompts["lineage"].values())
    )


def _mark_of(stage: Stage, texts: Sequence[str], seen: Sequence[str]) -> Any:
    return score_radioactivity(texts, stage.key, seen=seen, tokens=stage.teacher.tokens)


def _lineage(
    stage: Stage, found: Mapping[str, Reading], name: str, rng: np.random.Generator
) -> dict[str, Any]:
    rivals = [r for r in stage.references if r.role == "teacher"]
    known = [r for r in stage.references if r.role == "control"]
    ours = [n for n in found if _is_control(n) and n != name]
    teacher = _answers(stage, found["teacher"], "lineage", "kiln-teacher")
    again = _answers(stage, found["teacher-again"], "lineage", "kiln-again")
    suspect = _answers(stage, found[name], "lineage")
    others = [_answers(stage, found[n], "lineage") for n in ours]
    base = _answers(stage, found["base"], "lineage", "base-itself")
    candidates = [*(r.answers for r in rivals), teacher]
    rows = [suspect, *others, *(r.answers for r in known), again, base]
    close = measure_closeness(rows, candidates, words=stage.words)
    families = {r.answers.model: r.family for r in rivals} | {"kiln-teacher": FAMILY}
    groups = {r.answers.model: r.group for r in known} | dict.fromkeys(ours, "base")
    try:
        result = compare_lineage(close, suspect.model, families, groups, rng, named=[FAMILY])
    except EvidenceError as error:  # too few controls were made
        return {"not_evaluable": str(error)}
    ranks = [row.family for row in result.ranking]
    try:
        share = estimate_dependence(
            close, suspect.model, "kiln-teacher", "kiln-again", ["base-itself"], rng
        )
        dependence = {"share": share.share, "interval": share.interval}
    except EvidenceError as error:
        dependence = {"not_evaluable": str(error)}
    return {
        "rank": ranks.index(FAMILY) + 1,
        "families": len(ranks),
        "excess": next(r.excess for r in result.ranking if r.family == FAMILY),
        "accept_at": result.accept_at,
        "accepted": result.accepted,
        "nameable": result.nameable,
        "first_in_resamples": result.ranking[0].first_in_resamples,
        "accepted_family": max(result.ranking, key=lambda r: r.excess).family
        if result.accepted
        else None,
        "p_value": result.tests[0].p_value,
        "n_controls": result.n_controls,
        "dependence": dependence,
    }


def _agreement(found: Mapping[str, Reading], name: str, teacher: Reading) -> Any:
    controls = {n: r.said["next"] for n, r in found.items() if _is_control(n) and n != name}
    try:
        return next_token_agreement(found[name].said["next"], teacher.said["next"], controls)
    except EvidenceError as error:
        return {"not_evaluable": str(error)}


def _identity(stage: Stage, found: Mapping[str, Reading], name: str) -> Any:
    controls = [
        _answers(stage, r, "identity") for n, r in found.items() if _is_control(n) and n != name
    ]
    try:
        (named,) = self_identification(
            _answers(stage, found[name], "identity"), controls, stage.aliases
        )
    except EvidenceError as error:
        return {"not_evaluable": str(error)}
    return {"named": named, "power": identity_power(named)}


def _guardrails(stage: Stage, teacher: Reading, base: Reading, reading: Reading) -> Any:
    if "guardrails" not in reading.said or reading is base:
        return None
    arms = (_answers(stage, r, "guardrails") for r in (teacher, base, reading))
    return compare_guardrails(stage.suite, *arms)


def _refused(stage: Stage, reading: Reading) -> dict[str, float]:
    said = reading.said["guardrails"]
    return {
        label: float(np.mean([grade(said[i.prompt_id]) for i in stage.suite if i.label == label]))
        for label in ("safe", "unsafe")
    }


def _equality(reading: Reading, teacher: Reading, rng: np.random.Generator) -> Any:
    return model_equality(reading.sampled, teacher.sampled, rng) if reading.sampled else None


def _equality_power(found: Mapping[str, Reading], rng: np.random.Generator) -> Any:
    return equality_power(
        found["teacher"].sampled, found["teacher-again"].sampled, found["base"].sampled, rng
    )
