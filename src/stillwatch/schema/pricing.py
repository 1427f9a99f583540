"""At which prices a harvest is valued, in words: one wording for report, console and case file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["HARVEST_SUMS_SQL", "pricing"]

_NO_COST = "coalesce(e.cost_micro_usd, 0) = 0"
HARVEST_SUMS_SQL = ", ".join(
    f"CAST(coalesce(sum(e.{column}){where}, 0) AS BIGINT) AS {name}"
    for name, column, where in (
        ("input_tokens", "input_tokens", ""),
        ("output_tokens", "output_tokens", ""),
        ("cost_micro_usd", "cost_micro_usd", ""),
        ("unpriced_input_tokens", "input_tokens", f" FILTER ({_NO_COST})"),
        ("unpriced_output_tokens", "output_tokens", f" FILTER ({_NO_COST})"),
    )
)
"""What a harvest's value is reckoned from, over exchanges ``e``.

Unpriced are the tokens of exchanges without a cost. A cost of 0 is none: gateways log it for
models that they have no price of.
"""


def pricing(harvest: Mapping[str, Any]) -> str:
    """Return at which prices a harvest (``low``, ``mid``, ``high``, US$) is, ``logged`` of it being
    the log's own cost.

    Runs that do not say ``logged`` had one or the other: a range is at list price, a point either.

    >>> pricing({"low": 2, "mid": 3, "high": 4, "logged": 0})
    'at list price'
    >>> pricing({"low": 2, "mid": 3, "high": 4, "logged": 1})
    "(33 % at the log's own cost, the rest at list price)"
    """
    low, mid, high, own = (_amount(harvest.get(n)) for n in ("low", "mid", "high", "logged"))
    if math.isnan(own):
        return "at list price" if low < high else "(at the log's own cost or at list price)"
    if own <= 0:
        return "at list price"
    if not own < mid:
        return "at the log's own cost"
    share = f"{100 * own / mid:.0f}"
    share = {"0": "under 1", "100": "over 99"}.get(share, share)
    return f"({share} % at the log's own cost, the rest at list price)"


def _amount(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
