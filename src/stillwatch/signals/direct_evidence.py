"""One account did what only a partner of another could, more often than by coincidence."""

from __future__ import annotations

import math

from scipy.special import pdtr, pdtrik
from scipy.stats import binom

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough

__all__ = ["TESTS", "Coincidences", "find"]

_NULL = "such events happen at the rate measured between strangers outside the cohort"
TESTS = {
    "handoff": CohortTest(
        "handoff", "Conversations continued on other accounts", "coordinated", _NULL,
        ("messages", "output_text"), own=True,
    ),
    "blob_replay": CohortTest(
        "blob_replay", "Reasoning blobs replayed on other accounts", "coordinated", _NULL,
        ("reasoning_blob",), own=True,
    ),
    "retry": CohortTest(
        "retry", "Refused prompts retried on other accounts", "coordinated", _NULL,
        ("messages", "status"),
    ),
    "succession": CohortTest(
        "succession", "New accounts took over from banned ones", "coordinated", _NULL,
        ("messages", "accounts.created_at", "accounts.closed_at", "accounts.closed_reason"),
        own=True,
    ),
}  # fmt: skip
_SAYS = {
    "handoff": "conversations were continued on an account of another organization",
    "blob_replay": "reasoning blobs were replayed on an account of another organization",
    "retry": "refused prompts were retried on an account of another organization within minutes",
    "succession": "new accounts took up a template of an account banned up to two days before",
}


class Coincidences:
    """How often each kind of direct evidence happened in all, and over how many exchanges."""

    def __init__(self, totals: dict[str, int], exchanges: int) -> None:
        self.totals = totals
        self.exchanges = exchanges

    def outside(self, kind: str, inside: int) -> int:
        """Return the occurrences outside a cohort, one added: never zero."""
        return max(self.totals.get(kind, 0) - inside, 0) + 1


def find(kind: str, cohort: Cohort, population: Population, base: Coincidences) -> Finding:
    """Test the occurrences of part B against the base rate of coincidence.

    Given how often it happened in all (and one time more), under the null each occurrence falls
    on the cohort in proportion to its exchanges: a binomial tail, exact for a rate that is not
    known but estimated from the rest of the log. Only where three organizations and more hang
    together by it; conversations where more than ten do, reasoning where more than five do, and a
    tenth of all that have any, for tables of players and circles of colleagues are closed.
    Conversations count from a fifth of the requests on, and behind one host (`hours.one_host`)
    from a third.
    """
    test = TESTS[kind]
    seen = cohort.direct.get(kind, 0)
    exchanges = int(population.volume[cohort.senders].sum())
    if not exchanges:
        return not_enough(test, 0, "no requests in the test blocks")
    outside = base.outside(kind, seen)
    share = exchanges / max(base.exchanges, exchanges + 1)
    p_value = float(binom.sf(seen - 1, seen + outside, share)) if seen else 1.0
    expected = outside * share / (1 - share)
    low, high = _usual(expected)
    return evaluated(
        test, float(seen), p_value, exchanges,
        Null("coincidence between strangers", expected, low, high),
        f"{seen} {_SAYS[kind]}; coincidence would give {expected:.2g} ({low:.0f}–{high:.0f})",
    )  # fmt: skip


def _usual(mean: float) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of a Poisson count: the least n with P(X ≤ n) ≥ q."""
    found = []
    for q in ((1.0 - 0.95) / 2, (1.0 + 0.95) / 2):
        above = math.ceil(pdtrik(q, mean))
        below = max(above - 1, 0)
        found.append(float(below if pdtr(below, mean) >= q else above))
    return found[0], found[1]
