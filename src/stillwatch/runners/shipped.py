"""This package, packed for workers whose Python does not have it.

A compiled kernel cannot be imported from an archive, so the engine unpacks it (Spark's archives),
and a task first looks there. What the package needs itself (DuckDB, pyarrow …) is not sent.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import platform
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import stillwatch

__all__ = ["Shipped", "machine", "opened", "pack"]

_OLDEST: Final = (1980, 1, 1, 0, 0, 0)


class Shipped(NamedTuple):
    """An archive, the folder that workers find it in, and the kind of machine that it is for."""

    archive: Path
    folder: str
    machine: str


def machine() -> str:
    """Return what a compiled kernel depends on, such as ``linux-x86_64-CPython``.

    It is built for Python's stable interface, so that a minor version does not matter.
    """
    return f"{sys.platform}-{platform.machine()}-{platform.python_implementation()}"


def pack(into: Path) -> Shipped:
    """Pack this package, its compiled kernel with it, into a folder; the same files, same bytes."""
    root = Path(stillwatch.__file__).parent
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = zipfile.ZipInfo(str(path.relative_to(root.parent)), _OLDEST)
                name.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(name, path.read_bytes())
    folder = f"stillwatch-{hashlib.sha256(sink.getvalue()).hexdigest()[:16]}"
    target = into / f"{folder}.zip"
    target.write_bytes(sink.getvalue())
    return Shipped(target, folder, machine())


def opened(
    packed: bytes, folder: str, made_for: str, batches: Iterator[Any]
) -> Iterator[Any]:  # fmt: skip
    """Run a pickled task, with the package that was sent where it is for such a machine.

    This function and `machine` travel by value: the worker may have no stillwatch. On another
    kind of machine the worker's own counts, of which the first tasks compare the version.
    """
    from pyspark import SparkFiles

    place = str(Path(SparkFiles.getRootDirectory(), folder).absolute())
    if machine() == made_for and Path(place).is_dir() and place not in sys.path:
        sys.path.insert(0, place)
    task: Callable[[Iterator[Any]], Iterator[Any]] = pickle.loads(packed)  # noqa: S301 - our own
    yield from task(batches)
