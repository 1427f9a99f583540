"""Accounts that seem independent and yet draw from one source of topics."""

from __future__ import annotations

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals.harvest import USUAL_OWN, against
from stillwatch.signals.reference import Reference
from stillwatch.signals.traits import Traits

__all__ = ["TEST", "find"]

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
    claim *coordinated* it is weighed against the acts of the other tests, one to three where these
    showed in part A too, else three to one.
    """
    return against(TEST, traits, n, reference, usual_own, "benign cohorts of independent members")
