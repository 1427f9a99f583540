"""How much of an asset a set of owners can hold together, at three levels of doubt.

``certain``: at least, whatever the unknown is. ``possible``: at most, as far as the known owners
go. ``unknown``: at most, when owners of whom nothing is known belong to the set as well.
Each is monotone in the set, which is what makes the cascade's least fixed point exist.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stillwatch.policy.owners.graph import Owned
from stillwatch.policy.owners.holdings import UNIT

__all__ = ["LEVELS", "held_by"]

LEVELS: Final = ("certain", "possible", "unknown")


def held_by(owned: Owned, members: Collection[str], level: str) -> int:
    """Return the parts of an asset that ``members`` hold together at a level.

    Error: exact. The upper levels are attained by some shares inside the intervals that sum to at
    most the whole.
    """
    inside = [h for h in owned.holdings if h.owner in members]
    if level == "certain":
        return sum(h.low for h in inside)
    outside = sum(h.low for h in owned.holdings if h.owner not in members)
    most = sum(h.high for h in inside)
    if level == "possible":
        return min(most, UNIT - outside - owned.unknown_low)
    return min(most + owned.unknown_high, UNIT - outside)
