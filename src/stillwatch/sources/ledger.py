"""The ledger counts every row read and says of each one refused where it was and why."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from stillwatch.errors import InputError
from stillwatch.schema import to_micros

__all__ = ["BROKEN", "ENDS_EARLY", "MIN_ROWS_TO_JUDGE", "Ledger", "Rejected"]

MIN_ROWS_TO_JUDGE = 1_000
BROKEN = "JSON breaks here, the rest cannot be read"
ENDS_EARLY = "JSON ends early"
_TIMES = (
    "write times as ISO 8601, such as 2026-11-13T08:00:00Z, or as seconds, milliseconds, "
    "microseconds or nanoseconds since 1970"
)
_WRITING = "is the file still being written, or cut off? give it when it is whole"
_DAY_US = 86_400_000_000


class Rejected(NamedTuple):
    """One refused row: file, line or row number (from 1), reason, and the field at most.

    The content of the row is never kept. ``line`` is the physical line of JSON lines, else the
    record's number in its file.
    """

    source: str
    line: int
    reason: str
    field: str


class Ledger:
    """What was read, refused, assumed and coerced; one for all inputs of a run.

    ``hints``: what a format advises where a reason is the most frequent one. ``doubt``: what is
    advised instead, as the files look like another format. ``listing``: where the refused are told.

    ``now``: aware UTC time; a row more than a day later is refused. None switches that off.
    """

    def __init__(self, *, now: datetime | None = None) -> None:
        self.latest_us: int | None = None if now is None else to_micros(now) + _DAY_US
        self.rejected: list[Rejected] = []
        self.rows_read = 0
        self.rows_accepted = 0
        self.zoneless_times = 0
        self.coerced: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.ignored_columns: dict[str, tuple[str, ...]] = {}
        self.hints: dict[str, str] = {ENDS_EARLY: _WRITING, "no readable time (ts)": _TIMES}
        self.doubt = ""
        self.listing = "read rejected.jsonl"
        self.bytes_seen = 0
        self.bytes_unread = 0

    @property
    def rows_rejected(self) -> int:
        return len(self.rejected)

    def reject(self, source: str, line: int, reason: str, field: str = "") -> None:
        """Enter a row that was counted as read and is not passed on."""
        self.rejected.append(Rejected(source, int(line), reason, field))

    def unreadable(self, source: str, line: int, reason: str) -> None:
        """Count a row as read and refuse it: what could not even be parsed."""
        self.rows_read += 1
        self.reject(source, line, reason)

    def ignore_columns(self, source: str, names: set[str]) -> None:
        """Name once the columns of a source that have no place in an exchange."""
        if names:
            self.ignored_columns[source] = tuple(sorted(names))

    def check(self, max_rejects: float, *, final: bool = False) -> None:
        """Raise InputError when a larger share than ``max_rejects`` (0 to 1) was refused.

        During reading nothing is judged before 1,000 rows; at the end every row counts, and so
        do the bytes that lie behind a break in a JSON array.
        """
        if final and self.bytes_unread > max_rejects * self.bytes_seen:
            broken = min(r for r in self.rejected if r.reason == BROKEN)
            raise InputError(
                f"{self.bytes_unread} of {self.bytes_seen} bytes of JSON lie behind a break",
                where=f"{broken.source}:{broken.line}",
                hint="mend the file there, or raise --max-rejects",
            )
        if self.rows_read == 0 or (not final and self.rows_read < MIN_ROWS_TO_JUDGE):
            return
        if self.rows_rejected <= max_rejects * self.rows_read:
            return
        reason, count = self._reasons().most_common(1)[0]
        first = min(r for r in self.rejected if _named(r) == reason)
        raise InputError(
            f"{self.rows_rejected} of {self.rows_read} row{'s' * (self.rows_read != 1)} cannot be "
            f"read (allowed: {max_rejects:.2%}); most often ({count}): {reason}",
            where=f"{first.source}:{first.line}",
            hint=self.advice(f"{self.listing}, mend the export, or raise --max-rejects"),
        )

    def judge(self, max_rejects: float, first: str) -> None:
        """Raise InputError when too much was refused, or nothing is left of inputs from ``first``.

        ``max_rejects``: share of rows, 0 to 1.
        """
        self.check(max_rejects, final=True)
        if not self.rows_accepted:
            raise InputError(
                "no exchanges in the input",
                where=first,
                hint=self.advice("is the export finished, and is it of model requests?"),
            )

    def advice(self, otherwise: str) -> str:
        """Return what the format advises on the most frequent reason, or ``otherwise``."""
        most = self._reasons().most_common(1)
        if self.doubt:
            return self.doubt
        return self.hints.get(most[0][0], otherwise) if most else otherwise

    def _reasons(self) -> Counter[str]:
        return Counter(map(_named, self.rejected))

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain values in a fixed order, for summary.json."""
        return {
            "rows_read": self.rows_read,
            "rows_accepted": self.rows_accepted,
            "rows_rejected": self.rows_rejected,
            "rejected_by_reason": dict(sorted(self._reasons().items())),
            "zoneless_times_assumed_utc": self.zoneless_times,
            "coerced": dict(sorted(self.coerced.items())),
            "notes": dict(sorted(self.notes.items())),
            "ignored_columns": {k: list(v) for k, v in sorted(self.ignored_columns.items())},
            "bytes_unread": self.bytes_unread,
        }

    def state(self) -> dict[str, Any]:
        """Return everything entered so far as plain values, for `restore`."""
        return {**vars(self), "rejected": [tuple(row) for row in self.rejected]}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the ledger whose ``state()`` this was, through JSON or not."""
        for name, value in state.items():
            setattr(self, name, value)
        self.rejected = [Rejected(*row) for row in state["rejected"]]
        self.coerced, self.notes = Counter(state["coerced"]), Counter(state["notes"])
        self.ignored_columns = {k: tuple(v) for k, v in state["ignored_columns"].items()}

    def join(self, state: dict[str, Any], source: str) -> None:
        """Add the ledger of one file, whose ``state()`` this was; here the file is ``source``."""
        one = Ledger()
        one.restore(state)
        self.rejected += [row._replace(source=source) for row in one.rejected]
        for name in ("rows_read", "rows_accepted", "zoneless_times", "bytes_seen", "bytes_unread"):
            setattr(self, name, getattr(self, name) + getattr(one, name))
        self.coerced += one.coerced
        self.notes += one.notes
        self.hints |= one.hints
        for columns in one.ignored_columns.values():
            self.ignored_columns[source] = columns

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write one JSON object a refused row, by source and line; aside, then renamed."""
        target = Path(path)
        aside = target.with_name(f".{target.name}.partial")
        with aside.open("w", encoding="utf-8") as out:
            for row in sorted(self.rejected):
                entry = {"source": row.source, "line": row.line, "reason": row.reason}
                if row.field:
                    entry["field"] = row.field
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())
        aside.replace(target)


def _named(row: Rejected) -> str:
    return f"{row.reason} ({row.field})" if row.field else row.reason
