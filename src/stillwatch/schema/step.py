"""A step names what it reads, what it writes, and the SQL or Arrow function that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """One move from tables to a table.

    Exactly one of ``sql`` and ``function`` is set. ``sql`` is a SELECT over views named like
    ``inputs``; the runner writes its rows, ordered by ``order_by``, to the table ``output``.
    ``function(tables, context) -> pyarrow.Table`` gets an object whose ``query(sql)`` returns
    an Arrow table over the same views. ``key`` is the column by which a distributed runner may
    split the step, or empty where the step is small and runs once.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    sql: str | None = None
    function: Callable[..., Any] | None = None
    order_by: tuple[str, ...] = ()
    key: str = ""
    optional_inputs: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if (self.sql is None) == (self.function is None):
            raise ValueError(f"step {self.name}: give either sql or function")
