"""What lets a cohort be watched where nothing accuses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.signals import round_robin, shared_values, two_reasons
from stillwatch.signals.claims import e_of_closer, mean_of
from stillwatch.signals.excuses import ONE_HOST, POOL
from stillwatch.signals.traits import TRAITS, Traits

__all__ = ["asked_to_watch", "to_watch"]


def to_watch(made: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """Return names and e-values of what lets a cohort be watched, of the findings that were made.

    Turns behind one host are as a service's server takes them, or as a campaign does that leaves
    through the address of an application whose template it copies: nobody is accused, and somebody
    should look. So do exits through which they rotate.
    """
    let = ((ONE_HOST, round_robin.TEST.name), (POOL, shared_values.EXIT_TEST.name))
    return [
        (f["signal"], f["e_before"] if (f["excuse"], f["signal"]) in let else f["e_value"])
        for f in made
        if f["claim"] == "coordinated"
    ]


def asked_to_watch(
    watched: float, together: Sequence[tuple[str, float]], asked: Sequence[tuple[str, float]],
    described: Mapping[str, float], usual_own: float,
) -> float:  # fmt: skip
    """Return what *extractive* is worth for watching by its acts (`two_reasons.to_watch`).

    0 where that test was not made: then what an accusation asks for is asked for here as well.
    """
    if two_reasons.TEST.name not in {name for name, _ in asked}:
        return 0.0
    seen = Traits(**{name: described.get(name, float("nan")) for name in TRAITS})
    by_acts = two_reasons.to_watch(watched, e_of_closer(together), seen, usual_own)
    return mean_of([by_acts if name == two_reasons.TEST.name else e for name, e in asked])
