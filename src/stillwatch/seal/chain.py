"""A list that shows when an earlier entry was changed, removed, put in, or moved.

Each entry holds the digest of the one before it, so the last digest stands for all. What it cannot
show: that the *end* was cut off. Whoever must notice that keeps the last digest elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stillwatch.errors import EvidenceError
from stillwatch.seal.digests import digest

START = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Link:
    """One entry: its number from 0, what it says, the digest before it and its own."""

    number: int
    value: Any
    before: str
    own: str


def append(value: Any, last: Link | None) -> Link:
    """Return the entry that follows ``last`` (None: the first).

    Raises:
        EvidenceError: the value cannot be written as JSON.
    """
    number, before = (last.number + 1, last.own) if last else (0, START)
    return Link(number, value, before, _own(number, value, before))


def verify_chain(links: Iterable[Link], *, last: str | None = None) -> int:
    """Return how many entries hold together, from the first on; all of them or an error.

    ``last``: the digest that the chain must end with, kept apart from it.

    Raises:
        EvidenceError: names the first entry that does not follow, or that the end is another.
    """
    before, count = START, 0
    for link in links:
        if link.number != count or link.before != before:
            raise EvidenceError("does not follow the entry before it", where=f"entry {count}")
        if link.own != _own(link.number, link.value, link.before):
            raise EvidenceError("was changed after it was written", where=f"entry {count}")
        before, count = link.own, count + 1
    if last is not None and before != last:
        raise EvidenceError("the chain ends with another digest than the one kept: its end is cut")
    return count


def _own(number: int, value: Any, before: str) -> str:
    return digest({"before": before, "number": number, "value": value})
