"""A run narrowed to what one page is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.store.run import Run

__all__ = ["Part"]


class Part(Run):
    """A run narrowed to one campaign or one account: what does not concern it reads as absent."""

    def __init__(
        self,
        run: Run,
        campaigns: list[dict[str, Any]],
        tables: dict[str, Callable[[], pa.Table]],
        links_of: Callable[[str], list[dict[str, Any]]] | None = None,
    ) -> None:
        super().__init__(run.path)
        self._tables, self._links_of = tables, links_of
        self.campaigns = campaigns
        self.summary = run.summary
        wanted = {c.get("campaign_id") for c in campaigns}
        self.frames = [f for f in run.frames if f.get("campaign_id") in wanted]
        self.shared = run.shared

    def has(self, name: str) -> bool:
        """Tell whether this part holds the table."""
        return name in self._tables

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table as far as it concerns this part. Raises InputError: it has none."""
        if name not in self._tables:
            raise InputError(f"this part of the run has no {name}", where=str(self.path))
        held = self._tables[name]()
        return held if columns is None else held.select(list(columns))

    def links_of(self, account_id: str, campaigns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return an account's links as `Run.links_of` does."""
        if self._links_of is None:
            return super().links_of(account_id, campaigns)
        return self._links_of(account_id)
