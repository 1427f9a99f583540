"""Small helpers that turn a test's numbers into a Finding."""

from __future__ import annotations

import math
from dataclasses import replace

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.stats import calibrate

__all__ = ["evaluated", "missing", "not_enough", "say_p", "switched_off", "wagered"]


def say_p(p_value: float) -> str:
    """Return a p-value for a sentence."""
    if p_value >= 0.0001:
        return f"p = {p_value:.2g}"
    return f"p < 1e{math.ceil(math.log10(max(p_value, 1e-300))):d}" if p_value > 0 else "p < 1e-300"


def evaluated(
    test: CohortTest, statistic: float, p_value: float, n: int, null: Null | None, text: str
) -> Finding:
    """Return the finding of a test that could be made; its e-value is calibrated from p."""
    p_value = min(max(p_value, 1e-300), 1.0)
    return Finding(
        signal=test.name,
        claim=test.claim,
        statistic=statistic,
        p_value=p_value,
        e_value=float(calibrate(p_value)),
        n=n,
        null=null,
        text=f"{text} ({say_p(p_value)}).",
    )


def wagered(
    test: CohortTest, statistic: float, e_value: float, n: int, null: Null, text: str
) -> Finding:
    """Return the finding of a bet: its e-value is what it won, its p-value one over that."""
    made = evaluated(test, statistic, 1 / max(e_value, 1.0), n, null, text)
    return replace(made, e_value=e_value)


def missing(test: CohortTest, columns: tuple[str, ...]) -> Finding:
    """Return the finding of a test whose columns the input lacks: not evaluable, never clean."""
    return _blank(test, columns, f"Not evaluable: the input has no {', '.join(columns)}.")


def not_enough(test: CohortTest, n: int, what: str) -> Finding:
    """Return the finding of a test that has too little data here."""
    return _blank(test, (), f"Not enough data: {what}.", n)


def switched_off(test: CohortTest) -> Finding:
    """Return the finding of a test that the settings switch off: not evaluable, never clean."""
    return _blank(test, (), "Switched off for this scan.")


def _blank(test: CohortTest, columns: tuple[str, ...], text: str, n: int = 0) -> Finding:
    nan = float("nan")
    return Finding(test.name, test.claim, nan, nan, nan, n, None, text, False, columns)
