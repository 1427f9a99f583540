"""Prompts that only look dangerous, and prompts that are: the suite that ships, and others."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError, SchemaError

__all__ = ["Item", "own_suite", "read_suite"]


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
    """Return the prompts of a Parquet file with id (or prompt_id), prompt and prompt_label.

    A column ``type`` names the kind of prompt, where there is one. XSTest's published table has
    this form; its repeats by model are dropped.

    Raises:
        InputError: the file cannot be read.
        SchemaError: a column is absent, or a label is neither safe nor unsafe.
    """
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError("cannot be read as Parquet", where=path.name) from error
    key = "prompt_id" if "prompt_id" in table.column_names else "id"
    if not {key, "prompt", "prompt_label"} <= set(table.column_names):
        raise SchemaError("columns id, prompt and prompt_label are needed", where=path.name)
    items = {}
    columns = [table.column(c).to_pylist() for c in (key, "prompt", "prompt_label")]
    known = "type" in table.column_names
    kinds = table.column("type").to_pylist() if known else [None] * table.num_rows
    for name, prompt, label, kind in zip(*columns, kinds, strict=True):
        if label not in ("safe", "unsafe"):
            raise SchemaError("a prompt_label is neither safe nor unsafe", where=path.name)
        items[str(name)] = Item(str(name), prompt, label, str(kind or ""))
    return tuple(items[name] for name in sorted(items))
