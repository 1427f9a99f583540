"""Erasing an account: from the case database, and from run directories."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.attachments import drop_contents, names_account
from stillwatch.cases.book import Book, commitment, leave_the_file
from stillwatch.cases.people import check_person
from stillwatch.cases.rebuild import rebuild
from stillwatch.errors import ConfigError, InputError, why
from stillwatch.schema import read_effects, write_whole
from stillwatch.seal import canonical, digest
from stillwatch.store import Run

__all__ = [
    "ErasedRun", "end_users_of", "erase_from_book", "erase_from_effects", "erase_from_run",
    "erase_subjects", "owners_of",
]  # fmt: skip

_JSON_FILES = (
    "campaigns.jsonl",
    "shared.jsonl",
    "summary.json",
    "stix.json",
    "stages/frames.jsonl",
)
_END_USER = " · "  # between a channel account and its end user, in tables


def erase_from_book(book: Book, account_id: str, *, by: str, now: datetime) -> int:
    """Replace an account by a token in every text; return how many entries that changed.

    1. Every text that names it is rewritten, also the names of whoever appealed for it.
    2. Digests of evidence that named it are made anew, since they could confirm a guess.
    3. The salts of rewritten texts are destroyed: the commitments in the chain then tell nothing.
    4. Attached files whose text names it lose their bytes, and their digests are made anew (2).
       Files that are no plain text are not looked into: `unsearched` lists them.
    5. An entry says which entries were rewritten and commits to the new texts, never whose account
       it was: a later change of a rewritten text is found as of any other.

    The chain still verifies. What counted the account (a band, a number of accounts) stays.

    Raises ConfigError: nobody is named, or the account is empty.
    """
    check_person(by)
    if not account_id:
        raise ConfigError("expected an account", where="erase")
    with book.writing(now) as writer:
        token = f"erased-{writer.next_number}"
        scrub = _Scrub(account_id, token)
        rows = writer.connection.execute(sa.select(t.bodies).order_by(t.bodies.c.number)).all()
        bodies = {row.number: json.loads(row.body) for row in rows}
        changed = {n: new for n, body in bodies.items() if (new := _rewritten(body, scrub)) != body}
        files = names_account(writer.connection, account_id)  # 4
        drop_contents(writer.connection, files)
        for number, body in bodies.items():
            if body.get("attachment_id") in files and "digest" in body:
                changed[number] = changed.get(number, body) | {"digest": token, "gone": "erased"}
        digests = _new_digests(bodies, changed)  # 2
        for number, body in bodies.items():
            renamed = _replace(changed.get(number, body), digests)
            if renamed != body:
                changed[number] = renamed
        told: dict[str, str] = {}
        for number, body in sorted(changed.items()):
            salt = secrets.token_hex(16)  # 3
            told[str(number)] = commitment(salt, body)
            writer.connection.execute(
                t.bodies.update()
                .where(t.bodies.c.number == number)
                .values(salt=salt, body=canonical(body).decode())
            )
        if changed:
            writer.add("erasure", {"rewritten": told, "token": token, "by": by})  # 5
            rebuild(writer.connection)
    leave_the_file(book)
    return len(changed)


@dataclass(frozen=True)
class ErasedRun:
    """``rows`` of tables that are gone, and ``files`` that were written anew."""

    rows: int
    files: int


def erase_from_run(run: Run, account_id: str) -> ErasedRun:
    """Remove an account from every table and JSON file of a run directory.

    Rows that belong to it, or link to it, go; in other texts a token stands for it. Counts of the
    summary stay, and so does report.html: render it anew. The run can no longer be resumed or
    compared byte by byte.
    """
    rows = files = 0
    for file in sorted(run.path.rglob("*.parquet")):
        table = pq.read_table(file)
        kept = table.filter(pc.invert(_names(table, account_id)))
        if kept.num_rows < table.num_rows:
            aside = file.with_suffix(".part")
            pq.write_table(kept, aside, compression="zstd")
            aside.replace(file)
            rows, files = rows + table.num_rows - kept.num_rows, files + 1
    scrub = _Scrub(account_id, "erased")
    for name in _JSON_FILES:
        file = run.path / name
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        new = _scrub_text(text, scrub, lines=name.endswith(".jsonl"))
        if new is not None:
            write_whole(file, new.encode())
            files += 1
    return ErasedRun(rows, files)


def erase_from_effects(file: Path, account_id: str) -> int:
    """Remove an account's rows from a file of `case effects`; return how many rows are gone.

    Where it stands in a list of a campaign's core it goes as well.

    Raises InputError, SchemaError as `schema.read_effects`.
    """
    held = read_effects(file)
    new = {
        part: [
            {**row, "core": [a for a in row["core"] if a != account_id]} if "core" in row else row
            for row in rows
            if row.get("account_id") != account_id
        ]
        if isinstance(rows, list)
        else rows
        for part, rows in held.items()
    }
    if new != held:
        write_whole(file, json.dumps(new, indent=2).encode())
    return sum(len(held[part]) - len(new[part]) for part in held if isinstance(held[part], list))


def end_users_of(run: Run, account_id: str) -> list[str]:
    """Return the end users of a channel account that a run names. Raises as `owners_of`."""
    table = _people(run, "end_user_id")
    mine = table.filter(pc.equal(table["account_id"], account_id))
    return sorted({user for user in mine["end_user_id"].to_pylist() if user})


def owners_of(run: Run, account_id: str) -> tuple[set[str], set[str]]:
    """Return the owners that a run knows of an account: those of it alone, and those of others too.

    Raises InputError: the run's stages are missing.
    """
    table = _people(run, "owner_entity_id")
    mine = pc.equal(table["account_id"], account_id)
    own = set(table.filter(mine)["owner_entity_id"].to_pylist()) - {None, ""}
    others = set(table.filter(pc.invert(mine))["owner_entity_id"].to_pylist())
    return own - others, own & others


def _people(run: Run, column: str) -> pa.Table:
    """Return account and a column of text of everybody whom a run knows."""
    schema = pa.schema([("account_id", pa.string()), (column, pa.string())])
    return pa.Table.from_batches(run.batches("people", schema.names), schema)


def erase_subjects(log: Path, subjects: Collection[int]) -> int:
    """Remove the lines of these subjects' keys from a guard's decision log; return how many.

    Lines that are no JSON stay as they are. A guard that writes to the file meanwhile opens it for
    every line and goes on in the new one; what it wrote during the rewriting is kept.

    Raises InputError: it cannot be read.
    """
    keys = {f"{subject:016x}" for subject in subjects}
    try:
        data = log.read_bytes()
        kept = [line for line in data.splitlines(keepends=True) if _subject_of(line) not in keys]
        gone = data.count(b"\n") - sum(line.endswith(b"\n") for line in kept)
        if gone:
            write_whole(log, b"".join(kept) + log.read_bytes()[len(data) :])
    except OSError as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(log)) from error
    return gone


def _subject_of(line: bytes) -> str | None:
    """Return the key in a line of the decision log or of its OCSF form (guard/records.py)."""
    try:
        held = json.loads(line)
        found = held["subject"] if "subject" in held else _seen_by(held)["user"]["uid"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, str) else None


def _seen_by(event: Mapping[str, Any]) -> Any:
    return event["evidences"][0]["actor"]


class _Scrub:
    """Replaces an identifier where it stands alone, also inside a sentence."""

    def __init__(self, account_id: str, token: str) -> None:
        self.account_id, self.token = account_id, token
        # a1 must not be found in a10, nor in a1-b: identifiers hold letters, digits, - and _.
        self._alone = re.compile(rf"(?<![\w-]){re.escape(account_id)}(?![\w-])")

    def text(self, text: str) -> str:
        return self.token if text == self.account_id else self._alone.sub(self.token, text)


def _rewritten(body: Mapping[str, Any], scrub: _Scrub) -> Any:
    """Return a body without the account; where it appealed, without who spoke for it (1)."""
    new = _walk(body, scrub, drop=False)
    if "appeal_id" in body and body.get("account_id") == scrub.account_id and "due_us" in body:
        new["by"] = scrub.token
    return new


def _walk(value: Any, scrub: _Scrub, *, drop: bool) -> Any:
    if isinstance(value, str):
        return scrub.text(value)
    if isinstance(value, Mapping):
        return {scrub.text(k): _walk(v, scrub, drop=drop) for k, v in value.items()}
    if isinstance(value, list):
        kept = [v for v in value if not (drop and _is_of(v, scrub.account_id))]
        return [_walk(v, scrub, drop=drop) for v in kept]
    return value


def _is_of(value: Any, account_id: str) -> bool:
    return isinstance(value, Mapping) and value.get("account_id") == account_id


def _new_digests(bodies: Mapping[int, Any], changed: Mapping[int, Any]) -> dict[str, str]:
    return {
        bodies[number]["evidence_digest"]: digest(new["evidence"])
        for number, new in changed.items()
        if "evidence" in new
    }


def _replace(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, Mapping):
        return {k: _replace(v, words) for k, v in value.items()}
    return [_replace(v, words) for v in value] if isinstance(value, list) else value


def _names(table: pa.Table, account_id: str) -> pa.ChunkedArray | pa.Array:
    """Return which rows hold the account, or an end user behind it, in any column of text."""
    found: Any = pa.array([False] * table.num_rows, pa.bool_())
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            continue
        column = table[name]
        hit = pc.or_(pc.equal(column, account_id), pc.starts_with(column, account_id + _END_USER))
        found = pc.or_(found, pc.fill_null(hit, False))
    return found


def _scrub_text(text: str, scrub: _Scrub, *, lines: bool) -> str | None:
    """Return JSON without the account, or None where it was not in it."""
    pieces = [p for p in text.split("\n") if p.strip()] if lines else [text]
    held = [json.loads(piece) for piece in pieces]
    new = [_walk(value, scrub, drop=True) for value in held]
    if new == held:
        return None
    indent = None if lines else 2
    return "".join(json.dumps(value, indent=indent, ensure_ascii=False) + "\n" for value in new)
