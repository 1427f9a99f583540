"""Methods are what a fifth of the campaign's exchanges hint at; hand-overs add their own."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.campaigns.methods import count_hints, methods_of
from stillwatch.schema import METHODS


def methods(desk, cohort, direct):
    return methods_of(count_hints(desk, [cohort]).get(cohort, {}), direct)


@pytest.fixture
def hinted(desk):
    def put(*shares):
        """Let sid 0 send 100 exchanges of which the first n hint at the method; sid 1 others."""
        hints = [0] * 100
        for name, n in shares:
            for k in range(n):
                hints[k] |= 1 << METHODS.index(name)
        desk.put("acts", pa.table({
            "sid": pa.array([0] * 100 + [1] * 300, pa.int32()),
            "method_hints": pa.array(hints + [1] * 300, pa.uint16()),
        }))  # fmt: skip
        desk.put("cohort_members", pa.table({
            "cohort": pa.array([0, 0], pa.int32()), "sid": pa.array([0, 1], pa.int32()),
            "how": ["text", "associated"],
        }))  # fmt: skip
        return desk

    return put


def test_methods_are_named_from_a_fifth_on_most_frequent_first(hinted):
    desk = hinted(("autograding", 20), ("synthetic_data", 60), ("cot_critiquing", 19))
    assert methods(desk, 0, {}) == ["synthetic_data", "autograding"]


def test_the_associated_do_not_speak_for_the_campaign(hinted):
    assert methods(hinted(), 0, {}) == []


def test_hand_overs_and_replays_are_methods_from_ten_on(hinted):
    desk = hinted(("autograding", 50))
    assert methods(desk, 0, {"handoff": 10, "blob_replay": 10}) == [
        "relay", "autograding", "blob_replay",
    ]  # fmt: skip
    assert methods(desk, 0, {"handoff": 9, "blob_replay": 9}) == ["autograding"]


def test_a_cohort_without_exchanges_has_no_methods(hinted):
    assert methods(hinted(("autograding", 50)), 7, {}) == []
