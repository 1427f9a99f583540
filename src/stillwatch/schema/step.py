"""A step names what it reads, what it writes, and the SQL or Arrow function that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from stillwatch.schema.settings import Settings

__all__ = ["Along", "Desk", "Step"]


class Desk(Protocol):
    """What a step's function works at: its settings, and SQL over its input tables."""

    settings: Settings
    columns: frozenset[str]

    def query(self, sql: str, **tables: Any) -> Any:
        """Return a pyarrow.Table; ``tables`` are further Arrow tables by name for this query."""


@dataclass(frozen=True)
class Along:
    """An order of a step's rows by which its work can be cut into stretches.

    ``columns``: of the first input, a time and then a text; no two rows of the output have the
    same of both, and they stand in their order. The SQL on the input's rows between two of them,
    beside the other inputs as a whole, gives what the SQL on all rows gives of that stretch, but
    for ``number``, an output column that counts rows from 0. ``places(settings)`` returns a SELECT
    of the columns of each row that the step will give.
    """

    columns: tuple[str, str]
    number: str
    places: Callable[[Any], str]


@dataclass(frozen=True)
class Step:
    """One move from tables to a table.

    Exactly one of ``sql`` and ``function`` is set. ``sql(settings)`` returns a SELECT over
    views named like ``inputs``; the runner writes its rows, ordered by ``order_by``, to the table
    ``output``. ``function(desk) -> pyarrow.Table`` gets a `Desk`, whose ``query(sql)`` returns an
    Arrow table over the same views. ``key``: a column of the first of ``inputs`` such that the
    SQL on the rows of some of its values, beside the other inputs as a whole, gives what the SQL on
    all rows gives of those values; empty where there is none. ``reads``: the columns of the
    first input that the SQL of such a step names; an engine moves no others. ``group_rows``: rows
    of a Parquet row group, small where single keys are looked up; 0 leaves it to the runner.
    ``bulky``: the table is as long and wide as the log, and written fast rather than small.
    ``passing``: it is removed when the run is finished, and written as it is. ``along``: by what
    an engine cuts a step that no key splits; its SQL gives the rows in that order.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    sql: Callable[[Any], str] | None = None
    function: Callable[..., Any] | None = None
    order_by: tuple[str, ...] = ()
    key: str = ""
    reads: tuple[str, ...] = ()
    group_rows: int = 0
    bulky: bool = False
    passing: bool = False
    along: Along | None = None

    def __post_init__(self) -> None:
        if (self.sql is None) == (self.function is None):
            raise ValueError(f"step {self.name}: give either sql or function")
        if bool(self.key) != (self.key in self.reads):
            raise ValueError(f"step {self.name}: a key is one of the columns that it reads")
        if self.along is not None and (self.key or self.order_by or self.sql is None):
            raise ValueError(f"step {self.name}: SQL alone says in which order it stands along")
