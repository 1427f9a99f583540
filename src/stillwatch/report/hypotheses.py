"""Which hypotheses an account was part of, what each claim said, and why that is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import pyarrow as pa

from stillwatch.report.numbers import counted, number, plain
from stillwatch.schema import LINK_KINDS
from stillwatch.store import Run

__all__ = ["Hypothesis", "hypotheses_of", "tell_hypotheses"]

_NEEDED: Final = ("people", "cohorts", "cohort_members", "cohort_scores", "findings")
_SPEAKS_E: Final = 20.0
_MOST: Final = 3
_SQL: Final = f"""
    WITH mine AS (
      SELECT m.cohort, bool_or(m.how <> 'associated') AS inside
      FROM people p JOIN asked a ON a.account_id = p.account_id
      JOIN cohort_members m ON m.sid = p.sid GROUP BY m.cohort),
    spoke AS (
      SELECT cohort, list(signal ORDER BY e_value DESC, signal) AS acts FROM findings
      WHERE claim = 'coordinated' AND evaluable AND e_value >= {_SPEAKS_E} GROUP BY cohort)
    SELECT c.cohort, c.found_by, len(c.subjects) AS members, m.inside,
           s.tested, s.e_coordinated, s.e_extractive, f.acts
    FROM mine m JOIN cohorts c ON c.cohort = m.cohort
    LEFT JOIN cohort_scores s ON s.cohort = m.cohort LEFT JOIN spoke f ON f.cohort = m.cohort
    ORDER BY c.cohort"""  # noqa: S608 - a constant of ours


class Hypothesis(NamedTuple):
    """A cohort that the run considered, with this account in it.

    ``by``: the kinds of object that suggested it. ``members``: subjects. ``beside``: the account
    shares only something wider with it. e-values are None where the cohort was not tested.
    ``acts``: titles of the tests of acting together whose e-value is 20 or more.
    """

    by: tuple[str, ...]
    members: int
    beside: bool
    coordinated: float | None
    extractive: float | None
    acts: tuple[str, ...]

    @property
    def speaks(self) -> bool:
        """Return whether there is more to tell of its members than that nothing was found."""
        return not self.beside and (self.asks or bool(self.acts))

    @property
    def asks(self) -> bool:
        """Return whether what its members ask for looks like a harvest."""
        return (self.extractive or 0.0) >= _SPEAKS_E


def hypotheses_of(run: Run, account_id: str, titles: dict[str, str]) -> list[Hypothesis]:
    """Return the cohorts that an account was part of, the strongest first; none in older runs.

    Reads the run's stages. Raises InputError when one of them cannot be read.
    """
    if not run.has_stages(*_NEEDED):
        return []
    rows = run.query(_SQL, asked=pa.table({"account_id": [account_id]})).to_pylist()
    found = [
        Hypothesis(
            tuple(row["found_by"] or ()),
            row["members"],
            not row["inside"],
            number(row["e_coordinated"]) if row["tested"] else None,
            number(row["e_extractive"]) if row["tested"] else None,
            tuple(titles.get(name, name) for name in row["acts"] or ()),
        )
        for row in rows
    ]
    return sorted(found, key=lambda h: (h.beside, -_strength(h), -h.members, h.by))


def tell_hypotheses(found: Sequence[Hypothesis]) -> tuple[str, ...]:
    """Return a sentence for each hypothesis, at most three, then how many more there were."""
    told = [_sentence(h) for h in found[:_MOST]]
    if len(found) > _MOST:
        told.append(f"{counted(len(found) - _MOST, 'weaker group')} more.")
    return tuple(told)


def _strength(h: Hypothesis) -> float:
    return max(h.coordinated or 0.0, h.extractive or 0.0)


def _sentence(h: Hypothesis) -> str:
    kinds = [LINK_KINDS[k].title if k in LINK_KINDS else k.replace("_", " ") for k in h.by]
    by = "; ".join(kinds) or "not recorded"
    whom = "It is beside" if h.beside else "It is one of"
    group = f"{whom} {counted(h.members, 'account')} put together as a hypothesis ({by})."
    if h.coordinated is None or h.extractive is None:
        return f"{group} They were not tested: too little could be read, or they are one payer's."
    told = (
        f"{group} That they act as one: e = {plain(h.coordinated)}. That their traffic harvests: "
        f"e = {plain(h.extractive)}."
    )
    return f"{told} {_why_not(h)}"


def _why_not(h: Hypothesis) -> str:
    """Return why neither claim, or one alone, accuses anybody."""
    acted = (h.coordinated or 0.0) >= _SPEAKS_E
    if acted and h.asks:
        return (
            "Both speak; an accusation needs more, and that this account's own behaviour proves "
            "that it belongs."
        )
    if acted:
        return (
            "Acting as one is not forbidden: a class, a team or a plug-in does. What they ask for "
            "does not tell them from such."
        )
    alone = (
        f" These of their acts speak: {'; '.join(h.acts)}. That is one kind alone, or too little "
        "beside it: a vendor, a course, an offer or a clock does the same."
        if h.acts
        else ""
    )
    if h.asks:
        return (
            "What they ask for looks like a harvest, but strangers who use one template may ask "
            "alike: without acts of at least two kinds, or one that may speak alone, strongly "
            f"enough, it accuses nobody.{alone}"
        )
    return f"Neither is shown.{alone}"
