"""Who had which conversation, blob or refused prompt lately: bounded, oldest out first."""

from __future__ import annotations

from array import array
from typing import NamedTuple

__all__ = ["Book", "Holder"]

_TS_BITS = 52
_CAMPAIGN_BITS = 32
_TS_MASK = (1 << _TS_BITS) - 1
_CAMPAIGN_MASK = (1 << _CAMPAIGN_BITS) - 1
_KEPT_ORGS = 6


class Holder(NamedTuple):
    """An organization that had a value; ``campaign`` is -1 where none of its senders is accused."""

    org: int
    campaign: int
    ts_us: int


class Book:
    """Value → the organizations that had it, the newest time each.

    Holds ``capacity`` values; the one that came first goes first. About 130 bytes a value. A value
    of more than six organizations keeps six: it is public long before.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.evicted = 0
        self._held: dict[int, int | tuple[int, ...]] = {}
        self._ring = array("Q", bytes(8 * capacity))
        self._at = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, value: int) -> bool:
        return value in self._held

    def put(self, value: int, org: int, campaign: int, ts_us: int) -> None:
        """Note that an organization had the value; a campaign once noted stays."""
        packed = (org << _CAMPAIGN_BITS | campaign + 1) << _TS_BITS | ts_us & _TS_MASK
        held = self._held.get(value)
        if held is None:
            self._admit(value)
            self._held[value] = packed
            return
        olds = held if isinstance(held, tuple) else (held,)
        for k, old in enumerate(olds):
            if old >> _TS_BITS + _CAMPAIGN_BITS == org:
                kept = max(old & _TS_MASK, ts_us & _TS_MASK)
                named = packed if campaign >= 0 else old
                fresh = named >> _TS_BITS << _TS_BITS | kept
                self._held[value] = (*olds[:k], fresh, *olds[k + 1 :])
                return
        if len(olds) < _KEPT_ORGS:
            self._held[value] = (*olds, packed)

    def holders(self, value: int) -> tuple[Holder, ...]:
        """Return who had the value; empty where nobody did."""
        held = self._held.get(value, ())
        return tuple(
            Holder(
                one >> _TS_BITS + _CAMPAIGN_BITS,
                (one >> _TS_BITS & _CAMPAIGN_MASK) - 1,
                one & _TS_MASK,
            )
            for one in (held if isinstance(held, tuple) else (held,))
        )

    def _admit(self, value: int) -> None:
        oldest = self._ring[self._at]
        if oldest and self._held.pop(oldest, None) is not None:
            self.evicted += 1
        self._ring[self._at] = value
        self._at = (self._at + 1) % self.capacity
