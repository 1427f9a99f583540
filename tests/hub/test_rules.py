"""A hub of competitors accepts what the members' own rules let through, and nothing else."""

from __future__ import annotations

import json

import pytest

from stillwatch.share import bundle

LINE = {
    "campaign_id": "c-0123456789ab", "standing": "accused", "found_by": ["frame"],
    "first_seen": "2026-11-16T03:00:00Z", "last_seen": "2026-11-20T17:00:00Z",
    "accounts": 41, "core": 40, "periphery": 1, "exchanges": 81_234, "output_tokens": 520_000,
    "methods": ["cot_exfiltration"],
    "claims": {
        "coordinated": {"confidence": 0.99, "e_value": 5e3, "evidence": []},
        "extractive": {"confidence": 0.98, "e_value": 6e3, "evidence": []},
        "actor": {"confidence": 0.0, "e_value": 1.0, "evidence": [], "claim": None},
    },
    "members": [], "rivals": [], "recommended": {"verdict": "step_up", "collateral": {}},
}  # fmt: skip


@pytest.fixture
def competitors(new_hub):
    """A hub under the rules of docs/antitrust.md, as `hub init` makes it."""
    server = new_hub(rules="antitrust")
    server.start()
    return server


@pytest.fixture
def desk(competitors):
    from tests.hub.conftest import Shelf

    return Shelf(competitors, competitors.collection())


def test_what_a_scan_found_is_accepted_and_read_back(competitors, desk):
    made = json.loads(json.dumps(bundle([LINE], "2026-11-23T00:00:00Z")))
    status = desk.add(competitors.login(), *made["objects"])
    assert status["failure_count"] == 0, status["failures"]
    ids = {one["id"] for one in made["objects"]}
    assert ids == set(desk.ids(competitors.login("reader", tier="trusted")))


def test_a_price_in_a_description_is_refused_in_words_that_do_not_repeat_it(competitors, desk):
    made = json.loads(json.dumps(bundle([LINE], "2026-11-23T00:00:00Z")))
    (campaign,) = (o for o in made["objects"] if o["type"] == "campaign")
    campaign["description"] = "They pay 2.40 dollars for a million tokens."
    status = desk.add(competitors.login(), campaign)
    assert status["success_count"] == 0
    (failure,) = status["failures"]
    assert "2.40" not in json.dumps(failure)
    assert desk.ids(competitors.login()) == []


def test_an_indicator_of_another_tool_is_refused(competitors, desk, make_indicator):
    assert desk.add(competitors.login(), make_indicator())["success_count"] == 0
