"""FollowTheMoney entities, in the JSON that the library writes."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from stillwatch.policy.owners import UNIT, answer_all, read_statements
from stillwatch.policy.owners.holdings import Party
from stillwatch.policy.owners.shares import from_text


def node(identifier, schema="Company", **properties):
    listed = {k: v if isinstance(v, list) else [v] for k, v in properties.items()}
    return {"id": identifier, "schema": schema, "properties": listed}


def owns(owner, asset, percentage=None, **properties):
    held = {"owner": owner, "asset": asset, **properties}
    if percentage is not None:
        held["percentage"] = percentage
    return node(f"own-{owner}-{asset}", "Ownership", **held)


def test_a_share_as_text_decides(ask):
    got, found = ask([node("e"), owns("bad", "e", "75%")], "e")
    assert got == ["restricted"]
    assert found.by_entity["e"][0].chain[0].sources == ("own-bad-e",)
    assert ask([node("e"), owns("bad", "e", "25-50%")], "e")[0] == ["possible"]
    assert ask([node("e"), owns("bad", "e", "some")], "e")[0] == ["possible"]
    assert ask([node("e"), owns("bad", "e", "75%", endDate="2025")], "e")[0] == ["undetermined"]
    assert ask([node("e"), owns("bad", "e", "75%", startDate="2027")], "e")[0] == ["undetermined"]


def test_a_percentage_that_is_no_number_is_noted(ask):
    _, found = ask([node("e"), owns("bad", "e", "the majority")], "e")
    assert [note.statement for note in found.notes] == ["own-bad-e"]


def test_a_person_is_an_identifier_and_nothing_else(ask):
    person = node("p", "Person", name="A Person", nationality="xx", country="xx", birthDate="1970")
    got, found = ask([person, node("e", jurisdiction="yy"), owns("p", "e", "100")], "e",
                     jurisdictions=frozenset({"XX"}))  # fmt: skip
    assert got == ["clear"]
    assert "A Person" not in repr(found)
    assert Party("p", "person").jurisdiction is None


def test_where_a_company_is_registered_can_be_a_seed(ask):
    statements = [node("o", jurisdiction="xx"), node("e"), owns("o", "e", "50")]
    assert ask(statements, "e", jurisdictions=frozenset({"XX"}))[0] == ["restricted"]


def test_control_and_office_are_not_ownership(ask):
    director = node("d", "Directorship", director="bad", organization="e")
    control = node("c", "UnknownLink", subject="bad", object="e")
    got, _ = ask([node("e"), owns("x", "e", "60"), node("x", "Person"), director, control], "e")
    assert got == ["clear"]


def test_several_owners_in_one_record_leave_open_who_holds(ask):
    got, _ = ask([node("e"), owns(["bad", "x"], "e", "60")], "e")
    assert got == ["possible"]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("50", 50, 50), ("50.0 %", 50, 50), ("12,5%", 12.5, 12.5), ("25-50%", 25, 50),
     ("25 to 50 percent", 25, 50), ("75% or more", 75, 100), (">= 75", 75, 100),
     ("up to 20%", 0, 20),
     ("ownership-of-shares-25-to-50-percent", 25, 50), ("100 %", 100, 100), ("0", 0, 0)],
)  # fmt: skip
def test_texts_that_can_be_read(text, low, high):
    bounds = from_text(text)
    assert bounds.read
    assert (bounds.low, bounds.high) == (low * UNIT // 100, high * UNIT // 100)


def test_exclusive_texts_leave_out_their_bound():
    half = UNIT // 2
    assert from_text("> 50%").low == half + 1
    assert from_text("more than 50").low == half + 1
    assert from_text("less than 50%").high == half - 1
    both = from_text("more than 25% but not more than 50%")
    assert (both.low, both.high) == (UNIT // 4 + 1, half)


@pytest.mark.parametrize("text", ["", "all", "150", "60-40", "-5", "50 % of B shares", "1e1"])
def test_texts_that_cannot_be_read_are_open(text):
    assert from_text(text) == (0, UNIT, False)


def test_what_the_library_itself_writes_is_read(rule):
    """The file is made by tests/fixtures/make_ftm.py with followthemoney 4.11.2."""
    file = Path(__file__).parents[2] / "fixtures" / "ftm" / "ownership.jsonl"
    register = read_statements([file], date(2026, 11, 26))
    assert register.parties["person-1"] == Party("person-1", "person")
    assert register.parties["co-held"] == Party("co-held", "entity", "Held Ltd", "GB")
    held = {(i.owner, i.asset): (i.low, i.high) for i in register.interests}
    assert held == {
        ("co-middle", "co-held"): (UNIT // 4, UNIT // 2),
        ("person-1", "co-held"): (UNIT // 2, UNIT // 2),
        ("org-listed", "co-middle"): (UNIT * 3 // 4, UNIT * 3 // 4),
    }
    listed = dataclasses.replace(rule, seeds=frozenset({"org-listed"}))
    found = answer_all(register, [listed], ["co-held", "co-middle"], date(2026, 11, 26))
    assert [found.strictest_of(e).access for e in ("co-middle", "co-held")] == [
        "restricted",
        "possible",
    ]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [({"jurisdiction": "xx"}, "restricted"),
     ({"jurisdiction": "xx-ab"}, "restricted"),
     ({"jurisdiction": "xxy"}, "clear"),
     ({"mainCountry": "xx"}, "restricted"),
     ({"mainCountry": "yy", "jurisdiction": "xx"}, "restricted"),
     ({"mainCountry": "xx", "jurisdiction": "yy"}, "clear"),
     ({"jurisdiction": ["xx", "XX"]}, "restricted"),
     ({"jurisdiction": ["xx", "yy"]}, "possible"),
     ({"jurisdiction": ["yy", "zz"]}, "clear"),
     ({"country": "xx"}, "possible"),
     ({"country": ["xx", "yy"]}, "possible"),
     ({"country": "xx", "jurisdiction": "yy"}, "clear")],
    ids=str,
)  # fmt: skip
def test_where_an_owner_is_registered_as_far_as_it_is_said(ask, properties, expected):
    """The owner itself and what it owns; several places or a mere country are only possible."""
    entities = [node("p", "Person"), owns("p", "o", "100"), node("o", **properties), node("e"),
                owns("o", "e", "100")]  # fmt: skip
    got, found = ask(entities, "o", "e", jurisdictions=frozenset({"XX"}))
    assert got == [expected, expected]
    unsure = expected == "possible" or properties.get("jurisdiction") == ["yy", "zz"]
    assert [note.statement for note in found.notes] == ["o"] * unsure


def test_fragments_of_one_entity_are_put_together_in_any_order(ask):
    parts = [node("o", jurisdiction="xx"), node("o", name="O Ltd"), node("o", "LegalEntity"),
             node("p", "Person"), owns("p", "o", "100"), node("e"),
             node("h", "Ownership", owner="o"), node("h", "Ownership", asset="e"),
             node("h", "Ownership", percentage="100")]  # fmt: skip
    for entities in (parts, parts[::-1]):
        got, found = ask(entities, "o", "e", jurisdictions=frozenset({"XX"}))
        assert got == ["restricted", "restricted"]
        assert not found.notes


def test_a_fragment_that_says_a_person_makes_a_person(ask):
    parts = [node("o", "LegalEntity", jurisdiction="xx"), node("o", "Person"), node("e"),
             owns("o", "e", "100")]  # fmt: skip
    for entities in (parts, parts[::-1]):
        assert ask(entities, "e", jurisdictions=frozenset({"XX"}))[0] == ["clear"]


@pytest.mark.parametrize("text", ["1,000", "12,345", "1,000-2,000", "more than 1,000"])
def test_a_comma_before_three_digits_is_no_decimal_comma(text, ask):
    """A thousand shares are not one per cent; nor are they clear."""
    assert not from_text(text).read
    assert ask([node("e"), owns("bad", "e", text)], "e")[0] == ["possible"]
