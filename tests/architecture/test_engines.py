"""An engine is opened in `sources`, `runners` and `store` alone (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "stillwatch"
ENGINES = {"duckdb", "pyspark", "pysail"}
ALLOWED = {"sources", "runners", "store"}


def mentions(tree: ast.AST) -> list[tuple[str, int]]:
    """Return engines that code imports, by statement or by a name in a string."""
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if node.value in ENGINES else []
        found += [(n, node.lineno) for n in names if n.split(".")[0] in ENGINES]  # type: ignore[attr-defined]
    return found


def test_only_three_rooms_open_an_engine():
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line} opens {engine}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.relative_to(PACKAGE).parts[0] not in ALLOWED
        for engine, line in mentions(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_search_sees_every_way_of_importing():
    code = "import duckdb\nfrom duckdb import connect\nimport_module('duckdb')\nx = 'no duckdb'\n"
    assert [line for _, line in sorted(mentions(ast.parse(code)), key=lambda m: m[1])] == [1, 2, 3]


def test_rooms_that_may_open_an_engine_do():
    for room in ALLOWED:
        opened = [
            mentions(ast.parse(file.read_text(encoding="utf-8")))
            for file in (PACKAGE / room).rglob("*.py")
        ]
        assert any(opened), f"{room} opens no engine: take it off the list"
