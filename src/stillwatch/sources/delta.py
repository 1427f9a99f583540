"""Tables of Delta Lake: what their log names at one version, by delta-rs (package deltalake).

The library reads the log; the files are read as any Parquet is (`lake_files`), a batch at a time.
Reader features are taken one by one: a table with another one is refused by its name.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.sources.lake_files import (
    Column,
    Positions,
    Snapshot,
    TableFile,
    gone,
    local_path,
)
from stillwatch.sources.source import DAMAGE

__all__ = ["delta_files"]

_KIND: Final = "Delta Lake"
_LOG: Final = "_delta_log"
_COMMIT: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\..*")
# What they mean for who reads: rows to leave out, another form of the log, a type of time, nothing.
_VACUUM_CHECK: Final = "vacuumProtocolCheck"
_FEATURES: Final = frozenset(
    {"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", _VACUUM_CHECK}
)
_READER_VERSION: Final = 3
_PHYSICAL: Final = "delta.columnMapping.physicalName"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MISTAKEN: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\")
_PANIC: Final = "PanicException"  # what a mistake in Rust is to Python, which cannot be imported
_NONE: Final = np.empty(0, np.int64)


def delta_files(folder: str, version: int | None) -> list[TableFile]:
    """Return the data files of a table at a version, None: the newest.

    1. The protocol is one that is read here whole; columns are stored under their own names.
    2. A file's columns are those of the version's schema that it has; partitions are constants.
    3. Deletion vectors leave rows out; one that belongs to no file is an error.

    Raises ImportError: no deltalake. InputError as `lakes.table_files`.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    place = os.path.realpath(folder)
    if _MISTAKEN.search(place):
        raise InputError(
            r"deltalake takes %XX and \ in a path as other signs: it would read another folder",
            where=folder, hint="rename the folder, or copy the table elsewhere",
        )  # fmt: skip
    try:
        table = DeltaTable(place, version=version)
        schema = json.loads(table.schema().to_json())
        _refuse_unread(table, schema, folder)
        actions = pa.table(table.get_add_actions())
        vectors = _deletion_vectors(table)
    except BaseException as error:
        known = isinstance(error, (DeltaError, ValueError, OverflowError, OSError))
        if not known and type(error).__name__ != _PANIC:
            raise
        raise _why(folder, version) from error
    snapshot = Snapshot(os.path.abspath(folder), _KIND, table.version())
    names = [name["name"] for name in schema["fields"]]
    partitions = table.metadata().partition_columns
    found = []
    for path, values in _added(actions, partitions):
        place = local_path(path, folder, folder)
        if not os.path.isfile(place):  # what is no file, such as a pipe, may never end
            raise gone(place)
        deleted = vectors.pop(os.path.realpath(place), _NONE)
        found.append(
            TableFile(place, snapshot, partial(_columns, names, values), partial(_given, deleted))
        )
    if vectors:
        raise InputError(
            "its log marks rows as deleted in a file that the table does not name", where=folder,
            hint="mend the table with its own tool (FSCK REPAIR TABLE)",
        )  # fmt: skip
    return found


def _columns(names: list[str], values: dict[str, pa.Scalar], stored: pa.Schema) -> list[Column]:
    """Return those of the table's columns that a file has; of its partition it has the values."""
    have = set(stored.names)
    return [
        Column(name, None, values[name]) if name in values else Column(name, name)
        for name in names
        if name in values or name in have
    ]


def _given(deleted: Positions) -> Positions:
    return deleted


def _added(actions: pa.Table, partitions: list[str]) -> list[tuple[str, dict[str, pa.Scalar]]]:
    paths = actions["path"].to_pylist()
    if not partitions:
        return [(path, {}) for path in paths]
    held = actions["partition"].combine_chunks()
    columns = {name: held.field(name) for name in partitions}
    return [(path, {n: c[i] for n, c in columns.items()}) for i, path in enumerate(paths)]


def _deletion_vectors(table: Any) -> dict[str, Positions]:
    """Return which rows of which file, by its real path, are deleted."""
    found: dict[str, Positions] = {}
    if _VACUUM_CHECK in (table.protocol().reader_features or ()):
        return found  # `_refuse_unread` saw that there are none
    for batch in table.deletion_vectors():
        held = pa.record_batch(batch)
        for uri, kept in zip(held["filepath"].to_pylist(), held["selection_vector"], strict=True):
            mask = kept.values.to_numpy(zero_copy_only=False)
            place = os.path.realpath(unquote(urlsplit(uri).path))
            found[place] = np.flatnonzero(~mask).astype(np.int64)
    return found


def _refuse_unread(table: Any, schema: dict[str, Any], folder: str) -> None:
    """Raise InputError for a table that takes more to be read than is done here."""
    protocol = table.protocol()
    unknown = _unknown(protocol.min_reader_version, protocol.reader_features)
    mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mapping != "none" and not _plainly_named(schema):
        unknown.append("columns that are stored under other names (columnMapping)")
    if {_VACUUM_CHECK, "deletionVectors"} <= set(protocol.reader_features or ()):
        unknown.append(f"deletionVectors beside {_VACUUM_CHECK}, as deltalake gives none then")
    if unknown:
        raise _unread(unknown, folder)


def _unknown(version: int, features: list[str] | None) -> list[str]:
    held = sorted(set(features or ()) - _FEATURES)
    if not all(map(_NAME.fullmatch, held)):  # what a log says is not put on a terminal unseen
        held = [*filter(_NAME.fullmatch, held), "a feature whose name is none"]
    return [*held, f"protocol version {version}"] if version > _READER_VERSION else held


def _unread(unknown: list[str], folder: str) -> InputError:
    return InputError(
        f"a table of {_KIND} that cannot be read right: {', '.join(unknown)}", where=folder,
        hint="write what is to be read as Parquet with the table's own connector "
        "(docs/sources/tables.md)",
    )  # fmt: skip


def _plainly_named(node: Any) -> bool:
    """Tell whether every field of a schema, at every depth, is stored under its own name."""
    if isinstance(node, list):
        return all(map(_plainly_named, node))
    if not isinstance(node, dict):
        return True
    physical = (node.get("metadata") or {}).get(_PHYSICAL)
    if physical is not None and physical != node.get("name"):
        return False
    return all(
        _plainly_named(node[key]) for key in ("fields", "type", "elementType", "keyType",
                                              "valueType") if key in node
    )  # fmt: skip


def _why(folder: str, version: int | None) -> InputError:
    """Return what is wrong with a log that the library did not read: it quotes what it finds.

    1. There is no such version, or the log before a checkpoint was cleaned.
    2. The checkpoint, or a commit after it, is missing or damaged.
    3. The last protocol in these commits has a feature that the library does not know either.
    """
    log = Path(folder, _LOG)
    names = sorted(os.listdir(log))
    commits = {int(m[1]): name for name in names if (m := _COMMIT.fullmatch(name))}
    checkpoints = {int(m[1]): name for name in names if (m := _CHECKPOINT.fullmatch(name))}
    newest = max([*commits, *checkpoints], default=-1)
    if version is not None and version > newest:
        return InputError(
            f"the table has no version {version}", where=folder, hint=f"its newest is {newest}"
        )
    wanted = newest if version is None else version
    start = max((number for number in checkpoints if number <= wanted), default=-1)
    if start < 0 < len(checkpoints) and 0 not in commits:
        return InputError(
            f"version {wanted} cannot be read any more: the log before version "
            f"{min(checkpoints)} was cleaned", where=folder, hint="name a later one, or none",
        )  # fmt: skip
    if start >= 0 and not _whole(log / checkpoints[start]):
        return _broken(folder, checkpoints[start], "a damaged checkpoint")
    unknown: list[str] = []
    for number in range(start + 1, wanted + 1):
        name = f"{number:020}.json"
        if number not in commits:
            return _broken(folder, name, "it is not there")
        for line, text in enumerate((log / name).read_bytes().splitlines(), 1):
            try:
                told = json.loads(text).get("protocol")
            except (ValueError, AttributeError, RecursionError):
                return _broken(folder, name, f"line {line} is no JSON object")
            if told is None:
                continue
            if not _is_protocol(told):
                return _broken(folder, name, f"line {line} is no protocol")
            unknown = _unknown(told["minReaderVersion"], told.get("readerFeatures"))
    if unknown:
        return _unread(unknown, folder)
    return InputError(
        "the table's log cannot be read", where=f"{folder}/{_LOG}",
        hint="does its own tool read it?",
    )  # fmt: skip


def _is_protocol(told: Any) -> bool:
    if not isinstance(told, dict) or type(told.get("minReaderVersion")) is not int:
        return False
    features = told.get("readerFeatures")
    return features is None or (
        isinstance(features, list) and all(type(name) is str for name in features)
    )


def _broken(folder: str, name: str, why: str) -> InputError:
    return InputError(
        f"the table's log is broken: {why}", where=f"{folder}/{_LOG}/{name}",
        hint="restore the file, or name an older version: TABLE@N",
    )  # fmt: skip


def _whole(checkpoint: Path) -> bool:
    try:
        return checkpoint.suffix != ".parquet" or pq.read_metadata(checkpoint).num_columns > 0
    except DAMAGE:
        return False
