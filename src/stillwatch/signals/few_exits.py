"""Crossed cards of a fleet that leaves through a few prefixes and never rests."""

from __future__ import annotations

from typing import Final

from stillwatch.schema import Finding
from stillwatch.signals import crossed_cards
from stillwatch.signals.data import Population, Views
from stillwatch.signals.excuses import Reasons, excused
from stillwatch.signals.hours import around_the_clock

__all__ = ["TOPICS_TELL_SOME", "few_exits"]

TOPICS_TELL_SOME: Final = 0.02


def few_exits(
    acts: list[Finding], views: Views, population: Population, *, holding: bool
) -> Finding:
    """Return `crossed_cards` as it is read where topics tell: that of ``acts``, or with few exits.

    Three cards across three prefixes are an agency's cloud as well, or a vendor's, so four cards
    and six prefixes are asked for (docs/adr/0026-cards-across-exits.md). What tells them apart is
    that an agency's clients have topics of their own, and that people are behind them, who rest.
    So three are enough where the least distinct quarter of this log's customers has a fiftieth of
    topic variance of its own (`distinct.own_share`; the caller asks, once it is known) and where
    the cohort asks around the clock (`hours.around_the_clock`). *Extractive* reads the topics. It
    is never asked for where the cards may be a holding's.

    ``acts``: the findings of the cohort's acts, after what excuses them.
    """
    (strict,) = (f for f in acts if f.signal == crossed_cards.TEST.name)
    asked = strict.evaluable and strict.p_value >= 1.0 and not strict.excuse
    if holding or not asked or not around_the_clock(views.whole.ts_us):
        return strict
    found = crossed_cards.find(views.test, population, few=True)
    return excused(found, Reasons(views.test, population))
