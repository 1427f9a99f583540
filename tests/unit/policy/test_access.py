"""Counsel's policy file: what it may ask, what it may answer, and what it cites."""

from __future__ import annotations

import ast
import inspect
import tomllib
from datetime import date
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError, InputError, NotPermitted
from stillwatch.policy import (
    Ladder,
    access,
    example_policy,
    ladder_from_mapping,
    ownership_table,
    read_policy,
    verdict_of_access,
)
from stillwatch.policy.owners import Answer
from stillwatch.schema import ACCESS, STANDINGS, VERDICTS

RULES = ["r1", "r2"]


def answer(word, rule="r1"):
    return Answer("e", word, rule, "shareholding", 0, 0, 0, (), "v1", date(2026, 11, 26))


@pytest.fixture
def policy(tmp_path):
    def read(more="", *, text=None):
        file = tmp_path / "policy.cedar"
        shipped = example_policy().read_text(encoding="utf-8")
        file.write_text(shipped + more if text is None else text, encoding="utf-8")
        return read_policy(file, RULES)

    return read


@pytest.mark.parametrize("word", ACCESS)
def test_the_shipped_policy_repeats_one_answer_and_cites_its_policy(policy, word):
    decided = policy().decide("e", [answer(word)])
    assert decided.access == word
    assert len(decided.policies) == len(decided.cites) == 1


def test_the_strictest_policy_stands_and_all_are_cited(policy):
    decided = policy().decide("e", [answer("restricted"), answer("undetermined", "r2")])
    assert decided.access == "restricted"
    assert decided.policies == ("owned-by-listed-parties", "owners-not-known")


def test_counsel_can_let_one_rule_ask_for_more_only(policy):
    text = """
    @id("all") @access("clear") @cites("default")
    permit (principal, action, resource);
    @id("r2-only") @access("possible") @cites("paragraph 3")
    forbid (principal, action, resource == Service::"batch")
    when { context.restricted.contains("r2") };
    """
    read = policy(text=text)
    held = [answer("restricted", "r2"), answer("restricted", "r1")]
    assert read.decide("e", held, service="batch").access == "possible"
    assert read.decide("e", held, service="batch").cites == ("paragraph 3",)
    assert read.decide("e", held, service="chat").access == "clear"


def test_a_file_that_permits_nothing_asks_for_more_and_denies_nothing(policy):
    text = """
    @id("f") @access("restricted") @cites("x")
    forbid (principal, action, resource) when { context.restricted.contains("r1") };
    """
    assert policy(text=text).decide("e", [answer("clear")]).access == "undetermined"
    assert policy(text=text).decide("e", []).access == "undetermined"
    assert policy(text=text).decide("e", [answer("restricted")]).access == "restricted"


@pytest.mark.parametrize("word", ["possible", "undetermined"])
@pytest.mark.parametrize("when", ['context.{}.contains("r2")', "!context.{}.isEmpty()"])
def test_a_policy_that_denies_on_not_knowing_is_refused(policy, word, when):
    more = f"""
    @id("too-strict") @access("restricted") @cites("x")
    forbid (principal, action, resource) when {{ {when.format(word)} }};
    """
    with pytest.raises(NotPermitted, match="too-strict"):
        policy(more)


def test_a_policy_that_restricts_everyone_is_refused(policy):
    with pytest.raises(NotPermitted):
        policy('@id("a") @access("restricted") @cites("x") forbid (principal, action, resource);')


@pytest.mark.parametrize("word", ["possible", "undetermined"])
@pytest.mark.parametrize(
    ("scope", "when"),
    [('principal, action, resource == Service::"batch"', "!context.{}.isEmpty()"),
     ('principal == Owner::"acme", action, resource', "!context.{}.isEmpty()"),
     ("principal, action, resource",
      '!context.{}.isEmpty() && context.clear.isEmpty() && context.{other}.contains("r2")')],
    ids=["one service", "one owner", "two words"],
)  # fmt: skip
def test_no_policy_restricts_whom_no_rule_restricts_whatever_it_singles_out(
    policy, word, scope, when
):
    """It cannot be seen when it is read; a file that forbids so gives no more than the answer."""
    other = {"possible": "undetermined", "undetermined": "possible"}[word]
    read = policy(f"""
    @id("sly") @access("restricted") @cites("x")
    forbid ({scope}) when {{ {when.format(word, other=other)} }};
    """)
    held = [answer(word, "r1"), answer(other, "r2")]
    found = read.decide("acme", held, service="batch")
    assert (found.access, "sly" in found.policies) == ("possible", True)
    if other == "undetermined":
        return
    only = read.decide("acme", [answer(word, "r1")], service="batch")
    assert only.access == "undetermined"


@pytest.mark.parametrize(
    "attribute", ["nationality", "country", "language", "name", "birthDate", "residence"]
)
@pytest.mark.parametrize("place", ["principal", "context"])
def test_a_policy_cannot_ask_about_a_person(policy, place, attribute):
    more = f"""
    @id("p") @access("restricted") @cites("x")
    forbid (principal, action, resource) when {{ {place}.{attribute} == "XX" }};
    """
    with pytest.raises(ConfigError, match="asks for what is no input"):
        policy(more)


@pytest.mark.parametrize(
    ("more", "match"),
    [('@access("restricted") @cites("x") forbid (principal, action, resource);', "@id"),
     ('@id("x") @cites("x") forbid (principal, action, resource);', "@access"),
     ('@id("x") @access("possible") forbid (principal, action, resource);', "@cites"),
     ('@id("x") @access("clear") @cites("x") forbid (principal, action, resource);', "expected"),
     ('@id("x") @access("possible") @cites("x") permit (principal, action, resource);', "expected"),
     ('@id("serve") @access("clear") @cites("x") permit (principal, action, resource);', "one @id"),
     ('@id("t") @access("clear") @cites("x") permit (principal == ?principal, action, resource);',
      "templates"),
     ("forbid (principal", "not Cedar")],
)  # fmt: skip
def test_damaged_policies_are_refused(policy, more, match):
    with pytest.raises(ConfigError, match=match):
        policy(more)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError):
        read_policy(tmp_path / "none.cedar", RULES)


def test_an_identifier_cannot_break_out_of_its_place(policy):
    hostile = 'e" || true || "\n@id("x") permit (principal, action, resource);'
    assert policy().decide(hostile, [answer("restricted")]).access == "restricted"


def test_not_knowing_never_denies():
    """By no ladder: it is checked over every verdict that a setting could hold."""
    for word in ("possible", "undetermined"):
        for verdict in VERDICTS:
            setting = {f"access_{word}": verdict}
            if verdict in ("deny", "throttle"):
                with pytest.raises(ConfigError, match=r"never denied|has no budget"):
                    Ladder(**setting)
                continue
            carried = "watch" if verdict == "step_up" else verdict  # nowhere to verify: a deny
            assert verdict_of_access(word, Ladder(**setting)) == carried
            where = Ladder(**setting, step_up_url="https://verify.example")
            assert verdict_of_access(word, where) == verdict
    with pytest.raises(ConfigError, match="has no budget"):
        Ladder(access_restricted="throttle")
    with pytest.raises(ConfigError, match="never denied"):
        Ladder(access_end_users="deny")
    assert verdict_of_access("restricted", Ladder(access_restricted="deny")) == "deny"
    assert verdict_of_access("clear", Ladder()) == "allow"


def test_the_documents_table_of_verdicts_is_the_ladders():
    """docs/ownership.md: by default, and what the ladder that it shows for enforcing gives."""
    text = (Path(__file__).parents[3] / "docs" / "ownership.md").read_text("utf-8")
    shown = tomllib.loads(text.split("```toml\n", 1)[1].split("```", 1)[0])
    enforcing = ladder_from_mapping(shown)
    for word in ACCESS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {word} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        told = (verdict_of_access(word, Ladder()), verdict_of_access(word, enforcing))
        assert tuple(cells[2:4]) == told


@pytest.mark.parametrize("module", [access, ownership_table])
def test_no_standing_can_be_said(module):
    words = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not words & (set(STANDINGS) - set(ACCESS))
