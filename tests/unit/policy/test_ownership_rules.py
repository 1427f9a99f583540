"""Rules in TOML: the shipped examples, dates, and everything that is refused."""

from __future__ import annotations

from datetime import date

import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.policy import example_rules, read_rules

GOOD = """
[[rule]]
id = "r"
title = "t"
method = "cascade"
threshold_percent = "50"
operator = ">="
interests = ["shareholding"]
remainder = "unknown"
in_force = [{ from = 2025-09-29, until = 2025-11-10 }, { from = 2027-01-01 }]
[rule.legal_status]
text = "x"
checked_on = 2026-11-26
[rule.seeds]
version = "v"
entities = ["a"]
"""


@pytest.fixture
def read(tmp_path):
    def rules(text):
        file = tmp_path / "r.toml"
        file.write_text(text, encoding="utf-8")
        return read_rules(file)

    return rules


@pytest.mark.parametrize("name", sorted(example_rules()))
def test_shipped_examples_state_and_date_their_legal_status_and_list_nobody(name):
    for rule in read_rules(example_rules()[name]):
        assert len(rule.legal_status) > 100
        assert rule.checked_on == date(2026, 11, 26)
        assert not rule.seeds
        assert not rule.jurisdictions


def test_the_shipped_thresholds_and_operators():
    rules = {r.rule_id: r for file in example_rules().values() for r in read_rules(file)}
    shown = {k: (r.method, r.threshold, r.operator) for k, r in rules.items()}
    assert shown == {
        "ofac-50-percent": ("cascade", 5 * 10**8, ">="),
        "bis-affiliates": ("cascade", 5 * 10**8, ">="),
        "terms-majority": ("product", 5 * 10**8, ">"),
    }
    assert not rules["bis-affiliates"].in_force_on(date(2026, 11, 26))
    assert rules["ofac-50-percent"].in_force_on(date(2026, 11, 26))


@pytest.mark.parametrize(
    ("day", "applies"),
    [(date(2025, 9, 28), False), (date(2025, 9, 29), True), (date(2025, 11, 9), True),
     (date(2025, 11, 10), False), (date(2026, 11, 26), False), (date(2027, 1, 1), True)],
)  # fmt: skip
def test_a_rule_applies_on_the_days_it_is_in_force(read, day, applies):
    (rule,) = read(GOOD)
    assert rule.in_force_on(day) is applies


def test_a_rule_not_in_force_answers_nothing_and_is_named(ask, bods):
    got = [bods.entity("e"), bods.holds("bad", "e", 100)]
    _, found = ask(got, "e")
    assert found.not_in_force == ()
    from stillwatch.policy.owners import answer_all, read_rules
    from stillwatch.policy.owners.holdings import Register

    rules = read_rules(example_rules()["bis_affiliates"])
    found = answer_all(Register({}, (), ()), rules, ["e"], date(2026, 11, 26))
    assert found.by_entity == {"e": ()}
    assert found.not_in_force == ("bis-affiliates",)


def test_a_list_can_stand_in_a_file_beside_the_rule(read, tmp_path):
    (tmp_path / "list.txt").write_text("b # comment\n\n# none\nc\n", encoding="utf-8")
    (rule,) = read(GOOD + 'file = "list.txt"\n')
    assert rule.seeds == {"a", "b", "c"}
    with pytest.raises(InputError, match="seed list"):
        read(GOOD + 'file = "absent.txt"\n')


@pytest.mark.parametrize(
    ("old", "new"),
    [('"cascade"', '"sum"'), ('">="', '"=="'), ('"50"', '"0"'), ('"50"', '"101"'), ('"50"', '"x"'),
     ('"50"', "true"), ('"50"', '"nan"'), ('["shareholding"]', "[]"), ('"unknown"', '"other"'),
     ("checked_on = 2026-11-26", 'checked_on = "today"'), ("from = 2025-09-29", "on = 2025-09-29"),
     ("until = 2025-11-10", "until = 2025-09-29"), ('version = "v"', ""),
     ('text = "x"', 'text = ""'),
     ('title = "t"', ""), ('title = "t"', 'title = "t"\nnationality = "XX"'),
     ('entities = ["a"]', "entities = [1]"), ('entities = ["a"]', 'nationalities = ["XX"]')],
)  # fmt: skip
def test_wrong_rules_are_refused(read, old, new):
    assert old in GOOD
    with pytest.raises(ConfigError):
        read(GOOD.replace(old, new))


def test_other_wrong_files_are_refused(read, tmp_path):
    for text in ("", "x = 1", "[[rule", GOOD + GOOD):
        with pytest.raises(ConfigError):
            read(text)
    with pytest.raises(InputError):
        read_rules(tmp_path / "absent.toml")
