"""What open weights say of canaries: the log-probability of every option of every fact.

Questions and numbers cross as JSON lines, so that any harness can do the asking.

*Questions* (``probes.jsonl``, written with the plan): ``prompt_id`` (the mark), ``prompt``,
``start``, ``options``. To be asked: with the prompt as the user's turn and the answer begun with
``start``, how likely is a space and the option, all tokens of it?

*Numbers*: ``model``, ``prompt_id``, ``log_probabilities`` (natural logarithms, one an option, in
the order of the question; sums over the option's tokens), ``asked_at`` (ISO 8601 with a zone).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from stillwatch.errors import InputError
from stillwatch.prove.marks import Mark
from stillwatch.schema import write_whole

__all__ = [
    "Likelihoods",
    "Question",
    "Scorer",
    "ask_likelihoods",
    "read_likelihoods",
    "read_questions",
    "write_questions",
]

_ABOVE_ONE: Final = 1e-3  # half-precision weights may sum to a little more than one


@dataclass(frozen=True)
class Question:
    """One fact: what is asked, how its answer begins, and how it may go on."""

    prompt_id: str
    prompt: str
    start: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Likelihoods:
    """What one model said: prompt_id to log-probabilities (nats), and when it was first asked."""

    model: str
    values: Mapping[str, tuple[float, ...]]
    first_asked: datetime


class Scorer(Protocol):
    """A model whose log-probabilities can be had."""

    def likelihoods(self, prompt: str, start: str, options: Sequence[str]) -> Sequence[float]:
        """Return the log-probability (nats) of a space and each option after an answer's start."""
        ...


def write_questions(path: Path, marks: Iterable[Mark]) -> None:
    """Write the facts among some marks; nothing in it tells of the coins."""
    rows = (
        {"prompt_id": m.mark_id, "prompt": m.probe, "start": m.start, "options": list(m.options)}
        for m in marks
        if m.probe
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_questions(path: Path) -> list[Question]:
    """Return the questions of a file.

    Raises:
        InputError: it cannot be read, or a field is absent or of another form.
    """
    return [_question(row, where) for row, where in _rows(path)]


def _question(row: Mapping[str, Any], where: str) -> Question:
    options = row.get("options")
    name, prompt, start = (row.get(field) for field in ("prompt_id", "prompt", "start"))
    texts = [name, prompt, start, *(options if isinstance(options, list) else [None])]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("expected prompt_id, prompt, start and options", where=where)
    return Question(str(name), str(prompt), str(start), tuple(options or ()))


def ask_likelihoods(
    scorer: Scorer, model: str, questions: Sequence[Question], now: datetime, out: Path
) -> None:
    """Ask a model at hand every question and write what it says, whole or not at all."""
    lines = []
    for q in questions:
        said = scorer.likelihoods(q.prompt, q.start, q.options)
        row = {"model": model, "prompt_id": q.prompt_id, "asked_at": now.isoformat()}
        lines.append(json.dumps({**row, "log_probabilities": [round(v, 6) for v in said]}) + "\n")
    write_whole(out, "".join(lines).encode())


def read_likelihoods(path: Path, questions: Sequence[Question]) -> Likelihoods:
    """Return what one model said to all of the questions.

    Raises:
        InputError: it cannot be read; several models; a question without numbers, with numbers
            twice, or with another number of them than options; a number that is no logarithm of a
            probability; a time without a zone.
    """
    wanted = {q.prompt_id: len(q.options) for q in questions}
    values: dict[str, tuple[float, ...]] = {}
    models, times = set(), []
    for row, where in _rows(path):
        name, said = str(row.get("prompt_id")), row.get("log_probabilities")
        if name not in wanted or name in values:
            raise InputError("is to no question of the prompts, or a second time", where=where)
        if not isinstance(said, list) or len(said) != wanted[name]:
            raise InputError(f"expected {wanted[name]} log-probabilities", where=where)
        values[name] = tuple(_logarithm(v, where) for v in said)
        models.add(row.get("model"))
        times.append(_time(row.get("asked_at"), where))
    if len(models) != 1 or not isinstance(next(iter(models)), str):
        raise InputError(f"holds {len(models)} models, expected one", where=path.name)
    if missing := wanted.keys() - values.keys():
        raise InputError(f"{len(missing)} questions have no numbers", where=path.name)
    return Likelihoods(str(models.pop()), values, min(times))


def _logarithm(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and value <= _ABOVE_ONE:
        return float(value)
    raise InputError("a number is no logarithm of a probability (finite, at most 0)", where=where)


def _time(value: object, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = datetime.min  # noqa: DTZ901 - has no zone, so it is refused with the others
    if at.tzinfo is None:
        raise InputError("asked_at is no time with a zone (ISO 8601)", where=where)
    return at


def _rows(path: Path) -> Iterable[tuple[Mapping[str, Any], str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read", where=path.name) from error
    found = []
    for number, line in enumerate(lines, 1):
        where = f"{path.name}:{number}"
        try:
            value = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise InputError("not a line of JSON", where=where) from error
        if value is not None and not isinstance(value, dict):
            raise InputError("expected an object", where=where)
        if value is not None:
            found.append((value, where))
    if not found:
        raise InputError("is empty", where=path.name)
    return found
