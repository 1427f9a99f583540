"""docs/worlds.md names every key, family, drift, shape and shipped world, and none else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from stillwatch.simulate import SHAPES, shipped_plans
from stillwatch.simulate.families import DRIFTS, HONEST
from stillwatch.simulate.plan import CampaignPlan, DriftPlan, People, WorldPlan
from stillwatch.simulate.truth import PLAN_TRUTH

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "worlds.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[\w.-]*\w", PAGE))


def test_every_key_of_a_world_is_documented():
    keys = {k for part in (WorldPlan, People, DriftPlan, CampaignPlan) for k in part.model_fields}
    assert keys - WORDS - {"about"} == set()


def test_every_family_drift_shape_and_column_is_documented():
    assert set(HONEST) - WORDS == set()
    assert set(DRIFTS) - WORDS == set()
    assert set(SHAPES) - WORDS == set()
    assert set(PLAN_TRUTH.names) - WORDS == set()


def test_every_shipped_world_is_documented():
    ladder = {f"rung{r}" for r in range(1, 6)}
    assert set(shipped_plans()) - WORDS - ladder == set()
    assert "rung1 … rung5" in PAGE


def test_the_table_of_traits_is_the_kept_one():
    kept = json.loads((ROOT / "bench" / "results" / "worlds.json").read_text())
    for one in kept["rungs"]:
        rung = one["world"].removeprefix("rung")
        line = (
            f"| {rung} | {one['tree_recall']} | {one['largest_auc_trait']} {one['largest_auc']} |"
        )
        assert line in PAGE
