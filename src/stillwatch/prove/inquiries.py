"""From files to a result file: what each command of `stillwatch prove` does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.prove.canary import plan_power, score_canaries
from stillwatch.prove.closeness import Closeness, measure_closeness
from stillwatch.prove.dependence import estimate_dependence
from stillwatch.prove.grading import read_verdicts
from stillwatch.prove.guardrails import compare_guardrails, grader_agreement
from stillwatch.prove.lineage import compare_lineage
from stillwatch.prove.marks import SEED_BYTES, Plan, draw_plan, plan_of
from stillwatch.prove.power import lineage_power
from stillwatch.prove.prompts import read_prompts, write_prompts
from stillwatch.prove.registry import Registry, code_digest
from stillwatch.prove.responses import (
    CANDIDATE,
    CONTROL,
    Answers,
    Reference,
    read_references,
    read_responses,
)
from stillwatch.prove.results import file_digest, plain, write_result
from stillwatch.prove.suite import own_suite, read_suite
from stillwatch.seal import digest, read_private_key, read_public_key

__all__ = [
    "Progress",
    "inquire_canary",
    "inquire_guardrails",
    "inquire_lineage",
    "one_model",
    "plan_canaries",
    "read_plan",
    "register",
]

Progress = Callable[[int, int], None]
SEED: Final = 20261124
_LINEAGE_NULL: Final = (
    "the suspect learnt from no candidate, and is exchangeable with the control models"
)


def one_model(path: Path, model: str | None = None) -> Answers:
    """Return the answers of the one model in a file, or of the one that is named.

    Raises:
        InputError: several models and none named, or no such model.
    """
    found = read_responses(path)
    if model is None and len(found) == 1:
        return next(iter(found.values()))
    if model in found:
        return found[model]
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
        progress: told (prompts done, of).

    Raises:
        InputError, SchemaError, ConfigError, EvidenceError: as the steps do.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"got alpha {alpha}, expected between 0 and 1", where="alpha")
    answers = one_model(suspect, model)
    known = [r for r in read_references(references) if r.answers.model != answers.model]
    teachers = [r for r in known if r.role == CANDIDATE]
    controls = [r for r in known if r.role == CONTROL]
    wanted_base = [r for r in known if r.answers.model == base and r.role != CANDIDATE]
    if base is not None and not wanted_base:
        raise ConfigError("the base is not among the references", where="base")
    rows = [answers, *(r.answers for r in [*controls, *teachers])]
    rows += [r.answers for r in wanted_base if r.role != CONTROL]
    close = measure_closeness(
        rows,
        [r.answers for r in teachers],
        words=words,
        without_refusals=without_refusals,
        progress=progress,
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
        "settings": {"words": words, "without_refusals": without_refusals},
    }
    files = {f"references/{path.name}": path for path in sorted(references.glob("*.parquet"))}
    files |= {"suspect": suspect, "models": references / "models.csv"}
    write_result(out, "lineage", value, files)
    return value


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
            close, suspect.model, closest, anchor, origins, rng, suite or None
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
    suite: Path | None = None,
    labelled: Path | None = None,
    verdicts: Path | None = None,
) -> dict[str, Any]:
    """Write and return the guardrail gap of three response files over a suite.

    Args:
        teacher, base, suspect: responses.parquet with one model each.
        out: result file.
        suite: Parquet of prompts (XSTest's form); the 60 prompts that ship by default.
        labelled: Parquet with model, completion and final_label, for the grader's agreement with
            people; XSTest's published table has this form.
        verdicts: a grading model's answers to `grading_prompts`; string matching without it.

    Raises:
        InputError, SchemaError, EvidenceError: as the steps do.
    """
    items = own_suite() if suite is None else read_suite(suite)
    arms = [one_model(path) for path in (teacher, base, suspect)]
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
    files |= {
        n: f
        for n, f in (("suite", suite), ("labelled", labelled), ("verdicts", verdicts))
        if f is not None
    }
    write_result(out, "guardrails", value, files)
    return value


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


def plan_canaries(
    campaigns: Sequence[str], out: Path, *, facts: int, suspects: int, looks: int, alpha: float
) -> dict[str, Any]:
    """Draw a seed and a plan; write plan.json, seed.key (secret) and probes.jsonl.

    Raises:
        ConfigError: as `draw_plan`, or the folder holds a seed already.
    """
    out.mkdir(parents=True, exist_ok=True)
    seed_file = out / "seed.key"
    if seed_file.exists():
        raise ConfigError("a seed is there already and is not overwritten", where=str(seed_file))
    seed = secrets.token_bytes(SEED_BYTES)
    plan = draw_plan(seed, campaigns, facts)
    seed_file.touch(mode=0o600)
    seed_file.write_text(seed.hex() + "\n", encoding="ascii")
    (out / "plan.json").write_text(json.dumps(plan.to_json(), indent=1) + "\n", encoding="utf-8")
    write_prompts(out / "probes.jsonl", {m.mark_id: m.probe for m in plan.marks if m.probe})
    tests = len(campaigns) * suspects * looks
    return {
        "marks": len(plan.marks),
        "tests": tests,
        "power": plain(plan_power(alpha, tests)),
        "plan_digest": digest(plan.to_json()),
    }


def read_plan(path: Path) -> Plan:
    """Return a plan from plan.json.

    Raises:
        InputError: it cannot be read.
        ConfigError: another form.
    """
    try:
        return plan_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError("cannot be read as a plan", where=path.name) from error


@dataclass(frozen=True)
class Registration:
    """What to register: a plan, or a suspect with its prompts, or that marks were planted."""

    plan: Path | None = None
    suspect: str | None = None
    prompts: Path | None = None
    looks: int = 1
    planted: Path | None = None
    legal_basis: str | None = None


def register(what: Registration, registry: Path, key: Path, now: datetime) -> str:
    """Enter what is given into a registry, signed, and return the registry's new head.

    Raises:
        ConfigError: nothing, or a suspect without prompts, or planted marks without legal basis.
        EvidenceError: the registry does not verify, or the planted plan is not in it.
    """
    private = read_private_key(key)
    book = Registry(registry, [private.public_key()])
    if what.plan is not None:
        plan = read_plan(what.plan)
        entry = {"plan_digest": digest(plan.to_json()), "seed_digest": plan.seed_digest}
        return book.enter("plan", entry, private, now)
    if what.suspect is not None and what.prompts is not None:
        if what.looks < 1:
            raise ConfigError("looks are at least 1", where="looks")
        entry = {
            "suspect": what.suspect,
            "prompts_digest": file_digest(what.prompts),
            "code_digest": code_digest(),
            "looks": str(what.looks),
        }
        return book.enter("suspect", entry, private, now)
    if what.planted is not None and what.legal_basis:
        plan = read_plan(what.planted)
        book.plan_entry(plan)
        entry = {"plan_digest": digest(plan.to_json()), "legal_basis": what.legal_basis}
        return book.enter("planted", entry, private, now)
    raise ConfigError(
        "give a plan, a suspect with its prompts, or a planted plan with its legal basis",
        where="register",
    )


def inquire_canary(
    plan_file: Path,
    seed_file: Path,
    suspect: Path,
    prompts: Path,
    registry: Path,
    key: Path,
    out: Path,
    *,
    base: Path | None = None,
    alpha: float = 1e-6,
    now: datetime,
    private: Path | None = None,
) -> dict[str, Any]:
    """Score a suspect against a registered plan; write and return the result.

    Args:
        plan_file, seed_file: what `plan_canaries` wrote.
        suspect: the answers to the registered prompts.
        prompts: the registered prompts file.
        registry: with the plan and the suspect in it.
        key: public key that the registry's entries are signed with.
        out: result file.
        base: answers of a model that saw no campaign, to the same prompts.
        alpha: level, after Bonferroni.
        now: time of the score.
        private: key to enter the score into the registry with.

    Raises:
        EvidenceError: plan, suspect, prompts or code were not registered, the seed is another, an
            answer is to a prompt that was not registered, or is older than the registration.
        InputError: a file cannot be read.
    """
    plan = read_plan(plan_file)
    book = Registry(registry, [read_public_key(key)])
    book.plan_entry(plan)
    answers = one_model(suspect)
    control = one_model(base) if base else None
    book.suspect_entry(answers.model, file_digest(prompts))
    _asked_after(suspect, book.registered_at(answers.model, file_digest(prompts)))
    asked = read_prompts(prompts)
    if any(asked.get(p) is None for p in answers.output):
        raise EvidenceError("an answer is to a prompt that was not registered", where=suspect.name)
    answers = Answers(answers.model, answers.output, asked, {})
    if control is not None:
        control = Answers(control.model, control.output, asked, {})
    try:
        seed = bytes.fromhex(seed_file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise InputError("not a readable seed", where=seed_file.name) from error
    looks = book.looks()
    scores = score_canaries(plan, seed, answers, base=control, looks=looks)
    value = {
        "suspect": answers.model,
        "base": control.model if control else None,
        "alpha": alpha,
        "null": "the suspect saw nothing that was made from the campaign's coins",
        "tests": len(plan.campaigns) * looks,
        "scores": plain(scores),
        "registry_head": book.head,
    }
    files = {"plan": plan_file, "suspect": suspect, "prompts": prompts}
    files |= {"base": base} if base else {}
    result = write_result(out, "canary", value, files)
    if private is not None:
        book.enter("score", {"result_digest": digest(result)}, read_private_key(private), now)
    return value


def _asked_after(answers: Path, registered: datetime) -> None:
    """Refuse answers that were there before the suspect was registered, where they say when."""
    if "asked_at" not in pq.read_schema(answers).names:
        return
    times = pq.read_table(answers, columns=["asked_at"], use_threads=False)["asked_at"].to_pylist()
    if any(at is not None and at < registered for at in times):
        raise EvidenceError(
            "an answer was collected before the suspect and its prompts were registered",
            where=answers.name,
            hint="ask again, with another --cache: what is registered afterwards proves nothing",
        )
