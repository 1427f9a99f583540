"""The closed vocabularies cover what the scan can say."""

from __future__ import annotations

import pytest

from stillwatch.share import bundle
from stillwatch.share.words import EXT, SIGNALS
from stillwatch.signals import TESTS


def test_every_test_of_the_scan_can_be_named():
    """Save what a claim never rests on: it only puts on watch."""
    assert set(SIGNALS) == {test.name for test in TESTS} - {"dealt_evenly"}


@pytest.mark.parametrize("name", SIGNALS)
def test_what_a_claim_rests_on_is_told(name):
    claim = {"confidence": 0.99, "e_value": 5e3,
             "evidence": [{"signal": name, "text": "", "p_value": 1e-9}]}  # fmt: skip
    line = {
        "campaign_id": "c-0123456789ab", "standing": "accused", "found_by": ["frame"],
        "first_seen": "2026-11-16T03:00:00Z", "last_seen": "2026-11-20T17:00:00Z",
        "accounts": 41, "core": 40, "periphery": 1, "exchanges": 81_234, "output_tokens": 520_000,
        "methods": [], "claims": {"coordinated": claim, "extractive": claim}, "members": [],
    }  # fmt: skip
    objects = bundle([line], "2026-11-23T00:00:00Z")["objects"]
    (made,) = (one for one in objects if one["type"] == "campaign")
    assert made["extensions"][EXT["campaign"]]["signals"] == [name]
