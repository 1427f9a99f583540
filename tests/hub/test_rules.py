"""A hub of competitors accepts what the members' own rules let through, and nothing else."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime

import pytest

from stillwatch.share import campaign_objects
from stillwatch.share import content as make
from stillwatch.share.antitrust import normal, refusals
from stillwatch.share.catalogue import CATALOGUE, IEP, INTERFACE
from stillwatch.share.commercial import messages
from stillwatch.share.content import aggregate, atlas_id
from stillwatch.share.lanes import Contribution, combine

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
def desk(competitors, make_shelf):
    return make_shelf(competitors)


@pytest.fixture
def sender(competitors):
    return competitors.login()


@pytest.fixture
def found(competitors, sender):
    """What a member's client sends of a campaign, under the identity that the hub gave it."""
    then = datetime(2026, 11, 23, tzinfo=UTC)
    by = competitors.office.identity(sender.pseudonym)
    rows = [{"kind": "near_text", "value": "0123456789abcdef"}]
    made = campaign_objects(LINE, by=by, modified=then, indicators=rows)
    refs = {ref for one in made for ref in one.get("object_marking_refs", ())} & {*IEP.values()}
    first = [CATALOGUE[ref] for ref in sorted({*refs, INTERFACE["id"]})]
    return [normal(one) for one in (*first, *made)]


def test_what_a_scan_found_is_accepted_and_read_back(competitors, desk, sender, found):
    status = desk.add(sender, *found)
    assert status["failure_count"] == 0, status["failures"]
    seen = desk.ids(competitors.login("reader", tier="trusted"))
    assert set(seen) == {one["id"] for one in found}


def test_under_another_identity_than_the_hubs_it_is_refused(competitors, desk, found):
    other = competitors.login(number=2)
    status = desk.add(other, *found)
    own = {one["id"] for one in found if "created_by_ref" in one}
    assert own <= {failure["id"] for failure in status["failures"]}
    assert not own & set(desk.ids(other))


def test_a_price_in_a_description_is_refused_in_words_that_do_not_repeat_it(desk, sender, found):
    (campaign,) = (o for o in found if o["type"] == "campaign")
    campaign["description"] = "They pay 2.40 dollars for a million tokens."
    status = desk.add(sender, campaign)
    assert status["success_count"] == 0
    (failure,) = status["failures"]
    assert "2.40" not in json.dumps(failure)
    assert desk.ids(sender) == []


def test_an_indicator_of_another_tool_is_refused(desk, sender, make_indicator):
    assert desk.add(sender, make_indicator())["success_count"] == 0


def test_neither_the_order_of_keys_nor_of_lists_comes_through(desk, sender, found):
    turned = []
    for one in found:
        other = dict(reversed(list(one.items())))
        for name, value in other.items():
            if isinstance(value, list) and all(isinstance(v, str) for v in value):
                other[name] = value[::-1]
        turned.append(other)
    assert [json.dumps(o) for o in turned] != [json.dumps(o) for o in found]
    assert desk.add(sender, *turned)["failure_count"] == 0
    stored = {o["id"]: json.dumps(o) for o in desk.get(sender, limit=1_000).json()["objects"]}
    assert stored == {o["id"]: json.dumps(o) for o in found}
    again = desk.add(sender, *found)
    assert (again["success_count"], again["failure_count"]) == (len(found), 0), "the same objects"


def test_an_id_that_names_nothing_here_is_refused(competitors, desk, sender, found):
    """Thousands of references to nothing would carry whatever two members agreed upon."""
    by = competitors.office.identity(sender.pseudonym)
    then = datetime(2026, 11, 24, tzinfo=UTC)
    seen = next(one["id"] for one in found if one["type"] == "campaign")
    nothing = make.note(
        "false_positive", [seen, f"campaign--{uuid.uuid5(uuid.NAMESPACE_DNS, 'x')}"], by=by,
        created=then,
    )  # fmt: skip
    real = make.note("false_positive", [seen], by=by, created=then)
    alone = desk.add(sender, real)
    assert [one["id"] for one in alone["failures"]] == [real["id"]], "the campaign is not here yet"
    told = desk.add(sender, *found, real, nothing)
    assert [one["id"] for one in told["failures"]] == [nothing["id"]]
    assert "refers to what is not here" in told["failures"][0]["message"]
    other = competitors.login(number="other")
    its = competitors.office.identity(other.pseudonym)
    heard = make.opinion(seen, "agree", by=its, created=then)
    assert desk.add(other, heard)["failure_count"] == 0


def _told_by_chance(by):
    """Return a campaign whose id, which follows from its content, is taken for a message."""
    then = datetime(2026, 11, 23, tzinfo=UTC)
    for number in range(100_000):
        handle = hashlib.sha256(b"%d" % number).hexdigest()[:12]
        made = make.campaign(LINE | {"campaign_id": f"c-{handle}"}, by=by, modified=then)
        if messages(made["id"].split("--")[1].replace("-", "")):
            return normal(made)
    raise AssertionError("one in 1,100 does")


def test_a_campaign_whose_id_spells_by_chance_is_referred_to_like_any_other(
    competitors, desk, sender
):
    seen = _told_by_chance(competitors.office.identity(sender.pseudonym))
    other = competitors.login(number="other")
    said = make.opinion(
        seen["id"], "agree", by=competitors.office.identity(other.pseudonym),
        created=datetime(2026, 11, 24, tzinfo=UTC),
    )  # fmt: skip
    assert refusals(said, now=datetime.now(UTC)), "by itself it might be a message"
    (failure,) = desk.add(other, said)["failures"]
    assert "refers to what is not here" in failure["message"]
    assert desk.add(sender, seen)["failure_count"] == 0
    assert desk.add(other, said)["failure_count"] == 0


# Words in the digits of an id, and in its bytes; with version and variant where STIX wants them
SPELT = (
    "c0575fee-dea1-5a1e-8b1d-facade0ff1ce", "dec0de5a-1e5f-5ee5-ba5e-b1dbeefc0575",
    "70726963-6520-5120-a120-202020202020", "61636d65-2070-5179-b320-34302c303030",
)  # fmt: skip


def test_ids_that_spell_carry_nothing_past_the_hub(competitors, desk, sender):
    """A derived id is computed, a reference must name what is here, an own identity is one of 3."""
    then = datetime(2026, 11, 24, tzinfo=UTC)
    by = competitors.office.identity(sender.pseudonym)
    for text in SPELT:
        assert uuid.UUID(text).version == 5
        said = make.opinion(f"campaign--{text}", "agree", by=by, created=then)
        assert desk.add(sender, normal(said))["success_count"] == 0
        own = normal({**make.opinion(f"campaign--{text}", "agree", by=by, created=then),
                      "id": f"opinion--{text}"})  # fmt: skip
        assert desk.add(sender, own)["success_count"] == 0


def test_a_member_under_its_own_name_has_three_identities_and_no_more(competitors, desk, found):
    """122 bits of free choice each: under thousands of them objects would carry a letter."""
    login = competitors.login(pseudonymous=False, tier="trusted", number="named")
    then = datetime(2026, 11, 24, tzinfo=UTC)
    names = [f"identity--{uuid.uuid5(uuid.NAMESPACE_DNS, str(k))}" for k in range(5)]
    told = desk.add(login, *(make.contributor(one, then) for one in names))
    assert (told["success_count"], told["failure_count"]) == (3, 2)
    assert {"3 identities" in one["message"] for one in told["failures"]} == {True}
    held = {one["id"] for one in told["successes"]}
    first, fourth = (next(n for n in names if (n in held) is there) for there in (True, False))
    then = datetime(2026, 11, 23, tzinfo=UTC)
    mine, free = (
        [normal(o) for o in campaign_objects(LINE | {"campaign_id": f"c-93b1e7d0a4f{k}"}, by=one,
                                             modified=then) if o["type"] == "campaign"]
        for k, one in enumerate((first, fourth))
    )  # fmt: skip
    desk.add(login, CATALOGUE[IEP["amber"]])
    assert desk.add(login, *mine)["failure_count"] == 0
    assert desk.add(login, *free)["success_count"] == 0, "later envelopes count too"
    # what is refused for another reason uses up nothing, and another member has three of its own
    other = competitors.login(pseudonymous=False, tier="trusted", number="named too")
    assert desk.add(other, make.contributor(fourth, then))["failure_count"] == 0


def test_fixed_objects_are_everybodys(competitors, desk, sender):
    """Two members send the same marking with their packages; neither owns it."""
    marking, interface = CATALOGUE[IEP["amber"]], CATALOGUE[INTERFACE["id"]]
    for login in (sender, competitors.login(number="other"), sender):
        told = desk.add(login, marking, interface)  # one that has no version is everybody's as well
        assert (told["success_count"], told["failure_count"]) == (2, 0)
        versions = {one["id"]: one["version"] for one in told["successes"]}
        assert set(versions) == {marking["id"], interface["id"]} == set(desk.ids(sender))
    (held,) = (one for one in desk.get(sender, "manifest/").json()["objects"]
               if one["id"] == interface["id"])  # fmt: skip
    assert held["version"] == versions[interface["id"]]
    changed = {**marking, "name": "ours"}
    assert desk.add(competitors.login(number="third"), changed)["failure_count"] == 1


def test_nobody_speaks_in_another_members_name(competitors, desk, sender, found):
    """A member under its own name chooses its creator: another's would forge that one's record."""
    desk.add(sender, *found)
    (campaign,) = (one for one in found if one["type"] == "campaign")
    liar = competitors.login(pseudonymous=False, tier="trusted")
    then = datetime(2026, 11, 24, tzinfo=UTC)
    victim = competitors.office.identity(sender.pseudonym)
    verdict = normal(make.note("appeal_upheld", [campaign["id"]], by=victim, created=then))
    opinion = normal(make.opinion(campaign["id"], "strongly-disagree", by=victim, created=then))
    stolen = make.contributor(victim, then)
    status = desk.add(liar, verdict, opinion, stolen)
    assert status["success_count"] == 0
    assert {"another member's" in f["message"] for f in status["failures"]} == {True}

    own = "identity--9b1c7e52-4f3a-4d8e-a6c1-0d52f7b98e34"
    other = competitors.login(number="other", pseudonymous=False, tier="trusted")
    said = normal(make.opinion(campaign["id"], "agree", by=own, created=then))
    assert desk.add(other, make.contributor(own, then), said)["failure_count"] == 0
    again = normal(make.opinion(campaign["id"], "disagree", by=own, created=then))
    assert desk.add(liar, again)["success_count"] == 0


def test_figures_of_several_contributors_are_the_operators_to_publish(competitors, desk, sender):
    """A member would publish its own, or a figure from which others' could be subtracted."""
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in (3, 6)]
    parts = [Contribution(f"identity--{k}", 2, 100, 10_000) for k in range(5)]
    figures, _ = combine(parts, *months, [], now=datetime.now(UTC))
    refs, published = [atlas_id("AML.T0024.002")], datetime.now(UTC).replace(microsecond=0)
    for login in (sender, competitors.login("operator")):
        by = competitors.office.identity(login.pseudonym)
        told = desk.add(login, normal(aggregate(figures, refs, by=by, published=published)))
        assert told["success_count"] == 0, "by TAXII nothing holds it against earlier ones"
        assert "hub figures" in told["failures"][0]["message"]
