"""Hypotheses that other providers registered: tested on the whole window.

A template that at least two other providers proposed too is a hypothesis that their data made, not
these. So nothing here chose it, and what is kept apart for hypotheses of one's own (found on part
A, tested on part B) need not be kept apart:

1. It is a hypothesis of this run when it was found by text, by a template that is on the list. The
   list may be asked for with every template that strangers carry, whatever their timing
   (`share propose`), so that being on it says nothing of timing here.
2. The tests that read the order and number of requests read both parts (`round_robin`,
   `even_volumes`). The others do not gain by it and stay as they are: account values and sign-ups
   have no part, exits and direct evidence stay those of part B.
3. No part is kept apart for it, so part A screens nothing (``e_screen`` is NaN): in the claim
   *coordinated* topics count three to one, whatever part A shows. A slice too thin to accuse alone
   shows what it asks for long before it shows how it acts, and where topics say nothing, the other
   claim has nothing either.

The evidence is this provider's own. What others say chooses hypotheses and enters no e-value.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from stillwatch.schema import Desk
from stillwatch.signals import even_volumes, round_robin
from stillwatch.signals.data import in_part, load_population, over_both
from stillwatch.signals.excuses import Reasons, excused
from stillwatch.signals.step import as_row, lacking
from stillwatch.signals.views import load_cohorts
from stillwatch.stats import round9

__all__ = ["registered_cohorts", "registered_findings"]

_WHOLE = ((round_robin.TEST, round_robin.find), (even_volumes.TEST, even_volumes.find))


def registered_cohorts(desk: Desk, templates: pa.Table) -> frozenset[int]:
    """Return the hypotheses that were found by a template of the list (``pos``, ``len``, ``h``)."""
    rows = desk.query(
        """SELECT DISTINCT c.cohort
           FROM (SELECT cohort, unnest(frames) AS frame FROM cohorts WHERE by_text) c
           JOIN frames f ON f.frame = c.frame
           JOIN listed l ON l.pos = f.pos AND l.len = f.len AND l.h = f.h
           WHERE f.speaks ORDER BY c.cohort""",
        listed=templates,
    )
    return frozenset(rows["cohort"].to_pylist())


def registered_findings(desk: Desk, cohorts: frozenset[int]) -> pa.Table:
    """Return the findings with those of the registered hypotheses made on the whole window."""
    late = load_population(desk)
    both = over_both(in_part(desk, "A", late), late)
    made: dict[tuple[int, str], Any] = {}
    for views in load_cohorts(desk, late):
        if views.whole.number in cohorts:
            seen = Reasons(views.whole, both)
            for test, find in _WHOLE:
                if test.name not in desk.settings.without and not lacking(test, desk.columns):
                    found = find(views.whole, both)
                    made[views.whole.number, test.name] = excused(found, seen)
    table = desk.query("SELECT * FROM findings")
    rows = table.to_pylist()
    for row in rows:
        if row["cohort"] in cohorts:
            row |= {"e_screen": float("nan"), "early": []}
        finding = made.get((row["cohort"], row["signal"]))
        if finding is not None and finding.evaluable:
            told = as_row(finding).items()
            row |= {name: round9(v) if isinstance(v, float) else v for name, v in told}
    return pa.Table.from_pylist(rows, schema=table.schema)
