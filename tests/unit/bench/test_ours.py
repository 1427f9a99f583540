"""stillwatch's own scores: accused first, then core by strength, periphery never."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.bench.ours import outcome_of
from stillwatch.bench.verdict import Verdict


def test_accused_stand_before_watched_core_and_periphery_has_no_score():
    verdict = Verdict(
        result=SimpleNamespace(),
        standing={"a": "accused", "b": "watch", "c": "watch", "d": "clear", "e": "accused"},
        e_value={"a": 400.0, "b": 30.0, "c": 9e9, "e": 500.0},
        campaign={"a": "c-1", "b": "c-2", "c": "c-1", "e": "c-1"},
        role={"a": "core", "b": "core", "c": "periphery", "e": "core"},
        seconds=1.0,
    )
    made = outcome_of(verdict, ["a", "b", "c", "d", "e", "unseen"])
    assert made.score.argsort()[::-1][:3].tolist() == [4, 0, 1]
    assert made.score[[2, 3, 5]].tolist() == [0.0, 0.0, 0.0]
    assert made.score[1] == pytest.approx(np.log(31.0))
    assert made.flagged.tolist() == [True, False, False, False, True, False]
    assert made.group.tolist() == [0, -1, -1, -1, 0, -1]
