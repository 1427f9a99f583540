"""Folders of table formats, which hold files that are no longer part of the table.

A folder of Delta Lake, Iceberg or Hudi keeps rows that were deleted or rewritten until it is
vacuumed; its own log says which files count. Read as plain Parquet they would come back. So a table
is read by its log, with the extra ``lake`` (`delta`, `iceberg`), or it is refused.

1. A folder with a ``_delta_log`` is one of Delta Lake, one with ``….metadata.json`` below
   ``metadata`` one of Iceberg; where it is both, the first one's log is what was written.
2. ``TABLE@NUMBER`` names a version (Delta Lake) or a snapshot (Iceberg); else the newest is read.
   Which one it is is settled when the inputs are opened, and holds for all that is read of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from stillwatch.errors import ConfigError, InputError, why
from stillwatch.sources.delta import delta_files
from stillwatch.sources.iceberg import METADATA, iceberg_files
from stillwatch.sources.lake_files import TableFile

__all__ = ["TableRefused", "refuse_table", "split_version", "table_files", "table_kind"]

_DELTA, _ICEBERG, _HUDI = "Delta Lake", "Iceberg", "Hudi"
_LOGS: Final = {"_delta_log": _DELTA, ".hoodie": _HUDI}
_READERS: Final = {_DELTA: delta_files, _ICEBERG: iceberg_files}
_CONNECTOR: Final = (
    "write what is to be read as Parquet with the table's own connector (docs/clusters.md)"
)


class TableRefused(InputError):
    """A folder is such a table; waiting does not make it anything else."""


def refuse_table(path: str, where: str) -> None:
    """Raise TableRefused for a file that tells that its folder is a table of such a format.

    ``path``: below what was given, with slashes. ``where``: what was given.
    """
    *folders, name = path.split("/")
    kind = next((_LOGS[folder] for folder in folders if folder in _LOGS), "")
    if folders[-1:] == ["metadata"] and name.endswith(METADATA):
        kind = _ICEBERG
    if kind:
        step = _CONNECTOR
        if kind in _READERS:
            step = f"`scan` and `ingest` read it from a folder of this machine; else {_CONNECTOR}"
        raise _refused(kind, where, step)


def table_kind(folder: str) -> str:
    """Return of which format a folder is a table, "" of none.

    ``folder`` may also be one ``….metadata.json`` of Iceberg.
    """
    if os.path.isfile(folder):
        inside = os.path.basename(os.path.dirname(os.path.abspath(folder))) == "metadata"
        return _ICEBERG if inside and folder.endswith(METADATA) else ""
    for mark, kind in _LOGS.items():
        if os.path.isdir(os.path.join(folder, mark)):
            return kind
    metadata = Path(folder, "metadata")
    return _ICEBERG if any(any(metadata.glob(f"*{end}")) for end in METADATA) else ""


def split_version(path: str) -> tuple[str, int | None]:
    """Return a path, and the version or snapshot that is named behind it, if one is.

    >>> split_version(".@12"), split_version("no/such/requests@12")
    (('.', 12), ('no/such/requests@12', None))
    """
    table, mark, number = path.rpartition("@")
    named = mark and number.isascii() and number.isdigit()
    if named and os.path.exists(table) and not os.path.exists(path):
        return table, int(number)
    return path, None


def table_files(path: str, version: int | None = None) -> list[TableFile]:
    """Return the data files of a table at one version, by path.

    Raises TableRefused: Hudi, or the extra is not installed. InputError: there is no such version,
    its log is damaged, it names a file that is not there, or it uses what cannot be read right.
    ConfigError: ``path`` is no table.
    """
    kind = table_kind(path)
    if not kind:
        raise ConfigError(
            "a version was named, and this is no table of Delta Lake or Iceberg", where=path,
            hint="leave out @ and the number",
        )  # fmt: skip
    if kind not in _READERS:
        raise _refused(kind, path, _CONNECTOR)
    try:
        return sorted(_READERS[kind](path, version), key=lambda file: file.path)
    except OSError as error:
        raise InputError(
            f"the table cannot be read ({why(error)})", where=path,
            hint="may whoever runs this read its folder and its log?",
        ) from error  # fmt: skip
    except ImportError as error:
        raise _refused(
            kind, path, f"to read it, pip install 'stillwatch[lake]' ({error.name} is missing); or "
            f"{_CONNECTOR}",
        ) from error  # fmt: skip


def _refused(kind: str, where: str, step: str) -> TableRefused:
    return TableRefused(
        f"a table of {kind}: its folder also holds rows that were deleted or rewritten",
        where=where,
        hint=step,
    )
