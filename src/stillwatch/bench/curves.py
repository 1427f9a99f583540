"""Recall as curves: against rung of hiding and against the campaign's share of traffic, as SVG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stillwatch.bench.sheets import share_label
from stillwatch.report.svg import El, drawing, el, scale, text

__all__ = ["rung_curve", "share_curve"]

_WIDTH: Final = 860.0
_HEIGHT: Final = 310.0
_LEFT: Final = 50.0
_RIGHT: Final = 560.0
_TOP: Final = 36.0
_BOTTOM: Final = 266.0
_SHOWN: Final = 6
# Okabe and Ito's hues with a dash each, so that colour is never alone.
_PAINT: Final = (
    ("#0072B2", ""), ("#D55E00", "6 3"), ("#009E73", "2 3"), ("#CC79A7", "8 3 2 3"),
    ("#56B4E9", "1 2"), ("#E69F00", "10 4"),
)  # fmt: skip


def rung_curve(result: dict[str, Any]) -> El:
    """Return recall against the rung of hiding."""
    groups = sorted({g["group"] for d in result["detectors"] for g in d["by_rung"]})
    return _curve(
        result, "by_rung", groups, lambda g: f"rung {g}", "rung",
        "Recall by rung of hiding",
    )  # fmt: skip


def share_curve(result: dict[str, Any]) -> El:
    """Return recall against the campaign's share of all requests."""
    groups = sorted({g["group"] for d in result["detectors"] for g in d["by_share"]})

    return _curve(
        result, "by_share", groups, share_label, "share", "Recall by a campaign's share of traffic"
    )


def _curve(
    result: dict[str, Any], key: str, groups: list[int], label: Callable[[int], str], name: str,
    title: str,
) -> El:  # fmt: skip
    across = scale(0, max(len(groups) - 1, 1), _LEFT + 30, _RIGHT - 30)
    up = scale(0, 1, _BOTTOM, _TOP)
    body: list[Any] = [text(_LEFT, 16, title, font_weight="bold")]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        body.append(el("path", d=f"M{_LEFT} {up(tick):.1f}H{_RIGHT}", stroke="#999", opacity=0.4))
        body.append(text(_LEFT - 6, up(tick) + 4, f"{tick:.0%}", text_anchor="end"))
    for place, group in enumerate(groups):
        body.append(text(across(place), _BOTTOM + 18, label(group), text_anchor="middle"))
    shown = sorted(result["detectors"], key=lambda d: -_mean_recall(d[key]))
    shown.sort(key=lambda d: d["name"] != "stillwatch")
    told = []
    for number, detector in enumerate(shown[:_SHOWN]):
        body += _line(detector, key, groups, across, up, number)
        told.append(f"{detector['title']} {_mean_recall(detector[key]):.0%}")
    return drawing(
        name, _WIDTH, _HEIGHT, title, "Mean recall: " + ", ".join(told), body, cls="curve"
    )


def _line(
    detector: dict[str, Any], key: str, groups: list[int], across: Callable[[float], float],
    up: Callable[[float], float], number: int,
) -> list[El]:  # fmt: skip
    hue, dash = _PAINT[number]
    points = [(across(groups.index(g["group"])), g) for g in detector[key]]
    path = "M" + "L".join(f"{x:.1f} {up(g['recall']):.1f}" for x, g in points)
    drawn = [el("path", d=path, fill="none", stroke=hue, stroke_width=2.2,
                stroke_dasharray=dash or None)]  # fmt: skip
    for x, g in points:
        if g["low"] is not None:
            bar = f"M{x:.1f} {up(g['low']):.1f}V{up(g['high']):.1f}"
            drawn.append(el("path", d=bar, stroke=hue, opacity=0.5))
        drawn.append(el("circle", cx=x, cy=up(g["recall"]), r=3, fill=hue))
    at = _TOP + 8 + 20 * number
    drawn.append(el("path", d=f"M{_RIGHT + 15} {at}h28", stroke=hue, stroke_width=2.2,
                    stroke_dasharray=dash or None))  # fmt: skip
    drawn.append(text(_RIGHT + 48, at + 4, detector["title"].split(" (")[0]))
    return drawn


def _mean_recall(groups: list[dict[str, Any]]) -> float:
    return sum(g["recall"] for g in groups) / len(groups) if groups else 0.0
