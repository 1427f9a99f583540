"""Selection and its q-values agree, and looks spend one budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.stats import benjamini_hochberg, e_bh, needed_e, q_values

e_lists = st.lists(st.floats(0, 1e9), min_size=1, max_size=40)


@settings(deadline=None)
@given(e_lists, st.floats(1e-4, 0.5))
def test_selected_is_what_has_q_at_most_alpha(e: list[float], alpha: float) -> None:
    chosen = e_bh(e, alpha)
    assert set(chosen.indices) == set(np.flatnonzero(q_values(e) <= alpha))
    assert all(e[i] >= chosen.threshold * (1 - 1e-12) for i in chosen.indices)


@settings(deadline=None)
@given(e_lists)
def test_q_falls_as_e_grows_and_ties_are_equal(e: list[float]) -> None:
    q = q_values(e)
    assert ((q > 0) & (q <= 1)).all()
    order = np.argsort(e)
    assert (np.diff(q[order]) <= 0).all()
    for i in range(len(e)):
        assert {q[j] for j in range(len(e)) if e[j] == e[i]} == {q[i]}


def test_nothing_selected_tells_what_one_would_need() -> None:
    chosen = e_bh([1.0, 2.0], 0.01)
    assert chosen.indices.size == 0
    assert chosen.threshold == needed_e(2, 1, 0.01) == 200.0


def test_no_hypotheses_is_no_selection() -> None:
    assert e_bh([], 0.1).indices.size == 0
    assert np.isnan(e_bh([], 0.1).threshold)
    assert benjamini_hochberg([], 0.1).indices.size == 0


def test_nan_and_bad_levels_are_refused() -> None:
    with pytest.raises(EvidenceError):
        e_bh([1.0, np.nan], 0.1)
    with pytest.raises(EvidenceError):
        q_values([-1.0])
    with pytest.raises(EvidenceError):
        e_bh([1.0], 1.0)
    with pytest.raises(EvidenceError):
        benjamini_hochberg([1.2], 0.1)
    with pytest.raises(EvidenceError):
        needed_e(5, 6, 0.1)
