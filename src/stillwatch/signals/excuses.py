"""What a cohort's acts count for where honest people do the same for a reason that is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals import (
    crossed_cards,
    dealt_evenly,
    direct_evidence,
    even_volumes,
    rotating_exits,
    round_robin,
    shared_mix,
    shared_values,
    signup_burst,
)
from stillwatch.signals.claims import ACTED_E, SPEAKS_E
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.hours import (
    NOTHING,
    at_one_place,
    explained,
    hosted_turns,
    hours_of_their_own,
    on_a_clock,
    one_host,
    rotate,
)

__all__ = [
    "HELP",
    "ONE_HOST",
    "POOL",
    "SHOP",
    "Reasons",
    "backed",
    "counted_as",
    "excused",
    "helped",
    "lifted",
]

_STRANGERS: Final = (
    "They share neither exits nor payment: strangers with a quota each do the same, and this "
    "counts as nothing."
)
_ONE_HAND: Final = (
    "They are behind one host, as a service's customers are; but these share cards and signed up "
    "together, which customers do not, so it counts."
)
_PLAIN_E: Final = 1e4
_DEALT: Final = (
    "They have no template in common, as bought accounts have none; but one hand deals to all of "
    "them evenly, so it counts."
)
_PEOPLE: Final = (
    "They may be people at one place ({place}): a class or an office does the same, and this "
    "counts as nothing."
)
_RESTING: Final = (
    "They keep hours of their own ({hours}): strangers behind one carrier or VPN do the same, and "
    "this counts as nothing."
)
_CLOCK: Final = "They may follow a clock ({clock}), and this counts as nothing."
_HOST: Final = (
    "They may be one service's customers or one office ({host}), which takes turns and passes "
    "conversations on, and this counts as nothing."
)
ONE_HOST: Final = "one host"  # its customers are no campaign, and no strangers either
HELP: Final = "help"
POOL: Final = "a pool"  # counts for watching
SHOP: Final = "bought accounts"
_ANY: Final = (
    "Most of them leave through any of these prefixes, as one service's customers do, and this "
    "counts as nothing for an accusation."
)
_HELP: Final = (
    "Fewer than a fifth of the requests go on elsewhere: people whose tool passes a conversation "
    "on do the same, and this counts as nothing."
)
_FEW: Final = 0.2
_SEVERAL: Final = 1 / 15
_MOST: Final = 1 / 3
_HANDOFF: Final = direct_evidence.TESTS["handoff"].name
_SHOP: Final = (
    "They have no template in common: who buys ready-made accounts gets the seller's proxies with "
    "them, and this counts as nothing."
)
_TEMPLATES: Final = frozenset(("frame", "tool_schema"))
_BOUGHT: Final = frozenset((rotating_exits.TEST.name, crossed_cards.TEST.name))
_EXITS: Final = frozenset((shared_values.EXIT_TEST.name, crossed_cards.TEST.name))
_COMPANY: Final = "They may be one company with several cards ({host}), and this counts as nothing."
_SOME: Final = (
    "Fewer than one organization in fifteen does: users of one application who have the same VPN "
    "do the same, and this counts as nothing."
)
_CLOCKED: Final = frozenset((round_robin.TEST.name, dealt_evenly.TEST.name))
_HOSTED: Final = frozenset(
    test.name
    for test in (
        round_robin.TEST, direct_evidence.TESTS["handoff"], direct_evidence.TESTS["blob_replay"],
    )
)  # fmt: skip
# A class signs up together, leaves through one network, and all have the same to do, too.
_AT_ONE_PLACE: Final = frozenset(
    test.name
    for test in (
        signup_burst.TEST, shared_values.EXIT_TEST, crossed_cards.TEST,
        rotating_exits.TEST, even_volumes.TEST,
        shared_mix.TEST, dealt_evenly.TEST,
    )
)  # fmt: skip


@dataclass(frozen=True)
class Reasons:
    """What is seen of a cohort in one part; each is looked for only when an act asks for it."""

    cohort: Cohort
    population: Population

    @cached_property
    def place(self) -> str:
        """Return what says that they are people at one place (`hours.at_one_place`)."""
        return at_one_place(self.cohort, self.population)

    @cached_property
    def clock(self) -> str:
        """Return what says that their requests follow a clock, which takes turns by itself."""
        return on_a_clock(self._owner, self.cohort.ts_us)

    @cached_property
    def host(self) -> str:
        """Return what says that they are behind one host (`hours.one_host`)."""
        return one_host(self.cohort, self.population)

    @cached_property
    def turns(self) -> str:
        """Return what says that one host among others takes all turns (`hours.hosted_turns`)."""
        return hosted_turns(self.cohort, self.population)

    @cached_property
    def resting(self) -> str:
        """Return what says that each keeps hours of its own, as strangers behind one VPN do."""
        return hours_of_their_own(self._owner, self.cohort.ts_us)

    @cached_property
    def rotates(self) -> bool:
        """Return whether most accounts leave through any prefix rather than one of their own."""
        return rotate(self.cohort, self.population)

    @property
    def senders(self) -> int:
        """Return how many organizations send in this part."""
        return len(np.unique(self.population.org[self.cohort.senders]))

    @property
    def _owner(self) -> np.ndarray:
        return np.asarray(self.population.org[self.cohort.sid])


def _most_move(finding: Finding) -> bool:
    """Return whether so much is handed over that it is no colleague's help: a third of all."""
    return finding.signal != round_robin.TEST.name and finding.statistic >= _MOST * finding.n


def helped(finding: Finding) -> Finding:
    """Return the finding as what people show who pass a few conversations on."""
    return explained(finding, HELP, _HELP)


def excused(finding: Finding, seen: Reasons) -> Finding:
    """Return the finding, as nothing where honest people do the same for a reason that is seen."""
    if not finding.evaluable or finding.e_value <= NOTHING:
        return finding
    if finding.signal == rotating_exits.TEST.name and finding.statistic < _SEVERAL * seen.senders:
        return explained(finding, "a few of them", _SOME)
    if finding.signal == rotating_exits.TEST.name and seen.resting:
        return explained(finding, "own hours", _RESTING.format(hours=seen.resting))
    if finding.signal in _AT_ONE_PLACE and seen.place:
        return explained(finding, "one place", _PEOPLE.format(place=seen.place))
    if finding.signal in _EXITS and seen.rotates:
        return explained(finding, POOL, _ANY)
    if finding.signal in _HOSTED and seen.host and not _most_move(finding):
        return explained(finding, ONE_HOST, _HOST.format(host=seen.host))
    if finding.signal == round_robin.TEST.name and seen.turns:
        return explained(finding, ONE_HOST, _HOST.format(host=seen.turns))
    if finding.signal == crossed_cards.TEST.name and seen.host:
        return explained(finding, ONE_HOST, _COMPANY.format(host=seen.host))
    if finding.signal == _HANDOFF and finding.statistic < _FEW * finding.n:
        return helped(finding)
    if finding.signal in _CLOCKED and seen.clock:
        return explained(finding, "a clock", _CLOCK.format(clock=seen.clock))
    if finding.signal in _BOUGHT and not _TEMPLATES & seen.cohort.found_by:
        return explained(finding, SHOP, _SHOP)
    return finding


def lifted(made: list[Finding], found: list[Finding]) -> list[Finding]:
    """Return the findings, where one takes back what excuses another. ``made``: without excuses."""
    return backed(made, on_one_account(made, found))


def backed(made: list[Finding], found: list[Finding]) -> list[Finding]:
    """Return the findings, as what one says of another. ``made``: before any reason was looked for.

    Even dealing counts where the accounts share exits or payment, too: strangers with a quota each,
    or with one small device each, have equal shares as well. Where conversations are passed on
    among colleagues, their reasoning is as well. Who buys ready-made accounts with their proxies is
    a person, and no two want as much: where one hand deals evenly, the pool counts.
    """
    if any(f.excuse == HELP for f in found):
        blob = direct_evidence.TESTS["blob_replay"].name  # goes along with a conversation
        found = [helped(f) if f.signal == blob else f for f in found]
    shared = (shared_values.EXIT_TEST.name, shared_values.ACCOUNT_TEST.name)
    if not any(
        f.evaluable
        and f.signal in shared
        and (f.e_before if f.excuse == POOL else f.e_value) >= SPEAKS_E
        for f in found
    ):
        return counted_as(found, dealt_evenly.TEST, "a quota each", _STRANGERS)
    if any(f.signal == dealt_evenly.TEST.name and f.e_value >= ACTED_E for f in found):
        pairs = zip(made, found, strict=True)
        return [replace(m, text=f"{m.text} {_DEALT}") if f.excuse == SHOP else f for m, f in pairs]
    return found


def on_one_account(made: list[Finding], found: list[Finding]) -> list[Finding]:
    """Return the findings; whose cards are shared and who signed up together is nobody's customers.

    Those whom a service serves behind its host pay for themselves and come on days of their own, so
    turns and hand-overs there count where both facts speak (10,000 and more). Cards across its
    exits do not: a company with several cards has one host as well. ``made``: before
    any reason was looked for.
    """
    facts = (shared_values.ACCOUNT_TEST.name, signup_burst.TEST.name)
    plain = [f for f in found if f.signal in facts and f.evaluable and f.e_value >= _PLAIN_E]
    if len(plain) < len(facts):
        return found
    return [
        replace(m, text=f"{m.text} {_ONE_HAND}")
        if f.excuse == ONE_HOST and f.signal != crossed_cards.TEST.name
        else f
        for m, f in zip(made, found, strict=True)
    ]


def counted_as(found: list[Finding], test: CohortTest, excuse: str, why: str) -> list[Finding]:
    """Return the findings, that of one test as `explained`."""
    return [explained(f, excuse, why) if f.signal == test.name else f for f in found]
