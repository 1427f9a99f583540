"""Registered hypotheses read both parts, and excuse what every other hypothesis excuses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.schema import Settings
from stillwatch.signals import registered
from stillwatch.signals.data import Views
from stillwatch.signals.hours import NOTHING

QUARTER = 900_000_000
ROW = {
    "cohort": 0, "signal": "round_robin", "e_screen": 1.0, "statistic": 0.0, "p_value": 1.0,
    "e_value": 0.1, "n": 0, "null": "", "text": "", "evaluable": False, "missing": ["ts"],
}  # fmt: skip


@pytest.fixture
def e_of_turns(stand, monkeypatch):
    """Return what says how turns at some moments count, thirty organizations one after another."""

    def told(ts_us: np.ndarray) -> float:
        sid = np.tile(np.arange(30), len(ts_us) // 30)
        cohort = stand.cohort(sid, stand.topics(sid, 0.1), ts_us=ts_us)
        population = stand.population(60)
        monkeypatch.setattr(registered, "load_population", lambda desk: population)
        monkeypatch.setattr(registered, "in_part", lambda desk, part, late: late)
        monkeypatch.setattr(
            registered, "load_cohorts", lambda desk, late: [Views(cohort, cohort, cohort)]
        )
        desk = SimpleNamespace(
            settings=Settings(), columns=frozenset({"ts"}),
            query=lambda text: pa.Table.from_pylist([ROW]),
        )  # fmt: skip
        (row,) = registered.registered_findings(desk, frozenset({0})).to_pylist()
        assert row["evaluable"]
        assert np.isnan(row["e_screen"])
        return float(row["e_value"])

    return told


def test_turns_of_a_dealer_speak_and_those_of_a_clock_count_as_nothing(e_of_turns):
    rng = np.random.default_rng(4)
    assert e_of_turns(np.sort(rng.integers(7 * 96 * QUARTER, size=900))) > 1e6
    k = np.arange(900)
    assert e_of_turns((k // 30) * QUARTER + (k % 30) * 10_000_000) == NOTHING
