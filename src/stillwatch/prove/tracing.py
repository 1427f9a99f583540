"""From files to a traced suspect: what each command of `stillwatch prove canary` does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.prove.canary import (
    fact_power,
    likelihood_points,
    mark_points,
    plan_power,
    score_plan,
)
from stillwatch.prove.inquiries import one_model
from stillwatch.prove.likelihood import read_likelihoods, read_questions, write_questions
from stillwatch.prove.marks import SEED_BYTES, Plan, draw_plan, plan_of
from stillwatch.prove.prompts import read_prompts
from stillwatch.prove.registry import Asked, Registry
from stillwatch.prove.responses import Answers, check_same_prompts
from stillwatch.prove.results import file_digest, plain, read_bytes, write_result
from stillwatch.seal import digest, read_private_key, read_public_key
from stillwatch.stats import IntArray

__all__ = [
    "Registration",
    "inquire_canary",
    "plan_canaries",
    "read_plan",
    "read_seed",
    "register",
    "standing_of",
]

BY_TEXT: Final = "text"
BY_LIKELIHOOD: Final = "log-probabilities"
_LEAST_NONCE: Final = 16
_NULL: Final = "the suspect saw nothing that was made from the campaign's coins"


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
    write_questions(out / "probes.jsonl", plan.marks)
    tests = len(campaigns) * suspects * looks
    return {
        "marks": len(plan.marks),
        "tests": tests,
        "power": plain(plan_power(alpha, tests)),
        "fact_power": plain(fact_power(alpha / tests)),
        "plan_digest": plan.plan_digest,
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


def read_seed(path: Path) -> bytes:
    """Return the seed of a plan.

    Raises:
        InputError: not a file of hexadecimal digits.
    """
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise InputError("not a readable seed", where=path.name) from error


@dataclass(frozen=True)
class Registration:
    """What to register, one of four things.

    A plan. Public randomness for it (``drawn_for``, ``nonce``, ``source``). What is being planted
    of it: ``planted``, ``legal_basis``, and, of facts, to which ``campaign`` which (``facts``). A
    suspect with its prompts, base, kind of score and looks.
    """

    plan: Path | None = None
    drawn_for: Path | None = None
    nonce: str = ""
    source: str = ""
    planted: Path | None = None
    legal_basis: str | None = None
    campaign: str | None = None
    facts: Path | None = None
    suspect: str | None = None
    prompts: Path | None = None
    base: str = ""
    log_probabilities: bool = False
    looks: int = 1


def register(what: Registration, registry: Path, key: Path, now: datetime) -> str:
    """Enter what is given into a registry, signed, and return the registry's new head.

    Raises:
        ConfigError: nothing that can be registered, a nonce or a list of facts that does not fit.
        EvidenceError: the registry does not verify, the plan was not entered, or its nonce comes
            too late.
    """
    private = read_private_key(key)
    book = Registry(registry, [private.public_key()])
    kind, entry = _entry(what, book)
    return book.enter(kind, entry, private, now)


def _entry(what: Registration, book: Registry) -> tuple[str, dict[str, Any]]:
    if what.plan is not None:
        plan = read_plan(what.plan)
        told = {"plan_digest": plan.plan_digest, "seed_digest": plan.seed_digest}
        return "plan", {**told, "campaigns": len(plan.campaigns)}
    if what.drawn_for is not None:
        return "nonce", _nonce(what, what.drawn_for, book)
    if what.planted is not None and what.legal_basis:
        return "planted", _planted(what, what.planted, book)
    if what.suspect is not None and what.prompts is not None:
        if what.looks < 1:
            raise ConfigError("looks are at least 1", where="looks")
        by = BY_LIKELIHOOD if what.log_probabilities else BY_TEXT
        asked = Asked(what.suspect, what.base, file_digest(what.prompts), by)
        return "suspect", {**asked.entry(), "looks": what.looks}
    raise ConfigError(
        "give a plan, a nonce for one, a suspect with its prompts, or a planted plan with its "
        "legal basis",
        where="register",
    )


def _nonce(what: Registration, file: Path, book: Registry) -> dict[str, Any]:
    plan = read_plan(file)
    book.plan_place(plan)
    if book.nonce(plan)[0] is not None or book.planted(plan):
        raise EvidenceError(
            "the plan has a nonce already, or was planted without one", where=file.name
        )
    try:
        size = len(bytes.fromhex(what.nonce))
    except ValueError as error:
        raise ConfigError("the nonce is not hexadecimal", where="nonce") from error
    if size < _LEAST_NONCE or not what.source.strip():
        raise ConfigError(
            f"a nonce has {_LEAST_NONCE} bytes or more, and a source that anybody can look up",
            where="nonce",
            hint="a round of a public beacon that was announced before it was drawn",
        )
    told = {"plan_digest": plan.plan_digest, "nonce": what.nonce.lower()}
    return {**told, "source": what.source}


def _planted(what: Registration, file: Path, book: Registry) -> dict[str, Any]:
    plan = read_plan(file)
    book.plan_place(plan)
    told = {"plan_digest": plan.plan_digest, "legal_basis": what.legal_basis}
    if (what.campaign is None) != (what.facts is None):
        raise ConfigError("name the campaign and the facts it is given, or neither", where="facts")
    if what.campaign is None or what.facts is None:
        return told
    facts = read_bytes(what.facts).decode("utf-8", "replace").split()
    known = {m.mark_id for m in plan.marks if m.probe}
    if what.campaign not in plan.campaigns or not facts or set(facts) - known:
        raise ConfigError(
            "the plan has no such campaign, or a line is none of its facts", where=what.facts.name
        )
    return {**told, "campaign": what.campaign, "facts": sorted(set(facts))}


class _Evidence(NamedTuple):
    """What a suspect and its base said: names, points of every option, and since when."""

    suspect: str
    base: str
    points: Mapping[str, IntArray]
    first_asked: datetime


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
    log_probabilities: bool = False,
    alpha: float = 1e-6,
    now: datetime,
    private: Path | None = None,
) -> dict[str, Any]:
    """Score a suspect against a registered plan; write and return the result.

    Args:
        plan_file, seed_file: what `plan_canaries` wrote.
        suspect: the answers to the registered prompts, all of them.
        prompts: the registered prompts file.
        registry: with the plan and the suspect in it.
        key: public key that the registry's entries are signed with.
        out: result file.
        base: answers of the registered base to the same prompts.
        log_probabilities: suspect and base are files of log-probabilities.
        alpha: level, after Bonferroni.
        now: time of the score.
        private: key to enter the score into the registry with.

    Raises:
        EvidenceError: a rule of `registry` is broken, the seed is another, an answer is to a
            prompt that was not registered, is older than the registration, or is missing.
        ConfigError: log-probabilities without a base.
        InputError: a file cannot be read.
    """
    plan = read_plan(plan_file)
    book = Registry(registry, [read_public_key(key)])
    read = _by_likelihood if log_probabilities else _by_text
    found = read(plan, suspect, base, prompts)
    by = BY_LIKELIHOOD if log_probabilities else BY_TEXT
    fixed = book.committed(plan, Asked(found.suspect, found.base, file_digest(prompts), by))
    if found.first_asked < fixed.registered_at:
        raise EvidenceError(
            "an answer was collected before the suspect and its prompts were registered",
            where=suspect.name,
            hint="ask again, with another --cache: what is registered afterwards proves nothing",
        )
    tests = book.tests()
    scores = score_plan(
        plan,
        read_seed(seed_file),
        found.suspect,
        found.points,
        tests=tests,
        nonce=fixed.nonce,
        given=fixed.given,
    )
    value = {
        "suspect": found.suspect,
        "base": found.base or None,
        "by": by,
        "alpha": alpha,
        "null": _NULL,
        "tests": tests,
        "scores": plain(scores),
        "facts_counted": {c: len(marks) for c, marks in sorted(fixed.given.items())},
        "nonce_source": fixed.source or None,
        "legal_basis": list(fixed.legal_basis),
        "entered": private is not None,
        "registry_head": book.head,
    }
    files = {"plan": plan_file, "suspect": suspect, "prompts": prompts}
    files |= {"base": base} if base else {}
    result = write_result(out, "canary", value, files)
    if private is not None:
        book.enter("score", {"result_digest": digest(result)}, read_private_key(private), now)
    return value


def _by_text(plan: Plan, suspect: Path, base: Path | None, prompts: Path) -> _Evidence:
    asked = read_prompts(prompts)
    answers = _to_prompts(suspect, asked)
    control = _to_prompts(base, asked) if base is not None else None
    points = mark_points(plan.marks, answers, control)
    return _Evidence(answers.model, control.model if control else "", points, _first_asked(suspect))


def _to_prompts(file: Path, asked: Mapping[str, str]) -> Answers:
    """Return a model's answers, once there is one to every prompt and none to another.

    Under a registered prompt_id the model may have been asked another text, which shows the mark:
    what the file says was asked must be what was registered.
    """
    answers = one_model(file)
    if any(asked.get(p) is None for p in answers.output):
        raise EvidenceError("an answer is to a prompt that was not registered", where=file.name)
    if missing := asked.keys() - answers.output.keys():
        raise EvidenceError(
            f"{len(missing)} registered prompts have no answer: a choice among answers proves "
            "nothing",
            where=file.name,
            hint="stillwatch prove collect asks those that are missing",
        )
    check_same_prompts([Answers("the registration", asked, asked, {}), answers])
    return Answers(answers.model, answers.output, asked, {})


def _first_asked(file: Path) -> datetime:
    """Return when the first answer was collected; all must say when."""
    names = pq.read_schema(file).names
    told: list[Any] = [None]
    if "asked_at" in names:
        told = pq.read_table(file, columns=["asked_at"], use_threads=False)["asked_at"].to_pylist()
    times = [at for at in told if isinstance(at, datetime) and at.tzinfo is not None]
    if not times or len(times) < len(told):
        raise EvidenceError(
            "an answer does not say when it was collected (asked_at, with a zone)",
            where=file.name,
            hint="answers that may be older than the registration prove nothing",
        )
    return min(times)


def _by_likelihood(plan: Plan, suspect: Path, base: Path | None, prompts: Path) -> _Evidence:
    if base is None:
        raise ConfigError("log-probabilities are read against a base", where="base")
    questions = read_questions(prompts)
    facts = {m.mark_id: (m.probe, m.start, m.options) for m in plan.marks if m.probe}
    if any((q.prompt, q.start, q.options) != facts.get(q.prompt_id) for q in questions):
        raise EvidenceError("a question is none of the plan's", where=prompts.name)
    said, usual = read_likelihoods(suspect, questions), read_likelihoods(base, questions)
    points = likelihood_points(plan.marks, said.values, usual.values)
    return _Evidence(said.model, usual.model, points, said.first_asked)


def standing_of(registry: Path, key: Path, published: str | None = None) -> dict[str, Any]:
    """Return the entries of a registry, once all of it verifies, and which are vouched for.

    Args:
        registry: the file.
        key: public key that its entries are signed with.
        published: a head that somebody else kept, or that was published.

    Raises:
        EvidenceError: it does not verify, or never had that head.
    """
    book = Registry(registry, [read_public_key(key)])
    return {
        "entries": book.entries,
        "head": book.head,
        "vouched": book.standing(published) if published else 0,
    }
