"""The links of one account in sentences: what it shares, with how many, and what that weighs."""

from __future__ import annotations

import math
from typing import Any, Final

from stillwatch.report.facts import said
from stillwatch.report.numbers import count, counted, number
from stillwatch.schema import LINK_KINDS
from stillwatch.store import Run

__all__ = ["describe_links"]

_MOST_OF_A_KIND: Final = 2


def describe_links(run: Run, account_id: str, campaigns: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return a sentence a link, heaviest kind first, then what the kinds are worth."""
    if not run.has("links"):
        return ()
    ours = run.links_of(account_id, campaigns)
    if not ours:
        return ("It shares no object with another account that would link the two.",)
    ours.sort(key=lambda r: (-(number(r["llr"]) or 0.0), str(r["kind"]), str(r["a"]), str(r["b"])))
    points = []
    for kind in dict.fromkeys(str(r["kind"]) for r in ours):
        alike = [r for r in ours if r["kind"] == kind]
        points += [_sentence(r, account_id, bool(campaigns)) for r in alike[:_MOST_OF_A_KIND]]
        if len(alike) > _MOST_OF_A_KIND:
            points.append(f"{_title(kind)}: {len(alike) - _MOST_OF_A_KIND:,} more, not heavier.")
    weak = sorted({_title(r["kind"]) for r in ours if _others_can_create(r["kind"])})
    if weak:
        points.append(
            f"An outsider can bring about: {'; '.join(weak)}. Such links never suffice for an "
            "accusation."
        )
    return tuple(points)


def _sentence(row: dict[str, Any], account_id: str, in_campaign: bool) -> str:
    title, kind = _title(row["kind"]), LINK_KINDS.get(str(row["kind"]))
    if kind is not None and kind.direct:
        other = row["b"] if row["a"] == account_id else row["a"]
        beside = ", of the same campaign" if row["beside"] else ""
        return f"{title}: with {other}{beside}, seen {count(row['count'])} times; {_weight(row)}."
    others, inside = row["others"], row["inside"]
    told = counted(others, "other account")
    if in_campaign and others:
        told += ", all of this campaign" if inside == others else f", {inside:,} of this campaign"
    return f"{title} ({said(row['a'])}): with {told}; {_weight(row)}."


def _weight(row: dict[str, Any]) -> str:
    """Return a log-likelihood ratio in nats, and what it means."""
    llr = number(row["llr"])
    if llr is None:
        return "its weight is not known"
    times = math.exp(min(llr, 30.0))
    told = f"{float(f'{times:.2g}'):,.0f}" if times >= 10 else f"{times:.1f}"
    return f"{llr:.1f} nats, {told} times likelier under one operator than between strangers"


def _title(kind: Any) -> str:
    known = LINK_KINDS.get(str(kind))
    return str(kind) if known is None else known.title


def _others_can_create(kind: Any) -> bool:
    known = LINK_KINDS.get(str(kind))
    return known is not None and known.others_can_create
