"""Each honest explanation survives on what it predicts, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.campaigns.rivals import Seen, rivals

HARVEST = Seen(
    own_topics=0.01, repeats=0.0, top_organization=0.02, one_payment=0.1, one_exit=0.2,
    end_users=False, handoffs_per_pair=3.0, handoffs=40, organizations=30, named=8,
    round_robin_p=1e-9, permit_share=0.0,
)  # fmt: skip


def surviving(**changes):
    return {r.name for r in rivals(replace(HARVEST, **changes)) if r.survives}


def test_no_honest_explanation_survives_a_harvest():
    assert surviving() == set()
    assert {r.name for r in rivals(HARVEST)} == {
        "class", "evaluation", "plug_in", "workflow", "team", "reseller", "migration", "research",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"repeats": 0.3}, {"evaluation"}),
        ({"repeats": 0.3, "one_exit": 0.5}, {"evaluation", "class"}),
        ({"one_exit": 1.0}, set()),
        ({"repeats": 0.29, "one_exit": 1.0}, set()),
        ({"own_topics": 0.1}, {"plug_in", "workflow"}),
        ({"own_topics": 0.099}, set()),
        ({"top_organization": 0.6}, {"team"}),
        ({"one_payment": 0.6}, {"team"}),
        ({"one_payment": 0.59, "top_organization": 0.59}, set()),
        ({"one_payment": 1.0, "named": 11}, {"team"}),
        ({"one_payment": 1.0, "named": 12}, set()),  # one card for a dozen organizations
        ({"top_organization": 0.6, "named": 12}, {"team"}),
        ({"end_users": True}, set()),  # a relay that names users but has one queue
        ({"end_users": True, "own_topics": 0.05}, {"reseller"}),
        ({"organizations": 3}, {"migration"}),
        ({"organizations": 3, "handoffs": 0}, set()),
        ({"permit_share": 0.8}, {"research"}),
        ({"permit_share": 0.79}, set()),
    ],
)
def test_what_each_explanation_needs(changes, names):
    assert surviving(**changes) == names


def test_what_is_unknown_saves_nobody_by_itself():
    nan = float("nan")
    assert surviving(own_topics=nan, repeats=nan, round_robin_p=nan) == set()


def test_every_explanation_says_what_is_seen_in_words():
    for rival in rivals(replace(HARVEST, end_users=True)):
        assert rival.title
        assert rival.predicts
        assert rival.seen
        assert rival.as_dict()["survives"] is rival.survives


def test_a_team_is_told_how_many_organizations_the_log_names():
    (team,) = (r for r in rivals(replace(HARVEST, named=96)) if r.name == "team")
    assert "the log names 96 organizations" in team.seen


def test_one_organization_is_told_as_one():
    (team,) = (r for r in rivals(replace(HARVEST, named=1)) if r.name == "team")
    assert team.seen.endswith("on that one the log names 1 organization")
