"""The map of the rooms: one list in three places, and the code holds to it."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import stillwatch

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "stillwatch"
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def listed_in_docstring() -> list[tuple[str, str]]:
    return re.findall(r"^\d+\. (\w+) +– (.+)$", stillwatch.__doc__ or "", re.MULTILINE)


def table(head: str) -> list[list[str]]:
    """Return the cells of the first table under a head line, without its rule."""
    body = MAP.split(head, 1)[1].split("\n\n", 1)[0]
    return [[c.strip() for c in line.strip("|").split("|")] for line in body.splitlines()[2:]]


ROOMS = table("| room | what it yields | imports |".removesuffix("|"))
IMPORTS = {
    room: {"errors", *(named.strip() for named in imports.split(",") if named.strip())}
    for room, _, imports in ROOMS
}
SHARED_MODULES = {
    name.strip("` "): users.split(", ")
    for modules, users, _ in table("| module | who uses it | why |".removesuffix("|"))
    for name in modules.split(",")
}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imports_of(file: Path) -> list[tuple[str, int]]:
    """Return the dotted names below stillwatch that a file imports from, with their lines."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            names = [alias.name for alias in node.names]
            if node.module == "stillwatch":
                found += [(f"stillwatch.{name}", node.lineno) for name in names]
            else:
                found.append((node.module or "", node.lineno))
    return [(n.removeprefix("stillwatch."), at) for n, at in found if n.startswith("stillwatch.")]


def test_docstring_table_and_linter_name_the_same_rooms_in_the_same_order():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    linted = [name.removeprefix("stillwatch.") for name in reversed(layers)]
    assert [(room, what) for room, what, _ in ROOMS] == listed_in_docstring()
    assert linted == [room for room, _ in listed_in_docstring()]


def test_every_room_is_on_the_map_and_has_a_tenant():
    on_disk = {room_of(file) for file in files()}
    assert on_disk == {room for room, _, _ in ROOMS}
    for room, _, _ in ROOMS:
        if (PACKAGE / room).is_dir():
            assert (PACKAGE / room / "__init__.py").is_file(), room


def test_a_room_names_only_rooms_above_it():
    order = [room for room, _, _ in ROOMS]
    for room in order[1:]:
        assert IMPORTS[room] <= set(order[: order.index(room)]), room


@pytest.mark.parametrize("room", [room for room, _, _ in ROOMS])
def test_a_room_imports_only_what_its_line_names(room):
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files()
        if room_of(file) == room
        for name, line in imports_of(file)
        if name.split(".")[0] not in IMPORTS[room] | {room, "__version__"}
        and not (room == "cli" and name == "scan")  # the public name of scanner.scan
    ]
    assert not wrong, "\n".join(wrong)


def test_every_import_that_the_map_allows_is_in_use():
    """An import that nobody makes would be a door left open."""
    used: dict[str, set[str]] = {}
    for file in files():
        used.setdefault(room_of(file), set()).update(
            "scanner" if name == "scan" else name.split(".")[0] for name, _ in imports_of(file)
        )
    for room, allowed in IMPORTS.items():
        assert allowed - {"errors"} <= used.get(room, set()), room


def test_rooms_are_entered_through_their_init():
    wrong = []
    for file in files():
        room = room_of(file)
        for name, line in imports_of(file):
            target = name.split(".")[0]
            if target == room or "." not in name:
                continue
            users = SHARED_MODULES.get(".".join(name.split(".")[:2]), [])
            if room not in users and "the flow" not in users:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", [r for r, _, _ in ROOMS if (PACKAGE / r).is_dir()])
def test_a_room_says_what_it_promises_and_lists_its_names(room):
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    assert re.search(r"\b(Input|In)\b", text), f"{room}: what goes in?"
    assert re.search(r"\b(Output|Out)\b", text), f"{room}: what comes out?"
    assert "Promise" in text or "promise" in text, f"{room}: what does it promise?"
    named = [t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets]  # type: ignore[attr-defined]
    assert "__all__" in named, room


def test_no_room_is_a_drawer_for_everything():
    drawers = {"utils", "util", "common", "lib", "helpers", "core", "base", "misc"}
    assert not [f for f in files() if f.stem in drawers or room_of(f) in drawers]
