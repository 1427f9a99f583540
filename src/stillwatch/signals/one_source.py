"""Accounts that seem independent and yet draw from one source of topics."""

from __future__ import annotations

import math

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals.harvest import USUAL_OWN, against
from stillwatch.signals.reference import Reference
from stillwatch.signals.traits import Traits

__all__ = ["LEAST_DISTINCT", "TEST", "find", "too_alike"]

LEAST_DISTINCT = 0.05  # 0.10 to 0.11 in the worlds of the references

TEST = CohortTest(
    name="one_source",
    title="One source of topics",
    claim="coordinated",
    null="the cohort is one of the benign cohorts whose members are independent of each other: "
    "customers of one application, users of a published template, neighbours …",
    needs=("messages",),
)


def find(traits: Traits, n: int, reference: Reference, usual_own: float = USUAL_OWN) -> Finding:
    """Return what the topics say of acting together.

    Whoever uses a template for a purpose of their own has topics of their own. Accounts dealt out
    by one hand have not, whatever network, card, client and clock each of them was given. The score
    is that of `harvest`, read against benign cohorts of *independent* members; the claim
    *extractive* reads it against those that act together. Each claim holds against its own kind
    of innocence, and a campaign has to pass both (docs/adr/0017-one-source.md). In the
    claim *coordinated* it is weighed against the acts of the other tests, evenly where these
    showed in part A too, else three to one. Not asked where the least distinct quarter of this
    log's customers has less than half the own topics of the reference's, or where too few are known
    (`distinct.own_share`): there accounts that draw from one source are nothing unusual.
    """
    return against(TEST, traits, n, reference, usual_own, "benign cohorts of independent members")


def too_alike(share: float) -> str:
    """Return why the test is not made here, for a sentence."""
    if math.isnan(share):
        return (
            "too few customers with a dozen prompts, to know whether they have topics of their own"
        )
    return (
        f"a quarter of this log's customers have few topics of their own ({max(share, 0):.1%} of "
        f"the variety, {LEAST_DISTINCT:.0%} are asked for), so that one source is nothing unusual"
    )
