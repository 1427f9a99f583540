"""Lock files: exact, hashed, of no index, and complete."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = ("run.txt", "test.txt")


def text(name: str) -> str:
    return (ROOT / "locks" / name).read_text(encoding="utf-8")


def pins(name: str) -> list[tuple[Requirement, str]]:
    """Return each pinned requirement with the text of its hashes."""
    entries = re.split(r"\n(?=\S)", text(name).strip())
    return [
        (Requirement(entry.split("\\", 1)[0].strip()), entry.split("\\", 1)[1])
        for entry in entries
        if not entry.startswith("#")
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_an_exact_version_with_hashes(name):
    for requirement, hashes in pins(name):
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", hashes), requirement
        assert requirement.url is None


@pytest.mark.parametrize("name", LOCKS)
def test_no_index_host_or_path_is_named(name):
    assert not re.search(r"://|file:|--(extra-)?index|--find-links|-f |\.whl|/", text(name))


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("run.txt", PROJECT["dependencies"]),
        ("test.txt", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]),
    ],
)
def test_locks_hold_what_the_project_asks_for(name, wanted):
    locked: dict[str, list[str]] = {}
    for requirement, _ in pins(name):
        version = str(requirement.specifier).removeprefix("==")
        locked.setdefault(canonicalize_name(requirement.name), []).append(version)
    for need in map(Requirement, wanted):
        versions = locked[canonicalize_name(need.name)]
        assert any(need.specifier.contains(v) for v in versions), need


def test_both_locks_agree_on_versions():
    run, test = ({(r.name, str(r.specifier)) for r, _ in pins(name)} for name in LOCKS)
    assert run <= test
