from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.data import STATIC_KINDS
from stillwatch.signals.payers import Payers, one_payer


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def paying(stand):
    def told(org: np.ndarray, card: np.ndarray, named: np.ndarray | None = None) -> Payers:
        size = len(org)
        codes = dict.fromkeys(STATIC_KINDS, np.full(size, -1)) | {"payment_hash": card}
        population = stand.population(size, org, codes=codes, declared=named)
        sid = np.arange(size)
        return one_payer(stand.cohort(sid, stand.topics(sid, 0.1)), population)

    return told


def test_one_organization_or_one_card_is_one_payer(paying):
    apart, none = np.arange(60), np.full(60, -1)
    assert paying(np.zeros(60, dtype=int), apart) == (1.0, 1, False)
    assert paying(apart, np.zeros(60, dtype=int)) == (1.0, 1, False)
    assert paying(apart, none) == (pytest.approx(1 / 60), 60, False)
    assert paying(apart, np.where(apart < 40, 0, -1)) == (pytest.approx(2 / 3), 21, False)


def test_a_company_with_a_few_of_either_or_of_few_accounts_is_one_payer(paying, rng):
    assert paying(rng.integers(4, size=160), rng.integers(5, size=160)) == (1.0, 1, False)
    assert not paying(rng.integers(30, size=99), rng.integers(40, size=99)).apart


def test_hundreds_of_accounts_over_dozens_of_cards_are_no_team(paying, rng):
    """Any card connects two organizations, and all of them hang together by chance."""
    found = paying(rng.integers(66, size=660), rng.integers(160, size=660))
    assert found.largest < 0.05
    assert found.number == 66
    assert found.apart


def test_one_card_for_a_dozen_organizations_that_the_log_names_is_no_team(paying):
    """The simplest operator of all has one card; a team has one organization."""
    org, card = np.arange(96), np.zeros(96, dtype=int)
    assert paying(org, card, np.ones(96, dtype=bool)) == (pytest.approx(1 / 96), 96, True)
    assert paying(org, card, np.zeros(96, dtype=bool)) == (1.0, 1, False)  # accounts, not companies
    for names, apart in ((12, True), (11, False), (8, False)):
        assert paying(org, card, org < names).apart is apart, names
    assert paying(np.arange(8), card[:8], np.ones(8, dtype=bool)) == (1.0, 1, False)


def test_a_company_with_an_organization_of_a_quarter_is_one_payer(paying):
    """A team with a dozen projects, most of its people in the first."""
    everybody = np.ones(96, dtype=bool)
    for first, apart in ((24, False), (23, True)):
        org = np.maximum(np.arange(96) - first + 1, 0)
        assert paying(org, np.zeros(96, dtype=int), everybody).apart is apart, first


def test_one_card_of_less_than_half_is_one_payer_however_many_it_pays_for(paying):
    org, everybody = np.arange(96), np.ones(96, dtype=bool)
    for of_one, payers in ((47, 50), (48, 96)):
        card = np.where(org < of_one, 0, -1)
        assert paying(org, card, everybody).number == payers, of_one
