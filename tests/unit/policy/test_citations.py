"""A citation says the rule, its version and text, and every holding with its dates."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date

import pytest

from stillwatch.errors import EvidenceError
from stillwatch.policy import (
    answer_owners,
    describe_citation,
    example_policy,
    example_rules,
    read_citations,
    read_policy,
    read_rules,
    read_statements,
    write_citations,
)

DAY = date(2026, 11, 26)


@pytest.fixture
def rules(tmp_path):
    text = example_rules()["ofac_50_percent"].read_text(encoding="utf-8")
    file = tmp_path / "rules.toml"
    file.write_text(text.replace("entities = []", 'entities = ["p-1"]'), encoding="utf-8")
    return read_rules(file)


@pytest.fixture
def statements(bods):
    first = bods.interest(60, startDate="2019-04")
    second = bods.interest(51, startDate="2021-05-06", endDate="2030-01-01")
    return [
        bods.person("p-1"), bods.entity("mid"), bods.entity("shop"), bods.entity("other"),
        bods.holds("p-1", "mid", first),
        bods.holds("mid", "shop", second, statementDate="2026-02-03"),
    ]  # fmt: skip


@pytest.fixture
def cited(tmp_path, rules, statements):
    file = tmp_path / "statements.json"
    policy = read_policy(example_policy(), [r.rule_id for r in rules])

    def answered(known=rules, *, said=statements, day=DAY):
        file.write_text(json.dumps(said), encoding="utf-8")
        register = read_statements([file], day)
        return answer_owners(register, known, policy, ["shop", "other"], day)

    return answered


def test_the_chain_has_documents_percentages_and_dates(cited, rules):
    rows, _, (_, shop) = cited()
    assert shop.said["owner_entity_id"] == "shop"
    (rule,) = shop.said["rules"]
    assert (rule["id"], rule["version"]) == ("ofac-50-percent", rules[0].version)
    assert "guidance of 13 August 2014" in rule["text"]
    held = [(s["owner"], s["asset"], s["low"], s["listed"], s["sources"]) for s in rule["chain"]]
    assert held == [
        ("mid", "shop", 510_000_000, False,
         [{"statement": "s-rel-mid-shop", "stated": "2026-02-03", "since": "2021-05-06",
           "until": "2030-01-01"}]),
        ("p-1", "mid", 600_000_000, True,
         [{"statement": "s-rel-p-1-mid", "stated": "2026-01-01", "since": "2019-04-01",
           "until": None}]),
    ]  # fmt: skip
    told = [p for _, points in describe_citation(shop) for p in points]
    assert (
        "mid holds 51 % of shop (statement s-rel-mid-shop of 2026-02-03 held since 2021-05-06 "
        "until 2030-01-01)"
    ) in told
    assert rows[1].citation == shop.citation_id


def test_what_leaves_the_analysts_hands_names_rule_and_version_and_nobody(cited, rules):
    rows, _, _ = cited()
    words = rows[1].rules
    assert f"rule ofac-50-percent version {rules[0].version}" in words
    assert "policy owned-by-listed-parties (an ownership rule in force is met" in words
    assert not any(name in words for name in ("shop", "mid", "p-1", "s-rel"))


def test_a_rule_that_says_anything_else_has_another_version(rules):
    rule = rules[0]
    changed = {
        "threshold": 1, "in_force": ((date(2020, 1, 1), None),), "checked_on": date(2020, 1, 1),
        "seeds": frozenset({"p-2"}), "jurisdictions": frozenset({"XX"}), "interests": ("other",),
    }  # fmt: skip
    for field in fields(rule):
        other = replace(rule, **{field.name: changed.get(field.name, "other")})
        assert other.version != rule.version, field.name
    assert replace(rule).version == rule.version


def test_the_proof_stays_while_the_answer_follows_from_the_same(cited, rules, statements, bods):
    rows, _, (_, shop) = cited()
    assert rows[1].proof == shop.proof
    rule = rules[0]
    grown = replace(rule, seeds=rule.seeds | {"p-9"}, list_version="longer")
    elsewhere = [*statements, bods.person("p-9"), bods.holds("p-9", "other", bods.interest(70))]
    same = {
        "another day": cited(day=date(2026, 11, 27)),
        "the list grew elsewhere": cited([grown], said=elsewhere),
        "counsel wrote the text anew": cited([replace(rule, legal_status="new", title="new")]),
    }  # fmt: skip
    for why, (_, _, (_, again)) in same.items():
        assert again.citation_id != shop.citation_id, why
        assert again.proof == shop.proof, why


def test_the_proof_is_another_where_statement_share_list_or_rule_changes_it(
    cited, rules, statements, bods
):
    _, _, (_, shop) = cited()
    rule = rules[0]

    def stated(share: int, **more):
        return [*statements[:-1], bods.holds("mid", "shop", bods.interest(share), **more)]

    changed = {
        "a share": cited(said=stated(52)),
        "a statement that says the same again": cited(
            said=stated(51, statementDate="2026-11-01", statementId="s-confirmed-in-november")
        ),
        "an owner in between is listed": cited([replace(rule, seeds=rule.seeds | {"mid"})]),
        "the threshold": cited([replace(rule, threshold=rule.threshold - 1_000)]),
        "another rule says so too": cited([rule, replace(rule, rule_id="also")]),
    }  # fmt: skip
    assert all(said.said["access"] == "restricted" for _, _, (_, said) in changed.values())
    proofs = {why: said.proof for why, (_, _, (_, said)) in changed.items()}
    assert shop.proof not in proofs.values(), proofs
    assert len(set(proofs.values())) == len(proofs)


def test_the_file_grows_by_what_is_new_and_shows_a_change(cited, rules, tmp_path):
    file = tmp_path / "citations.jsonl"
    _, _, first = cited()
    assert write_citations(file, first) == 2
    assert write_citations(file, first) == 0
    _, _, later = cited([replace(rules[0], list_version="another list")])
    assert write_citations(file, later) == 2
    assert [c.citation_id for c in read_citations(file)] == [
        c.citation_id for c in (*first, *later)
    ]
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("510000000", "490000000"), encoding="utf-8")
    with pytest.raises(EvidenceError, match="changed since"):
        list(read_citations(file))
