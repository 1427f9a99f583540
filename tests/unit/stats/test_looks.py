"""All looks together spend one budget."""

from __future__ import annotations

import math

import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import alpha_at_look


def test_all_looks_together_spend_alpha_and_no_more() -> None:
    spent = math.fsum(alpha_at_look(0.01, t) for t in range(1, 100_000))
    assert 0.00999 < spent < 0.01
    with pytest.raises(EvidenceError):
        alpha_at_look(0.01, 0)


def test_looks_that_share_evenly_spend_alpha_whatever_their_number() -> None:
    assert math.fsum(alpha_at_look(0.01, t, looks=7) for t in range(31, 38)) == pytest.approx(0.01)
    with pytest.raises(EvidenceError):
        alpha_at_look(0.01, 1, looks=0)
