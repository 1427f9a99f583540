"""The runner of an engine: logs are read, and large steps split by a key, on its workers.

Text stays on the workers that read it; what comes to the node are features, as files in the run's
folder, which node and workers share. There the rest is the local runner's.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

import stillwatch
from stillwatch.errors import RunnerError, StillwatchError, why
from stillwatch.runners.cluster import Cluster
from stillwatch.runners.concatenated import concatenate
from stillwatch.runners.local import ENGINES, ROW_GROUP, SPILL, LocalRunner, listed, packing
from stillwatch.runners.stretches import (
    DEALT,
    Stretched,
    deal_rows,
    layout,
    stretches,
    wide_pieces,
    write_stretch,
)
from stillwatch.runners.tasks import (
    Beside,
    Ground,
    Item,
    Keyed,
    Reader,
    collect_rows,
    probe,
    raise_noted,
    read_rows,
    run_key,
    write_parts,
)
from stillwatch.runners.wire import ddl
from stillwatch.schema import Along, Settings, Step

__all__ = ["EngineRunner"]

_MOST_TASKS: Final = 2_048
_PROBES: Final = 8
_GROUPS_AT_ONCE: Final = 4  # row groups that a task reads before a shuffle
_PART_ROWS: Final = 250_000  # rows that a partition of a key should have
_LEAST_PARTS: Final = 4


class EngineRunner(LocalRunner):
    """A local runner that has a cluster do what is as long as the log.

    Raises ConfigError, when it begins, where a worker has other versions or does not see the run's
    folder.
    """

    def __init__(
        self, folder: Path, settings: Settings, *, cluster: Cluster,
        columns: frozenset[str] = frozenset(), memory: str = "4GB", threads: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            folder.absolute(), settings, columns=columns, memory=memory, threads=threads
        )
        self._cluster = cluster
        (self.folder / SPILL).mkdir(exist_ok=True)
        token = secrets.token_hex(8)
        (self.folder / SPILL / ".token").write_text(token, encoding="ascii")
        versions = {"stillwatch": stillwatch.__version__, **ENGINES}
        self._ground = Ground(str(self.folder / SPILL), token, tuple(sorted(versions.items())))
        try:
            self._told(cluster.each(partial(probe, self._ground), _PROBES, "the first tasks"))
        except StillwatchError:
            self.close()
            raise

    def map_items(
        self, output: str, reader: Reader, items: Sequence[Mapping[str, Any]], schema: pa.Schema,
        progress: Callable[[int], None] | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Write what ``reader`` yields of every item to the table ``output``; return the notes.

        ``reader``: a function of a module, which workers import. ``items``: what it is given, JSON
        types; the dearest first.

        Raises what a reader raised of the first item where one did, RunnerError where the engine
        gave up.
        """
        parts = self._parts_folder(output)
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir()
        tasks = _tasks(items)
        work = partial(write_parts, self._ground, tasks, reader, schema, str(parts))
        notes = self._told(self._cluster.each(work, len(tasks), f"table {output}"), len(items))
        self._settle(output, [note["part"] for note, _ in notes])
        if progress is not None:
            progress(sum(note["rows"] for note, _ in notes))
        return [note for note, _ in notes]

    def gather(
        self, reader: Reader, items: Sequence[Mapping[str, Any]]
    ) -> Iterator[pa.RecordBatch]:
        """Yield what ``reader`` yields of every item, in their order; it must fit in memory.

        Raises as `map_items`.
        """
        tasks = _tasks(items)
        work = partial(collect_rows, self._ground, tasks, reader)
        for _, rows in self._told(self._cluster.each(work, len(tasks), "texts"), len(items)):
            if rows:
                yield from pa.ipc.open_stream(rows)

    def run(self, step: Step) -> None:
        """Execute one step: on the cluster where a key or an order splits it, else here."""
        if step.key and step.sql is not None:
            self._run_by_key(step, step.sql(self.settings))
        elif step.along is not None and step.sql is not None:
            self._run_along(step, step.sql(self.settings), step.along)
        else:
            super().run(step)

    def _run_by_key(self, step: Step, sql: str) -> None:
        table = step.inputs[0]
        with self._reading(table):
            groups = list(self._row_groups(table))
        rows = sum(item["rows"] for item in groups)
        if rows == 0:
            super().run(step)
            return
        out = self._empty(step.name)
        schema = self._schema(table, step.reads)
        keyed = Keyed(sql, table, schema, self._beside(step), str(out))
        tasks = _tasks(groups)
        parts = min(max(rows // _PART_ROWS, _LEAST_PARTS), _MOST_TASKS)
        notes = self._told(
            self._cluster.by_key(
                partial(read_rows, tasks, schema), len(tasks), ddl(schema), step.key, parts,
                partial(run_key, self._ground, keyed), f"step {step.name}",
            )
        )  # fmt: skip
        seen = sum(note["seen"] for note, _ in notes)
        if seen != rows:
            raise RunnerError(
                f"the engine handed out {seen:,} rows of {rows:,}", where=f"step {step.name}",
                hint="go on with --resume; if it happens again, the engine is at fault",
            )  # fmt: skip
        self._write_sql(step, f"SELECT * FROM {listed(out / n['part'] for n, _ in notes)}")
        shutil.rmtree(out, ignore_errors=True)  # an attempt that nobody waited for may still write

    def _run_along(self, step: Step, sql: str, along: Along) -> None:
        """Have workers make stretches of the output, and put them one after the other here."""
        size = step.group_rows or ROW_GROUP
        with self._named(f"step {step.name}"):
            cut = stretches(self.query, along.places(self.settings), along, size)
        if not cut:
            super().run(step)
            return
        out = self._empty(step.name)
        table = step.inputs[0]
        with self._reading(table):
            read, wide = layout(self.parts(table), along.columns[0], cut)
        sources = [[(str(path), groups) for path, groups in one.items()] for one in read]
        if wide:
            ends = [one["low"] for one in cut] + [cut[-1]["high"]]
            tasks = _tasks(wide_pieces(wide))
            deal = partial(deal_rows, self._ground, tasks, along.columns, ends, str(out))
            dealt = self._cluster.each(deal, len(tasks), f"step {step.name}, dealing")
            for note, _ in self._told(dealt, sum(map(len, tasks))):
                for place, k in enumerate(note["held"]):
                    sources[k].append((str(out / note["part"]), [place]))
        given = Stretched(
            sql, table, along.columns, along.number, self._beside(step), packing(step), size,
            str(out),
        )  # fmt: skip
        tasks = _tasks([{**one, "sources": of} for one, of in zip(cut, sources, strict=True)])
        work = partial(write_stretch, self._ground, tasks, given)
        made = self._cluster.each(work, len(tasks), f"step {step.name}")
        notes = [note for note, _ in self._told(made, len(cut))]
        wrong = sum(note["rows"] != one["rows"] for note, one in zip(notes, cut, strict=True))
        if wrong:
            raise RunnerError(
                f"{wrong:,} of {len(cut):,} stretches have other rows than were counted",
                where=f"step {step.name}",
                hint="go on with --resume; if it happens again, the shared disk is at fault",
            )
        for path in out.glob(f"*{DEALT}"):  # the disk need not hold the rows four times
            path.unlink(missing_ok=True)
        with self._aside(step.output) as aside:
            concatenate([out / note["part"] for note in notes], aside)
        self._view(step.output)
        shutil.rmtree(out, ignore_errors=True)  # an attempt that nobody waited for may still write

    @contextmanager
    def _reading(self, table: str) -> Iterator[None]:
        """Say which table it is where a file of it is damaged or gone."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise RunnerError(
                f"a file of it cannot be read ({why(error)})", where=f"table {table}",
                hint="begin anew, without --resume",
            ) from error  # fmt: skip

    def _empty(self, name: str) -> Path:
        """Return an empty folder that all workers see, for what a step writes on the way."""
        out = self.folder / SPILL / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return out

    def _beside(self, step: Step) -> Beside:
        return tuple((name, tuple(map(str, self.parts(name)))) for name in step.inputs[1:])

    def _row_groups(self, table: str) -> Iterator[dict[str, Any]]:
        for path in self.parts(table):
            held = pq.read_metadata(path)
            counts = [held.row_group(k).num_rows for k in range(held.num_row_groups)]
            for first in range(0, len(counts), _GROUPS_AT_ONCE):
                some = counts[first : first + _GROUPS_AT_ONCE]
                yield {"path": str(path), "first": first, "stop": first + len(some),
                       "rows": sum(some)}  # fmt: skip

    def _schema(self, table: str, columns: Sequence[str]) -> pa.Schema:
        held = pq.read_schema(self.parts(table)[0]).remove_metadata()
        return pa.schema([held.field(name).with_nullable(True) for name in columns])

    def _told(
        self, notes: Sequence[tuple[int, str, bytes]], items: int | None = None
    ) -> list[tuple[dict[str, Any], bytes]]:
        """Return notes in the order of their items. Raises the first error that one tells of."""
        told = [(json.loads(note), rows) for _, note, rows in sorted(notes, key=lambda n: n[0])]
        for note, _ in told:
            raise_noted(note)
        if items is not None and len(told) != items:
            raise RunnerError(
                f"the engine answered for {len(told):,} pieces of work of {items:,}",
                where="--engine", hint="go on with --resume; else the engine is at fault",
            )  # fmt: skip
        return told


def _tasks(items: Sequence[Mapping[str, Any]]) -> list[list[Item]]:
    """Deal items out to tasks, one each up to 2,048 of them; each knows its place."""
    numbered: list[Item] = [{**item, "item": number} for number, item in enumerate(items)]
    return [numbered[k::_MOST_TASKS] for k in range(min(len(numbered), _MOST_TASKS))]
