"""A step whose rows stand in order of time, made stretch by stretch on an engine's workers.

The node counts exchanges by second and looks up where the stretches begin; a worker reads the rows
between two such places, wherever they lie, sorts them, and writes row groups as one process would
write them of all rows. Stretches have the same number of rows, whatever the traffic of an hour.

A log is mostly in order of time: a row group of it lies in a stretch or two and is read where it
is. One that touches more than three, of a log in another order, is first dealt out to stretches, so
that nothing is read more often than three times.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import RunnerError
from stillwatch.runners.local import quoted
from stillwatch.runners.tasks import Beside, Ground, Item, each_item, publish, reading, task_engine
from stillwatch.schema import Along

__all__ = [
    "DEALT",
    "Place",
    "Stretched",
    "deal_rows",
    "layout",
    "stretches",
    "wide_pieces",
    "write_stretch",
]

_SECOND_US: Final = 1_000_000
_STRETCHES: Final = 64  # so many at least where that leaves each its least row groups
_LEAST_GROUPS, _MOST_GROUPS = 2, 4  # row groups in a stretch: a task of 262,144 rows takes 1 GB
_READ_WHERE_IT_IS: Final = 3
_DEALT_ROWS: Final = 131_072
_BATCH: Final = 65_536
DEALT: Final = ".arrow"
_PACKED: Final = pa.ipc.IpcWriteOptions(compression="zstd")  # 246 bytes a row instead of 587


class Place(NamedTuple):
    """Where a row stands: its time in us since 1970, and its text."""

    us: int
    text: str


@dataclass(frozen=True)
class Stretched:
    """A step that is made stretch by stretch: its SQL on the rows of ``table``, as `Along` says.

    ``size``: rows of a row group; ``packing``: how the Parquet is packed, as SQL writes it.
    """

    sql: str
    table: str
    along: tuple[str, str]
    number: str
    beside: Beside
    packing: str
    size: int
    out: str


def stretches(
    query: Callable[..., pa.Table], places: str, along: Along, group_rows: int
) -> list[dict[str, Any]]:
    """Return the stretches of a step in order; nothing where it gives no rows.

    ``places``: SQL of its rows' places. Each begins at ``low`` and ends before ``high``; ``first``
    is the number of its first row, ``rows`` a multiple of ``group_rows`` in all but the last.
    """
    time, text = along.columns
    second = f"epoch_us({time}) // {_SECOND_US}"
    counted = query(f"SELECT {second} AS s, count(*) AS n FROM ({places}) GROUP BY s ORDER BY s")
    if not counted.num_rows:
        return []
    s, n = counted["s"].to_numpy(), counted["n"].to_numpy()
    before = np.cumsum(n) - n
    rows = int(n.sum())
    groups = max(_LEAST_GROUPS, min(_MOST_GROUPS, -(-rows // (group_rows * _STRETCHES))))
    firsts = np.arange(0, rows, groups * group_rows)
    within = np.unique(np.searchsorted(before, firsts, side="right") - 1)
    found = query(
        f"""SELECT turn, epoch_us({time}) AS us, {text} AS words FROM (
              SELECT {time}, {text}, c.before - 1 + row_number()
                       OVER (PARTITION BY c.s ORDER BY {time}, {text}) AS turn
              FROM ({places}) p JOIN seconds c ON {second} = c.s)
            WHERE turn % {groups * group_rows} = 0 ORDER BY turn""",
        seconds=pa.table({"s": s[within], "before": before[within]}),
    ).to_pylist()
    ends = [*(Place(row["us"], row["words"]) for row in found)]
    ends.append(Place((int(s[-1]) + 1) * _SECOND_US, ""))
    stops = [*(row["turn"] for row in found[1:]), rows]
    return [
        {"first": row["turn"], "rows": stop - row["turn"], "low": low, "high": high}
        for row, stop, (low, high) in zip(found, stops, pairwise(ends), strict=True)
    ]


class _Group(NamedTuple):
    """A row group and the times (us) between which it lies."""

    path: Path
    number: int
    rows: int
    low: int
    high: int


def layout(
    files: Iterable[Path], time: str, cut: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[Path, list[int]]], list[_Group]]:
    """Return of each stretch the row groups that it reads where they are, and those to be dealt."""
    read: list[dict[Path, list[int]]] = [{} for _ in cut]
    wide = []
    lows, highs = ([one[end].us for one in cut] for end in ("low", "high"))
    for path in files:
        for group in _groups(path, time):
            touched = range(bisect_left(highs, group.low), bisect_right(lows, group.high))
            if len(touched) > _READ_WHERE_IT_IS:
                wide.append(group)
                continue
            for k in touched:
                read[k].setdefault(path, []).append(group.number)
    return read, wide


def _groups(path: Path, time: str) -> Iterator[_Group]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            moments = file.read_row_group(number, columns=[time], use_threads=False)[time]
            if len(moments):
                ends = pc.min_max(moments.cast(pa.int64())).as_py()
                yield _Group(path, number, len(moments), ends["min"], ends["max"])


def wide_pieces(wide: Sequence[_Group]) -> list[dict[str, Any]]:
    """Return what one task each deals: row groups of one file, some 130,000 rows of them."""
    pieces: list[dict[str, Any]] = []
    for group in wide:
        last = pieces[-1] if pieces else None
        if last and last["path"] == str(group.path) and last["rows"] < _DEALT_ROWS:
            last["groups"].append(group.number)
            last["rows"] += group.rows
        else:
            pieces.append({"path": str(group.path), "groups": [group.number], "rows": group.rows})
    return pieces


def deal_rows(
    ground: Ground, items: Sequence[Sequence[Item]], along: tuple[str, str],
    ends: Sequence[Place], out: str, batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Write the rows of each piece to a file, a batch for each stretch, and note which these are.

    ``ends``: where the stretches begin, and where the last one ends.
    """

    def deal(item: Item) -> dict[str, Any]:
        ground.check()
        with reading(item["path"]), pq.ParquetFile(item["path"]) as file:
            rows = file.read_row_groups(item["groups"], use_threads=False).combine_chunks()
        number = _numbers(rows, along, ends)
        order = np.argsort(number, kind="stable")
        order = order[(number[order] >= 0) & (number[order] < len(ends) - 1)]
        held, starts = np.unique(number[order], return_index=True)
        name = f"{uuid.uuid4().hex}{DEALT}"
        aside = Path(out) / f"{name}.part"
        (whole,) = rows.to_batches()
        sorted_rows = whole.take(pa.array(order))
        with pa.ipc.new_file(aside, rows.schema, options=_PACKED) as writer:
            for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
                writer.write_batch(sorted_rows.slice(start, stop - start))
        publish(aside, Path(out) / name)
        return {"part": name, "held": held.tolist()}

    yield from each_item(items, deal, batches)


def _numbers(rows: pa.Table, along: tuple[str, str], ends: Sequence[Place]) -> np.ndarray:
    """Return the number of each row's stretch, −1 before the first."""
    us = rows[along[0]].cast(pa.int64()).to_numpy()
    number: np.ndarray = np.searchsorted(np.array([end.us for end in ends]), us) - 1
    low, high = us.min(), us.max()
    for end in ends:
        if low <= end.us <= high:  # rows at its very moment: their texts decide
            same = np.flatnonzero(us == end.us)
            texts = rows[along[1]].take(pa.array(same))
            number[same] += pc.greater_equal(texts, end.text).to_numpy()
    return number


def write_stretch(
    ground: Ground, items: Sequence[Sequence[Item]], given: Stretched,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Run the step's SQL on the rows of each stretch; note the part and its rows."""
    yield from each_item(items, partial(_made, ground, given), batches)


def _made(ground: Ground, given: Stretched, item: Item) -> dict[str, Any]:
    ground.check()
    name = f"{uuid.uuid4().hex}.parquet"
    aside = Path(given.out) / f"{name}.part"
    low, high = Place(*item["low"]), Place(*item["high"])
    read = [
        rows if pc.all(mask).as_py() else rows.filter(mask)
        for rows in _rows_of(item["sources"])
        if pc.any(mask := _between(rows, given.along, low, high)).as_py()
    ]
    if not read:
        raise RunnerError(
            "a stretch without rows", where=name,
            hint="go on with --resume; if it happens again, the shared file system is at fault",
        )  # fmt: skip
    with task_engine(given.beside) as con:
        # Not made a table of the engine's: of such it would know that columns have no nulls.
        con.register(given.table, pa.Table.from_batches(read))
        number = f"{given.number} + {item['first']} AS {given.number}"
        told = con.execute(
            f"COPY (SELECT * REPLACE ({number}) FROM ({given.sql}) made) TO {quoted(aside)} "
            f"(FORMAT parquet, {given.packing}, ROW_GROUP_SIZE {given.size})"
        ).fetchone()
    publish(aside, Path(given.out) / name)
    return {"part": name, "rows": told[0] if told else 0}


def _rows_of(sources: Sequence[tuple[str, Sequence[int]]]) -> Iterator[pa.RecordBatch]:
    """Yield row groups of Parquet files, and batches of files that were dealt."""
    for path, groups in sources:
        if path.endswith(DEALT):
            with reading(path), pa.memory_map(path) as held, pa.ipc.open_file(held) as file:
                yield from (file.get_batch(k) for k in groups)
        else:
            with reading(path), pq.ParquetFile(path) as file:
                yield from file.iter_batches(_BATCH, row_groups=list(groups), use_threads=False)


def _between(
    rows: pa.RecordBatch, along: tuple[str, str], low: Place, high: Place
) -> pa.BooleanArray:
    us, texts = rows.column(along[0]).cast(pa.int64()), rows.column(along[1])
    return pc.and_not(_from(us, texts, low), _from(us, texts, high))


def _from(us: pa.Array, texts: pa.Array, place: Place) -> pa.BooleanArray:
    """Return which rows stand at a place or after it: by bytes of UTF-8, as the engine sorts."""
    return pc.or_(
        pc.greater(us, place.us),
        pc.and_(pc.equal(us, place.us), pc.greater_equal(texts, place.text)),
    )
