"""Help that can be read and copied: no line is cut, and every example is one that is taken."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from stillwatch.cli.app import app
from stillwatch.cli.help_lines import _LINES, EXAMPLES, example_of


def held(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command and group below a group, by its words."""
    for name, one in group.commands.items():
        yield f"{before}{name}", one
        if hasattr(one, "commands"):
            yield from held(one, f"{before}{name} ")


ALL = dict(held(typer.main.get_command(app)))
GROUPS = [words for words, one in ALL.items() if hasattr(one, "commands")]


@pytest.mark.parametrize("words", GROUPS)
def test_no_line_of_a_groups_list_is_cut_at_80_columns(stillwatch, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    listed = stillwatch(*words.split(), "--help").out.partition("Commands:")[2].splitlines()[1:]
    assert listed
    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize("words", sorted(EXAMPLES))
def test_an_example_is_taken_as_it_stands(words):
    """Unknown options, missing arguments and values of a wrong type would raise here."""
    command = ALL[words]
    with command.make_context(words, shlex.split(EXAMPLES[words])) as context:
        assert context.params


def test_help_shows_the_example_below_the_options(stillwatch):
    told = stillwatch("explain", "--help").out
    assert told.endswith("Example:\n    stillwatch explain acct_1 --run run\n")


def test_lines_and_examples_are_of_commands_that_exist():
    assert set(_LINES) | set(EXAMPLES) <= set(ALL)
    assert not set(EXAMPLES) & set(GROUPS)
    assert example_of("no such command") == ""


def test_every_command_that_a_first_reader_meets_has_an_example():
    first = {w for w in ALL if " " not in w} - set(GROUPS)
    assert first <= set(EXAMPLES)


def test_no_line_is_longer_than_the_list_has_room_for():
    for words, line in _LINES.items():
        assert re.fullmatch(r"[A-Z].{1,54}\.", line), words


def test_what_means_the_same_to_two_commands_of_canaries_is_named_alike():
    """Names of before are taken too."""
    said: dict[str, set[tuple[Any, ...]]] = {}
    taken: dict[str, set[str]] = {}
    for words in ("plan", "register", "order", "likelihoods", "audit", "score"):
        for option in ALL[f"prove canary {words}"].params:
            taken.setdefault(words, set()).update(option.opts)
            said.setdefault(option.opts[0], set()).add((option.help, option.default))
    alike = ("--registry", "--public-key", "--seed", "--looks", "--alpha", "--log-probabilities")
    assert {name: len(said[name]) for name in alike} == dict.fromkeys(alike, 1)
    with_key = {words for words in taken if "--key" in taken[words]}
    assert with_key == {"register", "order", "audit", "score"}
    signs = {words for words in taken if "--private-key" in taken[words]}
    assert signs == {"register", "order", "score"}
    assert {"--model", "--name"} <= taken["likelihoods"]
