"""Files of the batch APIs, OpenAI's and Anthropic's: requests and results joined by custom_id.

A batch's files do not tell whose it is. The batch objects do, with ``account_id`` written beside
what the API calls them (and ``org_id`` and any other column of EXCHANGE, if known):

    {"object": "batch", "id": "batch_1", "input_file_id": "file-1", …, "account_id": "acme"}

A file belongs to the batch one of whose ids it is named after (``file-1.jsonl``,
``msgbatch_1_results.jsonl``), else to the only batch whose object lies in its folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple

import orjson
import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.garbage import without_collector
from stillwatch.sources.json_rows import SOME_ROWS, Records, object_in, read_records
from stillwatch.sources.json_text import canonical
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outline import outline
from stillwatch.sources.pairs import pair_columns
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.source import Source
from stillwatch.sources.waiting import Row, Waiting

__all__ = ["Batches"]

_NAMES = frozenset(EXCHANGE.names)
_FILES = ("input_file_id", "output_file_id", "error_file_id")
_TOLD = frozenset({"id", "created_at", *_FILES, *(_NAMES - {"ts", "status", "model"})})
_HINT = "give the batch objects beside the files, with account_id in each: see docs/formats.md"
_NO_REQUEST = (
    "a result without an answer tells no model: give the file of its batch's requests beside it"
)
_ROUTES = {"message_batch": "/v1/messages"}
_RESULTS = frozenset({"succeeded", "errored", "canceled", "expired"})
_KEYED = re.compile(rb'\{ ?(?:"id": ?"[^"\\]*+", ?)?"custom_id": ?"([^"\\\x00-\x1f]++)"')
_Line = tuple[dict[str, Any], Row]
_Placed = tuple[dict[str, Any], str, int]  # a record, its file, its line


class _File(NamedTuple):
    """A file of lines: its name in messages, and what it may be matched to its batch by."""

    where: str
    stem: str
    folder: str


class _Lines(Records):
    """Keeps batch objects, and of every other line its custom_id, place and text."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._file = file

    def add(self, value: dict[str, Any], line: int, text: bytes = b"") -> None:
        if _is_batch(value):
            self.objects.append(value)
            return
        custom = value.get("custom_id")
        key = custom if isinstance(custom, str) and custom else f"#{line}"
        text = text or bytes(memoryview(_packed(value)))  # orjson's own holds more than it says
        self.rows.append(Row(key, 0, self._file, line, text))

    def take(self, text: bytes, line: int) -> bool:
        """Take a line that begins as the APIs write it; it is parsed when it is joined."""
        match = _KEYED.match(text)
        if match is None:
            return False
        try:
            self.rows.append(Row(match[1].decode(), 0, self._file, line, text))
        except UnicodeDecodeError:
            return False
        return True


class Batches(Source):
    """Reads batch input, output and error files, results, and batch objects."""

    name = "batch"
    columns = BODY_COLUMNS | {"account_id", "org_id", "workspace_id", "key_id", "channel", "tags"}

    def __init__(self) -> None:
        self._waiting = Waiting()
        self._files: list[_File] = []
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
        ledger.hints["required value missing (model)"] = _NO_REQUEST
        file = PurePosixPath(where)
        folder, number = str(file.parent), len(self._files)
        self._files.append(_File(where, _stem(file), folder))

        def shelve(chunk: _Lines) -> None:
            for value in chunk.objects:
                self._enter(value, folder)
                ledger.notes["batch objects"] += 1
            self._waiting.put(chunk.rows)

        lines = read_records(handle, where, ledger, lambda: _Lines(number))
        for _ in without_collector(shelve, lines):
            yield from ()

    def _enter(self, batch: dict[str, Any], folder: str) -> None:
        told = {k: v for k, v in batch.items() if k in _TOLD}
        told["route"] = batch.get("endpoint") or _ROUTES.get(str(batch.get("type")))
        self._by_folder.setdefault(folder, []).append(told)
        for key in ("id", *_FILES):
            if isinstance(batch.get(key), str):
                self._by_id[batch[key]] = told

    def _batch_of(self, file: _File) -> dict[str, Any]:
        """Return the batch that a file belongs to; {} where nothing tells."""
        if file.stem in self._by_id:
            return self._by_id[file.stem]
        here = self._by_folder.get(file.folder, [])
        return here[0] if len(here) == 1 else {}

    def rest(self, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        yield from admitted(self._wrapped(ledger), ledger)

    def _wrapped(self, ledger: Ledger) -> Iterator[Part]:
        """Yield the columns of what `pairs` reads, some dozens of records at a time."""
        files = self._files
        batches = [self._batch_of(file) for file in files]
        scopes = [str(b.get("id") or f.folder) for b, f in zip(batches, files, strict=True)]
        waiting: list[_Placed] = []
        size = 0
        for rows in self._waiting.groups(lambda row: f"{scopes[row.file]}/{row.key}"):
            fallback = f"{scopes[rows[0].file]}/{rows[0].key}"
            for record, row in _joined(rows, files, ledger):
                wrapper = _wrapper(record, batches[row.file], fallback)
                waiting.append((wrapper, files[row.file].where, row.line))
            size += sum(len(row.text) for row in rows)
            if len(waiting) >= SOME_ROWS:
                yield _part(waiting, size)
                waiting, size = [], 0
        if waiting:
            yield _part(waiting, size)


def _part(waiting: list[_Placed], size: int) -> Part:
    columns = pair_columns([record for record, _, _ in waiting])
    lines = [line for _, _, line in waiting]
    return Part(columns, lines, [where for _, where, _ in waiting], size)


def _is_batch(value: dict[str, Any]) -> bool:
    return value.get("object") == "batch" or value.get("type") == "message_batch"


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
    rows: list[Row], files: list[_File], ledger: Ledger
) -> Iterator[tuple[dict[str, Any], Row]]:
    """Yield (record, row): the n-th request with the n-th of its results.

    Of one batch and custom_id, and of one account where the lines tell it.
    """
    if len(rows) > 2:
        rows.sort(key=lambda row: (files[row.file].where, row.line))
    halves: dict[Any, tuple[list[_Line], list[_Line]]] = {}
    for row in rows:
        value = _parsed(row, files, ledger)
        if value is not None:
            account = value.get("account_id")
            both = halves.setdefault(account if isinstance(account, str) else None, ([], []))
            both["result" in value or "response" in value].append((value, row))
    for asked, answered in halves.values():
        for request, result in zip_longest(asked, answered):
            if request and result:
                ledger.notes["batch requests joined to their results"] += 1
                yield {**request[0], **result[0]}, result[1]
            else:
                yield request or result


def _parsed(row: Row, files: list[_File], ledger: Ledger) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = orjson.loads(row.text)
    except orjson.JSONDecodeError:
        return object_in(row.text, row.line, files[row.file].where, ledger)
    return value


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
