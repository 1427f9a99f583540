"""Where topics tell nothing: acts for which a group that harvests nothing needs two reasons."""

from __future__ import annotations

import math
from typing import Final

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.traits import Traits
from stillwatch.signals.verdicts import not_enough, wagered

__all__ = ["TEST", "TOPICS_TELL", "find", "to_watch"]

TEST = CohortTest(
    name="two_reasons",
    title="Acts that take two reasons, one template and ever-new items",
    claim="extractive",
    null="a benign group acts together for one reason (a vendor, a course, a service, a colleague)",
    needs=("messages",),
)
TOPICS_TELL: Final = 0.03
_MOST_REPEATS: Final = 0.05
_LEAST_DOMINANCE: Final = 0.5
_TIMES_USUAL: Final = 2.0
_ERRORS: Final = 2.0
_CEILING: Final = 1e6
_CLOSER_E: Final = 20.0


def find(e_acts: float, traits: Traits, n: int, usual_own: float) -> Finding:
    """Return the finding: the square root of the e-value of acts, where the items fit a harvest.

    `harvest` tells a queue of topics from customers who have their own. Where this log's customers
    have none (less than 3 % of the variety between carriers of one template, `harvest.usual`), it
    can tell nobody from anybody, and what is left is why benign groups act together: each of them
    for one reason, which is the null of `claims.e_of_acts`. Its square root is an e-value too, and
    keeps half of what it claims, because a group may have two reasons. It speaks only where a
    twentieth of the prompts at most is repeated (a class, an evaluation), half of what the accounts
    send and more has the cohort's template, and its topics lie no further apart than usual here.
    Made of the same acts as *coordinated*, it adds nothing to them: both nulls have to be rejected,
    and there the acts alone have to reach what an accusation takes.

    ``e_acts``: what `claims.e_of_acts` says of the tests of *coordinated*, NaN without any.
    *Source*: Benjamini & Heller 2008, Biometrics 64 (partial conjunctions).
    """
    if not usual_own < TOPICS_TELL:
        return not_enough(
            TEST, n, f"customers differ in their topics here ({usual_own:.0%}), which tells more"
        )
    if math.isnan(e_acts):
        return not_enough(TEST, n, "no act could be read")
    fits = _fits(traits, usual_own)
    e_value = _half(e_acts) if fits else 0.0
    return wagered(
        TEST,
        e_acts,
        e_value,
        n,
        Null("benign groups that act for one reason", 1.0, 0.0, 1 / 0.05),
        f"What they do together has e = {e_acts:.2g} against groups that have one reason for it; "
        f"{traits.repeats:.1%} of the prompts are repeated ({_MOST_REPEATS:.0%} at most), "
        f"{traits.dominance:.0%} of what they send has the template ({_LEAST_DOMINANCE:.0%} at "
        f"least), and topics lie between the organizations by {traits.own_topics:.1%}"
        + ("" if fits else "; this is no harvest, and it counts as nothing"),
    )


def to_watch(e_acts: float, closer: float, traits: Traits, usual_own: float) -> float:
    """Return the e-value of *extractive* that is enough to be looked at: 0 where topics tell.

    Cards, the day of sign-ups and exits that a campaign shares are one reason, so that they accuse
    nobody; where topics tell nothing and the items fit a harvest, they are worth a look.
    ``e_acts``: `claims.e_of_acts` for watching, of which half is kept, as in `find`. ``closer``: of
    acts that strangers at one place do not have (`claims.e_of_closer`): a hackathon signs up
    together behind one exit. Both NaN where nothing could be read.
    """
    if not usual_own < TOPICS_TELL or not closer >= _CLOSER_E or not _fits(traits, usual_own):
        return 0.0
    return _half(e_acts)


def _half(e_value: float) -> float:
    """Return the square root, 0 for NaN: half of what an e-value says."""
    return 0.0 if math.isnan(e_value) else math.sqrt(min(max(e_value, 0.0), _CEILING**2))


def _fits(traits: Traits, usual_own: float) -> bool:
    """Return whether items are ever new, of one template and no further apart than usual."""
    least_own = traits.own_topics - _ERRORS * traits.own_error
    return (
        traits.repeats <= _MOST_REPEATS
        and traits.dominance >= _LEAST_DOMINANCE
        and least_own <= _TIMES_USUAL * usual_own
    )
