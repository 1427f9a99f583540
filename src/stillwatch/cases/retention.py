"""What is too old to keep is removed, and the history says that it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.attachments import drop_contents
from stillwatch.cases.book import Book, leave_the_file
from stillwatch.cases.rebuild import rebuild
from stillwatch.cases.terms import Terms
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import SUMMARY, from_micros, parse_time, read_toml, to_micros
from stillwatch.store import open_run

__all__ = ["Retention", "purge_book", "purge_runs", "read_retention"]

_SHIPPED: Final = Path(__file__).parent / "retention.toml"
_TABLES: Final = ("cases", "notes", "runs")


@dataclass(frozen=True)
class Retention:
    """How long texts of cases, notes, and run directories are kept."""

    cases: timedelta
    notes: timedelta
    runs: timedelta


def read_retention(path: str | os.PathLike[str] | None = None) -> Retention:
    """Return the times of a TOML file, or the shipped ones.

    Raises InputError: it cannot be read. ConfigError: a table is missing, unknown or not of 1 to
    3,660 days.
    """
    file = Path(path) if path is not None else _SHIPPED
    held = read_toml(file)
    days = held.get("days")
    if set(held) != {"days"} or not isinstance(days, dict) or set(days) != set(_TABLES):
        raise ConfigError(f"expected [days] with {', '.join(_TABLES)}", where=file.name)
    for name, number in days.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 3660:
            raise ConfigError(f"{name}: expected 1 to 3,660 days", where=file.name)
    return Retention(*(timedelta(days=days[name]) for name in _TABLES))


def purge_book(book: Book, retention: Retention, *, terms: Terms, now: datetime) -> int:
    """Remove texts that are too old; return of how many entries.

    1. A case goes whole: when it was closed or merged longer ago than ``cases``, the last of its
       decisions has expired, no appeal is open and nothing that an upheld one set right holds any
       more.
    2. A note on a case goes when it is older than ``notes``.
    3. Files of a case go with it.
    4. The chain keeps its entries; one more says which texts were removed.
    """
    with book.writing(now) as writer:
        over = _over(writer.connection, retention, terms, writer.now)
        entries = _entries(writer.connection)
        case_of = _cases_of(entries)
        old = to_micros(writer.now - retention.notes)
        doomed = sorted(
            number
            for number, (kind, at_us, _) in entries.items()
            if case_of.get(number) in over or (kind == "case.note" and at_us < old)
        )
        if not doomed:
            return 0
        drop_contents(writer.connection, _files_of(writer.connection, doomed))
        for start in range(0, len(doomed), 500):  # databases limit the terms of one statement
            part = doomed[start : start + 500]
            writer.connection.execute(t.bodies.delete().where(t.bodies.c.number.in_(part)))
        writer.add("purge", {"rewritten": {str(number): None for number in doomed}})
        rebuild(writer.connection)
    leave_the_file(book)
    return len(doomed)


def purge_runs(folder: Path, retention: Retention, *, now: datetime) -> list[Path]:
    """Remove the run directories below a folder whose last exchange is too long ago.

    A folder that is no run directory, or whose summary names no last exchange, is left alone.

    Raises InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder))
    gone = []
    for run_dir in sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()):
        if not (run_dir / SUMMARY).is_file():
            continue
        until = open_run(run_dir).summary.get("until")
        if isinstance(until, str) and parse_time(until) < now - retention.runs:
            shutil.rmtree(run_dir)
            gone.append(run_dir)
    return gone


def _files_of(connection: sa.Connection, doomed: Collection[int]) -> list[str]:
    files = connection.execute(sa.select(t.attachments.c.id, t.attachments.c.number)).all()
    gone = set(doomed)
    return [name for name, number in files if number in gone]


def _over(
    connection: sa.Connection, retention: Retention, terms: Terms, now: datetime
) -> frozenset[str]:
    at_us = to_micros(now)
    ended = set(connection.scalars(
        sa.select(t.cases.c.id).where(
            t.cases.c.state != "open", t.cases.c.changed_us < to_micros(now - retention.cases)
        )
    ))  # fmt: skip
    kept = set(connection.scalars(
        sa.select(t.decisions.c.case_id).where(t.decisions.c.expires_us > at_us)
    ))  # fmt: skip
    kept |= set(connection.scalars(
        sa.select(t.decisions.c.case_id)
        .join(t.appeals, t.appeals.c.decision_id == t.decisions.c.id)
        .where(t.appeals.c.state == "open")
    ))  # fmt: skip
    held_from = to_micros(now - terms.corrections_hold)
    kept |= set(connection.scalars(
        sa.select(t.corrections.c.case_id).where(t.corrections.c.at_us > held_from)
    ))  # fmt: skip
    kept |= set(connection.scalars(  # of ownership there is no correction: no finding was wrong
        sa.select(t.decisions.c.case_id)
        .join(t.appeals, t.appeals.c.decision_id == t.decisions.c.id)
        .where(t.appeals.c.state == "upheld", t.appeals.c.at_us > held_from)
    ))  # fmt: skip
    for case_id, until_us in connection.execute(
        sa.select(t.decisions.c.case_id, sa.func.max(t.notices.c.appeal_by_us))
        .join(t.notices, t.notices.c.decision_id == t.decisions.c.id)
        .group_by(t.decisions.c.case_id)
    ):
        if from_micros(until_us) >= now:  # someone may still appeal
            kept.add(case_id)
    return frozenset(ended - kept)


def _entries(connection: sa.Connection) -> dict[int, tuple[str, int, Mapping[str, Any]]]:
    rows = connection.execute(
        sa.select(t.history.c.number, t.history.c.value, t.bodies.c.body)
        .join(t.bodies, t.bodies.c.number == t.history.c.number)
        .order_by(t.history.c.number)
    )
    entries = {}
    for row in rows:
        value = json.loads(row.value)
        entries[row.number] = (value["kind"], value["at_us"], json.loads(row.body))
    return entries


def _cases_of(entries: Mapping[int, tuple[str, int, Mapping[str, Any]]]) -> dict[int, str]:
    """Return the case of every entry that is about one, directly or by its decision or appeal."""
    named: dict[str, str] = {}
    found: dict[int, str] = {}
    for number, (_, _, body) in entries.items():
        keys = [body[k] for k in ("decision_id", "appeal_id") if k in body]
        case = body.get("case_id") or next((named[k] for k in keys if k in named), None)
        if case is not None:
            named.update(dict.fromkeys(keys, case))
            found[number] = case
    return found
