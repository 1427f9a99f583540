"""From files to a result file: agreement, self-identification, profiles, model equality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.errors import ConfigError, InputError
from stillwatch.prove.agreement import (
    Tokens,
    agreement_power,
    next_token_agreement,
    read_first_tokens,
)
from stillwatch.prove.equality import Samples, equality_power, model_equality, read_samples
from stillwatch.prove.habits import PROFILES
from stillwatch.prove.identity import identity_power, self_identification
from stillwatch.prove.inquiries import SEED, answered_by_all, one_model
from stillwatch.prove.profiles import (
    ProfileResult,
    Profiles,
    compare_profiles,
    habit_rates,
    measure_habits,
)
from stillwatch.prove.responses import (
    CANDIDATE,
    CONTROL,
    Reference,
    check_same_prompts,
    missing_references,
    read_references,
)
from stillwatch.prove.results import plain, write_result

__all__ = ["inquire_agreement", "inquire_equality", "inquire_identity", "inquire_profiles"]

_NULL: Final = "the suspect learnt nothing from the teacher, and is exchangeable with the controls"
_NO_CANDIDATE: Final = (
    "the suspect learnt from no candidate, and is exchangeable with the control models"
)
_EQUAL: Final = "given a prompt, the answers of both are independent draws from one distribution"
_LEAST_FOR_POWER: Final = 5


def inquire_agreement(
    suspect: Path,
    references: Path,
    teacher: str,
    out: Path,
    *,
    model: str | None = None,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Write and return how often the suspect begins as one teacher does, ranked among controls.

    Args:
        suspect: its responses.parquet, with log-probabilities.
        references: folder of the teacher and the controls (`read_references`), with them too.
        teacher: a model of it, named before the answers were seen.
        out: result file.
        model: which model of the suspect's file.
        alpha: level set beforehand.

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    answers = one_model(suspect, model)
    name = answers.model
    roles = {r.answers.model: r for r in read_references(references)}
    if teacher not in roles or roles[teacher].role != CANDIDATE:
        raise ConfigError("the teacher is not among the candidates", where="teacher")
    tokens = _tokens_of(references)
    known = _controls(roles.values(), name)
    check_same_prompts([answers, *(roles[m].answers for m in [teacher, *known])])
    if teacher not in tokens or not all(c in tokens for c in known):
        raise InputError("a model has no log-probabilities", where=references.name)
    ours = read_first_tokens(suspect)
    if name not in ours:
        raise InputError("the suspect has no log-probabilities", where=suspect.name)
    others = {c: tokens[c] for c in known}
    found = next_token_agreement(ours[name], tokens[teacher], others)
    curve = (
        agreement_power(tokens[teacher], others, np.random.default_rng(SEED))
        if len(others) >= _LEAST_FOR_POWER
        else ()
    )
    value = {
        **plain(found),
        "suspect": name,
        "teacher": teacher,
        "alpha": alpha,
        "null": _NULL,
        "power": plain(curve),
    }
    write_result(out, "agreement", value, _inputs(suspect, references))
    return value


def inquire_identity(
    suspect: Path,
    references: Path,
    aliases: Mapping[str, Sequence[str]],
    out: Path,
    *,
    model: str | None = None,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Write and return how often the suspect says it is one of the families named.

    Args:
        suspect: its answers to `identity_questions`.
        references: folder of the controls' answers to them.
        aliases: family to its names, at most three families, fixed beforehand.
        out: result file.
        model: which model of the suspect's file.
        alpha: level set beforehand.

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    answers = one_model(suspect, model)
    known = [
        r.answers
        for r in read_references(references)
        if r.role == CONTROL and r.answers.model != answers.model
    ]
    check_same_prompts([answers, *known])
    found = self_identification(answers, known, aliases)
    value = {
        "suspect": answers.model,
        "alpha": alpha,
        "null": _NULL,
        "families": [{**plain(named), "power": plain(identity_power(named))} for named in found],
    }
    write_result(out, "identity", value, _inputs(suspect, references))
    return value


def inquire_profiles(
    suspect: Path,
    references: Path,
    out: Path,
    *,
    model: str | None = None,
    named: Sequence[str] = (),
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Write and return whose habits the suspect has: how it refuses, and its idiosyncrasies.

    Args:
        suspect: its responses.parquet.
        references: folder of candidates and controls (`read_references`).
        out: result file.
        model: which model of the suspect's file.
        named: families named beforehand, at most three; none is a screening.
        alpha: level set beforehand.

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    answers = one_model(suspect, model)
    read = read_references(references)
    known = [r for r in read if r.answers.model != answers.model]
    teachers = [r for r in known if r.role == CANDIDATE]
    controls = [r for r in known if r.role == CONTROL]
    compared = [answers, *(r.answers for r in [*controls, *teachers])]
    check_same_prompts(compared)
    shared = answered_by_all(compared)
    held = measure_habits(compared, sorted(shared))
    families = {r.answers.model: r.family for r in teachers}
    groups = {r.answers.model: r.group for r in controls}
    found = compare_profiles(
        held, answers.model, families, groups, np.random.default_rng(SEED), named=named
    )
    value = {
        "suspect": answers.model,
        "kind": "test" if named else "screening",
        "alpha": alpha,
        "null": _NO_CANDIDATE,
        "prompts": len(shared),
        "prompts_left_out": len(answers.output) - len(shared),
        "kinds": list(held.kinds),
        "smallest_p": found[0].smallest_p,
        "profiles": [{**plain(one), **_told(held, one, answers.model, families)} for one in found],
        "references_without_answers": missing_references(references, read),
    }
    write_result(out, "profiles", value, _inputs(suspect, references))
    return value


def _told(
    held: Profiles, found: ProfileResult, suspect: str, families: Mapping[str, str]
) -> dict[str, Any]:
    """Return each habit of a profile: of the suspect, the closest family, the controls."""
    closest = [m for m, family in families.items() if family == found.ranking[0].family]
    controls = sorted(found.control_excess)
    rates = habit_rates(held, [suspect, *closest, *controls])
    rows = []
    for kind, of_kind in rates.items():
        for habit in PROFILES[found.profile]:
            own, *others = of_kind[habit]
            theirs, strange = others[: len(closest)], others[len(closest) :]
            rows.append(
                {
                    "kind": kind,
                    "habit": habit,
                    "suspect": own,
                    "closest_family": float(np.mean(theirs)),
                    "controls_low": min(strange),
                    "controls_high": max(strange),
                }
            )
    return {"rates": plain(rows)}


def inquire_equality(
    suspect: Path,
    teacher: Path,
    out: Path,
    *,
    other: Path | None = None,
    model: str | None = None,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Write and return whether the suspect's samples can be told from the teacher's.

    Args:
        suspect: several samples of each prompt.
        teacher: the same prompts, asked in the same way.
        out: result file.
        other: another model's samples, for the power against a mixture; four samples or more of
            the teacher are needed then.
        model: which model of the suspect's file.
        alpha: level set beforehand.

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    answers = one_model(suspect, model)
    name = answers.model
    check_same_prompts([answers, *(one_model(p) for p in (teacher, other) if p is not None)])
    ours, theirs = read_samples(suspect)[name], _only(read_samples(teacher), teacher)
    rng = np.random.default_rng(SEED)
    found = model_equality(ours, theirs, rng)
    curve: Any = ()
    if other is not None:
        half = {p: len(said) // 2 for p, said in theirs.items()}
        first = {p: said[: half[p]] for p, said in theirs.items()}
        second = {p: said[half[p] :] for p, said in theirs.items()}
        curve = equality_power(first, second, _only(read_samples(other), other), rng, alpha=alpha)
    value = {
        **plain(found),
        "suspect": name,
        "alpha": alpha,
        "null": _EQUAL,
        "differs": found.p_value <= alpha,
        "power": plain(curve),
    }
    files = {"suspect": suspect, "teacher": teacher} | ({"other": other} if other else {})
    write_result(out, "equality", value, files)
    return value


def _tokens_of(folder: Path) -> dict[str, Tokens]:
    found: dict[str, Tokens] = {}
    for path in sorted(folder.glob("*.parquet")):
        found |= read_first_tokens(path)
    return found


def _controls(references: Sequence[Reference] | Any, suspect: str) -> list[str]:
    return sorted(
        r.answers.model for r in references if r.role == CONTROL and r.answers.model != suspect
    )


def _only(models: Mapping[str, Samples], path: Path) -> Samples:
    if len(models) != 1:
        raise InputError(f"holds {len(models)} models, expected one", where=path.name)
    return next(iter(models.values()))


def _inputs(suspect: Path, references: Path) -> dict[str, Path]:
    files = {f"references/{path.name}": path for path in sorted(references.glob("*.parquet"))}
    return files | {"suspect": suspect, "models": references / "models.csv"}
