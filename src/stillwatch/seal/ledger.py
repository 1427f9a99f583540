"""A ledger that only grows: who said, denied, read or released what, provable afterwards.

An entry is the salted commitment sha256(salt ‖ canonical JSON of the event), a leaf of an RFC 6962
tree. Event and salt lie beside it and can be erased; the commitment stays and says nothing then.
Kept in SQLite: one transaction an entry, brought to the disk before ``record`` returns, so that
what was acknowledged is there after a crash; several processes may write to one file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.errors import EvidenceError
from stillwatch.seal.checkpoint import Checkpoint, sign_checkpoint
from stillwatch.seal.digests import canonical
from stillwatch.seal.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    span_hash,
    verify_inclusion,
)

__all__ = ["Entry", "Ledger", "verify_entry"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, commitment BLOB NOT NULL, salt BLOB, event TEXT);
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (level, place)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """One entry; ``event`` and ``salt`` are None once they were erased."""

    number: int
    commitment: bytes
    salt: bytes | None
    event: Mapping[str, Any] | None

    @classmethod
    def of(cls, number: int, salt: bytes, event: Mapping[str, Any]) -> Entry:
        """Return the entry that an event and its salt would make."""
        return cls(number, _commit(salt, event), salt, event)

    def holds(self) -> bool:
        """Return whether the event is what the commitment stands for."""
        if self.event is None or self.salt is None:
            return False
        return _commit(self.salt, self.event) == self.commitment


def _commit(salt: bytes, event: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(salt + canonical(dict(event))).digest()


def verify_entry(entry: Entry, path: list[bytes], checkpoint: Checkpoint) -> None:
    """Check off-line that an entry is in the ledger that a checkpoint fixes.

    Raises:
        EvidenceError: the event is not what was committed to, or the entry is not in the tree.
    """
    if entry.event is not None and not entry.holds():
        raise EvidenceError("is not what was committed to", where=f"entry {entry.number}")
    leaf = leaf_hash(entry.commitment)
    verify_inclusion(leaf, entry.number, checkpoint.size, path, checkpoint.root)


class Ledger:
    """A ledger in one SQLite file. Not for use by several threads at once: one object a thread.

    ``origin``: its name in checkpoints. ``salt``: where salts come from, 16 random bytes each.
    """

    def __init__(
        self, path: Path | str, *, origin: str, salt: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.origin, self._salt = origin, salt
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, event: Mapping[str, Any]) -> None:
        """Append an event and bring it to the disk.

        Raises:
            EvidenceError: the event cannot be written as JSON.
            sqlite3.OperationalError: the disk is full or the file is locked for 30 s; nothing was
                written then.
        """
        self.record_all((event,))

    def record_all(self, events: Iterable[Mapping[str, Any]]) -> list[int]:
        """Append events in one transaction, all or none, and return their numbers."""
        made = []
        for event in events:
            salt = self._salt(16)
            made.append((_commit(salt, event), salt, canonical(dict(event)).decode()))
        with self._writing():
            size = self.size
            for k, (commitment, salt, text) in enumerate(made):
                self._db.execute(
                    "INSERT INTO entries VALUES (?, ?, ?, ?)", (size + k, commitment, salt, text)
                )
                self._grow(size + k, leaf_hash(commitment))
        return list(range(size, size + len(made)))

    def _grow(self, number: int, found: bytes) -> None:
        """Store a leaf and every full subtree that it completes."""
        level, place = 0, number
        self._db.execute("INSERT INTO nodes VALUES (?, ?, ?)", (0, place, found))
        while place & 1:
            found = node_hash(self._stored(level, place - 1), found)
            level, place = level + 1, place >> 1
            self._db.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, place, found))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @property
    def size(self) -> int:
        """Number of entries."""
        (found,) = self._db.execute("SELECT coalesce(max(number) + 1, 0) FROM entries").fetchone()
        return int(found)

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first ``size`` entries, by default all."""
        return self._span(0, self._within(size))

    def inclusion(self, number: int, size: int | None = None) -> list[bytes]:
        """Return the proof that an entry is in the tree of the first ``size`` entries."""
        return inclusion_path(number, self._within(size), self._span)

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """Return the proof that the tree of size ``first`` is a beginning of ``second``'s."""
        return consistency_path(first, self._within(second), self._span)

    def checkpoint(self, key: Ed25519PrivateKey) -> str:
        """Return a signed checkpoint over all entries."""
        size = self.size
        return sign_checkpoint(self.origin, size, self.root(size), key)

    def entry(self, number: int) -> Entry:
        """Return one entry. Raises EvidenceError when there is none of that number."""
        row = self._db.execute("SELECT * FROM entries WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise EvidenceError("there is no such entry", where=f"entry {number}")
        return _entry(row)

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Yield entries in order."""
        rows = self._db.execute(
            "SELECT * FROM entries WHERE number >= ? AND number < ? ORDER BY number",
            (start, self._within(end)),
        )
        for row in rows:
            yield _entry(row)

    def erase(self, number: int) -> None:
        """Erase what an entry says; its commitment stays, so the tree does not change.

        Raises:
            EvidenceError: there is no such entry.
        """
        self.entry(number)
        with self._writing():
            self._db.execute(
                "UPDATE entries SET salt = NULL, event = NULL WHERE number = ?", (number,)
            )

    def verify(self) -> int:
        """Check every entry against its commitment and the tree; return how many hold.

        Raises:
            EvidenceError: names the first entry that was changed or is missing.
        """
        count = 0
        for entry in self.entries():
            where = f"entry {entry.number}"
            if entry.number != count:
                raise EvidenceError("is missing", where=f"entry {count}")
            if entry.event is not None and not entry.holds():
                raise EvidenceError("was changed after it was written", where=where)
            if self._stored(0, count) != leaf_hash(entry.commitment):
                raise EvidenceError("is not the leaf that the tree was built on", where=where)
            count += 1
        rows = self._db.execute("SELECT level, place, hash FROM nodes WHERE level > 0")
        for level, place, found in rows:
            below = (self._stored(level - 1, 2 * place), self._stored(level - 1, 2 * place + 1))
            if node_hash(*below) != found:
                raise EvidenceError("the tree does not fit its leaves", where=f"level {level}")
        return count

    def _within(self, size: int | None) -> int:
        own = self.size
        if size is None:
            return own
        if not 0 <= size <= own:
            raise EvidenceError(f"the ledger has {own} entries", where=f"size {size}")
        return size

    def _span(self, start: int, end: int) -> bytes:
        return span_hash(start, end, self._stored)

    def _stored(self, level: int, place: int) -> bytes:
        row = self._db.execute(
            "SELECT hash FROM nodes WHERE level = ? AND place = ?", (level, place)
        ).fetchone()
        if row is None:
            raise EvidenceError("the tree lacks a node", where=f"level {level}, {place}")
        return bytes(row[0])


def _entry(row: tuple[int, bytes, bytes | None, str | None]) -> Entry:
    number, commitment, salt, text = row
    return Entry(number, commitment, salt, None if text is None else json.loads(text))
