"""State that must survive a kill: every change appended, at most a second late.

A journal is a folder of files ``state-N.log``. A file begins with a line of JSON that names the
campaigns by number; fixed records follow. The newest four files are kept, each of at most a
quarter of the capacity, so that what is restored is what the window holds.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.guard.decide import Guard, Record
from stillwatch.schema import write_whole

__all__ = ["Journal", "erase_from_state"]

_KINDS: Final = ("handoff", "blob_replay", "retry", "verified", "spent", "evidence", "permit")
_CODE: Final = {kind: code for code, kind in enumerate(_KINDS)}
_RECORD: Final = struct.Struct("<BQQiq")
_KEPT: Final = 4
_OF_A_SUBJECT: Final = frozenset({_CODE["verified"], _CODE["evidence"]})


class Journal:
    """Appends records of a guard to a folder, and gives them back after a restart."""

    def __init__(self, folder: Path, records_per_file: int = 500_000) -> None:
        self.folder = folder
        self._most = records_per_file
        self._waiting: list[Record] = []
        self._written = 0
        self._file: Path | None = None
        self._names: dict[str, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"no folder can be made there ({type(error).__name__})", where=str(folder)
            ) from error

    def note(self, record: Record) -> None:
        """Keep a record until the next flush."""
        self._waiting.append(record)

    def flush(self, numbers: dict[str, int]) -> None:
        """Append what waits. Raises OSError; what could not be written waits on, up to a bound."""
        waiting = self._waiting
        if not waiting:
            return
        if self._file is None or self._written >= self._most or numbers != self._names:
            self._begin(numbers)
        assert self._file is not None
        data = b"".join(
            _RECORD.pack(_CODE[kind], key, org, campaign, value)
            for kind, key, org, campaign, value in waiting
        )
        with self._file.open("ab") as out:
            out.write(data)
        self._written += len(waiting)
        self._waiting = []

    def forget(self) -> None:
        """Drop what waits where it cannot be written, so that memory stays bounded."""
        del self._waiting[: max(0, len(self._waiting) - self._most)]

    def restore(self, guard: Guard) -> int:
        """Apply what earlier runs wrote, oldest first; return how many records.

        A last record that was cut by a kill is left out. Campaigns that the guard has not heard of
        get numbers of their own, so that they keep their sense when a snapshot names them.
        """
        count = 0
        for path in self._files():
            data = path.read_bytes()
            head, _, body = data.partition(b"\n")
            try:
                names = {int(v): str(k) for k, v in json.loads(head).items()}
            except (ValueError, AttributeError):
                continue  # cut before its first line was whole: it holds nothing
            for at in range(0, len(body) - _RECORD.size + 1, _RECORD.size):
                code, key, org, campaign, value = _RECORD.unpack_from(body, at)
                number = campaign
                if campaign >= 0 and campaign in names:
                    number = guard.numbers.setdefault(names[campaign], len(guard.numbers))
                guard.apply(Record(_KINDS[code], key, org, number, value))
                count += 1
        return count

    def _begin(self, numbers: dict[str, int]) -> None:
        files = self._files()
        last = int(files[-1].stem.partition("-")[2]) if files else 0
        self._file = self.folder / f"state-{last + 1:08d}.log"
        self._names = dict(numbers)
        with self._file.open("wb") as out:
            out.write(json.dumps(self._names).encode() + b"\n")
        self._written = 0
        for old in files[: max(0, len(files) + 1 - _KEPT)]:
            os.unlink(old)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("state-*.log"))


def erase_from_state(folder: Path, subjects: Collection[int], org: int) -> int:
    """Remove what a journal holds of some subjects; return how many records.

    ``subjects``: their keys; ``org``: the key of the account's organization where it has one of its
    own, whose conversations, blobs and refused prompts go too. A guard that runs keeps in memory
    what it knows until it is started again.

    Raises InputError: a file cannot be read or written; those before it are done.
    """
    gone = 0
    for path in sorted(folder.glob("state-*.log")):
        try:
            data = path.read_bytes()
            head, _, body = data.partition(b"\n")
            whole = len(body) // _RECORD.size * _RECORD.size
            kept = [
                body[at : at + _RECORD.size]
                for at in range(0, whole, _RECORD.size)
                if not _is_of(_RECORD.unpack_from(body, at), subjects, org)
            ]
            lost = whole // _RECORD.size - len(kept)
            if lost:
                late = path.read_bytes()[len(data) :]  # what a guard appended meanwhile
                write_whole(path, head + b"\n" + b"".join(kept) + body[whole:] + late)
        except OSError as error:
            raise InputError(
                f"cannot be rewritten ({type(error).__name__})", where=str(path)
            ) from error
        gone += lost
    return gone


def _is_of(record: tuple[int, ...], subjects: Collection[int], org: int) -> bool:
    code, key, owner, _, _ = record
    if code in _OF_A_SUBJECT:
        return key in subjects
    return owner == org and code != _CODE["spent"]
