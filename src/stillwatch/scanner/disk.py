"""How many exchanges are to come and whether the disk can hold what a scan writes of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError
from stillwatch.sources import InputFile

__all__ = ["BYTES_PER_ROW", "guess_rows", "refuse_small_disk"]

# Measured: 600 bytes of tables at the fullest moment (a million exchanges), 60 more since two of
# them are not compressed (315,356), 35 of what carries a node (236,517), and 400 of what the engine
# spills at the smallest --memory; identifiers longer than usual may need half as much again.
BYTES_PER_ROW: Final = 1_100
_HEAD_BYTES: Final = 1 << 20
_PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}


def guess_rows(files: Iterable[InputFile]) -> int | None:
    """Return how many rows the files hold: exact for Parquet, else by the lines of their heads.

    None where one of them tells nothing: a pipe, an object store, a file without lines. Rows that a
    table deleted are counted, as long as their files hold them.
    """
    rows = 0
    for file in files:
        guess = _rows_of(Path(file.path)) if file.size >= 0 else None
        if guess is None:
            return None
        rows += guess
    return rows


def _rows_of(path: Path) -> int | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return int(pq.read_metadata(path).num_rows)
    packed = _PACKED.get(magic[:2])
    try:
        with pa.OSFile(str(path)) as raw:
            stream = pa.CompressedInputStream(raw, packed) if packed else raw
            head = stream.read(_HEAD_BYTES)
            read = raw.tell()
    except (OSError, pa.ArrowException):
        return None  # reading it will say what is wrong, and where
    lines = head.count(b"\n")
    return lines * path.stat().st_size // read if lines else None


def refuse_small_disk(folder: Path, rows: int | None) -> None:
    """Raise ConfigError when the disk of the folder has less room than so many rows need.

    Nothing is refused where the number of rows is unknown; a disk that fills is told then.
    """
    free = shutil.disk_usage(folder).free
    needed = (rows or 0) * BYTES_PER_ROW
    if needed > free:
        raise ConfigError(
            f"about {rows:,} exchanges need about {needed / 1e6:,.0f} MB on disk, "
            f"{free / 1e6:,.0f} MB are free",
            where="--out",
            hint="free disk space, give another --out, or a shorter window of files",
        )
