"""Accounts created together on several cards in turn, behind the same exits, that never rest."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals import shared_values, signup_burst
from stillwatch.signals.data import Population, Views
from stillwatch.signals.hours import around_the_clock
from stillwatch.signals.verdicts import not_enough, wagered

__all__ = ["TEST", "TOPICS_TELL_SOME", "Dealt", "dealt_cards", "find"]

TEST = CohortTest(
    name="one_fleet",
    title="Created together on several cards in turn, behind the same exits, and never at rest",
    claim="coordinated",
    null="a benign group shares two of three at most: cards of several payers, the day of "
    "sign-ups, exits; or its cards come one after another, or it rests",
    needs=("accounts.payment_hash", "accounts.created_at", "ip"),
    own=True,
)
TOPICS_TELL_SOME: Final = 0.02
_LEAST_CARDS: Final = 3
_PAYS_FOR: Final = 3
_MOST_ON_ONE: Final = 0.5
_LEAST_PAID: Final = 0.5
_IN_TURN: Final = 0.5
_CARDS: Final = shared_values.ACCOUNT_TEST.name
_FACTS: Final = (_CARDS, signup_burst.TEST.name, shared_values.EXIT_TEST.name)


class Dealt(NamedTuple):
    """How the cards of a cohort were dealt out to its accounts.

    ``cards``: those that pay for three organizations and more that the log names; ``paid``: what
    share of the cohort's accounts is on them; ``largest``: the share of these on one card;
    ``in_turn``: runs of one card in the order of sign-ups, as a share of what a random order has
    (NaN with fewer than two cards); ``awake``: whether the cohort asks around the clock.
    """

    cards: int
    paid: float
    largest: float
    in_turn: float
    awake: bool

    @property
    def fits(self) -> bool:
        """Return whether several cards paid in turn and the cohort never rests."""
        return (
            self.cards >= _LEAST_CARDS
            and self.paid >= _LEAST_PAID
            and self.largest <= _MOST_ON_ONE
            and self.in_turn >= _IN_TURN
            and self.awake
        )


def dealt_cards(views: Views, population: Population) -> Dealt:
    """Read how a cohort's cards were dealt out, over those who send in part B."""
    sids = views.test.senders
    awake = around_the_clock(views.whole.ts_us)
    if population.declared is None:
        return Dealt(0, 0.0, float("nan"), float("nan"), awake)
    card, org = population.codes["payment_hash"], population.org
    mine = sids[(card[sids] >= 0) & population.declared[sids]]
    pairs = np.unique(np.stack([card[mine], org[mine]]), axis=1)
    pays, number = np.unique(pairs[0], return_counts=True)
    several = pays[number >= _PAYS_FOR]
    on = mine[np.isin(card[mine], several)]
    if not len(on):
        return Dealt(0, 0.0, float("nan"), float("nan"), awake)
    held = np.unique(card[on], return_counts=True)[1]
    order = card[on][np.argsort(population.created_us[on], kind="stable")]
    runs = 1 + int((order[1:] != order[:-1]).sum())
    usual = 1 + len(on) - float((held * held).sum()) / len(on)
    in_turn = (runs - 1) / (usual - 1) if len(held) > 1 else float("nan")
    return Dealt(
        len(several), len(on) / len(sids), float(held.max() / len(on)), float(in_turn), awake
    )


def find(acts: list[Finding], dealt: Dealt, n: int, distinct: float) -> Finding:
    """Return the finding: the weakest of cards, day and exits, where nothing honest has all three.

    Any two of the three have an honest reason, and all three at once an agency's clients or a
    vendor's customers have, whose accounts it sets up. Three things tell these from a fleet. They
    are one payer's, or their cards come one after another as they expire: a fleet deals several
    cards out in turn, each to a few, so that none leads to all. People are behind them, who rest
    (`hours.around_the_clock`). And they have topics of their own, which *extractive* reads: so it
    is asked for only where topics tell something here, where the least distinct quarter of this
    log's customers has a fiftieth of topic variance of its own (`distinct.own_share`). The log has
    to name the organizations: without them a firm's departments have a card each.
    Null: one of the three facts does not hold, so the e-value is the smallest of theirs, each as
    it counts after what excuses it. Cards that may be a holding's count, where none pays for half.

    ``acts``: the cohort's findings of these facts. ``distinct``: the share, NaN where unknown.
    *Source*: Berger 1982, Technometrics 24(4), for e-values.
    """
    if not distinct >= TOPICS_TELL_SOME:
        return not_enough(TEST, n, "this log's customers have no topics of their own")
    facts = {f.signal: _worth(f) for f in acts if f.signal in _FACTS and f.evaluable}
    if len(facts) < len(_FACTS):
        return not_enough(TEST, n, "cards, sign-ups and exits are not all known")
    weakest = min(facts.values())
    e_value = weakest if dealt.fits else 0.0
    turn = "unknown" if math.isnan(dealt.in_turn) else f"{dealt.in_turn:.0%}"
    return wagered(
        TEST, weakest, e_value, n,
        Null("a benign group with two of three facts", 1.0, 0.0, 1 / 0.05),
        f"Cards, the day of sign-ups and exits are shared at once, the weakest with e = "
        f"{weakest:.2g}; {dealt.cards} cards pay for three organizations and more each "
        f"({_LEAST_CARDS} at least), for {dealt.paid:.0%} of the accounts ({_LEAST_PAID:.0%} at "
        f"least), none for more than {_nothing(dealt.largest)} of these ({_MOST_ON_ONE:.0%} at "
        f"most); in the order of sign-ups they change {turn} as often as at random "
        f"({_IN_TURN:.0%} at least); requests {'know no' if dealt.awake else 'rest at'} night"
        + ("" if dealt.fits else "; it is no fleet by these, and it counts as nothing"),
    )  # fmt: skip


def _worth(fact: Finding) -> float:
    """Return what a fact counts: cards that may be a holding's as if they were not."""
    if fact.signal == _CARDS and fact.excuse == "a holding" and fact.e_before is not None:
        return fact.e_before
    return fact.e_value


def _nothing(share: float) -> str:
    return "none" if math.isnan(share) else f"{share:.0%}"
