"""Files of the batch APIs, OpenAI's and Anthropic's: requests and results joined by custom_id.

A batch's files do not tell whose it is. The batch objects do, with ``account_id`` written beside
what the API calls them (and ``org_id`` and any other column of EXCHANGE, if known):

    {"object": "batch", "id": "batch_1", "input_file_id": "file-1", …, "account_id": "acme"}

A file belongs to the batch one of whose ids it is named after (``file-1.jsonl``,
``msgbatch_1_results.jsonl``), else to the only batch whose object lies in its folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.admit import admit
from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.garbage import without_collector
from stillwatch.sources.json_rows import Records, read_records
from stillwatch.sources.json_text import canonical
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outline import outline
from stillwatch.sources.pairs import pair_columns
from stillwatch.sources.scratch import Scratch
from stillwatch.sources.source import Source

__all__ = ["Batches"]

_NAMES = frozenset(EXCHANGE.names)
_FILES = ("input_file_id", "output_file_id", "error_file_id")
_TOLD = frozenset({"id", "created_at", *_FILES, *(_NAMES - {"ts", "status", "model"})})
_BYTES = 4 << 20
_MEMORY_BYTES = 64 << 20  # so much waits in memory; what is more, on disk
_EACH_ROW = 2_048
_EACH_LINE = 300
_Line = tuple[str, str, str, str, int, int, bytes]
_Waiting = tuple[str, str, str, int, int, bytes]
_Records = dict[str, list[tuple[dict[str, Any], int]]]
_APART = "\0"
_HINT = "give the batch objects beside the files, with account_id in each: see docs/formats.md"
_ROUTES = {"message_batch": "/v1/messages"}
_RESULTS = frozenset({"succeeded", "errored", "canceled", "expired"})
_TABLES = (
    "held (file TEXT, stem TEXT, folder TEXT, key TEXT, kind INT, line INT, row BLOB)",
    "batch_of (file TEXT PRIMARY KEY, batch TEXT)",
)


@dataclass
class _Shelf(Records):
    """Keeps batch objects, and of every other line key, kind, place and text."""

    held: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    size: int = 0

    def add(self, value: dict[str, Any], line: int, text: bytes = b"") -> None:
        if _is_batch(value):
            self.objects.append(value)
            return
        text = text or _packed(value)
        self.held.append((_key(value, line), _kind(value), line, text))
        self.size += len(text) + _EACH_LINE


class Batches(Source):
    """Reads batch input, output and error files, results, and batch objects."""

    name = "batch"
    columns = BODY_COLUMNS | {"account_id", "org_id", "workspace_id", "key_id", "channel", "tags"}

    def __init__(self) -> None:
        self._base: Scratch | None = None
        self._held: list[_Line] = []
        self._held_bytes = 0
        self._by_id: dict[str, dict[str, Any]] = {}
        self._by_folder: dict[str, list[dict[str, Any]]] = {}

    def for_run(self) -> Batches:
        return type(self)()

    def sniff(self, head: bytes, name: str) -> bool:
        keys = outline(head)
        line = "custom_id" in keys and any(
            k in keys for k in ("body", "params", "response", "result")
        )
        object_of = any({k, other} <= keys for k in ("input_file_id", "processing_status")
                        for other in ("request_counts", "object", "type"))  # fmt: skip
        return line or object_of

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return self.columns

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        """Shelve every line, since its batch and its other half may come later."""
        for reason in ("required value missing (account_id)", "no readable time (ts)"):
            ledger.hints[reason] = _HINT
        file = PurePosixPath(where)
        stem, folder = _stem(file), str(file.parent)

        def shelve(chunk: _Shelf) -> None:
            for value in chunk.objects:
                self._enter(value, folder)
                ledger.notes["batch objects"] += 1
            self._held += ((where, stem, folder, *line) for line in chunk.held)
            self._held_bytes += chunk.size
            if self._held_bytes > _MEMORY_BYTES:
                self._spill()

        for _ in without_collector(shelve, read_records(handle, where, ledger, _Shelf)):
            yield from ()

    def _spill(self) -> None:
        self._base = self._base or Scratch(*_TABLES)
        self._base.write("INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?)", self._held)
        self._held, self._held_bytes = [], 0

    def _enter(self, batch: dict[str, Any], folder: str) -> None:
        told = {k: v for k, v in batch.items() if k in _TOLD}
        told["route"] = batch.get("endpoint") or _ROUTES.get(str(batch.get("type")))
        self._by_folder.setdefault(folder, []).append(told)
        for key in ("id", *_FILES):
            if isinstance(batch.get(key), str):
                self._by_id[batch[key]] = told

    def _batch_of(self, stem: str, folder: str) -> dict[str, Any]:
        """Return the batch that a file belongs to; {} where nothing tells."""
        if stem in self._by_id:
            return self._by_id[stem]
        here = self._by_folder.get(folder, [])
        return here[0] if len(here) == 1 else {}

    def rest(self, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        def convert(waiting: _Records) -> list[pa.RecordBatch]:
            return [_admitted(some, file, ledger) for file, some in waiting.items()]

        for batches in without_collector(convert, self._wrapped(ledger)):
            yield from batches
        self._held = []
        if self._base is not None:
            self._base.close()
            self._base = None

    def _wrapped(self, ledger: Ledger) -> Iterator[_Records]:
        """Yield what `pairs` reads, by file, some megabytes at a time."""
        if self._base is not None:
            self._spill()
        batches: dict[str, dict[str, Any]] = {}
        waiting: _Records = {}
        size = 0
        for (scope, key), group in groupby(self._by_batch(batches), itemgetter(0, 1)):
            held = [row[2:] for row in group]
            for record, file, line in _joined(held, ledger):
                whole = _wrapper(record, batches[file], f"{scope}/{key.partition(_APART)[0]}")
                waiting.setdefault(file, []).append((whole, line))
            size += _EACH_ROW + sum(len(row[3]) for row in held)
            if size >= _BYTES:
                yield waiting
                waiting, size = {}, 0
        if waiting:
            yield waiting

    def _by_batch(self, batches: dict[str, dict[str, Any]]) -> Iterator[_Waiting]:
        """Return all lines, those of one batch and key together; fill in each file's batch."""
        base = self._base
        files = (
            {line[:3] for line in self._held}
            if base is None
            else base.rows("SELECT DISTINCT file, stem, folder FROM held").fetchall()
        )
        batches |= {file: self._batch_of(stem, folder) for file, stem, folder in files}
        scopes = {file: str(batches[file].get("id") or folder) for file, _, folder in files}
        if base is None:
            self._held.sort(key=lambda line: (scopes[line[0]], line[3], line[4], line[0], line[5]))
            return ((scopes[f], key, f, kind, line, row) for f, _, _, key, kind, line, row
                    in self._held)  # fmt: skip
        base.write("INSERT INTO batch_of VALUES (?, ?)", list(scopes.items()))
        return base.rows(
            "SELECT batch, key, held.file, kind, line, row FROM held JOIN batch_of "
            "ON batch_of.file = held.file ORDER BY batch, key, kind, held.file, line"
        )


def _is_batch(value: dict[str, Any]) -> bool:
    return value.get("object") == "batch" or value.get("type") == "message_batch"


def _kind(value: dict[str, Any]) -> int:
    """Return 0 for a request and 1 for a result."""
    return int("result" in value or "response" in value)


def _key(value: dict[str, Any], line: int) -> str:
    """Return what request and result share: the custom_id, and the account where they tell it."""
    custom, account = value.get("custom_id"), value.get("account_id")
    key = custom if isinstance(custom, str) and custom else f"#{line}"
    return f"{key}{_APART}{account}" if isinstance(account, str) else key


def _stem(file: PurePosixPath) -> str:
    return file.name.partition(".")[0].removesuffix("_results").removesuffix("_output")


def _packed(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # too deep or too large a number
        return canonical(
            {k: v if type(v) is str else canonical(v) for k, v in value.items()}
        ).encode()


def _joined(
    rows: list[tuple[str, int, int, bytes]], ledger: Ledger
) -> Iterator[tuple[dict[str, Any], str, int]]:
    """Yield (record, file, line): the n-th request of a custom_id with the n-th of its results."""
    halves: tuple[list[Any], list[Any]] = ([], [])
    for file, kind, line, packed in rows:
        halves[kind].append((file, line, orjson.loads(packed)))
    asked, answered = halves
    for place in range(max(len(asked), len(answered))):
        if place < len(asked) and place < len(answered):
            ledger.notes["batch requests joined to their results"] += 1
            file, line, result = answered[place]
            yield {**asked[place][2], **result}, file, line
        else:
            file, line, value = (asked if place < len(asked) else answered)[place]
            yield value, file, line


def _wrapper(record: dict[str, Any], batch: dict[str, Any], fallback: str) -> dict[str, Any]:
    """Return a batch line as the record that `pairs` reads."""
    response, error = record.get("response"), record.get("error")
    result = record.get("result")
    if type(result) is dict and str(result.get("type")) in _RESULTS:
        response = result.get("message")
        error = result.get("error") if result["type"] == "errored" else None
        error = error.get("error", error) if type(error) is dict else error
    elif type(error) is dict and error.get("code") == "batch_expired":
        error = None
    told = {k: v for held in (batch, record) for k, v in held.items() if k in _NAMES}
    found = response.get("request_id") if type(response) is dict else None
    made = response.get("body", response) if type(response) is dict else {}
    made = made if type(made) is dict else {}
    return {
        "channel": "batch",
        **told,
        "exchange_id": record.get("id") or found or fallback,
        "ts": told.get("ts")
        or made.get("created")
        or made.get("created_at")
        or batch.get("created_at"),
        "route": record.get("url") or batch.get("route"),
        "request": record.get("body", record.get("params")),
        "response": response,
        "error": error,
    }


def _admitted(
    waiting: list[tuple[dict[str, Any], int]], file: str, ledger: Ledger
) -> pa.RecordBatch:
    columns = pair_columns([record for record, _ in waiting])
    return admit(columns, np.asarray([line for _, line in waiting], np.int64), file, ledger)
