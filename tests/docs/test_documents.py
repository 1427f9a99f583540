"""Documents cannot drift: what they name exists, and what exists is named."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import stillwatch
from stillwatch.cli.app import app
from stillwatch.signals import TESTS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "locks").glob("*.md")])


def leaves(group: Any, before: str = "") -> dict[str, Any]:
    """Return every command by its words, such as "hub member add"."""
    found: dict[str, Any] = {}
    for name, one in group.commands.items():
        inner = hasattr(one, "commands")
        found |= leaves(one, f"{before}{name} ") if inner else {f"{before}{name}": one}
    return found


COMMANDS: dict[str, Any] = leaves(typer.main.get_command(app))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_those_that_the_code_gives(generate):
    stale = [n for n, made in generate.DOCUMENTS.items() if text(ROOT / "docs" / n) != made()]
    assert stale == [], "run `make docs`"


def test_every_signal_has_a_page_and_every_page_a_signal():
    pages = {p.stem for p in (ROOT / "docs" / "signals").glob("*.md")} - {"README"}
    assert pages == {test.name for test in TESTS}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text(page))
    dead = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert not dead, f"{page.name}: {dead}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_command_lines_in_documents_are_ones_that_exist(page):
    for line in re.findall(r"^ {4}\S*stillwatch (.+)$", text(page), re.MULTILINE):
        words = shlex.split(line, comments=True)
        name = max((c for c in COMMANDS if words[: c.count(" ") + 1] == c.split()), default="")
        assert name in COMMANDS, line
        command = COMMANDS[name]
        while hasattr(command, "commands"):
            word = words.pop(0)
            assert word in command.commands, line
            command = command.commands[word]
        known = {option for p in command.params for option in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, line


def test_every_command_and_option_has_a_sentence():
    for name, command in COMMANDS.items():
        assert command.help, name
        for p in command.params:
            assert p.help, f"{name} {p.opts[0]}"


def test_make_targets_in_documents_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", text(ROOT / "Makefile"), re.MULTILINE))
    named = {t for page in PAGES for t in re.findall(r"(?:`| {4})make ([a-z]+)\b", text(page))}
    assert named
    assert named <= targets


def test_first_screen_of_the_readme_has_what_a_newcomer_needs():
    screen = "\n".join(text(ROOT / "README.md").splitlines()[:40])
    for needed in ("make demo", "make test", "docs/report.png", "What it does not claim"):
        assert needed in screen


def test_changelog_begins_with_this_version():
    versions = re.findall(r"^## (\S+)", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == stillwatch.__version__


def test_documents_make_no_promise_of_commands_that_do_not_exist():
    named = {name for page in PAGES for name in re.findall(r"`stillwatch ([a-z]+)\b", text(page))}
    assert named <= {name.split()[0] for name in COMMANDS}
