"""Who was who in a world, by account."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import pyarrow.parquet as pq

__all__ = ["CORE", "PERMITTED", "Who", "read_truth"]

CORE: Final = "core"
PERMITTED: Final = "permitted"


class Who(NamedTuple):
    """What an account is. ``honest``: it may not be accused; permitted ones are neither."""

    family: str
    campaign: str | None
    role: str
    rung: int | None

    @property
    def core(self) -> bool:
        return self.role == CORE

    @property
    def honest(self) -> bool:
        return self.role not in (CORE, PERMITTED)


def read_truth(path: Path) -> dict[str, Who]:
    """Return account → who it is. Periphery and framed victims are honest."""
    columns = ("account_id", "family", "campaign", "role", "rung")
    table = pq.read_table(path, columns=list(columns))
    rows = zip(*(table[c].to_pylist() for c in columns), strict=True)
    return {account: Who(*rest) for account, *rest in rows}
