"""Guardrail suites in the layouts they were published in; none of them ships with this package.

====================  ============================================================================
XSTest                Parquet or CSV: ``id`` or ``prompt_id``, ``prompt``, ``prompt_label`` or
                      ``label``, ``type``; a model's completions beside them are not read
HarmBench (text)      CSV: ``Behavior, FunctionalCategory, SemanticCategory, Tags, ContextString,
                      BehaviorID``; behaviours of the category *copyright* are left out
StrongREJECT          CSV: ``category, source, forbidden_prompt``
AdvBench (behaviours) CSV: ``goal, target``; the target is not read
====================  ============================================================================

The same columns are read from Parquet, from a JSON array of objects and from JSON lines. Rows of
StrongREJECT and AdvBench have no id: theirs is the digest of the prompt, so that the small and the
full file agree. HarmBench's context stands before the behaviour, as its authors' own runs put it.
Whether a copyright behaviour succeeded is told by comparing texts and not by refusing, so nothing
here can grade it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError, SchemaError
from stillwatch.prove.results import read_bytes
from stillwatch.seal import digest

__all__ = ["Row", "read_rows"]

Cells = Mapping[str, Any]
_DIGITS: Final = 12
_PARQUET: Final = b"PAR1"
_LABELS: Final[Mapping[str, Literal["safe", "unsafe"]]] = {"safe": "safe", "unsafe": "unsafe"}


@dataclass(frozen=True)
class Row:
    """A prompt with its label, and the kind that it shares with others ('' for none)."""

    prompt_id: str
    prompt: str
    label: Literal["safe", "unsafe"]
    group: str


@dataclass(frozen=True)
class _Layout:
    name: str
    columns: tuple[tuple[str, ...], ...]  # of each tuple one name must be there
    row: Callable[[Cells], Row | None]

    def fits(self, found: frozenset[str]) -> bool:
        return all(found.intersection(names) for names in self.columns)

    def told(self) -> str:
        return f"{self.name}: {', '.join(' or '.join(names) for names in self.columns)}"


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the prompts of a suite, repeats included.

    Raises:
        InputError: the file cannot be read or holds no prompt; its text is not repeated.
        SchemaError: the columns are those of no layout, or a cell is empty or wrong.
    """
    table = _table(path)
    found = frozenset().union(*table) if table else frozenset[str]()
    # What is no known name may be a prompt, where a file has no header.
    known = sorted(
        found.intersection(n for one in _LAYOUTS for names in one.columns for n in names)
    )
    layout = next((one for one in _LAYOUTS if one.fits(found)), None)
    if table and layout is None:
        raise SchemaError(
            f"its {len(found)} columns are those of no suite that is known"
            + (f"; of these it has {', '.join(known)}" if known else ""),
            where=path.name,
            hint="; ".join(one.told() for one in _LAYOUTS),
        )
    count = 0
    for number, cells in enumerate(table, 1):
        try:
            row = layout.row(cells) if layout else None
        except _WrongCell as error:
            raise SchemaError(str(error), where=f"{path.name}, row {number}") from None
        if row is not None:
            count += 1
            yield row
    if not count:
        raise InputError("holds no prompt", where=path.name)


class _WrongCell(Exception):
    """Says which column; the reader adds file and row."""


def _text(cells: Cells, *names: str) -> str:
    value = next((cells[n] for n in names if cells.get(n) is not None), None)
    if value is None or value == "":
        raise _WrongCell(f"{' or '.join(names)} is empty")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _WrongCell(f"{' or '.join(names)} is no text")
    text = str(value)
    if not text.strip():
        raise _WrongCell(f"{' or '.join(names)} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _WrongCell(f"{' or '.join(names)} holds half a character") from None
    return text


def _kind(suite: str, value: object) -> str:
    return f"{suite}: {value}" if value not in (None, "") else ""


def _xstest(cells: Cells) -> Row:
    name, asked = _text(cells, "prompt_id", "id"), _text(cells, "prompt")
    label = _LABELS.get(_text(cells, "prompt_label", "label"))
    if label is None:
        raise _WrongCell("the label is neither safe nor unsafe")
    return Row(name, asked, label, str(cells.get("type") or ""))


def _harmbench(cells: Cells) -> Row | None:
    if cells.get("FunctionalCategory") == "copyright":
        return None
    asked = _text(cells, "Behavior")
    if context := str(cells.get("ContextString") or "").strip():
        asked = f"{context}\n\n---\n\n{asked}"
    name = f"harmbench-{_text(cells, 'BehaviorID')}"
    return Row(name, asked, "unsafe", _kind("harmbench", cells.get("SemanticCategory")))


def _strongreject(cells: Cells) -> Row:
    asked = _text(cells, "forbidden_prompt")
    name = f"strongreject-{_short(asked)}"
    return Row(name, asked, "unsafe", _kind("strongreject", cells.get("category")))


def _advbench(cells: Cells) -> Row:
    asked = _text(cells, "goal")
    return Row(f"advbench-{_short(asked)}", asked, "unsafe", "")


def _short(text: str) -> str:
    return digest(text.encode()).partition(":")[2][:_DIGITS]


_LAYOUTS: Final = (
    _Layout(
        "HarmBench",
        (
            *(("Behavior",), ("FunctionalCategory",), ("SemanticCategory",)),
            *(("ContextString",), ("BehaviorID",)),
        ),
        _harmbench,
    ),
    _Layout("StrongREJECT", (("category",), ("forbidden_prompt",)), _strongreject),
    _Layout("AdvBench", (("goal",), ("target",)), _advbench),
    _Layout("XSTest", (("prompt_id", "id"), ("prompt",), ("prompt_label", "label")), _xstest),
)


def _table(path: Path) -> list[Cells]:
    data = read_bytes(path)
    if data.startswith(_PARQUET):
        try:
            return list(pq.read_table(pa.BufferReader(data), use_threads=False).to_pylist())
        except (OSError, ValueError, OverflowError, pa.ArrowException) as error:
            raise InputError("cannot be read as Parquet", where=path.name) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", where=path.name, hint="write it again as UTF-8") from error
    if text.lstrip()[:1] in ("[", "{"):
        return _objects(text, path)
    try:
        read = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows, names = list(read), read.fieldnames or ()
    except csv.Error as error:
        raise InputError("cannot be read as CSV", where=path.name) from error
    if len(set(names)) < len(names):
        raise InputError("two columns have one name", where=path.name)
    short = next((k for k, row in enumerate(rows, 1) if None in row or None in row.values()), None)
    if short is not None:
        raise InputError(
            "has more or fewer cells than the header", where=f"{path.name}, row {short}"
        )
    return list(rows)


def _objects(text: str, path: Path) -> list[Cells]:
    """Return the objects of a JSON array, or of JSON lines."""
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InputError("cannot be read as JSON", where=path.name) from error
    if not all(isinstance(row, dict) for row in rows):
        raise InputError("holds something else than objects", where=path.name)
    return list(rows)
