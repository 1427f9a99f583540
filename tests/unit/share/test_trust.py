"""What a contributor's word is worth, and what poisoners gain."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.errors import SchemaError
from stillwatch.schema import INDICATOR_FIELDS, indicator_of
from stillwatch.share import content as make
from stillwatch.share.stix import campaign_objects
from stillwatch.share.trust import LARGEST_WEIGHT, indicators_of, records, screen

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
THEN = NOW - timedelta(days=3)
MEMBERS = [f"identity--2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f{k:02x}" for k in range(12)]
ARBITER = frozenset({MEMBERS[11]})


def campaign(by, seed=1, count=3, when=THEN):
    rng = random.Random(seed)
    claim = {"confidence": 0.99, "evidence": []}
    line = {"campaign_id": f"c-{rng.getrandbits(48):012x}", "standing": "accused", "accounts": 41,
            "exchanges": 900, "first_seen": "2026-11-16T03:00:00Z", "methods": [],
            "last_seen": "2026-11-20T17:00:00Z",
            "claims": {"coordinated": claim, "extractive": claim}}  # fmt: skip
    rows = [{"kind": "near_text", "value": f"{rng.getrandbits(64):016x}"} for _ in range(count)]
    return campaign_objects(line, by=by, modified=when, indicators=rows)


def opinion(about, by, value="agree", when=THEN):
    return make.opinion(about, value, by=by, created=when)


def sighting(about, by, when=THEN):
    return make.sighting(about, 20, when, when, by=by, created=when)


def weight(objects, member=MEMBERS[0], **more):
    return records(objects, now=NOW, **more)[member].weight


def test_a_newcomer_weighs_little_and_a_confirmed_one_more():
    made = campaign(MEMBERS[0])
    seen = made[0]["id"]
    assert weight(made) == 0.25
    values = [weight(made + [sighting(seen, m) for m in MEMBERS[1:n]]) for n in (2, 3, 6)]
    assert 0.25 < values[0] < values[1] < values[2] <= LARGEST_WEIGHT
    assert weight([*made, opinion(seen, MEMBERS[1], "strongly-disagree")]) < 0.25
    many = [
        obj for k in range(30) for one in [campaign(MEMBERS[0], seed=k)]
        for obj in [*one, *(sighting(one[0]["id"], m) for m in MEMBERS[1:11])]
    ]  # fmt: skip
    assert weight(many) == LARGEST_WEIGHT, "capped"


def test_nobody_vouches_for_itself_and_repeating_counts_once():
    made = campaign(MEMBERS[0])
    seen = made[0]["id"]
    assert weight([*made, sighting(seen, MEMBERS[0]), opinion(seen, MEMBERS[0])]) == 0.25
    once = weight([*made, sighting(seen, MEMBERS[1])])
    again = [sighting(seen, MEMBERS[1], THEN - timedelta(days=k)) for k in range(20)]
    assert weight([*made, sighting(seen, MEMBERS[1]), *again]) == once


def test_evidence_fades_with_a_half_life_of_180_days():
    made = campaign(MEMBERS[0])
    old = [sighting(made[0]["id"], MEMBERS[1], NOW - timedelta(days=180))]
    record = records(made + old, now=NOW)[MEMBERS[0]]
    assert record.right == pytest.approx(0.5, rel=1e-3)


def test_an_upheld_appeal_costs_most_and_only_an_arbiter_can_decide_it():
    made = campaign(MEMBERS[0])
    seen = made[0]["id"]
    upheld = make.note("appeal_upheld", [seen], by=MEMBERS[11], created=THEN)
    assert weight([*made, upheld], arbiters=ARBITER) == pytest.approx(1 / 8, abs=0.01)
    forged = make.note("appeal_upheld", [seen], by=MEMBERS[5], created=THEN)
    assert weight([*made, forged], arbiters=ARBITER) == 0.25
    revoked = [o | {"revoked": True} if o["type"] == "campaign" else o for o in made]
    assert 0.2 < weight(revoked) < 0.25, "who corrects itself loses little"


def test_who_claims_a_canary_weighs_nothing():
    made = campaign(MEMBERS[0])
    planted = next(o for o in made if o["type"] == "indicator")
    value = next(iter(planted["extensions"].values()))["value"]
    assert weight(made, canaries=frozenset({value})) == 0.0
    assert indicators_of(made, now=NOW, canaries=frozenset({value})) == []
    theirs = campaign(MEMBERS[1], seed=2)
    bait = campaign(MEMBERS[2], seed=3)[0]["id"]
    lie = sighting(bait, MEMBERS[1])
    assert weight([*theirs, lie], MEMBERS[1], canaries=frozenset({bait})) == 0.0


def test_an_indicator_on_anothers_campaign_is_not_taken():
    """A false flag: an honest campaign's id, a victim's template."""
    honest, liar = campaign(MEMBERS[0]), campaign(MEMBERS[1], seed=2)
    one = next(o for o in liar if o["type"] == "indicator")
    flag = make.relationship(one["id"], "indicates", honest[0]["id"], by=MEMBERS[1], created=THEN)
    before = indicators_of([*honest, *liar], now=NOW)
    assert len(before) == 6
    assert indicators_of([*honest, *liar, flag], now=NOW) == before


def test_appeals_halt_and_corrections_end_use_but_not_those_of_strangers():
    made = campaign(MEMBERS[0])
    seen = made[0]["id"]

    def left(kind, by, more=()):
        note = make.note(kind, [seen], by=by, created=THEN)
        return len(indicators_of([*made, note, *more], now=NOW, arbiters=ARBITER))

    assert left("appeal_opened", MEMBERS[4]) == 0, "waiting harms nobody"
    assert left("false_positive", MEMBERS[0]) == 0
    assert left("deletion", MEMBERS[4]) == 3, "a stranger's word"
    denied = make.note("appeal_denied", [seen], by=MEMBERS[11], created=NOW)
    assert left("appeal_opened", MEMBERS[4], [denied]) == 3
    forged = make.note("appeal_denied", [seen], by=MEMBERS[4], created=NOW)
    assert left("appeal_opened", MEMBERS[4], [forged]) == 0


def test_run_out_and_revoked_indicators_are_left_out():
    made = campaign(MEMBERS[0])
    assert len(indicators_of(made, now=NOW)) == 3
    assert indicators_of(made, now=NOW + timedelta(days=91)) == []
    for kind, left in (("campaign", 0), ("indicator", 0), ("relationship", 0)):
        gone = [o | {"revoked": True} if o["type"] == kind else o for o in made]
        assert len(indicators_of(gone, now=NOW)) == left


def test_warninglists_and_floods():
    found = indicators_of([*campaign(MEMBERS[0]), *campaign(MEMBERS[1], 2, count=40)], now=NOW)
    kept, counts = screen(found, warninglist=frozenset({found[0].value}), most=30)
    assert counts == {"warninglist": int(found[0].contributor == MEMBERS[0]), "flood": 40}
    assert {one.contributor for one in kept} == {MEMBERS[0]}


def test_the_order_of_arrival_does_not_matter():
    made = [*campaign(MEMBERS[0]), *campaign(MEMBERS[1], 2)]
    made += [sighting(made[0]["id"], m) for m in MEMBERS[2:5]]
    turned = made[::-1]
    assert records(made, now=NOW) == records(turned, now=NOW)
    assert indicators_of(made, now=NOW) == indicators_of(turned, now=NOW)


def test_a_line_of_the_file_is_read_back_and_a_wrong_one_refused():
    one = indicators_of(campaign(MEMBERS[0]), now=NOW)[0]
    row = one.as_dict()
    assert set(row) == set(INDICATOR_FIELDS)
    assert indicator_of(row) == one
    for change in ({"weight": 2}, {"weight": True}, {"kind": 7}, {"extra": 1}):
        with pytest.raises(SchemaError):
            indicator_of(row | change)
    with pytest.raises(SchemaError, match="weight"):
        indicator_of({k: v for k, v in row.items() if k != "weight"})
