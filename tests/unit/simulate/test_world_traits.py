"""On rungs 2 to 5 (2 and 5 here, all in `make bench-worlds`) no single trait of an account,
and no shallow tree of traits, finds campaigns."""

from __future__ import annotations

import numpy as np
import pytest
from world_traits import MOST_AUC, MOST_RECALL, auc, judge, recall_at

from stillwatch.simulate import load_plan

SCALE = 0.15


@pytest.mark.slow
@pytest.mark.parametrize("rung", [2, 5])
def test_no_single_trait_gives_a_campaign_away(rung):
    found = judge(load_plan(f"rung{rung}").scaled(SCALE), learn=[51], ask=[1])
    print(found)
    assert found["honest"] > 500
    assert found["core"] > 60
    assert found["tree_recall"] <= MOST_RECALL
    assert found["largest_auc"] <= MOST_AUC


def test_the_check_sees_a_trait_that_gives_away():
    core = np.arange(4000) < 200
    trait = np.where(core, 2.0, 1.0) + np.linspace(0, 0.5, 4000)
    assert auc(trait, core) == pytest.approx(1.0)
    assert auc(-trait, core) == pytest.approx(1.0)
    assert recall_at(trait, core) == pytest.approx(1.0)


def test_recall_counts_honest_accounts_at_the_same_score():
    core = np.array([True] * 10 + [False] * 990)
    assert recall_at(core.astype(float), core) == 1.0
    scores = core.astype(float)
    scores[-5:] = 1.0  # five honest accounts share the score of the campaign
    assert recall_at(scores, core) == 0.0
