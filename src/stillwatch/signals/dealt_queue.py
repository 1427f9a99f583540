"""Does one hand deal this out? Acts of two kinds, no topics of one's own, no common items."""

from __future__ import annotations

from typing import Final

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.harvest import ERRORS
from stillwatch.signals.reference import Passed
from stillwatch.signals.traits import Traits

__all__ = ["LEAST_ACTS", "TEST", "as_dealt", "find"]

TEST = CohortTest(
    name="dealt_queue",
    title="One queue, dealt out among accounts that were set up for it",
    claim="extractive",
    null="the cohort is one of the benign cohorts that act together (classes, teams, plug-ins, "
    "workflow platforms, evaluations …)",
    needs=("messages",),
)
LEAST_ACTS: Final = 100.0
_OWN: Final = 0.02
_COMMON: Final = 0.05
_DEVOTED: Final = 0.25


def as_dealt(traits: Traits, e_acts: float) -> str:
    """Return what speaks against a queue that one hand deals out, for a sentence; empty: nothing.

    ``e_acts``: that acts of two kinds speak in part B (`claims.e_of_acts`): 100 and more. The
    organizations have no topics of their own (2 % at most, less two standard errors), hardly any
    item (5 % of the prompts at most) is what a fifth of them sent, and it is a quarter and more of
    what its accounts ask. Whoever asks each item several times, of a few accounts each, deals
    from one queue all the same; a class, an evaluation or a canned prompt has common items.
    """
    if not e_acts >= LEAST_ACTS:
        return "acts of two kinds do not speak"
    if traits.own_topics - ERRORS * traits.own_error > _OWN:
        return f"{traits.own_topics:.1%} of the variety of topics lies between the organizations"
    if traits.common > _COMMON:
        return f"{traits.common:.1%} of the prompts are what a fifth of the organizations sent"
    if traits.dominance < _DEVOTED:
        return f"it is {traits.dominance:.0%} of what the usual account asks"
    return ""


def find(traits: Traits, e_acts: float, n: int, passed: Passed) -> Finding:
    """Return what the way in which it is dealt out says of the claim *extractive*.

    `harvest` reads topics. Where this log's customers have none of their own, it can say little,
    however plain it is that one hand deals. What benign cohorts that act together do not show is
    two kinds of acts at once without common items: among those of the reference (`Passed`) so many
    did. Null: the cohort is one of that kind, exchangeable with those; then the bet on it, the
    number of all over the number of those that show it, this one among both, has a mean of at most
    one. *Error*: exact for exchangeable cohorts; those of one kind of group in several worlds
    are alike, so the reference is worth less than its number, and it is simulated, not yours.
    *Source*: Vovk & Wang 2021, Annals of Statistics 49(3) (e-values by exchangeability).
    """
    against = as_dealt(traits, e_acts)
    e_value = 0.0 if against else passed.e_value
    text = (
        f"Nothing says that one hand deals from a queue: {against}."
        if against
        else (
            "Acts of two kinds say that one hand deals, the organizations have no topics of their "
            f"own, and {traits.common:.1%} of the prompts are what a fifth of them sent; of "
            f"{passed.cohorts:,} benign cohorts that act together in the reference {passed.passed} "
            "show this."
        )
    )
    return Finding(
        signal=TEST.name,
        claim=TEST.claim,
        statistic=float(not against),
        p_value=1.0 if against else 1 / passed.e_value,
        e_value=e_value,
        n=n,
        null=Null(
            "benign cohorts that act together", passed.passed / passed.cohorts, 0.0, passed.upper
        ),
        text=text,
    )
