"""Logs that arrive are read into the days of a store: each file once, and only what is new."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.kernel import KERNEL_VERSION
from stillwatch.pipeline import FEATURES, features
from stillwatch.sources import (
    S3,
    InputFile,
    TableRefused,
    find_files,
    object_state,
    open_file,
    open_inputs,
    open_object,
    plain_name,
    short_names,
    watch_objects,
)
from stillwatch.store.days import DayStore, Delivery, SourceFile

__all__ = ["Filled", "Waiting", "fill_days", "reading_key", "waiting_files"]

_UNFINISHED: Final = (".tmp", ".part", ".partial", ".inprogress")
_ROWS_AT_ONCE: Final = 1_000_000  # a kill loses at most so many rows' work
_FILES_AT_ONCE: Final = 512
_BLOCK: Final = 1 << 20


@dataclass
class Filled:
    """What one filling did. ``unreadable``: name → why, of files that are tried again next time;
    ``unlisted``: the same of object stores of which nobody knows what lies in them now."""

    files: int = 0
    rows: int = 0
    refused: int = 0
    moved: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)


def reading_key(format: str) -> dict[str, str]:
    """Return what decides the features that a log gives, by name: days of another key differ.

    ``format``: as of `scan`; a mapping file enters by its contents.
    """
    told = format
    if format.endswith(".toml"):
        told = "mapping " + hashlib.sha256(Path(format).read_bytes()).hexdigest()
    shape = hashlib.sha256(str(FEATURES.remove_metadata()).encode()).hexdigest()[:16]
    return {"kernel": str(KERNEL_VERSION), "features": shape, "--format": told}


@dataclass
class Waiting:
    """``files``: new or changed since they were read; ``present``: the places of all there are.

    ``unlisted``: object stores that could not be listed now, name → why.
    """

    files: list[InputFile] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    unlisted: dict[str, str] = field(default_factory=dict)


def waiting_files(paths: Sequence[str], store: DayStore) -> Waiting:
    """Return the files and objects that are new or changed since they were read.

    Hidden files, and such as end in .tmp, .part, .partial or .inprogress, are not there yet; nor
    are empty ones. No file at all is no error here: logs are still to come.

    Raises ConfigError: the logs lie neither in folders of this machine nor in an object store.
    InputError: there is no such folder, or it is a table of Delta Lake, Iceberg or Hudi.
    """
    for path in paths:
        if path == "-" or ("://" in path and not path.startswith(S3)):
            raise ConfigError(
                "only folders and files of this machine, and s3://, can be watched",
                where="SOURCE", hint="let a copying job write into a folder",
            )  # fmt: skip
    known, found = store.known(), Waiting()
    for file, state in _lying(paths, found.unlisted):
        if state[0] <= 0 or plain_name(file.path).endswith(_UNFINISHED):
            continue
        place = _place(file.path)
        found.present.add(place)
        held = known.get(place)
        if held is None or (held[1].size, held[1].changed_ns) != state:
            found.files.append(file)
    return found


def _lying(
    paths: Sequence[str], unlisted: dict[str, str]
) -> Iterator[tuple[InputFile, tuple[int, int]]]:
    """Yield each file with its state, by place; an object's state comes with the listing."""
    objects: dict[str, tuple[int, int]] = {}
    for address in (path for path in paths if path.startswith(S3)):
        try:
            objects |= {one.address: (one.size, one.changed_ns) for one in watch_objects(address)}
        except TableRefused:
            raise
        except InputError as error:
            unlisted[plain_name(address)] = error.message
    local = _found([path for path in paths if not path.startswith(S3)])
    names = short_names([*(file.path for file in local), *objects])
    for file in local:
        yield file, _state(file.path)
    for address in sorted(objects):
        yield InputFile(names[address], address, objects[address][0]), objects[address]


def _found(paths: Sequence[str]) -> list[InputFile]:
    for path in paths:
        if not os.path.exists(path):
            raise InputError(
                "no such file or directory", where=path, hint="give folders into which logs come"
            )
    try:
        return find_files(paths) if paths else []
    except TableRefused:
        raise
    except InputError:
        return []  # a folder with nothing in it


def _place(path: str) -> str:
    """Return what a file is known by: an object's address, with no key in it, or its whole path."""
    return path if path.startswith(S3) else os.path.abspath(path)


def _state(path: str) -> tuple[int, int]:
    """Return size and time of change (ns), −1 and −1 of what is not there. Raises OSError."""
    if path.startswith(S3):
        return object_state(path)
    try:
        held = os.stat(path)
    except FileNotFoundError:  # taken away since it was listed
        return (-1, -1)
    return held.st_size, held.st_mtime_ns


def fill_days(
    store: DayStore, waiting: Iterable[InputFile], *, format: str, now: datetime,
    tell: Callable[[int], None] = lambda _: None,
) -> Filled:  # fmt: skip
    """Read files into the store, in deliveries that are kept whole or not at all.

    ``now``: UTC; rows more than a day later are refused. ``tell`` hears of rows as they are read.
    A file whose bytes are known, and which lies nowhere else now, was only moved or touched. One
    that changed is read whole, and its rows stand for those that it gave before. One that cannot
    be read keeps nothing back: it is named, and tried again when it is asked for again.

    Raises ConfigError: a format whose records are spread over files. RunnerError: a full disk.
    """
    done = Filled()
    todo = list(waiting)
    while todo:
        with store.delivery(now) as delivery:
            known = store.known()
            by_digest = {
                source.digest: (number, source)
                for number, source, state in known.values()
                if state == "live"
            }
            while todo and delivery.rows < _ROWS_AT_ONCE:
                if len(delivery.entered) >= _FILES_AT_ONCE:
                    break
                _take(delivery, todo.pop(0), by_digest, format, now, done, tell)
    store.merge()
    return done


def _take(
    delivery: Delivery, file: InputFile, by_digest: dict[str, tuple[int, SourceFile]],
    format: str, now: datetime, done: Filled, tell: Callable[[int], None],
) -> None:  # fmt: skip
    try:
        source = _digested(file)
    except OSError as error:
        done.unreadable[file.name] = error.strerror or type(error).__name__
        return
    number, before = by_digest.get(source.digest, (-1, source))
    if number >= 0 and (before.path == source.path or not _lies(before.path)):
        delivery.move(number, source)
        by_digest[source.digest] = number, source  # a further copy is a file of its own
        done.moved += 1
        return
    _read(delivery, file, source, format, now, done, tell)


def _read(
    delivery: Delivery, file: InputFile, source: SourceFile, format: str, now: datetime,
    done: Filled, tell: Callable[[int], None],
) -> None:  # fmt: skip
    told: dict[str, Any] = {"format": "", "columns": ()}
    ledger: dict[str, Any] = {}
    try:
        with open_file(file) as (_, head):
            if not head:
                return
        opened = open_inputs([file.path], format=format, max_rejects=1.0, now=now)
        if opened.joins_files:
            raise ConfigError(
                f"records of the format {opened.formats[0]} are spread over files, "
                "which are read one by one here", where=file.name,
                hint="scan such logs, or turn them into Parquet first: `stillwatch ingest`",
            )  # fmt: skip
        told = {"format": opened.formats[0], "columns": tuple(sorted(opened.columns))}
        for batch in opened.batches(judged=False):
            made = features(batch)
            delivery.write(made)
            tell(made.num_rows)
        ledger = opened.ledger.state()
    except InputError as error:
        done.unreadable[file.name] = error.message
        delivery.finish(source, ledger=ledger, failed=True, **told)
        return
    if not _unchanged(source):
        done.unreadable[file.name] = "it changed while it was read"
        delivery.finish(source, ledger=ledger, failed=True, **told)
        return
    kept = delivery.finish(source, ledger=ledger, **told)
    done.files += 1
    done.rows += kept.rows
    done.refused += opened.ledger.rows_rejected


def _digested(file: InputFile) -> SourceFile:
    size, changed = _state(file.path)
    state = hashlib.sha256()
    with open_object(file.path) if file.path.startswith(S3) else open(file.path, "rb") as held:
        while block := held.read(_BLOCK):
            state.update(block)
    return SourceFile(_place(file.path), size, changed, state.hexdigest())


def _lies(path: str) -> bool:
    """Tell whether something lies at a place; what cannot be asked is taken to."""
    try:
        return _state(path)[0] >= 0
    except OSError:
        return True


def _unchanged(source: SourceFile) -> bool:
    try:
        return (source.size, source.changed_ns) == _state(source.path)
    except OSError:
        return False
