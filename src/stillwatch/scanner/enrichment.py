"""What is joined to exchanges before the kernel sees them, and what explains and counts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.enrich import (
    Accounts,
    Context,
    Networks,
    disposable_accounts,
    read_domains,
    read_keys,
    read_networks,
)
from stillwatch.errors import ConfigError

__all__ = ["Enrichment"]

_PACKAGE: Final = "package"


class Enrichment:
    """Side tables that are joined by the row, as a scan was given them.

    ``columns``: those of an exchange that they can fill. ``files``: name of the option → file, to
    know a run's request by.

    Raises InputError, SchemaError, ConfigError: what a side table is wrong in.
    """

    def __init__(
        self, accounts: Accounts | None, keys: str | Path | None,
        networks: Sequence[str | Path], disposable: str | Path | None,
    ) -> None:  # fmt: skip
        if disposable and accounts is None:
            raise ConfigError(
                "looks up email_domain of the accounts, of which there is no table",
                where="--disposable", hint="give --accounts too",
            )  # fmt: skip
        owners = read_keys(keys) if keys else None
        lookups: Networks | None = read_networks(networks) if networks else None
        told = [one for one in (owners, lookups) if one is not None]
        self.columns = frozenset[str]().union(*(one.columns() for one in told))
        self.files: dict[str, str | Path | None] = {
            "keys": keys,
            "disposable": None if disposable == _PACKAGE else disposable,
            **{f"networks {n}": str(one).rpartition("=")[2] for n, one in enumerate(networks)},
        }
        self._context = Context()
        self._changes: list[Callable[[pa.RecordBatch], pa.RecordBatch]] = [
            *(one.apply for one in told), self._context.watch,
        ]  # fmt: skip
        self._disposable = (
            disposable_accounts(accounts.table, read_domains(disposable))
            if disposable and accounts
            else None
        )

    def batches(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the exchanges with all that is joined to them."""
        for change in self._changes:
            batches = map(change, batches)
        return batches

    def context(self) -> pa.Table | None:
        """Return, when all was read, what explains accounts (CONTEXT schema); None for nothing."""
        table = self._context.table()
        if self._disposable is not None:
            table = pa.concat_tables([table, self._disposable])
        return table if table.num_rows else None
