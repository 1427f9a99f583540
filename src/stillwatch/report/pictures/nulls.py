"""Picture 7: a test's null distribution drawn small, with the observed value marked."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.report.facts import at, listed
from stillwatch.report.numbers import number, plain, plain_range
from stillwatch.report.svg import El, drawing, el, scale, text

__all__ = ["null_drawing"]

_WIDTH, _HEIGHT, _BASE, _TOP = 300, 66, 46, 16


def null_drawing(evidence: dict[str, Any], ident: str, name: str) -> El | None:
    """Return the small picture, or None for evidence that has no null to draw."""
    observed = number(evidence.get("statistic"))
    low, high = number(at(evidence, "null", "low")), number(at(evidence, "null", "high"))
    expected = number(at(evidence, "null", "expected"))
    draws = [d for d in map(number, listed(at(evidence, "null", "draws"))) if d is not None]
    if observed is None or (expected is None and not draws):
        return None
    known = [v for v in (low, high, expected, *draws) if v is not None]
    start, stop = min([*known, observed]), max([*known, observed])
    margin = (stop - start) * 0.04 or max(abs(stop), 1.0) * 0.1
    x = scale(start - margin, stop + margin, 6, _WIDTH - 6)
    body: list[Any] = []
    if low is not None and high is not None:
        body.append(
            el(
                "rect",
                x=x(low),
                y=_TOP,
                width=max(1.0, x(high) - x(low)),
                height=_BASE - _TOP,
                cls="null-range",
            )
        )
    body += _histogram(draws, x)
    body.append(el("line", x1=6, x2=_WIDTH - 6, y1=_BASE, y2=_BASE, cls="axis"))
    middle = expected if expected is not None else float(np.median(draws))
    at_x, mid_x = x(observed), x(middle)
    body.append(el("line", x1=mid_x, x2=mid_x, y1=_TOP, y2=_BASE, cls="null-mid"))
    body.append(el("path", d=f"M{at_x:.1f} {_BASE}V{_TOP - 2}m-4 0l4-5l4 5l-4 5z", cls="observed"))
    right = at_x > _WIDTH / 2
    body.append(
        text(
            at_x + (-8 if right else 8),
            _TOP - 4,
            f"seen {plain(observed)}",
            "t strong end" if right else "t strong",
        )
    )
    edge = "t mid"
    label_x = min(max(mid_x, 52), _WIDTH - 52)
    words = f"null {plain(middle)}"
    if low is not None and high is not None:
        words += f" ({plain_range(low, high)})"
        label_x = min(max(mid_x, 66), _WIDTH - 66)
    body.append(text(label_x, _BASE + 15, words, edge))
    title = f"{name}: seen {plain(observed)}, the null expects {plain(middle)}"
    desc = (
        "Grey columns: the distribution under the null. Shaded: its central 95 %. "
        "Diamond: the observed value."
        if draws
        else "Shaded: the central 95 % under the null. Diamond: the observed value."
    )
    return drawing(ident, _WIDTH, _HEIGHT, title, desc, body)


def _histogram(draws: list[float], x: Any) -> list[El]:
    if len(draws) < 8 or max(draws) <= min(draws):
        return []
    counts, edges = np.histogram(np.array(draws), bins=12)
    peak = int(counts.max())
    return [
        el(
            "rect",
            x=x(float(a)) + 0.25,
            y=_BASE - (_BASE - _TOP - 4) * int(c) / peak,
            width=max(0.6, x(float(b)) - x(float(a)) - 0.5),
            height=(_BASE - _TOP - 4) * int(c) / peak,
            cls="null-bar",
        )
        for c, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
        if c
    ]
