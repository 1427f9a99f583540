"""Folders of table formats, which hold files that are no longer part of the table.

A folder of Delta Lake, Iceberg or Hudi keeps rows that were deleted or rewritten until it is
vacuumed; its own log says which files count. Read as plain Parquet they would come back.
"""

from __future__ import annotations

from typing import Final

from stillwatch.errors import InputError

__all__ = ["TableRefused", "refuse_table"]

_LOGS: Final = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}
_ICEBERG: Final = ("metadata", (".metadata.json", ".metadata.json.gz"))


class TableRefused(InputError):
    """A folder is such a table; waiting does not make it anything else."""


def refuse_table(path: str, where: str) -> None:
    """Raise TableRefused for a file that tells that its folder is a table of such a format.

    ``path``: below what was given, with slashes. ``where``: what was given.
    """
    *folders, name = path.split("/")
    kind = next((_LOGS[folder] for folder in folders if folder in _LOGS), "")
    if folders[-1:] == [_ICEBERG[0]] and name.endswith(_ICEBERG[1]):
        kind = "Iceberg"
    if kind:
        raise TableRefused(
            f"a table of {kind}: its folder also holds rows that were deleted or rewritten",
            where=where,
            hint="write what is to be read as Parquet with the table's own connector "
            "(docs/clusters.md)",
        )
