"""Paths become input files in one order: files, globs, directories, ``-``, ``s3://``."""

from __future__ import annotations

import codecs
import glob
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources.lake_files import TableFile
from stillwatch.sources.lakes import refuse_table, split_version, table_files, table_kind
from stillwatch.sources.object_store import S3, list_objects, open_object, plain_name
from stillwatch.sources.warehouse import WAREHOUSES, open_query, read_query

__all__ = ["HEAD_BYTES", "InputFile", "find_files", "open_file", "short_names"]

HEAD_BYTES = 256 << 10
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SEEKING = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class InputFile:
    """One file: ``name`` for messages (without the host's directories), path, size in bytes.

    ``size`` is -1 for a stream. ``query``: what a database at ``path`` is asked, "" for files.
    ``table``: which rows and columns of a file of a Delta Lake or Iceberg table count.
    """

    name: str
    path: str
    size: int
    query: str = ""
    table: TableFile | None = field(default=None, compare=False, repr=False)


def find_files(
    paths: Iterable[str | os.PathLike[str]],
    query: str | os.PathLike[str] | None = None,
    *,
    tables: bool = False,
) -> list[InputFile]:
    """Return the files behind ``paths``, sorted by path, each once; hidden ones are left out.

    A file that is given by several names has the first of them.

    ``query``: file of what a database among them is asked. ``tables``: a folder that is a table of
    Delta Lake or Iceberg gives the files of its newest version, or of that behind ``@``.

    Raises InputError when a path does not exist, nothing is found, or a folder is a table that
    cannot be read; ConfigError when there is a query and no database, or the other way round.
    """
    given = [os.fspath(path) for path in paths]
    if any(path.startswith(WAREHOUSES) for path in given) or query is not None:
        return [_database(given, query)]
    found: dict[str, int] = {}
    held: dict[str, TableFile] = {}
    roots: dict[str, TableFile] = {}
    owners: dict[str, str] = {}
    plain: set[str] = set()
    for path in given:
        scheme = path.partition("://")[0]
        if scheme != path and scheme != "s3" and not os.path.exists(path):
            raise InputError(  # the address may hold a password
                "an address of this kind cannot be read", where=f"{scheme[:16]}://…",
                hint="give files, globs, directories, s3://, postgresql:// or -",
            )  # fmt: skip
        if path == "-":
            found[path] = -1
        elif path.startswith(S3):
            found.update(list_objects(path))
        else:
            for place, size, part in _on_disk(path, tables):
                real = os.path.realpath(place)
                if part is None and place not in found and real in plain:
                    continue
                plain.add(real)
                if part is not None:
                    root = os.path.realpath(part.snapshot.root)
                    _refuse_versions(roots.setdefault(root, part), part)
                    if real in owners:  # its table was given twice, by two names
                        _refuse_owners(owners[real], root)
                        continue
                    owners[real] = root
                    held[place] = part
                found[place] = size
    if not found:
        raise InputError(
            "there is no file in it" if given else "no input files", where=", ".join(given),
            hint="names that begin with . or _ are left out, and a table without rows has none; "
            "give files, globs, directories, s3:// or -",
        )  # fmt: skip
    names = short_names(list(found))
    return [
        InputFile(names[path], path, found[path], table=held.get(path)) for path in sorted(found)
    ]


def _database(paths: list[str], query: str | os.PathLike[str] | None) -> InputFile:
    if len(paths) != 1 or not paths[0].startswith(WAREHOUSES) or query is None:
        raise ConfigError(
            "a database and its query go together, and are the only input",
            where="--query", hint="scan postgresql://HOST/DATABASE --query FILE.sql",
        )  # fmt: skip
    scheme = paths[0].partition("://")[0]
    name = f"{'postgresql' if scheme == 'postgres' else scheme}:{Path(query).name}"
    return InputFile(name, paths[0], -1, read_query(Path(query)))


_Found = Iterator[tuple[str, int, TableFile | None]]


def _on_disk(path: str, tables: bool) -> _Found:
    table, version = split_version(path) if tables else (path, None)
    if version is not None or (tables and os.path.isfile(path) and table_kind(path)):
        yield from _of_table(table, version)
    elif os.path.isdir(path):
        yield from _walk(path, tables)
    elif os.path.exists(path):
        yield path, os.path.getsize(path) if os.path.isfile(path) else -1, None
    elif _GLOB & set(path):
        matches = glob.glob(path, recursive=True)
        if not matches:
            raise InputError("no file matches", where=path, hint="look what is there with ls")
        for match in matches:
            if os.path.isdir(match):
                yield from _walk(match, tables)
            else:
                yield match, os.path.getsize(match), None
    else:
        raise InputError(
            "no such file or directory", where=path,
            hint="give files, globs, directories, s3://, postgresql:// or -",
        )  # fmt: skip


def _of_table(path: str, version: int | None) -> _Found:
    for part in table_files(path, version):
        yield part.path, os.path.getsize(part.path), part


def _refuse_versions(one: TableFile, other: TableFile) -> None:
    if one.snapshot[1:] != other.snapshot[1:]:
        raise ConfigError(
            "one table is given at two versions", where=one.snapshot.name, hint="give one of them"
        )


def _refuse_owners(one: str, other: str) -> None:
    if one != other:
        raise ConfigError(
            f"it shares a data file with the table {os.path.basename(one)}, whose rows would be "
            "read twice", where=os.path.basename(other), hint="give one of them (is one a clone?)",
        )  # fmt: skip


def _walk(folder: str, tables: bool) -> _Found:
    for root, folders, files in os.walk(folder):
        if tables and table_kind(root):
            folders.clear()
            yield from _of_table(root, None)
            continue
        below = os.path.relpath(root, folder).replace(os.sep, "/")
        for name in (*files, *(f"{one}/" for one in folders)):
            refuse_table(f"{below}/{name}", folder)
        folders[:] = [f for f in folders if not f.startswith((".", "_"))]
        for file in files:
            if not file.startswith((".", "_")):
                full = os.path.join(root, file)
                yield full, os.path.getsize(full), None


def short_names(paths: list[str]) -> dict[str, str]:
    """Return each path below the folder that all of them share: unique, and the same anywhere."""
    local = {p: os.path.abspath(p) for p in paths if p != "-" and not p.startswith(S3)}
    shared = os.path.commonpath([os.path.dirname(p) for p in local.values()]) if local else ""
    names = {p: os.path.relpath(full, shared) for p, full in local.items()}
    return {p: names.get(p, "<stdin>" if p == "-" else plain_name(p)) for p in paths}


@contextmanager
def open_file(file: InputFile) -> Iterator[tuple[BinaryIO, bytes]]:
    """Open a file decompressed, and give its first bytes beside the stream at its start.

    Compression is told by magic bytes (gzip, zstd), never by the name.

    Raises InputError when it cannot be opened or a compressed stream is damaged.
    """
    try:
        raw = _raw(file)
    except OSError as error:
        raise InputError(f"cannot open ({_why(error)})", where=file.name) from error
    with raw:
        magic = raw.peek(8)[:8]
        packed = "gzip" if magic[:2] == _GZIP else "zstd" if magic[:4] == _ZSTD else ""
        if not packed and (file.size >= 0 or file.query) and magic[:2] not in _UTF16:
            first = raw.peek(HEAD_BYTES)[:HEAD_BYTES]
            yield cast(BinaryIO, raw), first
            return
        stream = pa.CompressedInputStream(pa.PythonFile(raw), packed) if packed else raw
        peekable = io.BufferedReader(_Raw(stream, file.name), HEAD_BYTES)
        first = peekable.peek(HEAD_BYTES)[:HEAD_BYTES]
        if first[:2] in _UTF16:
            peekable = io.BufferedReader(
                _Raw(_FromUtf16(cast(BinaryIO, peekable)), file.name), HEAD_BYTES
            )
            first = peekable.peek(HEAD_BYTES)[:HEAD_BYTES]
        if first.startswith(_SEEKING):
            with tempfile.TemporaryFile() as spool:
                shutil.copyfileobj(peekable, spool)
                spool.seek(0)
                yield cast(BinaryIO, spool), first
            return
        yield cast(BinaryIO, peekable), first


class _FromUtf16:
    """A stream of UTF-16, as PowerShell and Excel write it, read as UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-16")("replace").decode
        self._pending = b""

    def read(self, size: int) -> bytes:
        while not self._pending:
            chunk = self._stream.read(size)
            self._pending = self._decode(chunk, not chunk).encode()
            if not chunk:
                break
        out, self._pending = self._pending[:size], self._pending[size:]
        return out


def _raw(file: InputFile) -> io.BufferedReader:
    if file.table is not None:
        return io.BufferedReader(file.table.open(file.name), HEAD_BYTES)
    if file.query:
        return io.BufferedReader(open_query(file.path, file.query, file.name), HEAD_BYTES)
    if file.path == "-":
        return io.BufferedReader(_Raw(sys.stdin.buffer, file.name), HEAD_BYTES)
    if file.path.startswith(S3):
        return io.BufferedReader(_Raw(open_object(file.path), file.name), HEAD_BYTES)
    return cast(io.BufferedReader, Path(file.path).open("rb", buffering=HEAD_BYTES))


class _Raw(io.RawIOBase):
    """Arrow's stream as a raw Python file whose errors name the file."""

    def __init__(self, stream: object, name: str) -> None:
        self._stream = stream
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(getattr(self._stream, "seekable", lambda: False)())

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._stream.seek(offset, whence))  # type: ignore[attr-defined]

    def tell(self) -> int:
        return int(self._stream.tell())  # type: ignore[attr-defined]

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        filled = 0
        try:
            while filled < len(view):
                data = self._stream.read(len(view) - filled)  # type: ignore[attr-defined]
                if not data:
                    break
                view[filled : filled + len(data)] = data
                filled += len(data)
        except (OSError, EOFError, pa.ArrowException) as error:
            raise InputError(
                "damaged or truncated compressed data",
                where=self._name,
                hint="copy the file again, or decompress what is left with zcat or zstdcat",
            ) from error
        return filled


def _why(error: BaseException) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror) if strerror else type(error).__name__
