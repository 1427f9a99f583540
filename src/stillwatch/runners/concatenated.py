"""Parquet files of one writer, one after the other, as it would have written the rows itself.

The pages are copied as they are; only the footer, which says where each lies, is made anew. It is
a Thrift structure in the compact protocol, read and written here without knowing more of it than
the fields that hold places and counts.

*Source*: Apache Parquet, `parquet.thrift`; Apache Thrift, compact protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from stillwatch.errors import RunnerError

__all__ = ["Value", "concatenate", "packed", "unpacked"]

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8  # length of the footer and the magic
_BLOCK: Final = 1 << 22
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS: Final = (4, 5, 6)
_LONG: Final = 15  # a list of so many values and more has its length after the header
# parquet.thrift: the numbers of the fields that are touched.
_ROWS, _GROUPS = 3, 4  # of FileMetaData
_COLUMNS, _GROUP_AT, _ORDINAL = 1, 5, 7  # of RowGroup
_CHUNK_AT, _CHUNK = 2, 3  # of ColumnChunk
_ENCRYPTED_OR_INDEXED: Final = frozenset(range(4, 10))
_PAGES_AT: Final = (9, 10, 11)  # of ColumnMetaData: data, index and dictionary pages
_BLOOM_AT: Final = 14

# An integer, the bytes of a double or a string, a list as (type, values), or a structure.
Value = int | bytes | tuple[int, list["Value"]] | dict[int, tuple[int, "Value"]]
Struct = dict[int, tuple[int, Value]]


def unpacked(data: bytes) -> Struct:
    """Return a structure in Thrift's compact protocol: number → (type, value), in their order.

    Raises RunnerError where it is none, or holds maps, of which Parquet has none.
    """
    try:
        held, end = _struct(data, 0)
    except IndexError as error:
        raise _strange("it ends early") from error
    if end != len(data):
        raise _strange("more follows than it tells of")
    return held


def packed(held: Struct) -> bytes:
    """Return the bytes of what `unpacked` returned."""
    out = bytearray()
    _put_struct(out, held)
    return bytes(out)


def concatenate(files: Sequence[Path], target: Path) -> int:
    """Write the row groups of Parquet files, in this order, to one; return its rows.

    Given row groups of the size that the writer makes, all but the last, the bytes are those that
    it writes of all the rows at once: pages by row group, then all Bloom filters, then the footer.

    Raises RunnerError where a file is no such Parquet or has another schema than the first; OSError
    where the disk does not do.
    """
    parts = [_opened(path) for path in files]
    if not parts:
        raise RunnerError("no file to write", where=target.name)
    frame = _framed(parts[0].footer)
    groups: list[Value] = []
    rows = 0
    with target.open("wb") as out:
        out.write(_MAGIC)
        moved = []
        for part in parts:
            if _framed(part.footer) != frame:
                raise RunnerError("a part has another schema than the first", where=part.path.name)
            moved.append(out.tell() - len(_MAGIC))
            _copy(part, len(_MAGIC), part.filters_at, out)
        for part, by in zip(parts, moved, strict=True):
            filters_by = out.tell() - part.filters_at
            _copy(part, part.filters_at, part.footer_at, out)
            for group in _values(part.footer, _GROUPS):
                groups.append(_moved(group, by, filters_by, len(groups)))
            rows += _number(part.footer, _ROWS)
        whole = dict(parts[0].footer)
        whole[_ROWS] = whole[_ROWS][0], rows
        whole[_GROUPS] = whole[_GROUPS][0], (_STRUCT, groups)
        footer = packed(whole)
        out.write(footer + struct.pack("<I", len(footer)) + _MAGIC)
    return rows


class _Part(NamedTuple):
    """A file. Its pages end at ``filters_at``, what else there is at ``footer_at``."""

    path: Path
    footer: Struct
    filters_at: int
    footer_at: int


def _opened(path: Path) -> _Part:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _TAIL, 0))
        tail = file.read()
        length = int.from_bytes(tail[:4], "little")
        footer_at = size - _TAIL - length
        if tail[4:] != _MAGIC or footer_at < len(_MAGIC):
            raise RunnerError("no Parquet", where=path.name)
        file.seek(footer_at)
        footer = unpacked(file.read(length))
    filters = [
        _number(chunk, _BLOOM_AT)
        for group in _values(footer, _GROUPS)
        for chunk in _chunks(group)
        if _BLOOM_AT in chunk
    ]
    return _Part(path, footer, min(filters, default=footer_at), footer_at)


def _copy(part: _Part, start: int, stop: int, out: BinaryIO) -> None:
    with part.path.open("rb") as file:
        file.seek(start)
        left = stop - start
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise RunnerError("a part ends early", where=part.path.name)
            out.write(block)
            left -= len(block)


def _framed(footer: Struct) -> Struct:
    """Return what footers of files of one writer and schema have in common."""
    return {number: held for number, held in footer.items() if number not in (_ROWS, _GROUPS)}


def _moved(group: Value, by: int, filters_by: int, ordinal: int) -> Struct:
    """Return a row group whose pages lie ``by`` bytes further on, its filters ``filters_by``."""
    new = dict(_fields(group))
    if _GROUP_AT in new:
        new[_GROUP_AT] = new[_GROUP_AT][0], _number(new, _GROUP_AT) + by
    if _ORDINAL in new:
        new[_ORDINAL] = new[_ORDINAL][0], ordinal
    columns: list[Value] = []
    for column in _values(group, _COLUMNS):
        chunk = dict(_fields(column))
        if chunk.keys() & _ENCRYPTED_OR_INDEXED:
            raise _strange("its columns are encrypted or have indexes")
        told = dict(_fields(chunk[_CHUNK][1]))
        for number in (*_PAGES_AT, _BLOOM_AT):
            if number in told:
                further = filters_by if number == _BLOOM_AT else by
                told[number] = told[number][0], _number(told, number) + further
        if _number(chunk, _CHUNK_AT):  # 0: the writer does not tell
            chunk[_CHUNK_AT] = chunk[_CHUNK_AT][0], _number(chunk, _CHUNK_AT) + by
        chunk[_CHUNK] = _STRUCT, told
        columns.append(chunk)
    new[_COLUMNS] = new[_COLUMNS][0], (_STRUCT, columns)
    return new


def _chunks(group: Value) -> list[Struct]:
    return [_fields(_fields(column)[_CHUNK][1]) for column in _values(group, _COLUMNS)]


def _fields(value: Value) -> Struct:
    if not isinstance(value, dict):
        raise _strange("a structure is missing")
    return value


def _values(value: Value, number: int) -> list[Value]:
    held = _fields(value).get(number, (_LIST, None))[1]
    if not isinstance(held, tuple):
        raise _strange("a list is missing")
    return held[1]


def _number(value: Value, number: int) -> int:
    held = _fields(value).get(number, (0, None))[1]
    if not isinstance(held, int):
        raise _strange("a number is missing")
    return held


def _strange(why: str) -> RunnerError:
    return RunnerError(f"a footer of Parquet cannot be read: {why}", where="runners.concatenated")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _struct(data: bytes, at: int) -> tuple[Struct, int]:
    held: Struct = {}
    number = 0
    while header := data[at]:
        kind, step = header & 0x0F, header >> 4
        at += 1
        if step:
            number += step
        else:
            number, at = _zigzag(data, at)
        if kind in (_TRUE, _FALSE):  # the type is the value
            held[number] = kind, kind
        else:
            value, at = _value(data, at, kind)
            held[number] = kind, value
    return held, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in _INTEGERS:
        return _zigzag(data, at)
    if kind == _STRUCT:
        return _struct(data, at)
    if kind == _BINARY:
        length, at = _varint(data, at)
        return _bytes(data, at, length), at + length
    if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a byte each
        return data[at], at + 1
    if kind == _DOUBLE:
        return _bytes(data, at, 8), at + 8
    if kind in (_LIST, _SET):
        inner, size = data[at] & 0x0F, data[at] >> 4
        at += 1
        if size == _LONG:
            size, at = _varint(data, at)
        values = []
        for _ in range(size):
            value, at = _value(data, at, inner)
            values.append(value)
        return (inner, values), at
    raise _strange(f"a value of type {kind}")


def _bytes(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise IndexError(length)
    return data[at : at + length]


def _put_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_zigzag(out: bytearray, number: int) -> None:
    _put_varint(out, number * 2 if number >= 0 else -number * 2 - 1)


def _put_struct(out: bytearray, held: Struct) -> None:
    last = 0
    for number, (kind, value) in held.items():
        if 0 < number - last <= _LONG:
            out.append((number - last) << 4 | kind)
        else:
            out.append(kind)
            _put_zigzag(out, number)
        last = number
        if kind not in (_TRUE, _FALSE):
            _put_value(out, kind, value)
    out.append(0)


def _put_value(out: bytearray, kind: int, value: Value) -> None:
    if isinstance(value, dict):
        _put_struct(out, value)
    elif isinstance(value, tuple):
        inner, values = value
        if len(values) < _LONG:
            out.append(len(values) << 4 | inner)
        else:
            out.append(_LONG << 4 | inner)
            _put_varint(out, len(values))
        for one in values:
            _put_value(out, inner, one)
    elif isinstance(value, bytes):
        if kind == _BINARY:
            _put_varint(out, len(value))
        out += value
    elif kind in _INTEGERS:
        _put_zigzag(out, value)
    else:
        out.append(value)
