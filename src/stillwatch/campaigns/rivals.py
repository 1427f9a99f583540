"""What else could it be? Each honest explanation, what it predicts, what is seen, does it stand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stillwatch.signals import TEAMS

__all__ = ["Rival", "Seen", "rivals"]


@dataclass(frozen=True)
class Seen:
    """What a cohort shows that honest explanations speak of. Shares lie in [0, 1], or are NaN.

    ``named``: how many organizations the log names on the most common payment instrument.
    """

    own_topics: float
    repeats: float
    top_organization: float
    one_payment: float
    one_exit: float
    end_users: bool
    handoffs_per_pair: float
    handoffs: int
    organizations: int
    named: int
    round_robin_p: float
    permit_share: float


@dataclass(frozen=True)
class Rival:
    """An honest explanation. ``survives``: what is seen does not contradict it."""

    name: str
    title: str
    predicts: str
    seen: str
    survives: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rivals(seen: Seen) -> tuple[Rival, ...]:
    """Return every honest explanation with its fate.

    If one but *research* survives, the campaign is `watch`; permits are judged on exchanges.
    """
    same_items = (
        f"{seen.repeats:.1%} of the prompts were sent by a tenth of the organizations and more"
    )
    topics = (
        f"at most {max(seen.own_topics, 0):.1%} of the variety of topics is the organizations' own"
    )
    return (
        Rival("class", "A class or course",
              "everyone works on the same assignments, from one place",
              f"{same_items}; the most common exit carries {seen.one_exit:.0%} of the accounts",
              seen.repeats >= 0.3 and seen.one_exit >= 0.5),
        Rival("evaluation", "An evaluation or benchmark", "everyone runs the same items",
              same_items, seen.repeats >= 0.3),
        Rival("plug_in", "A plug-in or popular template",
              "each customer brings topics of its own", topics, seen.own_topics >= 0.1),
        Rival("workflow", "A workflow platform",
              "each customer brings topics of its own, on a common clock", topics,
              seen.own_topics >= 0.1),
        Rival("team", "A team or company", "one organization or one payment instrument",
              f"the largest organization holds {seen.top_organization:.0%} of the accounts, the "
              f"most common payment instrument {seen.one_payment:.0%}; on that one the log names "
              f"{seen.named} organization{'s' * (seen.named != 1)}",
              seen.top_organization >= 0.6 or (seen.one_payment >= 0.6 and seen.named < TEAMS)),
        Rival("reseller", "A reseller or gateway", "end users are named and behave as many people",
              "its requests name end users" if seen.end_users else "no end users are named",
              seen.end_users and seen.own_topics >= 0.05),
        Rival("migration", "Keys that moved",
              "conversations move once, one way, between two accounts",
              f"{seen.handoffs} hand-overs, {seen.handoffs_per_pair:.1f} per pair of accounts",
              seen.handoffs > 0 and seen.organizations <= 3),
        Rival("research", "Permitted research or synthetic data", "a permit covers the traffic",
              f"permits cover {seen.permit_share:.0%} of the accounts", seen.permit_share >= 0.8),
    )  # fmt: skip
