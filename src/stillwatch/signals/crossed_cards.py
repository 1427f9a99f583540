"""Cards pay for accounts of many organizations, and these leave through exits of one pool."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population, codes_by_owner
from stillwatch.signals.shared_values import upper
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import SharingResult, shared_value_test

__all__ = ["TEST", "find", "none_pays_for_most"]

TEST = CohortTest(
    name="crossed_cards",
    title="Cards that pay across exits, and exits that are shared across cards",
    claim="coordinated",
    null="payment instruments are shared as often as by random organizations, or the exits of "
    "payers are (one payer's accounts at one place)",
    needs=("accounts.payment_hash", "ip"),
    own=True,
)
_LEAST_CARDS: Final = 4
_LEAST: Final = 4
_LEAST_EXITS: Final = 6
_MANY: Final = 1 / 3
_ONE_CARD: Final = 1 / 3


class _Cards(NamedTuple):
    """The cards of a cohort's named organizations.

    ``paid``: the card's code, once for each organization that it pays for. ``pays_for``: of each
    card, how many organizations; ``several``: how many cards pay for two and more.
    """

    paid: np.ndarray
    pays_for: np.ndarray
    several: int


def find(cohort: Cohort, population: Population) -> Finding:
    """Ask whether the cohort shares payment *and* leaves together across payers.

    Each has an honest reason: a company, a holding, an agency or a reseller pays for several
    organizations; a cloud, an office or a VPN is left through by many. Here organizations that
    cards connect, anywhere in the log, are one payer (`Population.connected`), so that what an
    agency's clients on one card share is no exit shared, nor an employer's office; and payers still
    leave through the same prefixes, six at least (an agency's cloud has a few), while four cards
    and more pay for several organizations that the log names, a third of the cohort's accounts.
    Null: at most one of both holds, so the p-value is the larger one (an intersection-union test),
    and 1 where too little is shared to be asked. Both may have an honest reason of its own, so it
    accuses nobody without a day of sign-ups beside (`claims.e_of_acts`), and counts as nothing
    behind one host, at one place, where accounts rotate through a pool, where the cards may be a
    holding's, and without a template in common (ready-made accounts come with a seller's cards and
    proxies), unless one hand deals to these evenly.
    *Source*: Berger 1982, Technometrics 24(4).
    """
    if not cohort.by_text and cohort.found_by & {"payment", "exit_prefix"}:
        return not_enough(TEST, 0, "a shared card or prefix had suggested the cohort")
    sids = cohort.senders
    named = _named(sids, population)
    if len(named) < _LEAST:
        return not_enough(TEST, len(named), "the log names fewer than four organizations")
    cards = _cards_of(named, population)
    if len(cards.paid) < _LEAST:
        return not_enough(TEST, len(cards.paid), "fewer than four known cards")
    left = codes_by_owner(population.connected, population.exit_code, sids)
    if len(left) < _LEAST:
        return not_enough(TEST, len(left), "fewer than four known prefixes")
    prefixes = int((np.unique(left, return_counts=True)[1] >= 2).sum())
    enough = (
        cards.several >= _LEAST_CARDS
        and prefixes >= _LEAST_EXITS
        and cards.pays_for[cards.pays_for >= 2].sum() >= _MANY * len(sids)
    )
    by_card: SharingResult = shared_value_test(cards.paid, population.held["payment_hash"])
    by_exit: SharingResult = shared_value_test(left, population.held["exit"])
    expected = float(by_exit.expected_shared)
    payers = len(np.unique(population.connected[sids]))
    return evaluated(
        TEST,
        float(by_exit.n_shared),
        max(float(by_card.p_value), float(by_exit.p_value)) if enough else 1.0,
        int(by_exit.n_present),
        Null("random payers", expected, 0.0, upper(expected)),
        f"{cards.several} payment instruments each pay for several organizations "
        f"({by_card.n_shared} of {by_card.n_present}), and of the {by_exit.n_present} prefixes of "
        f"{payers} payers, counted for each, {by_exit.n_shared} are another payer's as well; "
        f"random ones would be {by_card.expected_shared:.2g} and {expected:.2g}"
        + (
            ""
            if enough
            else f"; {_LEAST_CARDS} such instruments of a third of the accounts and "
            f"{_LEAST_EXITS} prefixes in common are asked for"
        ),
    )


def none_pays_for_most(cohort: Cohort, population: Population) -> bool:
    """Return whether four cards and more pay for several organizations, and none for a third.

    A holding, a franchise or a provider of shops has one card for all of them, or each its own.
    """
    cards = _cards_of(_named(cohort.senders, population), population)
    return cards.several >= _LEAST_CARDS and bool(
        cards.pays_for.max() <= _ONE_CARD * len(cards.paid)
    )


def _cards_of(named: np.ndarray, population: Population) -> _Cards:
    """Return the cards that pay for these subjects' organizations (``named``, `_named`)."""
    paid = codes_by_owner(population.org, population.codes["payment_hash"], named)
    _, pays_for = np.unique(paid, return_counts=True)
    return _Cards(paid, pays_for, int((pays_for >= 2).sum()))


def _named(sids: np.ndarray, population: Population) -> np.ndarray:
    """Return those whose organization the log names: without its name, a card is a firm's own."""
    return sids[:0] if population.declared is None else sids[population.declared[sids]]
