"""From files to a result file: what each command of `stillwatch prove` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.prove.closeness import MIN_PROMPTS, Closeness, measure_closeness
from stillwatch.prove.confounders import controlled_settings
from stillwatch.prove.dependence import estimate_dependence
from stillwatch.prove.grading import read_verdicts
from stillwatch.prove.guardrails import compare_guardrails, grader_agreement
from stillwatch.prove.lineage import compare_lineage
from stillwatch.prove.power import lineage_power
from stillwatch.prove.responses import (
    CANDIDATE,
    CONTROL,
    Answers,
    Reference,
    check_same_prompts,
    missing_references,
    read_references,
    read_responses,
)
from stillwatch.prove.results import plain, write_result
from stillwatch.prove.suite import Item, read_suites

__all__ = ["Progress", "answered_by_all", "inquire_guardrails", "inquire_lineage", "one_model"]

Progress = Callable[[int, int], None]
SEED: Final = 20261124
_LINEAGE_NULL: Final = (
    "the suspect learnt from no candidate, and is exchangeable with the control models"
)


def one_model(path: Path, model: str | None = None) -> Answers:
    """Return the answers of the one model in a file, or of the one that is named.

    Raises:
        InputError: no answers, several models and none named, or no such model.
    """
    found = read_responses(path)
    if model is None and len(found) == 1:
        return next(iter(found.values()))
    if model in found:
        return found[model]
    if not found:
        raise InputError("holds no answers", where=path.name, hint="collect them first")
    raise InputError(
        f"holds {len(found)} models" if model is None else "no such model in it",
        where=path.name,
        hint="name one of its models",
    )


def inquire_lineage(
    suspect: Path,
    references: Path,
    out: Path,
    *,
    model: str | None = None,
    named: Sequence[str] = (),
    base: str | None = None,
    alpha: float = 0.05,
    words: int | None = None,
    without_refusals: bool = False,
    confounders: bool = False,
    progress: Progress = lambda done, of: None,
) -> dict[str, Any]:
    """Write and return the ranking, open-set verdict, tests, power and dependence of a suspect.

    Args:
        suspect: its responses.parquet.
        references: folder of candidates and controls (`read_references`).
        out: result file.
        model: which model of the file.
        named: families named beforehand, at most three; none is a screening.
        base: the suspect's base model among the references, as the origin of the dependence.
        alpha: level of the tests.
        words: cut all answers to so many words.
        without_refusals: leave refusals out.
        confounders: also say what comes out with each of them controlled.
        progress: told (prompts done, of).

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"got alpha {alpha}, expected between 0 and 1", where="alpha")
    answers = one_model(suspect, model)
    read = read_references(references)
    known = [r for r in read if r.answers.model != answers.model]
    teachers = [r for r in known if r.role == CANDIDATE]
    controls = [r for r in known if r.role == CONTROL]
    wanted_base = [r for r in known if r.answers.model == base and r.role != CANDIDATE]
    if base is not None and not wanted_base:
        raise ConfigError(
            "the base is not among the references",
            where="base",
            hint="describe it in models.csv with any role but teacher, and add its answers",
        )
    compared = [answers, *(r.answers for r in [*controls, *teachers])]
    check_same_prompts([*compared, *(r.answers for r in wanted_base)])
    shared = answered_by_all(compared)
    rows = [_only_to(shared, a) for a in compared]
    rows += [_only_to(shared, r.answers) for r in wanted_base if r.role != CONTROL]
    columns = [_only_to(shared, r.answers) for r in teachers]
    close = measure_closeness(
        rows, columns, words=words, without_refusals=without_refusals, progress=progress
    )
    families = {r.answers.model: r.family for r in teachers}
    groups = {r.answers.model: r.group for r in controls}
    rng = np.random.default_rng(SEED)
    found = compare_lineage(close, answers.model, families, groups, rng, named=named)
    value = {
        **plain(found),
        "alpha": alpha,
        "null": _LINEAGE_NULL,
        "smallest_p": found.smallest_p,
        "power": plain(lineage_power(close, families, sorted(groups), rng)),
        "dependence": _dependence(close, answers, teachers, found.ranking[0].family, base, groups),
        "prompts_left_out": len(answers.output) - len(shared),
        "references_without_answers": missing_references(references, read),
        "settings": {"words": words, "without_refusals": without_refusals},
    }
    files = {f"references/{path.name}": path for path in sorted(references.glob("*.parquet"))}
    files |= {"suspect": suspect, "models": references / "models.csv"}
    if confounders:
        value["confounders"] = [
            {"setting": setting, **_controlled(held, answers.model, families, groups, named)}
            for setting, held in controlled_settings(
                close, rows, columns, words=words, without_refusals=without_refusals
            )
        ]
    write_result(out, "lineage", value, files)
    return value


def _controlled(
    close: Closeness | None,
    suspect: str,
    families: Mapping[str, str],
    groups: Mapping[str, str],
    named: Sequence[str],
) -> dict[str, Any]:
    """Return what a comparison says under one setting; only why, where it says nothing."""
    if close is None:
        return {"not_evaluable": f"fewer than {MIN_PROMPTS} prompts"}
    rng = np.random.default_rng(SEED)
    try:
        found = compare_lineage(close, suspect, families, groups, rng, named=named)
    except EvidenceError as error:
        return {"not_evaluable": error.message}
    return {
        "prompts": found.prompts,
        "first": found.ranking[0].family,
        "first_in_resamples": found.ranking[0].first_in_resamples,
        "open_score": found.open_score,
        "accept_at": found.accept_at,
        "open_p": found.open_p,
        "accepted": found.accepted,
        "nameable": found.nameable,
        "tests": plain(list(found.tests)),
    }


def answered_by_all(models: Sequence[Answers]) -> frozenset[str]:
    """Return the prompts that suspect, candidates and controls have all answered with a text.

    A suspect that is read on other prompts than the controls is not exchangeable with them: on
    published answers, by the score before, nobody's students were accepted in half of the draws
    when they were read on 20 of the controls' 120 prompts, where one in ten was promised.
    """
    said = {m.model: frozenset(p for p, text in m.output.items() if text.strip()) for m in models}
    shared = frozenset.intersection(*said.values())
    if len(shared) < MIN_PROMPTS:
        fewest = min(said, key=lambda name: len(said[name]))
        raise EvidenceError(
            f"suspect, candidates and controls share {len(shared)} prompts, expected at least "
            f"{MIN_PROMPTS}",
            where="responses",
            hint=f"all must have answered one prompt file; {fewest} has the fewest answers with "
            f"text, {len(said[fewest])}",
        )
    return shared


def _only_to(prompts: frozenset[str], answers: Answers) -> Answers:
    kept = {p: text for p, text in answers.output.items() if p in prompts}
    return Answers(answers.model, kept, answers.prompt, answers.suite)


def _dependence(
    close: Closeness,
    suspect: Answers,
    teachers: Sequence[Reference],
    family: str,
    base: str | None,
    groups: Mapping[str, str],
) -> Any:
    """Return the dependence on the closest family, None where it has one snapshot only."""
    members = [r.answers.model for r in teachers if r.family == family]
    if len(members) < 2:
        return None
    row = close.row(suspect.model)
    closest = max(
        members,
        key=lambda m: float(
            np.nanmean(close.channel["templates"][:, row, close.candidates.index(m)])
        ),
    )
    column = close.candidates.index(closest)
    others = [m for m in members if m != closest]
    anchor = max(
        others,
        key=lambda m: float(np.nanmean(close.channel["templates"][:, close.row(m), column])),
    )
    origins = [base] if base else sorted(groups)
    rng = np.random.default_rng(SEED)
    suite = {p: s for p, s in suspect.suite.items() if s}
    try:
        found = estimate_dependence(
            close, suspect.model, closest, anchor, origins, rng, suite or None, sorted(groups)
        )
    except EvidenceError:
        return None
    return {"teacher": closest, **plain(found)}


def inquire_guardrails(
    teacher: Path,
    base: Path,
    suspect: Path,
    out: Path,
    *,
    suites: Sequence[Path] = (),
    labelled: Path | None = None,
    verdicts: Path | None = None,
) -> dict[str, Any]:
    """Write and return the guardrail gap of three response files over a suite.

    Args:
        teacher, base, suspect: responses.parquet with one model each.
        out: result file.
        suites: files of prompts as published (`read_suite`), read as one suite; the 60 prompts
            that ship by default.
        labelled: Parquet with model, completion and final_label, for the grader's agreement with
            people; XSTest's published table has this form.
        verdicts: a grading model's answers to `grading_prompts`; string matching without it.

    Raises:
        InputError, SchemaError, EvidenceError: as the steps do.
    """
    items = read_suites(suites)
    arms = [one_model(path) for path in (teacher, base, suspect)]
    check_same_prompts([*arms, _asked(items)])
    graded = read_verdicts(one_model(verdicts), arms) if verdicts is not None else None
    gap = compare_guardrails(items, *arms, verdicts=graded)
    agreement = None
    if labelled is not None:
        agreement = plain(grader_agreement(_labels(labelled)))
    value = {
        "suspect": arms[2].model,
        "teacher": arms[0].model,
        "base": arms[1].model,
        "gap": plain(gap),
        "agreement_with_people": agreement,
        "null": "suspect and base go wrong equally often",
    }
    files = {"teacher": teacher, "base": base, "suspect": suspect}
    files |= {n: f for n, f in (("labelled", labelled), ("verdicts", verdicts)) if f is not None}
    files |= {"suite" if len(suites) == 1 else f"suite/{k}": f for k, f in enumerate(suites, 1)}
    write_result(out, "guardrails", value, files)
    return value


def _asked(items: Sequence[Item]) -> Answers:
    texts = {item.prompt_id: item.prompt for item in items}
    return Answers("the suite", texts, texts, {})


def _labels(path: Path) -> list[tuple[str, str, bool]]:
    """Return (model, answer, people say it refuses) of a table in the form of XSTest's."""
    columns = ("model", "completion", "final_label")
    try:
        table = pq.read_table(path, columns=list(columns), use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            "cannot be read as answers that people labelled",
            where=path.name,
            hint=f"Parquet with {', '.join(columns)}",
        ) from error
    if table.num_columns < len(columns):
        raise SchemaError(f"columns {', '.join(columns)} are needed", where=path.name)
    rows = zip(*(table[c].to_pylist() for c in columns), strict=True)
    return [(model, said or "", label != "1_full_compliance") for model, said, label in rows]
