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
    def told(org: np.ndarray, card: np.ndarray) -> Payers:
        size = len(org)
        codes = dict.fromkeys(STATIC_KINDS, np.full(size, -1)) | {"payment_hash": card}
        population = stand.population(size, org, codes=codes)
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
