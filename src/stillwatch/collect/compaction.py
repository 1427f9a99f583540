"""Write-ahead files become segments: canonical Parquet by the hour of the event.

Order on the disk: segments aside, what must still wait, segments renamed, write-ahead files
removed. A kill between any two leaves every record in at least one place, and what it leaves in two
is found equal and written once.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.collect.stored import Stored, only_once
from stillwatch.collect.wal import (
    LITELLM,
    OTLP,
    Frame,
    Loss,
    WalFile,
    frame,
    frames_of,
)
from stillwatch.schema import from_micros, to_disk, to_micros
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import LATER, PART, TOLD, Ledger, read_litellm_lines, read_otlp_lines

__all__ = ["Compacted", "compact", "tidy", "wal_files"]

_WAL: Final = re.compile(r"\d{12}(?:c\d{6})?\.wal\Z")
_GROUP_ROWS: Final = 65_536
_LATE: Final = "spans and events of exchanges that are stored already"
_HOUR: Final = "date=%Y-%m-%d/hour=%H"


@dataclass
class Compacted:
    """What one compaction did. ``waiting``: records that wait for another of their exchange."""

    rows: int = 0
    repeats: int = 0
    segments: int = 0
    segment_bytes: int = 0
    waiting: int = 0
    cut_bytes: int = 0
    damaged_bytes: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def wal_files(wal: Path) -> list[Path]:
    """Return the write-ahead files of a folder, oldest first."""
    return sorted(p for p in wal.iterdir() if _WAL.match(p.name))


def tidy(folder: Path) -> int:
    """Remove segments that a kill left half-written; return how many."""
    left = list(folder.glob("date=*/hour=*/.*.partial"))
    for path in left:
        path.unlink()
    return len(left)


def compact(
    folder: Path, files: list[Path], *, now: datetime, join_s: float, stored: Stored,
    latest: datetime | None = None,
) -> Compacted:  # fmt: skip
    """Turn write-ahead files into segments below ``folder`` and remove them.

    A span without content waits ``join_s`` seconds from its receipt for the event that has it, an
    event as long for its span; what waits is written to a new write-ahead file. ``latest``: the
    latest time that was ever seen here, for a clock that fell back; what is a day later than it,
    and than every receipt, is refused.

    Raises OSError when the disk takes no more: then everything is as it was.
    """
    done = Compacted()
    name = files[-1].stem.partition("c")[0]
    frames = list(_read(files, done))
    now_us = to_micros(now)
    waiting = _Waiting(frames, now_us, int(join_s * 1e6))
    newest = max((frame_.received_us for frame_ in frames), default=now_us)
    ledger = Ledger(now=max(now, latest or now, from_micros(newest)))
    table = _table(frames, waiting, name, ledger)
    aside: list[tuple[Path, Path]] = []
    try:
        for target, rows in _by_hour(table, folder):
            once = stored.without_repeats(only_once(rows), target)
            once = _without_late(once, waiting.alone, target, stored, ledger)
            done.repeats += len(rows) - len(once)
            if len(once):
                aside.append(_write_aside(once, target, name))
                done.rows += len(once)
        held = _hold(files, frames, waiting)
        done.waiting = waiting.count
    except BaseException:
        for part, _ in aside:
            part.unlink(missing_ok=True)
        raise
    done.repeats -= ledger.notes[_LATE]
    for part, final in aside:
        part.replace(final)
        done.segment_bytes += final.stat().st_size
    done.segments = len(aside)
    _sync_all(folder, {final.parent for _, final in aside})
    _report(folder, name, ledger, done)
    for path in files:
        if path != held:
            path.unlink()
    to_disk(files[0].parent)
    return done


def _read(files: list[Path], done: Compacted) -> Iterator[Frame]:
    for path in files:
        loss = Loss()
        yield from frames_of(path.read_bytes(), loss)
        done.cut_bytes += loss.cut
        done.damaged_bytes += loss.damaged


class _Waiting:
    """Which OTLP lines are not ripe: their exchange may still be told more of.

    ``alone``: exchanges of which only the event or only a span without content has come, and that
    are not waited for. What was received while the clock was ahead counts as received now.
    """

    def __init__(self, frames: list[Frame], now_us: int, join_us: int) -> None:
        self._now_us = now_us
        states: dict[bytes, set[bytes]] = {}
        newest: dict[bytes, int] = {}
        for frame_ in frames:
            if frame_.kind == OTLP:
                for line in frame_.payload.split(b"\n"):
                    key = line[1 : line.index(b" ")]
                    states.setdefault(key, set()).add(line[:1])
                    newest[key] = max(newest.get(key, 0), self.received_us(frame_))
        self._keys = {
            key
            for key, found in states.items()
            if key and newest[key] > now_us - join_us and not _complete(found)
        }
        halves = ({TOLD}, {LATER})
        self.alone = {key.decode() for key, found in states.items() if found in halves}
        self.alone -= {"", *(key.decode() for key in self._keys)}
        self.count = 0

    def received_us(self, frame_: Frame) -> int:
        """Return when a frame came, by a clock that may have been set back since."""
        return min(frame_.received_us, self._now_us)

    def has(self, line: bytes) -> bool:
        return bool(self._keys) and line[1 : line.index(b" ")] in self._keys


def _complete(states: set[bytes]) -> bool:
    """Whether nothing more may come: the content is there, with the span or beside it."""
    if states & {LATER, TOLD, PART} == states:
        return {LATER, TOLD} <= states and PART not in states
    return True


def _table(frames: list[Frame], waiting: _Waiting, name: str, ledger: Ledger) -> pa.Table:
    """Return the rows of all ripe lines, with the columns that their formats can fill."""
    columns: set[str] = set()
    pushed = [f.payload for f in frames if f.kind == LITELLM]
    lines = chain.from_iterable(payload.split(b"\n") for payload in pushed)
    batches = [b for b in read_litellm_lines(lines, f"{name}.litellm", ledger) if b.num_rows]
    columns.update(*(batch.schema.names for batch in batches))
    traces, logs = _ripe(frames, waiting, b"ws"), _ripe(frames, waiting, b"em")
    there, told = read_otlp_lines(traces, logs, name, ledger)
    told = [batch for batch in told if batch.num_rows]
    if told:
        columns |= there
        columns.update(*(batch.schema.names for batch in told))
    schema = pa.schema([f for f in EXCHANGE if f.name in columns])
    return pa.Table.from_batches([_fitted(b, schema) for b in (*batches, *told)], schema)


def _ripe(frames: list[Frame], waiting: _Waiting, states: bytes) -> Iterator[bytes]:
    for frame_ in frames:
        if frame_.kind == OTLP:
            for line in frame_.payload.split(b"\n"):
                if line[0] in states and not waiting.has(line):
                    yield line[line.index(b" ") + 1 :]


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    have = set(batch.schema.names)
    return pa.RecordBatch.from_arrays(
        [
            batch.column(f.name) if f.name in have else pa.nulls(batch.num_rows, f.type)
            for f in schema
        ],
        schema=schema,
    )


def _by_hour(table: pa.Table, folder: Path) -> Iterator[tuple[Path, pa.Table]]:
    if not len(table):
        return
    table = table.sort_by([("ts", "ascending"), ("exchange_id", "ascending")])
    hours = pc.strftime(table["ts"], _HOUR)
    for hour in pc.unique(hours).to_pylist():
        yield folder / hour, table.filter(pc.equal(hours, hour))


def _without_late(
    rows: pa.Table, alone: set[str], target: Path, stored: Stored, ledger: Ledger
) -> pa.Table:
    """Leave out what is half of an exchange that was written before it came.

    An event that came too late, and a span that was delivered again without its event. An event has
    the time of the request's end, so the hour before is looked into as well.
    """
    mine = alone.intersection(rows["exchange_id"].to_pylist()) if alone else alone
    if not mine:
        return rows
    before = pc.min(rows["ts"]).as_py() - timedelta(hours=1)
    late = stored.holds(mine, target)
    late |= stored.holds(mine - late, target.parents[1] / before.strftime(_HOUR))
    if not late:
        return rows
    gone = pc.is_in(rows["exchange_id"], pa.array(sorted(late), pa.string()))
    ledger.notes[_LATE] += pc.sum(gone).as_py()
    return rows.filter(pc.invert(gone))


def _write_aside(rows: pa.Table, target: Path, name: str) -> tuple[Path, Path]:
    target.mkdir(parents=True, exist_ok=True)
    number = 0
    while (final := target / f"{name}-{number:03d}.parquet").exists():
        number += 1
    part = final.with_name(f".{final.name}.partial")
    try:
        with part.open("wb") as out:
            pq.write_table(rows, out, compression="zstd", row_group_size=_GROUP_ROWS)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part, final


def _hold(files: list[Path], frames: list[Frame], waiting: _Waiting) -> Path | None:
    """Write the lines that wait, under their own times of receipt, to a file of their own."""
    kept: list[bytes] = []
    for frame_ in frames:
        if frame_.kind == OTLP:
            lines = [line for line in frame_.payload.split(b"\n") if waiting.has(line)]
            waiting.count += len(lines)
            if lines:
                kept.append(frame(OTLP, waiting.received_us(frame_), b"\n".join(lines)))
    if not kept:
        return None
    number, _, generation = files[-1].stem.partition("c")
    place = int(generation or 0) + 1
    # One that is there may hold what an earlier job, which a kill cut short, kept of other files.
    while (path := files[-1].with_name(f"{number}c{place:06d}.wal")).exists():
        place += 1
    made = WalFile(path)
    try:
        made.append(kept)
    except OSError:
        path.unlink()
        raise
    finally:
        made.close()
    return path


def _sync_all(folder: Path, targets: Iterable[Path]) -> None:
    places = {place for target in targets for place in (target, target.parent)}
    for place in sorted(places):
        to_disk(place)
    to_disk(folder)


def _report(folder: Path, name: str, ledger: Ledger, done: Compacted) -> None:
    """Tell what was refused: by place and reason in a file, by reason in the result."""
    done.refused = dict(Counter(row.reason for row in ledger.rejected))
    done.notes = {**ledger.notes, **ledger.coerced}
    if ledger.rejected:
        place = folder / "_rejected"
        place.mkdir(exist_ok=True)
        number = 0
        while (path := place / f"{name}-{number:03d}.jsonl").exists():
            number += 1
        ledger.write(path)
