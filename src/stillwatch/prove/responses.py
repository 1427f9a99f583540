"""Saved answers: one model, one answer a prompt, read from Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import EvidenceError, InputError, SchemaError, why
from stillwatch.schema.arrow import RESPONSE

__all__ = [
    "CANDIDATE",
    "CONTROL",
    "Answers",
    "Reference",
    "check_same_prompts",
    "missing_references",
    "read_references",
    "read_responses",
]

CANDIDATE: Final = "teacher"
CONTROL: Final = "control"
_LISTING: Final = "models.csv"

# A published table may keep its own names; the first name that is there is taken.
_NAMES: Final = {
    "model": ("model", "generator"),
    "prompt_id": ("prompt_id", "idx", "id"),
    "prompt": ("prompt", "instruction"),
    "output": ("output", "completion", "output_text"),
    "suite": ("suite", "dataset", "type"),
    "sample": ("sample",),
}


@dataclass(frozen=True)
class Answers:
    """The answers of one model: prompt_id to text, and what is known of the prompts."""

    model: str
    output: Mapping[str, str]
    prompt: Mapping[str, str]
    suite: Mapping[str, str]


@dataclass(frozen=True)
class Reference:
    """A model with known descent: ``role`` is teacher (a candidate), control, or another word.

    ``family`` joins snapshots of one teacher; ``group`` joins models that share weights or
    training data, which must never vouch for each other.
    """

    answers: Answers
    role: str
    family: str
    group: str


def read_responses(path: Path) -> dict[str, Answers]:
    """Return the answers in a Parquet file by model; of several samples the lowest number.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a row repeats another one's model,
            prompt and sample: which of the two answers counts must not depend on their order.
        SchemaError: a required column is absent or empty somewhere.
    """
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"cannot be read as Parquet ({why(error)})",
            where=path.name,
            hint="give a file that `stillwatch prove collect` wrote",
        ) from error
    try:
        columns = {name: _column(table, name, path) for name in _NAMES}
    except UnicodeDecodeError as error:
        raise InputError(
            "holds text that is not UTF-8", where=path.name, hint="write it again as UTF-8"
        ) from error
    rows = zip(*(columns[name] for name in _NAMES), strict=True)
    chosen: dict[str, dict[str, tuple[int, str, str, str]]] = {}
    for model, prompt_id, prompt, output, suite, sample in rows:
        number = int(sample or 0)
        held = chosen.setdefault(str(model), {})
        before = held.get(str(prompt_id))
        if before is not None and before[0] == number:
            raise InputError(
                "two rows have the same model, prompt_id and sample",
                where=path.name,
                hint="keep one of them",
            )
        if before is None or number < before[0]:
            held[str(prompt_id)] = (number, output or "", prompt or "", suite or "")
    return {
        model: Answers(
            model,
            {p: held[p][1] for p in sorted(held)},
            {p: held[p][2] for p in sorted(held)},
            {p: held[p][3] for p in sorted(held)},
        )
        for model, held in sorted(chosen.items())
    }


def _column(table: pa.Table, name: str, path: Path) -> list[object]:
    found = next((n for n in _NAMES[name] if n in table.column_names), None)
    required = not RESPONSE.field(name).nullable
    if found is None:
        if required:
            raise SchemaError(
                f"column {name} is absent",
                where=path.name,
                hint="docs/schema.md lists the columns of responses.parquet",
            )
        return [None] * table.num_rows
    kind = table.schema.field(found).type
    fits = pa.types.is_integer(kind) if name == "sample" else _is_text(kind)
    if not (fits or pa.types.is_null(kind) or name in ("model", "prompt_id")):
        wanted = "whole numbers" if name == "sample" else "text"
        raise SchemaError(f"column {found} holds {kind}, expected {wanted}", where=path.name)
    values: list[object] = table.column(found).to_pylist()
    if required and any(value is None for value in values):
        raise SchemaError(f"column {name} has empty cells", where=path.name)
    return values


def check_same_prompts(models: Iterable[Answers]) -> None:
    """Refuse answers whose prompts have one prompt_id and different texts.

    Models that were asked different things under one name are alike or not for that reason alone:
    a suspect and a teacher that were asked the same, and controls that were not, would look like
    student and teacher. A text that a file does not have is not compared.

    Raises:
        EvidenceError: names the two models and how many prompts differ, never a text.
    """
    known: dict[str, tuple[str, str]] = {}
    for model in models:
        told = {p: text.strip() for p in model.output if (text := model.prompt.get(p, ""))}
        other = [p for p, text in told.items() if p in known and known[p][0] != text]
        if other:
            raise EvidenceError(
                f"{model.model} and {known[other[0]][1]} were asked different texts under the same "
                f"prompt_id, {len(other)} of {len(told)}",
                where="responses",
                hint="give every model's answers to one prompt file",
            )
        known = {p: (text, model.model) for p, text in told.items()} | known


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def read_references(folder: Path) -> list[Reference]:
    """Return the reference models of a folder: its Parquet files, described by models.csv.

    ``models.csv`` has the columns model, role, family, group; role ``teacher`` names a candidate,
    ``control`` a model that is known not to be anyone's student. The columns of the public
    lineage tables are understood too (teacher_family, documented_teacher). A model that is not
    described is left out.

    Raises:
        InputError: no models.csv, no Parquet, a file that cannot be read, a model in two files.
        SchemaError: models.csv lacks a column.
    """
    listing = folder / _LISTING
    described = _described_models(listing)
    found: dict[str, Answers] = {}
    for path in sorted(folder.glob("*.parquet")):
        for model, answers in read_responses(path).items():
            if model in found:
                raise InputError("a model occurs in two files", where=path.name)
            found[model] = answers
    if not found:
        raise InputError("no answers (*.parquet) in the folder", where=folder.name)
    return [
        _described(answers, described[model], listing)
        for model, answers in sorted(found.items())
        if model in described
    ]


def missing_references(folder: Path, read: Sequence[Reference]) -> tuple[str, ...]:
    """Return the candidates and controls of models.csv that are not among those read.

    A name that is spelt otherwise in the answers makes a comparison narrower than its user thinks.

    Raises:
        InputError: no models.csv.
    """
    known = {r.answers.model for r in read}
    described = _described_models(folder / _LISTING)
    wanted = {m for m, row in described.items() if row.get("role") in (CANDIDATE, CONTROL)}
    return tuple(sorted(wanted - known))


def _described_models(listing: Path) -> dict[str, dict[str, str | None]]:
    try:
        with listing.open(encoding="utf-8", newline="") as file:
            return {row.get("model") or "": row for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            "cannot be read",
            where=listing.name,
            hint="a reference folder needs models.csv: model,role,family,group",
        ) from error


def _described(answers: Answers, row: Mapping[str, str | None], listing: Path) -> Reference:
    role, family = row.get("role"), row.get("family") or row.get("teacher_family")
    if role is None or (family is None and "family" not in row):
        raise SchemaError("the columns role and family are needed", where=listing.name)
    if role == CANDIDATE and not family:
        raise SchemaError(
            f"{answers.model} is a {CANDIDATE} without a family",
            where=listing.name,
            hint="snapshots of one teacher share a family; one that has none is its own",
        )
    if role == "outsider" and row.get("documented_teacher") == "none":
        role = CONTROL
    return Reference(answers, role, family or "", row.get("group") or answers.model)
