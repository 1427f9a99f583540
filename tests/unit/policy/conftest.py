"""A rule, statements in a file, and the answer of one on the other."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from datetime import date
from pathlib import Path

import pytest

from stillwatch.policy.owners import answer_all, read_rules, read_statements

TODAY = date(2026, 11, 26)
_RULE = """
[[rule]]
id = "r"
title = "half"
method = "cascade"
threshold_percent = "50"
operator = ">="
interests = ["shareholding"]
remainder = "clear"
in_force = [{ from = 2020-01-01 }]
[rule.legal_status]
text = "made up"
checked_on = 2026-11-26
[rule.seeds]
version = "v1"
entities = ["bad"]
"""


def _builder():
    name = "bods_builder"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bods():
    return _builder()


@pytest.fixture
def rule(tmp_path):
    file = tmp_path / "rule.toml"
    file.write_text(_RULE, encoding="utf-8")
    (made,) = read_rules(file)
    return made


@pytest.fixture
def ask(tmp_path, rule):
    """Return the answers on entities that statements give under a rule with some changes."""

    def answers(statements, *entities, at=TODAY, **changes):
        file = tmp_path / "statements.json"
        file.write_text(json.dumps(statements), encoding="utf-8")
        register = read_statements([file], at)
        changed = dataclasses.replace(rule, **changes)
        found = answer_all(register, [changed], entities, at)
        return [found.strictest_of(e).access for e in entities], found

    return answers
