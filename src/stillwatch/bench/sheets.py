"""The tables of a suite's result: a title, a note, headers and rows of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.bench.looks import SHARES
from stillwatch.bench.table import CURVE_RATE, SHARE_EDGES

__all__ = [
    "Sheet",
    "alpha_sheet",
    "cohort_sheet",
    "curve_note",
    "headline",
    "percent",
    "share_label",
    "sheets_of",
]

Sheet = tuple[str, str, tuple[str, ...], list[tuple[str, ...]]]


def headline(result: dict[str, Any]) -> str:
    """Return how much was judged, and at which commits where it was more than one."""
    several = ", ".join(result.get("commits", ()))
    return (
        f"{result['worlds']:,} worlds with campaigns, {result['honest_accounts']:,} honest accounts"
        f" in them; {result['calibration']['all']['worlds']:,} worlds without campaigns."
        + (f" Judged at commit {several}." if several else "")
    )


def curve_note() -> str:
    """Return what the curves and their intervals are of."""
    return (
        "Mean over worlds, intervals by resampling worlds; stillwatch at its own default, the "
        f"others at the score that accuses {CURVE_RATE:.1%} of honest accounts."
    )


def sheets_of(result: dict[str, Any]) -> list[Sheet]:
    """Return every table of a result of `bench detect`, in the order of the report."""
    return [
        _recall_sheet(result), _own_sheet(result), _pairs_sheet(result),
        _recall_by(result, "by_rung", "Recall by rung of hiding", lambda g: f"rung {g}"),
        _recall_by(result, "by_share", "Recall by a campaign's share of traffic", share_label),
        _recall_by(result, "by_family", "Recall by campaign family", str),
        _miss_sheet(result), _looks_sheet(result), alpha_sheet(result),
        cohort_sheet(result), _facts_sheet(result),
    ]  # fmt: skip


def _recall_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = []
    for one in result["detectors"]:
        cells = [one["title"]]
        for rate in one["rates"].values():
            found = rate["accounts"]
            cells.append(
                f"{percent(rate['recall'])} [{percent(found['low'])}, {percent(found['high'])}]"
            )
        rows.append((*cells, f"{one['seconds']:,.1f}", f"{one['exchanges_per_s']:,}"))
    allowed = [
        f"1 in {1 / float(rate):,.0f} ({int(float(rate) * result['honest_accounts']):,} of "
        f"{result['honest_accounts']:,})"
        for rate in (result["detectors"][0]["rates"] if result["detectors"] else ())
    ]
    return (
        "Recall at a share of honest accounts accused",
        "Mean over campaigns of the share of their accounts found; in brackets the exact interval "
        "of the pooled share, too narrow where accounts of a campaign stand or fall together. One "
        "threshold over all worlds, chosen with the truth, for every detector alike.",
        ("detector", *allowed, "seconds a world", "exchanges/s"),
        rows,
    )


def _own_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = []
    for one in result["detectors"]:
        own = one["own"]
        if own is None:
            rows.append((one["title"], "has none", "", ""))
            continue
        worst = ", ".join(f"{k} {n}" for k, n in list(own["by_family"].items())[:4])
        rows.append(
            (
                one["title"], percent(own["recall"]),
                f"{own['honest_flagged']:,} of {own['honest']:,} "
                f"[{own['low']:.2g}, {own['high']:.2g}]",
                worst or "none",
            )
        )  # fmt: skip
    return (
        "At each method's own threshold",
        "For stillwatch that is the default alpha of 0.01.",
        ("detector", "recall", "honest accounts accused", "of which families"),
        rows,
    )


def _pairs_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = [
        (
            one["title"],
            *(percent(one["pairs"][k]) for k in ("precision", "recall", "f1", "apart_f1")),
        )
        for one in result["detectors"]
        if one["pairs"]
    ]
    return (
        "Campaigns put together and kept apart",
        "Pairs of accounts: put in one group, and of one campaign. The last column counts only "
        "accounts that were found.",
        ("detector", "precision", "recall", "F1", "F1 over found"),
        rows,
    )


def share_label(group: int) -> str:
    """Return the bounds of a bin of traffic share as a label."""
    return f"{SHARE_EDGES[group]:.2%}–{SHARE_EDGES[group + 1]:.2%}".replace(".00%", "%")


def _recall_by(result: dict[str, Any], key: str, title: str, label: Callable[[Any], str]) -> Sheet:
    groups = sorted({g["group"] for d in result["detectors"] for g in d[key]})
    rows: list[tuple[str, ...]] = []
    for one in result["detectors"]:
        at = {g["group"]: g for g in one[key]}
        rows.append((one["title"], *(_cell(at.get(g)) for g in groups)))
    return (title, curve_note(), ("detector", *map(label, groups)), rows)


def _cell(group: dict[str, Any] | None) -> str:
    if group is None:
        return ""
    if group["low"] is None or group["low"] == group["high"]:
        return percent(group["recall"])
    return f"{percent(group['recall'])} [{percent(group['low'])}, {percent(group['high'])}]"


def _miss_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = [
        (
            one["family"], str(one["rung"] or ""), f"{one['campaigns']}", percent(one["recall"]),
            f"{one['in_a_cohort']}", percent(one["held"]), f"{one['tested']}",
            "–" if one["e_coordinated"] is None else f"{one['e_coordinated']:.3g}",
            "–" if one["e_extractive"] is None else f"{one['e_extractive']:.3g}",
        )
        for one in result["misses"]
    ]  # fmt: skip
    return (
        "Where stillwatch loses campaigns",
        "The cohort that holds most of a campaign: how many campaigns have any, what share of "
        "their accounts it holds, whether it was tested (its members acted together on part A), "
        "and the medians of its two e-values; the smaller one must reach K/(alpha·R).",
        ("family", "rung", "campaigns", "recall", "in a cohort", "held", "tested",
         "e coordinated", "e extractive"),
        rows,
    )  # fmt: skip


def _looks_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = [
        (
            look["family"], str(look["rung"] or ""), f"{look['campaigns']}",
            f"{look['requests']:,}",
            *(f"{look['found_within'][f'{s:g}']}" for s in SHARES),
            ", ".join(f"{h:g}" for h in look["hours"]),
            f"{look['honest_accused']} in {look['looks']} looks",
        )
        for look in result["looks"]
    ]  # fmt: skip
    return (
        "How soon: campaigns found within a share of their traffic",
        "Found: half of the accounts active so far are accused; each look is a scan at the whole "
        "alpha. Hours since the campaign's first request. Honest accounts "
        "accused at a look count once a look.",
        (
            "family",
            "rung",
            "campaigns",
            "requests",
            *(f"{s:.0%}" for s in SHARES),
            "hours",
            "honest accused",
        ),
        rows,
    )


def alpha_sheet(result: dict[str, Any]) -> Sheet:
    """Return, by drift, how many worlds without campaigns hold an accusation."""
    bound = result["calibration"]
    rows: list[tuple[str, ...]] = [
        (
            name, f"{one['worlds']:,}", f"{one['with_accusation']}",
            f"{bound['alpha']:g}",
            f"[{one['low']:.4f}, {one['high']:.4f}]", f"{one['honest_accounts']:,}",
            f"{one['alarms']}",
        )
        for name, one in [*bound["by_drift"].items(), ("all", bound["all"])]
    ]  # fmt: skip
    return (
        "Worlds without campaigns: any accusation, by drift",
        "Claimed: at most alpha of such worlds hold one. Exact 95 % intervals.",
        ("drift", "worlds", "with any accusation", "claimed", "interval", "accounts", "alarms"),
        rows,
    )


def cohort_sheet(result: dict[str, Any]) -> Sheet:
    """Return, by family, how often honest cohorts pass each level of their e-values."""
    rows: list[tuple[str, ...]] = []
    for family, one in result["calibration"]["by_family"].items():
        levels = one["levels"]
        rows.append(
            (
                family, f"{one['cohorts']:,}",
                *(f"{levels[k]['passed']}" + (" !" if levels[k]["refuted"] else "")
                  for k in levels),
                f"{one['largest_e']:.3g}",
            )
        )  # fmt: skip
    levels = ("0.1", "0.05", "0.01", "0.001")
    return (
        "Benign cohorts whose e-value passes a claimed level",
        "A valid e-value passes 1/level in at most that share of cohorts; ! marks a family whose "
        "exact interval lies above the claim. Selection, vetoes and members' own evidence come "
        "after.",
        ("family of most members", "cohorts", *levels, "largest e"),
        rows,
    )


def _facts_sheet(result: dict[str, Any]) -> Sheet:
    rows: list[tuple[str, ...]] = [
        (one["title"], one["source"], one["published"], one["differs"])
        for one in result["detectors"]
    ]
    return (
        "Where each method comes from",
        "Published figures are of the papers' own data.",
        ("detector", "source", "published", "differs here"),
        rows,
    )


def percent(value: float | None) -> str:
    """Return a share with one decimal, a dash for none."""
    return "–" if value is None else f"{value:.1%}"
