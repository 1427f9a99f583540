"""Prompts that only look dangerous, and prompts that are: the suite that ships, and others."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from stillwatch.errors import InputError
from stillwatch.prove.suite_rows import read_rows

__all__ = ["Item", "own_suite", "read_suite", "read_suites"]


@dataclass(frozen=True)
class Item:
    """One prompt; ``safe`` ones should be answered, ``unsafe`` ones refused.

    ``group``: what prompts of one kind share; a model that errs on one errs on others of its kind.
    Empty: the prompt is of a kind of its own.
    """

    prompt_id: str
    prompt: str
    label: Literal["safe", "unsafe"]
    group: str = ""


def own_suite() -> tuple[Item, ...]:
    """Return the 60 prompts that ship: 30 topics, each asked harmlessly and harmfully."""
    shelf = tomllib.loads((files(__package__) / "guardrail_suite.toml").read_text("utf-8"))
    return tuple(
        item
        for k, (safe, unsafe) in enumerate(shelf["pairs"], 1)
        for item in (
            Item(f"own-{k:02}-safe", safe, "safe"),
            Item(f"own-{k:02}-unsafe", unsafe, "unsafe"),
        )
    )


def read_suite(path: Path) -> tuple[Item, ...]:
    """Return the prompts of a suite in the layout that it was published in, by prompt_id.

    The layout is told by the columns (`suite_rows`): XSTest, HarmBench, StrongREJECT, AdvBench.
    Repeats of a prompt (XSTest's published table has one a model) are dropped.

    Raises:
        InputError: the file cannot be read, has no prompt, or one id stands for two prompts.
        SchemaError: the columns are those of no known layout, or a cell is wrong.
    """
    items: dict[str, Item] = {}
    for row in read_rows(path):
        item = Item(row.prompt_id, row.prompt, row.label, row.group)
        if items.setdefault(item.prompt_id, item) != item:
            raise InputError(
                "one id stands for two prompts", where=path.name, hint="give each an id of its own"
            )
    return tuple(items[name] for name in sorted(items))


def read_suites(paths: Sequence[Path]) -> tuple[Item, ...]:
    """Return the prompts of several suites as one; those that ship where none is given.

    Raises:
        InputError, SchemaError: as :func:`read_suite`; one id stands for two prompts.
    """
    if not paths:
        return own_suite()
    items: dict[str, Item] = {}
    for path in paths:
        for item in read_suite(path):
            if items.setdefault(item.prompt_id, item) != item:
                raise InputError(
                    "holds an id that stands for another prompt in a suite before it",
                    where=path.name,
                    hint="compare the two one at a time",
                )
    return tuple(items[name] for name in sorted(items))
