"""From one detector's outcome on one world to the numbers that are pooled over worlds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from stillwatch.bench.detector import Outcome
from stillwatch.bench.truth import Who
from stillwatch.stats import clopper_pearson

__all__ = ["RATES", "Pairs", "at_rate", "count_pairs", "flags", "summary_of"]

RATES: Final = (1e-3, 1e-4, 1e-5)
_WORST_KEPT: Final = 1_000  # enough for 1 in 1,000 of a million honest accounts


class Pairs(NamedTuple):
    """Pairs of campaign accounts: put together and of one campaign, put together, of one campaign.

    ``found_together``: of one campaign, over accounts that were found alone.
    """

    both: int
    predicted: int
    true: int
    found_together: int


def summary_of(outcome: Outcome, who: Sequence[Who]) -> dict[str, Any]:
    """Return what is kept of an outcome; accounts are in the order of the scores.

    Scores of campaign accounts by campaign, the worst 1,000 honest scores with their families,
    what the method's own threshold flags, and pairs where it joins accounts. Permitted accounts
    count on neither side.
    """
    score = np.round(np.asarray(outcome.score, dtype=np.float64), 9)
    honest = np.array([w.honest for w in who])
    campaigns: dict[str, dict[str, Any]] = {}
    for number, person in enumerate(who):
        if person.core:
            name = str(person.campaign)
            one = campaigns.setdefault(
                name, {"family": person.family, "rung": person.rung, "scores": [], "flagged": 0}
            )
            one["scores"].append(float(score[number]))
            if outcome.flagged is not None:
                one["flagged"] += bool(outcome.flagged[number])
    order = np.flatnonzero(honest)
    order = order[np.argsort(-score[order], kind="stable")][:_WORST_KEPT]
    kept: dict[str, Any] = {
        "honest": int(honest.sum()),
        "campaigns": campaigns,
        "worst_honest": [[float(score[k]), who[k].family] for k in order.tolist()],
        "has_threshold": outcome.flagged is not None,
        "notes": outcome.notes,
    }
    if outcome.flagged is not None:
        bad = np.flatnonzero(honest & outcome.flagged)
        kept["honest_flagged"] = dict(Counter(who[k].family for k in bad.tolist()))
    if outcome.group is not None:
        flagged = outcome.flagged if outcome.flagged is not None else outcome.group >= 0
        kept["pairs"] = count_pairs(outcome.group, flagged, who)._asdict()
    return kept


def count_pairs(group: np.ndarray, flagged: np.ndarray, who: Sequence[Who]) -> Pairs:
    """Return pairs over all flagged accounts and all campaign accounts.

    A pair is predicted when both are flagged in one group; honest accounts in a group count
    against precision. It is true when both are core of one campaign.
    """
    label = [w.campaign if w.core else None for w in who]
    joined: Counter[tuple[int, str | None]] = Counter()
    for number, campaign in enumerate(label):
        if flagged[number] and group[number] >= 0:
            joined[int(group[number]), campaign] += 1
    sizes: Counter[int] = Counter()
    found: Counter[str] = Counter()
    for (cluster, campaign), n in joined.items():
        sizes[cluster] += n
        if campaign is not None:
            found[campaign] += n
    both = sum(_pairs(n) for (_, campaign), n in joined.items() if campaign is not None)
    return Pairs(
        both,
        sum(map(_pairs, sizes.values())),
        sum(map(_pairs, Counter(c for c in label if c is not None).values())),
        sum(map(_pairs, found.values())),
    )


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def at_rate(records: Sequence[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Return the recall over worlds at the score that accuses at most ``rate`` of honest accounts.

    One threshold over all worlds, so scores must mean the same in each; an account is found when
    its score is above it. Where ``rate`` times N is below one, no honest account may be above.
    ``recall``: mean over campaigns of the share of their accounts found; ``accounts``: pooled,
    with the exact interval (accounts of a campaign are not independent: it is too narrow).
    """
    honest = sum(r["honest"] for r in records)
    allowed = int(rate * honest)
    worst = np.sort(np.concatenate([[s for s, _ in r["worst_honest"]] for r in records]))[::-1]
    threshold = float(worst[allowed]) if len(worst) > allowed else float("-inf")
    shares, found, total = [], 0, 0
    for record in records:
        for one in record["campaigns"].values():
            hits = sum(s > threshold for s in one["scores"])
            shares.append(hits / len(one["scores"]))
            found, total = found + hits, total + len(one["scores"])
    above = int((worst > threshold).sum())
    interval, false = clopper_pearson(found, total), clopper_pearson(above, honest)
    return {
        "rate": rate, "threshold": threshold, "honest": honest, "honest_above": above,
        "false_high": false.high,
        "recall": float(np.mean(shares)) if shares else None,
        "accounts": {"found": found, "of": total, "low": interval.low, "high": interval.high},
    }  # fmt: skip


def flags(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return recall and false rate at the method's own threshold, None where it has none."""
    if not records or not all(r["has_threshold"] for r in records):
        return None
    shares = [
        one["flagged"] / len(one["scores"]) for r in records for one in r["campaigns"].values()
    ]
    honest = sum(r["honest"] for r in records)
    families: Counter[str] = Counter()
    for record in records:
        families.update(record["honest_flagged"])
    wrong = sum(families.values())
    false = clopper_pearson(wrong, honest)
    return {
        "recall": float(np.mean(shares)) if shares else None,
        "honest_flagged": wrong, "honest": honest,
        "false_rate": wrong / honest if honest else None, "low": false.low, "high": false.high,
        "by_family": dict(families.most_common()),
    }  # fmt: skip
