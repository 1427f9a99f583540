"""Tables of Iceberg: what their metadata name at one snapshot, by pyiceberg, without a catalog.

The library reads metadata and manifests; the files are read as any Parquet is (`lake_files`), a
batch at a time. Columns are found by their ids, so that a renamed one is itself, and one that was
dropped and made anew under its name is not.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.sources.lake_files import (
    Column,
    Positions,
    Snapshot,
    TableFile,
    elsewhere,
    gone,
)
from stillwatch.sources.source import DAMAGE

__all__ = ["METADATA", "iceberg_files"]

METADATA: Final = (".metadata.json", ".metadata.json.gz")
_KIND: Final = "Iceberg"
_HINT: Final = "version-hint.text"
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER: Final = re.compile(rf"(?!{_UUID}\.)v?(\d+)(?:-[^.]*)?(?:\.gz)?\.metadata\.json(?:\.gz)?")
_GZIP: Final = b"\x1f\x8b"
_SHOWN: Final = 5
_MOST_BYTES: Final = 256 << 20


def iceberg_files(path: str, version: int | None) -> list[TableFile]:
    """Return the data files of a table at a snapshot, None: the newest of its main branch.

    ``path``: the table's folder, or one of its ``….metadata.json``.

    1. Metadata: the file that was named, else that of the highest number.
    2. Schema: the table's own, or of a snapshot that was named the one that it was written with.
    3. Files and the positions deleted in them: as the manifests say. Deletes by equality are
       refused.

    Raises ImportError: no pyiceberg. InputError as `lakes.table_files`.
    """
    from pyiceberg.table import DataScan

    place = _metadata_file(path)
    metadata, io = _metadata(place), _LocalIO(path)
    if version is not None and metadata.snapshot_by_id(version) is None:
        raise _no_snapshot(metadata, path, version)
    scan = DataScan(table_metadata=metadata, io=io, snapshot_id=version)
    held = scan.snapshot()
    if held is None:
        return []
    try:
        tasks = list(scan.plan_files())
    except InputError:
        raise
    except Exception as error:  # Avro readers raise whatever the bytes bring about
        raise _why(held, io, path, error) from error
    schema = scan.projection()
    root = os.path.dirname(os.path.dirname(os.path.abspath(place)))
    snapshot = Snapshot(root, _KIND, held.snapshot_id, schema.schema_id)
    return [_file(task, metadata, schema, snapshot, io, path) for task in tasks]


def _metadata_file(path: str) -> Path:
    """Return the newest metadata of a table's folder. Raises InputError: two may be the newest.

    Where a file system alone holds the table, names are v1, v2 … and a name is taken once. Where a
    catalog does, a commit that failed may leave a file behind; the catalog alone knows of it. One
    that is named by a UUID alone was never committed: a file system's commit gives it its number.
    """
    if os.path.isfile(path):
        return Path(path)
    folder = Path(path, "metadata")
    found: dict[int, list[Path]] = {}
    for name in sorted(os.listdir(folder)):
        match = _NUMBER.fullmatch(name)
        if match:
            found.setdefault(int(match[1]), []).append(folder / name)
    hint = folder / _HINT
    if hint.is_file():
        hinted = hint.read_text("utf-8", "replace").strip()
        if hinted.endswith(METADATA[0]) and (folder / Path(hinted).name).is_file():
            return folder / Path(hinted).name
    newest = found[max(found)] if found else []
    if len(newest) != 1:
        raise InputError(
            "it does not tell which metadata file is the newest", where=f"{path}/metadata",
            hint="name the one that its catalog names: scan TABLE/metadata/….metadata.json",
        )  # fmt: skip
    return newest[0]


def _metadata(place: Path) -> Any:
    from pyiceberg.exceptions import ValidationError
    from pyiceberg.table.metadata import TableMetadataUtil

    try:
        with place.open("rb") as raw:
            packed = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            data = (gzip.GzipFile(fileobj=raw) if packed else raw).read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise _too_large(place)
        return TableMetadataUtil.parse_raw(data.decode())
    except (ValidationError, ValueError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"the table's metadata cannot be read ({type(error).__name__})", where=str(place),
            hint="restore the file, or name an older one: scan TABLE/metadata/….metadata.json",
        ) from error  # fmt: skip


def _too_large(place: Path) -> InputError:
    return InputError(
        f"the table's metadata are larger than {_MOST_BYTES >> 20} MB", where=str(place),
        hint="have the table's own engine expire snapshots (expire_snapshots)",
    )  # fmt: skip


def _no_snapshot(metadata: Any, path: str, version: int) -> InputError:
    newest = [str(s.snapshot_id) for s in metadata.snapshots[-_SHOWN:]]
    return InputError(
        f"the table has no snapshot {version}", where=path,
        hint=f"its newest are {', '.join(newest)}" if newest else "it has none yet",
    )  # fmt: skip


class _LocalIO:
    """Opens the table's files, on this machine alone.

    The table's own properties, which may name any class to be loaded, are not asked.
    """

    def __init__(self, path: str) -> None:
        from pyiceberg.io.pyarrow import PyArrowFileIO

        self._io = PyArrowFileIO()
        self._path = path
        self.properties: dict[str, str] = {}

    def new_input(self, location: str) -> Any:
        place = _place(location, self._path)
        if not os.path.isfile(place):  # what is no file, such as a pipe, may never end
            raise gone(place)
        return self._io.new_input(location)


def _place(location: str, where: str) -> str:
    """Return the path of a location, as pyiceberg takes it: nothing in it is quoted."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    scheme, host, place = PyArrowFileIO.parse_location(location)
    if scheme != "file" or host not in ("", "localhost"):
        raise elsewhere(scheme, where)
    return str(place)


def _why(held: Any, io: Any, path: str, error: Exception) -> InputError:
    """Return what is wrong with manifests that the library did not read."""
    if "equality deletes" in str(error):
        return InputError(
            f"a table of {_KIND} that cannot be read right: rows deleted by equality", where=path,
            hint="rewrite its data files with the table's own engine (rewrite_data_files), or "
            "write what is to be read as Parquet (docs/sources/tables.md)",
        )  # fmt: skip
    at = held.manifest_list
    try:
        for manifest in held.manifests(io):
            at = manifest.manifest_path
            manifest.fetch_manifest_entry(io)
    except Exception as damage:  # noqa: BLE001 (as readers of Avro do)
        error = damage
    return InputError(
        f"the table's manifests cannot be read ({type(error).__name__})", where=_place(at, path),
        hint="restore the file, or name an older snapshot: TABLE@N",
    )  # fmt: skip


def _file(
    task: Any, metadata: Any, schema: Any, snapshot: Snapshot, io: Any, path: str
) -> TableFile:
    place = _place(task.file.file_path, path)
    if not os.path.isfile(place):
        raise gone(place)
    if task.file.file_format != "PARQUET":
        raise InputError(
            f"a data file in {task.file.file_format.value}, and only Parquet is read", where=place,
            hint="rewrite it with the table's own engine (rewrite_data_files)",
        )  # fmt: skip
    for delete in task.delete_files:
        if not os.path.isfile(_place(delete.file_path, path)):
            raise gone(_place(delete.file_path, path))
    columns = partial(_columns, schema, metadata, task.file, place)
    return TableFile(place, snapshot, columns, partial(_deleted, task, io))


def _columns(schema: Any, metadata: Any, file: Any, where: str, stored: pa.Schema) -> list[Column]:
    """Return those of the table's columns that a file has; of others it is as if all were null.

    *Source*: Iceberg's specification, "Column Projection": a column that a file lacks has the value
    of its partition where that is the value itself, else its initial default, else null.
    """
    from pyiceberg.io.pyarrow import (
        UnsupportedPyArrowTypeException,
        pyarrow_to_schema,
        schema_to_pyarrow,
    )
    from pyiceberg.schema import index_name_by_id

    try:
        ids = pyarrow_to_schema(
            stored, metadata.name_mapping(), downcast_ns_timestamp_to_us=True,
            format_version=metadata.format_version,
        )  # fmt: skip
    except (ValueError, UnsupportedPyArrowTypeException) as error:
        raise InputError(
            f"its columns do not tell which of the table's they are ({type(error).__name__})",
            where=where, hint="rewrite it with the table's own engine (rewrite_data_files)",
        ) from error  # fmt: skip
    held = index_name_by_id(ids)
    wanted = index_name_by_id(schema)
    values = _identities(metadata, file)
    columns = []
    for one in schema.fields:
        mine = held.get(one.field_id)
        if mine is not None:
            _refuse_renamed_inside(wanted[one.field_id], mine, wanted, held, where)
            columns.append(Column(one.name, mine))
            continue
        value = values.get(one.field_id, one.initial_default)
        if value is not None:
            kind = schema_to_pyarrow(one.field_type, include_field_ids=False)
            columns.append(Column(one.name, None, pa.scalar(value, kind)))
    return columns


def _identities(metadata: Any, file: Any) -> dict[int, Any]:
    """Return the values of a file's partition that are values of columns, by the column's id."""
    from pyiceberg.transforms import IdentityTransform

    fields = metadata.specs()[file.spec_id].fields
    return {
        part.source_id: file.partition[place]
        for place, part in enumerate(fields)
        if isinstance(part.transform, IdentityTransform)
    }


def _refuse_renamed_inside(
    name: str, mine: str, wanted: dict[int, str], held: dict[int, str], where: str
) -> None:
    """Raise InputError where what is inside a column has other names in the file than now."""
    now = {i: path[len(name) :] for i, path in wanted.items() if path.startswith(f"{name}.")}
    then = {i: path[len(mine) :] for i, path in held.items() if path.startswith(f"{mine}.")}
    if any(now.get(i, path) != path or (i not in now and path in now.values())
           for i, path in then.items()):  # fmt: skip
        raise InputError(
            f"a field inside the column {name} was renamed or made anew", where=where,
            hint="rewrite its data files with the table's own engine (rewrite_data_files)",
        )  # fmt: skip


def _deleted(task: Any, io: Any) -> Positions:
    """Return the rows of a data file that its delete files name."""
    found = [_positions(delete, task.file.file_path, io) for delete in task.delete_files]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _positions(delete: Any, data: str, io: Any) -> Positions:
    place = _place(delete.file_path, delete.file_path)
    try:
        if delete.file_format == "PUFFIN":
            return _of_vector(delete, data, io)
        parts: Iterable[pa.RecordBatch] = pq.ParquetFile(place).iter_batches(
            columns=["file_path", "pos"], use_threads=False
        )
        kept = [
            batch.filter(pc.equal(batch["file_path"], data))["pos"].to_numpy() for batch in parts
        ]
    except FileNotFoundError as error:
        raise gone(place) from error
    except DAMAGE as error:
        raise InputError(
            f"the list of deleted rows cannot be read ({type(error).__name__})", where=place,
            hint="restore the file, or name an older snapshot: TABLE@N",
        ) from error  # fmt: skip
    return np.concatenate(kept).astype(np.int64) if kept else np.empty(0, np.int64)


def _check_vector(blob: bytes) -> None:
    """Raise ValueError for a vector that is damaged, or of more than 2³² rows: pyiceberg sees
    neither, and takes memory by the highest row's upper half.

    *Source*: Iceberg's puffin-spec.md, "deletion-vector-v1".
    """
    size = int.from_bytes(blob[:4], "big")
    body, check = blob[4 : 4 + size], blob[4 + size : 8 + size]
    if zlib.crc32(body).to_bytes(4, "big") != check:
        raise ValueError("checksum")
    count, key = int.from_bytes(body[4:12], "little"), int.from_bytes(body[12:16], "little")
    if count > 1 or (count and key):
        raise ValueError("rows beyond 2**32")


def _of_vector(delete: Any, data: str, io: Any) -> Positions:
    from pyiceberg.table.deletion_vector import (
        PROPERTY_REFERENCED_DATA_FILE,
        deletion_vectors_from_puffin_file,
    )
    from pyiceberg.table.puffin import PuffinFile

    with io.new_input(delete.file_path).open() as held:
        puffin = PuffinFile(held.read())
    blobs = [b for b in puffin.footer.blobs
             if b.properties.get(PROPERTY_REFERENCED_DATA_FILE) == data]  # fmt: skip
    for blob in blobs:
        _check_vector(puffin.get_blob_payload(blob))
    puffin.footer = puffin.footer.model_copy(update={"blobs": blobs})
    mine = [v.to_vector().to_numpy() for v in deletion_vectors_from_puffin_file(puffin)]
    rows = np.concatenate(mine).astype(np.int64) if mine else np.empty(0, np.int64)
    if len(rows) != delete.record_count:
        raise InputError(
            "the list of deleted rows is not the one that the table's manifests name",
            where=_place(delete.file_path, delete.file_path),
            hint="restore the file, or name an older snapshot: TABLE@N",
        )
    return rows
