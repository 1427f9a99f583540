"""BODS statements: each numbered rule of the reader, and the published fixtures."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import bods_fixtures
import pytest

from stillwatch.errors import SchemaError
from stillwatch.policy.owners import UNIT, read_statements
from stillwatch.policy.owners.holdings import Party


def access(ask, statements, entity="e", **changes):
    return ask(statements, entity, **changes)[0][0]


def test_a_person_has_no_nationality(bods, tmp_path, ask):
    fields = {f.name for f in dataclasses.fields(Party)}
    assert fields == {"party_id", "kind", "name", "jurisdiction", "ended", "perhaps"}
    statements = [bods.person("p", nationality="XX"), bods.entity("e"), bods.holds("p", "e", 100)]
    file = tmp_path / "s.json"
    file.write_text(json.dumps(statements), encoding="utf-8")
    register = read_statements([file], date(2026, 11, 26))
    assert register.parties["p"] == Party("p", "person")
    assert "XX" not in repr(register)
    assert access(ask, statements, jurisdictions=frozenset({"XX"})) == "clear"


def test_where_an_entity_is_registered_can_be_a_seed(bods, ask):
    statements = [bods.entity("o", place="xx"), bods.entity("e"), bods.holds("o", "e", 50)]
    assert access(ask, statements, jurisdictions=frozenset({"XX"})) == "restricted"
    assert access(ask, statements, jurisdictions=frozenset({"YY"})) == "undetermined"


@pytest.mark.parametrize(
    ("share", "operator", "expected"),
    [(50, ">=", "restricted"), (50, ">", "clear"), (50.0000001, ">", "restricted"),
     (49.9999999, ">=", "clear"), ({"exclusiveMinimum": 50, "maximum": 75}, ">", "restricted"),
     ({"minimum": 25, "maximum": 50}, ">=", "possible"),
     ({"minimum": 25, "exclusiveMaximum": 50}, ">=", "clear"), (None, ">=", "possible")],
)  # fmt: skip
def test_the_threshold_and_its_operator(bods, ask, share, operator, expected):
    statements = [bods.entity("e"), bods.holds("bad", "e", bods.interest(share))]
    assert access(ask, statements, operator=operator) == expected


def test_the_latest_statement_of_a_record_counts_and_a_closed_one_no_more(bods, ask):
    old = bods.holds("bad", "e", 60, record="r")
    new = bods.holds("bad", "e", 10, record="r", statementId="s2", statementDate="2026-05-01",
                     recordStatus="updated")  # fmt: skip
    closed = bods.holds("bad", "e", 60, record="r", statementId="s3", statementDate="2026-05-01",
                        recordStatus="closed")  # fmt: skip
    assert access(ask, [old, bods.entity("e")]) == "restricted"
    assert access(ask, [new, old, bods.entity("e")]) == "clear"
    assert access(ask, [closed, old, bods.entity("e")]) == "undetermined"
    assert access(ask, [closed, old, bods.entity("e")], at=date(2026, 4, 30)) == "restricted"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_statements_on_one_day_the_closing_one_counts(bods, ask, order):
    made = bods.holds("bad", "e", 60, record="r", statementId="zz")
    pair = [made, {**made, "statementId": "aa", "recordStatus": "closed"}]
    assert access(ask, [*(pair[i] for i in order), bods.entity("e")]) == "undetermined"


@pytest.mark.parametrize(
    ("dates", "expected"),
    [({"startDate": "2027-01-01"}, "undetermined"), ({"startDate": "2026"}, "restricted"),
     ({"endDate": "2026-11-26"}, "undetermined"), ({"endDate": "2026-11-27"}, "restricted"),
     ({"endDate": "2025"}, "undetermined"), ({"endDate": "2026-11"}, "restricted")],
)  # fmt: skip
def test_an_interest_counts_between_its_dates(bods, ask, dates, expected):
    held = bods.interest(60, **dates)
    assert access(ask, [bods.entity("e"), bods.holds("bad", "e", held)]) == expected


def test_a_rolled_up_statement_is_not_counted_beside_its_components(bods, ask):
    statements = [
        bods.entity("e"), bods.entity("m"), bods.holds("m", "e", 40), bods.holds("bad", "m", 100),
        bods.holds("bad", "e", bods.interest(40, direct="indirect"),
                   details={"componentRecords": ["rel-m-e", "rel-bad-m"]}),
    ]  # fmt: skip
    result, found = ask(statements, "e")
    assert result == ["clear"]
    assert found.by_entity["e"][0].high == 40 * UNIT // 100


def test_an_indirect_statement_alone_leaves_an_unknown_owner(bods, ask):
    held = bods.interest(60, direct="indirect")
    assert access(ask, [bods.entity("e"), bods.holds("x", "e", held)]) == "undetermined"


def test_a_nominee_holds_for_its_nominator(bods, ask):
    nominee = bods.holds("n", "e", bods.interest(60), bods.interest(kind="nominee"))
    nominator = bods.holds("bad", "e", bods.interest(kind="nominator"))
    two = bods.holds("other", "e", bods.interest(kind="nominator"))
    assert access(ask, [bods.entity("e"), nominee, nominator]) == "restricted"
    assert access(ask, [bods.entity("e"), nominee]) == "undetermined"
    assert access(ask, [bods.entity("e"), nominee, nominator, two]) == "undetermined"


def test_a_listed_nominee_does_not_restrict(bods, ask):
    nominee = bods.holds("bad", "e", bods.interest(60), bods.interest(kind="nominee"))
    nominator = bods.holds("good", "e", bods.interest(kind="nominator"))
    statements = [bods.entity("e"), bods.person("good"), nominee, nominator]
    assert access(ask, statements) == "clear"


def test_an_arrangement_is_held_by_its_nominators(bods, ask):
    statements = [
        bods.entity("e"), bods.entity("a", kind="arrangement"), bods.holds("a", "e", 60),
        bods.holds("n", "a", bods.interest(kind="nominee")),
        bods.holds("bad", "a", bods.interest(kind="nominator")),
    ]  # fmt: skip
    assert access(ask, statements) == "restricted"
    assert access(ask, statements[:-1]) == "undetermined"


def test_classes_of_shares_in_one_record_are_an_interval(bods, ask):
    two = bods.holds("bad", "e", bods.interest(30), bods.interest(30))
    result, found = ask([bods.entity("e"), two], "e")
    assert result == ["possible"]
    assert (found.by_entity["e"][0].low, found.by_entity["e"][0].high) == (3 * 10**8, 6 * 10**8)


def test_two_sources_of_one_holding_are_reconciled_and_not_summed(bods, ask):
    first = bods.holds("bad", "e", 30, record="r1")
    same = bods.holds("bad", "e", bods.interest({"minimum": 25, "maximum": 50}), record="r2")
    other = bods.holds("bad", "e", 70, record="r3")
    result, found = ask([bods.entity("e"), first, same], "e")
    assert result == ["clear"]
    assert not found.notes
    result, found = ask([bods.entity("e"), first, other], "e")
    assert result == ["possible"]
    assert "contradict" in found.notes[0].text


def test_statements_that_exceed_the_whole_are_flagged_and_prove_nothing(bods, ask):
    statements = [bods.entity("e"), bods.holds("bad", "e", 60), bods.holds("x", "e", 60)]
    result, found = ask(statements, "e")
    assert result == ["possible"]
    assert "over 100 %" in found.notes[0].text


def test_voting_rights_are_a_graph_of_their_own(bods, ask):
    held = bods.holds("bad", "e", bods.interest(10), bods.interest(80, kind="votingRights"))
    statements = [bods.entity("e"), held]
    assert access(ask, statements) == "clear"
    assert access(ask, statements, interests=("shareholding", "votingRights")) == "restricted"


def test_what_no_statement_covers_is_unknown_where_the_rule_says_so(bods, ask):
    statements = [bods.entity("e"), bods.person("p"), bods.holds("p", "e", 40)]
    assert access(ask, statements, remainder="unknown") == "undetermined"
    assert access(ask, statements, remainder="clear") == "clear"
    enough = [bods.entity("e"), bods.person("p"), bods.holds("p", "e", 51)]
    assert access(ask, enough, remainder="unknown") == "clear"


def test_an_entity_without_statements_is_undetermined(ask, bods):
    assert access(ask, [bods.entity("other")], "e") == "undetermined"
    assert access(ask, [bods.entity("e")]) == "undetermined"


def test_a_circle_of_owners_without_anyone_behind_it_is_undetermined(ask):
    statements = bods_fixtures.load("edge-cases/10-circular-ownership").statements
    for method in ("cascade", "product"):
        got, _ = ask(statements, "rec-alpha-corp", method=method)
        assert got == ["undetermined"]
        got, found = ask(statements, "rec-alpha-corp", method=method,
                         seeds=frozenset({"rec-beta-corp"}))  # fmt: skip
        assert got == ["restricted"]
        assert found.by_entity["rec-alpha-corp"][0].low == UNIT


def test_direct_ownership_fixture(ask):
    statements = bods_fixtures.load("core/01-direct-ownership").statements
    seeds = frozenset({"rec-jane-smith-1975"})
    got, found = ask(statements, "rec-acme-holdings-ltd", seeds=seeds)
    assert got == ["restricted"]
    (step,) = found.by_entity["rec-acme-holdings-ltd"][0].chain
    assert step.sources == ("f01-r1-3b88-4cbb-bb4f-72e9c7c4d201",)
    assert (step.low, step.listed) == (75 * UNIT // 100, True)


def test_anonymous_owner_fixture(ask):
    statements = bods_fixtures.load("edge-cases/11-anonymous-person").statements
    got, found = ask(statements, "rec-opaque-holdings-sa")
    assert got == ["undetermined"]
    assert found.by_entity["rec-opaque-holdings-sa"][0].chain[0].owner is None


@pytest.mark.parametrize("missing", ["statementId", "recordId", "recordType", "recordDetails"])
def test_a_statement_that_lacks_a_field_is_named_by_place(bods, ask, missing):
    statement = bods.entity("e")
    statement.pop(missing)
    if missing == "recordType":
        statement["schema"] = "Company"
    with pytest.raises(SchemaError) as caught:
        ask([bods.entity("f"), statement], "e")
    assert "statements.json" in caught.value.where


def test_the_order_of_statements_changes_nothing(bods, ask):
    statements = [bods.entity("e"), bods.entity("m"), bods.holds("m", "e", 50),
                  bods.holds("bad", "m", bods.interest(70)), bods.holds("x", "m", 20)]  # fmt: skip
    forwards, backwards = ask(statements, "e", "m"), ask(statements[::-1], "e", "m")
    assert forwards == backwards


@pytest.mark.parametrize(
    ("code", "expected"),
    [("XX", "restricted"), ("XX-MOW", "restricted"), ("xx-ab", "restricted"), ("XXA", "clear")],
)
def test_a_subdivision_is_part_of_its_country(ask, bods, code, expected):
    statements = [bods.person("p"), bods.entity("o", place=code), bods.entity("e"),
                  bods.holds("p", "o", 100), bods.holds("o", "e", 100)]  # fmt: skip
    got, _ = ask(statements, "o", "e", jurisdictions=frozenset({"XX"}))
    assert got == [expected, expected]


def test_a_rule_may_list_a_subdivision_alone(ask, bods):
    statements = [bods.person("p"), bods.entity("o", place="XX-AB"), bods.entity("q", place="XX"),
                  bods.holds("p", "o", 100), bods.holds("p", "q", 100)]  # fmt: skip
    got, _ = ask(statements, "o", "q", jurisdictions=frozenset({"XX-AB"}))
    assert got == ["restricted", "clear"]


def test_a_jurisdiction_without_a_code_is_noted(ask, bods):
    held = bods.entity("o")
    held["recordDetails"]["jurisdiction"] = {"name": "Somewhere"}
    _, found = ask([held, bods.person("p"), bods.holds("p", "o", 100)], "o")
    assert [note.statement for note in found.notes] == ["s-o"]
