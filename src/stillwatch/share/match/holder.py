"""A key holder (hub or witness): evaluates blinded values, in epochs, within a member's quota.

What goes over the wire is JSON: {"epoch", "blinded": [base64]} and {"epoch", "output": base64}. A
holder sees who asks, when, and how many values; never a value, a token, or whether two are equal.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.errors import ConfigError, NotPermitted

try:
    from voprf import ristretto
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        "matching needs the package voprf", hint="pip install 'stillwatch[share]'"
    ) from error

__all__ = ["LARGEST_BATCH", "Asked", "KeyHolder", "Quota", "epoch_of", "read_blinded"]

LARGEST_BATCH: Final = 10_000
_ELEMENT_BYTES: Final = 32


def epoch_of(moment: datetime) -> str:
    """Return the epoch of a moment: the month in UTC.

    >>> epoch_of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    '2026-11'
    """
    return moment.astimezone(UTC).strftime("%Y-%m")


class Quota:
    """How many evaluations each member may have, by day and by epoch; kept over restarts.

    The floor under enumeration: a member that wants all 2^24 /24 prefixes at 20,000 a day needs
    over two years, and every token changes with the epoch. One file, one thread an object.
    """

    def __init__(
        self, path: Path | str, *, per_day: int = 20_000, per_epoch: int = 200_000
    ) -> None:
        self.per_day, self.per_epoch = per_day, per_epoch
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS used (member TEXT, day TEXT, count INTEGER NOT NULL, "
            "PRIMARY KEY (member, day)) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def take(self, member: str, count: int, *, now: datetime) -> None:
        """Count evaluations against a member, before they are made.

        Raises:
            NotPermitted: the day's or the epoch's quota would be exceeded; nothing was counted.
        """
        day = now.astimezone(UTC).strftime("%Y-%m-%d")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            today = self._used(member, day, day)
            epoch = self._used(member, day[:7] + "-01", day[:7] + "-31")
            if today + count > self.per_day or epoch + count > self.per_epoch:
                raise NotPermitted("the quota of evaluations is used up", where="match",
                                   hint="it is counted by UTC day and month")  # fmt: skip
            self._db.execute(
                "INSERT INTO used VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + ?",
                (member, day, count, count),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _used(self, member: str, first: str, last: str) -> int:
        (found,) = self._db.execute(
            "SELECT coalesce(sum(count), 0) FROM used WHERE member = ? AND day BETWEEN ? AND ?",
            (member, first, last),
        ).fetchone()
        return int(found)


class Asked(NamedTuple):
    """What a member asks for: evaluations of blinded values under an epoch's key."""

    epoch: str
    blinded: tuple[ristretto.BlindedInput, ...]


def read_blinded(message: bytes) -> Asked:
    """Return what a message asks for.

    Raises:
        NotPermitted: it is malformed, or holds too many values.
    """
    try:
        asked = json.loads(message)
        raw = [base64.b64decode(one, validate=True) for one in asked["blinded"]]
        if not 1 <= len(raw) <= LARGEST_BATCH or any(len(b) != _ELEMENT_BYTES for b in raw):
            raise ValueError("size")
        blinded = tuple(ristretto.BlindedInput.deserialize(one) for one in raw)
        return Asked(str(asked["epoch"]), blinded)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise NotPermitted("not a message of blinded values", where="match") from error


class KeyHolder:
    """One of the two who hold a half of the key. ``seeds``: 32 secret bytes by epoch.

    ``quota``: None where the caller counts.
    """

    def __init__(
        self, role: str, seeds: Mapping[str, bytes], quota: Quota | None = None, *,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        self.role, self._quota, self._random = role, quota, random
        self._seeds = dict(seeds)
        self._keys = {epoch: self._key(epoch) for epoch in self._seeds}

    def _key(self, epoch: str) -> ristretto.Evaluator:
        # the role is part of the derivation: one seed given to both by mistake makes two keys
        return ristretto.Evaluator.from_seed(self._seeds[epoch], f"{self.role}:{epoch}".encode())

    def rotate(self, *, now: datetime, keep: timedelta = timedelta(days=62)) -> tuple[str, ...]:
        """Make this epoch's key, forget keys older than ``keep``, return the epochs held.

        Tokens of a forgotten epoch can be made by nobody: old ones can only be compared.
        """
        epoch = epoch_of(now)
        if epoch not in self._seeds:
            self._seeds[epoch] = self._random(32)
            self._keys[epoch] = self._key(epoch)
        oldest = epoch_of(now - keep)
        for old in [e for e in self._seeds if e < oldest]:
            del self._seeds[old], self._keys[old]
        return tuple(sorted(self._seeds))

    def public_key(self, epoch: str) -> bytes:
        """Return the public half of an epoch's key, to be pinned by every member."""
        return self._of(epoch).public_key.serialize()

    def _of(self, epoch: str) -> ristretto.Evaluator:
        if epoch not in self._keys:
            raise NotPermitted("there is no key of this epoch", where="match.epoch")
        return self._keys[epoch]

    @property
    def epochs(self) -> tuple[str, ...]:
        """The epochs of which a key is held."""
        return tuple(sorted(self._seeds))

    def evaluate(self, asked: Asked) -> bytes:
        """Evaluate blinded values; the caller has authenticated the member and counted them.

        Raises:
            NotPermitted: there is no key of the epoch.
        """
        output = self._of(asked.epoch).evaluate_batch(list(asked.blinded)).serialize()
        told = {"epoch": asked.epoch, "output": base64.b64encode(output).decode()}
        return json.dumps(told).encode()

    def answer(self, member: str, message: bytes, *, now: datetime) -> bytes:
        """Evaluate a message of blinded values for a member that was authenticated.

        Raises:
            NotPermitted: malformed, too many at once, no key of the epoch, or the quota.
        """
        asked = read_blinded(message)
        self._of(asked.epoch)
        if self._quota is not None:
            self._quota.take(member, len(asked.blinded), now=now)
        return self.evaluate(asked)
