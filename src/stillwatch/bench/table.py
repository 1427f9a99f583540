"""From the records of a suite to one table of results: JSON types only, no clock, no machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench import ours
from stillwatch.bench.alpha import alpha_bound
from stillwatch.bench.baselines import BASELINES
from stillwatch.bench.looks import SHARES
from stillwatch.bench.records import read_records
from stillwatch.bench.scores import RATES, at_rate, flags
from stillwatch.stats import bootstrap_interval

__all__ = ["CURVE_RATE", "SHARE_EDGES", "results_of"]

CURVE_RATE: Final = 1e-3
SHARE_EDGES: Final = (0.0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
_FACTS: Final = (ours.FACTS, *(b.facts for b in BASELINES))


def results_of(out: Path) -> dict[str, Any]:
    """Return the results of all records under ``out``.

    Per detector: recall at each share of honest accounts accused (one threshold over all worlds),
    what its own threshold does, pairs, seconds, and recall by family, rung and share of traffic
    at one honest account in 1,000, or at its own threshold where that accuses fewer.
    """
    records = read_records(out / "trials")
    by_detector: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_detector[record["detector"]].append(record)
    worlds = {(r["scenario"], r["seed"]) for r in records}
    return {
        "worlds": len(worlds),
        "commits": sorted({r.get("commit", "not recorded") for r in records}),
        "scenarios": sorted({s for s, _ in worlds}),
        "seeds": sorted({k for _, k in worlds}),
        "honest_accounts": sum(r["honest"] for r in by_detector.get(ours.FACTS.name, [])),
        "detectors": [
            _detector(facts, by_detector[facts.name])
            for facts in _FACTS
            if by_detector.get(facts.name)
        ],
        "misses": _misses(by_detector.get(ours.FACTS.name, [])),
        "looks": _looks(read_records(out / "looks")),
        "calibration": alpha_bound(read_records(out / "benign")),
    }


def _detector(facts: Any, records: list[dict[str, Any]]) -> dict[str, Any]:
    rates = {f"{rate:g}": at_rate(records, rate) for rate in RATES}
    own = flags(records)
    curve = at_rate(records, CURVE_RATE)["threshold"]
    ones = [
        {
            **one,
            "scenario": r["scenario"],
            "campaign": name,
            "share": r["traffic_share"][name],
            "world": _world(r),
        }
        for r in records
        for name, one in r["campaigns"].items()
    ]

    def recall(one: dict[str, Any]) -> float:
        if facts.name == ours.FACTS.name:
            return float(one["flagged"] / len(one["scores"]))
        return float(np.mean([s > curve for s in one["scores"]]))

    return {
        "name": facts.name, "title": facts.title, "source": facts.source,
        "published": facts.published, "differs": facts.differs,
        "rates": rates, "own": own, "pairs": _pairs(records),
        "seconds": round(float(np.mean([r["seconds"] for r in records])), 2),
        "exchanges_per_s": round(
            sum(r["exchanges"] for r in records) / max(sum(r["seconds"] for r in records), 1e-9)
        ),
        "curve_at": "its own threshold" if facts.name == ours.FACTS.name else f"{CURVE_RATE:g}",
        "by_family": _grouped(ones, recall, lambda one: one["family"]),
        "by_rung": _grouped(_ladder(ones), recall, lambda one: one["rung"]),
        "by_share": _grouped(ones, recall, lambda one: _bin(one["share"])),
        "by_family_and_rung": _grouped(
            ones, recall, lambda one: f"{one['family']}, rung {one['rung']}"
        ),
    }  # fmt: skip


def _ladder(ones: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the campaigns of the ladder's worlds, or all where a suite has none."""
    return [o for o in ones if o["scenario"].startswith("rung")] or ones


def _misses(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by family and rung, where stillwatch's campaigns are lost on the way.

    ``in_a_cohort``: campaigns of which any account is in a cohort; ``held``: mean share of the
    accounts in the best one; ``tested``: how many of those were; medians of the two e-values.
    """
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for name, one in record["campaigns"].items():
            recall = one["flagged"] / len(one["scores"])
            groups[one["family"], one["rung"] or 0].append(
                {"recall": recall, **record["nearest"].get(name, {"cohorts": 0})}
            )
    rows = []
    for (family, rung), ones in sorted(groups.items()):
        near = [o for o in ones if o["cohorts"]]
        rows.append(
            {
                "family": family, "rung": rung, "campaigns": len(ones),
                "recall": round(float(np.mean([o["recall"] for o in ones])), 4),
                "in_a_cohort": len(near),
                "held": round(float(np.mean([o["held"] for o in near])), 3) if near else 0.0,
                "tested": sum(o["tested"] for o in near),
                "e_coordinated": _median([o["e_coordinated"] for o in near]),
                "e_extractive": _median([o["e_extractive"] for o in near]),
            }
        )  # fmt: skip
    return rows


def _median(values: list[float]) -> float | None:
    return float(f"{np.median(values):.3g}") if values else None


def _world(record: dict[str, Any]) -> str:
    return f"{record['scenario']}-{record['seed']}"


def _bin(share: float) -> int:
    return int(np.searchsorted(SHARE_EDGES, share, side="right")) - 1


def _grouped(
    ones: Sequence[dict[str, Any]], recall: Callable[[dict[str, Any]], float],
    key: Callable[[dict[str, Any]], Any],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the mean recall over campaigns by group, with an interval by resampling worlds."""
    groups: dict[Any, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in ones:
        if key(one) is not None:
            groups[key(one)][one["world"]].append(recall(one))
    rows = []
    for name in sorted(groups):
        worlds = [float(np.mean(v)) for v in groups[name].values()]
        row: dict[str, Any] = {
            "group": name, "worlds": len(worlds),
            "campaigns": sum(map(len, groups[name].values())),
            "recall": round(float(np.mean(worlds)), 4), "low": None, "high": None,
        }  # fmt: skip
        if len(worlds) > 1:
            interval = bootstrap_interval(np.array(worlds), _mean, np.random.default_rng(7))
            row |= {"low": round(interval.low, 4), "high": round(interval.high, 4)}
        rows.append(row)
    return rows


def _pairs(records: list[dict[str, Any]]) -> dict[str, float | None] | None:
    """Return pairwise precision, recall and F1 over all worlds; None where nothing is joined.

    ``apart_f1``: over found accounts alone, how well campaigns are kept apart.
    """
    counted = [r["pairs"] for r in records if "pairs" in r]
    if not counted:
        return None
    both, predicted, true, found = (
        sum(c[name] for c in counted) for name in ("both", "predicted", "true", "found_together")
    )
    precision = both / predicted if predicted else None
    recall = both / true if true else None
    apart = both / found if found else None
    return {
        "precision": precision, "recall": recall, "f1": _f1(precision, recall),
        "apart_f1": _f1(precision, apart),
    }  # fmt: skip


def _f1(precision: float | None, recall: float | None) -> float | None:
    if not precision or not recall:
        return None if precision is None or recall is None else 0.0
    return 2 * precision * recall / (precision + recall)


def _looks(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by family and rung, how many campaigns were found within each share of traffic."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for one in record["campaigns"]:
            groups[one["family"], one["rung"] or 0].append(one)
    return [
        {
            "family": family, "rung": rung, "campaigns": len(ones),
            "requests": round(float(np.mean([o["total"] for o in ones]))),
            "found_within": {
                f"{share:g}": sum((o["found_at"] or 2.0) <= share for o in ones)
                for share in SHARES
            },
            "hours": sorted(o["hours"] for o in ones if o["hours"] is not None),
            "looks": sum(len(o["looks"]) for o in ones),
            "honest_accused": sum(look["honest_accused"] for o in ones for look in o["looks"]),
        }
        for (family, rung), ones in sorted(groups.items())
    ]  # fmt: skip


def _mean(values: np.ndarray) -> float:
    return float(values.mean())
