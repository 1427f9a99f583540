"""How far a cohort is one payer: a team whose accounts name no common organization."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stillwatch.signals.data import Cohort, Population, joined

__all__ = ["MAX_ONE_PAYER", "MIN_PAYERS", "TEAMS", "Payers", "one_payer", "payer_of"]

MAX_ONE_PAYER = 0.5
MIN_PAYERS = 3
_TEAM = 0.1
_MANY = 100
TEAMS = 12
_ONE = 0.25


class Payers(NamedTuple):
    """The largest payer's share of the subjects of part B, and the number of payers.

    ``apart``: many of them are connected by instruments that go round, and count apart.
    """

    largest: float
    number: int
    apart: bool


def one_payer(cohort: Cohort, population: Population) -> Payers:
    """Return how far a cohort is one payer (`payer_of`).

    What a single payer's accounts do together is ordinary, and such a cohort is no hypothesis,
    whatever its topics. Where organizations count apart it may be a holding, so its cards are no
    evidence either.
    """
    sids = cohort.senders
    if not len(sids):
        return Payers(float("nan"), 0, apart=False)
    payer, apart = payer_of(sids, population)
    count = np.unique(payer, return_counts=True)[1]
    return Payers(float(count.max() / len(sids)), len(count), apart=apart)


def payer_of(sids: np.ndarray, population: Population) -> tuple[np.ndarray, bool]:
    """Return each subject's payer, as a number, and whether many organizations count apart.

    Subjects of one organization, or with one payment instrument, are one payer, and so are those
    whom shared instruments connect. Not so where each organization is a payer all the same:

    * a hundred connected accounts and more of which no organization and no instrument has a tenth:
      a company has a few of either, and hundreds of accounts over dozens of organizations and cards
      hang together by chance;
    * half of the accounts and more, in a dozen organizations and more that the log names, of which
      none has a quarter of them: a team is one organization, and one card for many is an agency's,
      a reseller's, or what campaigns were published to have.

    ``sids``: one and more.
    """
    payment = population.codes["payment_hash"][sids]
    _, org = np.unique(population.org[sids], return_inverse=True)
    card = payment.copy()
    paid = payment >= 0
    card[paid] = np.unique(payment[paid], return_inverse=True)[1]
    orgs = int(org.max()) + 1
    holds = np.bincount(np.concatenate([org, orgs + card[paid]]))
    label = joined(org, card)
    of_all = np.bincount(label[org])
    most = np.zeros(len(of_all), dtype=np.int64)
    np.maximum.at(most, label, holds)
    apart = (most < _TEAM * of_all) & (of_all >= _MANY)
    if population.declared is not None:
        named = np.bincount(label[np.unique(org[population.declared[sids]])], minlength=len(of_all))
        largest = np.zeros(len(of_all), dtype=np.int64)
        np.maximum.at(largest, label[:orgs], np.bincount(org))
        one = of_all >= MAX_ONE_PAYER * len(sids)
        apart |= one & (named >= TEAMS) & (largest < _ONE * of_all)
    payer = np.where(apart[label[org]], len(of_all) + org, label[org])
    return payer, bool(apart.any())
