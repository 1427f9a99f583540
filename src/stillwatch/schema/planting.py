"""An order to plant marks: which of two forms the answers to a campaign take, and how they take it.

Whoever draws the marks signs it (`prove`), the guard carries it out. It holds the forms that each
campaign gets and not the seed that decided them, so that a gateway knows no marks of campaigns
that are not in it. What is left as it is in a text: code, what looks like it,
quotations, addresses, names and capitals, compounds, a word after an article that would have to
change, "don't you" (it asks) and "is not only" (it goes on).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final, Literal

from stillwatch.errors import SchemaError

__all__ = [
    "PLANTING_KIND",
    "Planting",
    "Swap",
    "in_form",
    "in_forms",
    "planting_of",
    "planting_payload",
]

PLANTING_KIND: Final = "planting-order"
_FORMAT: Final = 1
_VOWELS: Final = "aeiou"
_NUMBER: Final = re.compile(r"^\d+")
_BEFORE: Final = 64  # characters that are looked at before a word; more would take squared time
_ARTICLE: Final = re.compile(r"\b(an?)\s+$", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?:^|[.!?:]|^[ \t]*(?:[-*#>]+|\d+[.)]))\s*\**\Z", re.MULTILINE)
_KEPT: Final = re.compile(
    r"""
    ```.*?(?:```|\Z) | `[^`\n]*`                                      # code
    | "[^"\n]*" | “[^”\n]*”                                           # somebody's own words
    | https?://\S+
    | ^[ \t]*(?:if|elif|else|for|while|return|assert|def|class)\b[^\n]*  # code without a fence
    | ^[^\n]*[{}=<>\\|$][^\n]*
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
"""What :func:`in_form` leaves as it is."""


@dataclass(frozen=True)
class Swap:
    """One mark as a campaign's answers get it: wherever an option stands, ``wanted`` does."""

    mark_id: str
    kind: Literal["word", "format"]
    options: tuple[str, ...]
    wanted: str


@dataclass(frozen=True)
class Planting:
    """What is to be planted: ``campaigns`` maps a campaign_id to its marks.

    ``plan_digest`` and ``registry_head``: the plan and the registry in which it, and the legal
    basis, stood before this was written. Times in microseconds since 1970; none is planted outside
    of them.
    """

    plan_digest: str
    registry_head: str
    legal_basis: str
    made_us: int
    until_us: int
    campaigns: Mapping[str, tuple[Swap, ...]]


def planting_payload(order: Planting) -> dict[str, Any]:
    """Return an order as JSON types."""
    campaigns = {
        name: [{**asdict(swap), "options": list(swap.options)} for swap in swaps]
        for name, swaps in sorted(order.campaigns.items())
    }
    return {
        "format": _FORMAT, "plan_digest": order.plan_digest, "registry_head": order.registry_head,
        "legal_basis": order.legal_basis, "made_us": order.made_us, "until_us": order.until_us,
        "campaigns": campaigns,
    }  # fmt: skip


def planting_of(value: Any, *, where: str = "order") -> Planting:
    """Return the order that :func:`planting_payload` wrote.

    Raises:
        SchemaError: another format, no legal basis, a form that is none of its mark's options.
    """
    hint = "write it anew: stillwatch prove canary order"
    try:
        if value["format"] != _FORMAT:
            found = f"format {value['format']!r}, expected {_FORMAT}"
            raise SchemaError(found, where=where, hint=hint)
        order = Planting(
            str(value["plan_digest"]), str(value["registry_head"]), str(value["legal_basis"] or ""),
            int(value["made_us"]), int(value["until_us"]),
            {str(name): tuple(map(_swap, rows)) for name, rows in value["campaigns"].items()},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"not an order to plant marks ({type(error).__name__})"
        raise SchemaError(found, where=where, hint=hint) from error
    if not order.legal_basis.strip():
        raise SchemaError("names no legal basis", where=where, hint=hint)
    return order


def _swap(row: Mapping[str, Any]) -> Swap:
    swap = Swap(str(row["mark_id"]), row["kind"], tuple(map(str, row["options"])), row["wanted"])
    known = swap.kind in ("word", "format") and swap.wanted in swap.options
    if not known or not all(option.strip() for option in swap.options):  # "" stands everywhere
        raise ValueError(swap.mark_id)
    return swap


def in_form(text: str, swap: Swap) -> tuple[str, int]:
    """Return a text with a mark in the wanted form, and at how many places that changed it.

    >>> in_form("Often it rains.", Swap("w", "word", ("often", "frequently"), "frequently"))
    ('Frequently it rains.', 1)
    """
    lower = text.lower()  # looking for the words first makes it ten times as fast
    others = [o for o in swap.options if o != swap.wanted and _NUMBER.sub("", o).strip() in lower]
    if not others:
        return text, 0
    changed = 0
    begins: list[int] = []
    ends: list[int] = []

    def swapped(m: re.Match[str]) -> str:
        nonlocal changed
        span = bisect_right(begins, m.start()) - 1
        if span >= 0 and m.start() < ends[span]:
            return m[0]
        if swap.kind == "format":
            new: str | None = m[1] + _NUMBER.sub(m[2], swap.wanted)
        else:
            new = _fitting(text, m, swap.wanted)
        changed += new is not None
        return m[0] if new is None else new

    for option in others:
        # Looked for anew: the option before may have moved them.
        spans = [m.span() for m in _KEPT.finditer(text)]
        begins, ends = [b for b, _ in spans], [e for _, e in spans]
        text = _swappable(option, swap.kind).sub(swapped, text)
    return text, changed


def in_forms(text: str, swaps: Sequence[Swap]) -> tuple[str, dict[str, int]]:
    """Return a text with all marks in their forms, and at how many places by mark_id."""
    changed = {}
    for swap in swaps:
        text, count = in_form(text, swap)
        if count:
            changed[swap.mark_id] = count
    return text, changed


def _fitting(text: str, found: re.Match[str], wanted: str) -> str | None:
    """Return the other option as it must stand there; nothing where it would spoil the sentence."""
    old, end = found[0], found.start()
    begin = max(0, end - _BEFORE)
    if (article := _ARTICLE.search(text, begin, end)) and (
        (wanted[0] in _VOWELS) != (article[1].lower() == "an")
    ):
        return None
    if old.islower():
        return wanted
    starts = _SENTENCE.search(text, begin, end) is not None
    return wanted.capitalize() if starts and old[1:].islower() else None


@cache
def _swappable(option: str, kind: str) -> re.Pattern[str]:
    """Return where an option may be exchanged: not within a word, a name or a compound."""
    if kind == "format":
        number = _NUMBER.match(option)
        body = r"(\d{1,2})" + re.escape(option[1:]) if number else f"({re.escape(option)})"
        return re.compile(rf"^([ \t]*){body}", re.MULTILINE)
    other = "i|you|he|she|it|we|they" if option.endswith("n't") else "only|just|merely|even|so"
    bound = rf"(?!\s+(?:{other})\b)" if option.endswith(("n't", " not")) else ""
    body = re.escape(option)
    return re.compile(rf"(?<![\w'’/@-]){body}(?![\w/@-]|['’]\w){bound}", re.IGNORECASE)
