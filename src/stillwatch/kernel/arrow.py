"""A record batch of exchanges → a record batch of features: the Arrow side of the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.errors import SchemaError
from stillwatch.kernel import intents, reference
from stillwatch.kernel.features import COLUMN_BYTES, KERNEL_VERSION, TOPIC_SIZE
from stillwatch.kernel.implementation import native

__all__ = ["FEATURES", "batch", "text_column"]

_INTEGERS: Final = {2: pa.uint16(), 4: pa.uint32(), 8: pa.uint64()}
FEATURES: Final[pa.Schema] = pa.schema(
    [
        pa.field(name, _INTEGERS.get(width, pa.binary(TOPIC_SIZE)), nullable=False)
        for name, width in COLUMN_BYTES.items()
    ],
    metadata={"stillwatch.kernel_version": str(KERNEL_VERSION)},
)
_TEXT_COLUMNS: Final = ("tool_schema", "output_text", "reasoning_text", "reasoning_blob")
_ALIGNMENT: Final = 64
# So many rows' text stays in the cache between the kernel and the pattern matcher, and its memory
# is taken from the heap again instead of from the system: a fifth of the time of a whole batch.
_SPAN_ROWS: Final = 512

# What C reads of a column: (offset, length, large, validity, offsets, data).
Column = tuple[int, int, bool, pa.Buffer | None, pa.Buffer | None, pa.Buffer | None]


def batch(record_batch: pa.RecordBatch) -> pa.RecordBatch:
    """The features of each row, in order, in the schema ``FEATURES``, without nulls.

    Reads the columns messages, tools, tool_schema, output_text, reasoning_text and
    reasoning_blob, where present; a missing column counts as null. A row's result depends on
    that row alone. *Raises* SchemaError for a column of a wrong type, ValueError for buffers
    that contradict their offsets, ConfigError where hyperscan is missing.
    """
    arrays = _arrays(record_batch)
    kernel = native()
    if kernel is None:
        return _batch_slowly(arrays, record_batch.num_rows)
    rows = record_batch.num_rows
    sizes = {
        name: -(-rows * width // _ALIGNMENT) * _ALIGNMENT for name, width in COLUMN_BYTES.items()
    }
    out = pa.allocate_buffer(sum(sizes.values()))
    columns: dict[str, pa.Array] = {}
    at = 0
    for field in FEATURES:
        buffer = out.slice(at, rows * COLUMN_BYTES[field.name])
        if field.name == "intents":
            found = np.frombuffer(out, dtype=np.uint64, count=rows, offset=at)
        columns[field.name] = pa.Array.from_buffers(field.type, rows, [None, buffer])
        at += sizes[field.name]
    given = [text_column(array) for array in arrays.values()]
    for first in range(0, rows, _SPAN_ROWS):
        stop = min(first + _SPAN_ROWS, rows)
        text, starts = kernel.batch(rows, first, stop, out, *given)
        found[first:stop] = intents.match_rows(text, np.frombuffer(starts, dtype=np.uint64))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=FEATURES)


def _arrays(record_batch: pa.RecordBatch) -> dict[str, pa.Array | None]:
    """The ten arrays that C reads, in its order; None for what the batch lacks."""
    messages = _list_array(record_batch, "messages")
    if messages is not None and pa.types.is_null(messages.type.value_type):
        messages = None  # every list is empty
    if messages is not None and not pa.types.is_struct(messages.type.value_type):
        raise _wrong_type("messages", "list<struct<role, content>>", messages.type)
    message = None if messages is None else messages.values
    tools = _list_array(record_batch, "tools")
    return {
        "messages": messages,
        "message": message,
        "role": _text_array(_field(message, "role"), "messages.role"),
        "content": _text_array(_field(message, "content"), "messages.content"),
        "tools": tools,
        "tool": _text_array(tools.values if tools is not None else None, "tools"),
        **{name: _text_array(_top_level(record_batch, name), name) for name in _TEXT_COLUMNS},
    }


def _wrong_type(where: str, expected: str, got: pa.DataType) -> SchemaError:
    return SchemaError(f"expected {expected}, got {got}", where=where, hint="cast the column")


def _top_level(record_batch: pa.RecordBatch, name: str) -> pa.Array | None:
    index = record_batch.schema.get_field_index(name)
    return None if index < 0 else record_batch.column(index)


def _field(struct: pa.StructArray | None, name: str) -> pa.Array | None:
    """A child, cut to the struct's slice; the struct's own nulls stay with the struct."""
    if struct is None or struct.type.get_field_index(name) < 0:
        return None
    return struct.field(name)


def _list_array(record_batch: pa.RecordBatch, name: str) -> pa.Array | None:
    array = _top_level(record_batch, name)
    if array is None or pa.types.is_null(array.type):
        return None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return array
    if pa.types.is_fixed_size_list(array.type) or "list_view" in str(array.type):
        return array.cast(pa.list_(array.type.value_type))
    raise _wrong_type(name, "a list", array.type)


def _text_array(array: pa.Array | None, where: str) -> pa.Array | None:
    """The array as (large) string or binary; None for a missing one or one of nulls alone."""
    if array is None or pa.types.is_null(array.type):
        return None
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _text_array(array.cast(kind.value_type), where)
    if kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        return array
    if kind in (pa.string_view(), pa.binary_view()):
        return array.cast(pa.large_binary())
    raise _wrong_type(where, "string or binary", kind)


def text_column(array: pa.Array | None) -> Column | None:
    """What C reads of an array; None for a missing one."""
    if array is None:
        return None
    kind = array.type
    large = kind in (pa.large_string(), pa.large_binary()) or pa.types.is_large_list(kind)
    validity, offsets, data, *_ = [*_own_buffers(array), None, None]
    return array.offset, len(array), large, validity, offsets, data


def _own_buffers(array: pa.Array) -> list[pa.Buffer | None]:
    """The buffers of the array without those of its children."""
    count = 1 if pa.types.is_struct(array.type) else 3
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        count = 2
    buffers: list[pa.Buffer | None] = array.buffers()[:count]
    return buffers


def _batch_slowly(arrays: Mapping[str, pa.Array | None], rows: int) -> pa.RecordBatch:
    found = []
    for exchange in _exchanges(arrays, rows):
        bits = intents.match_slowly(reference.scan_text(exchange))
        found.append(reference.featurize(exchange, bits))
    columns = [
        pa.array([getattr(row, field.name) for row in found], type=field.type) for field in FEATURES
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FEATURES)


def _exchanges(arrays: Mapping[str, pa.Array | None], rows: int) -> Iterator[dict[str, Any]]:
    """The rows as mappings of bytes: text that is not UTF-8 passes."""
    roles, contents, names = (_bytes_list(arrays[key]) for key in ("role", "content", "tool"))
    texts = {key: _bytes_list(arrays[key]) for key in _TEXT_COLUMNS}
    message = arrays["message"]
    present = [] if message is None else message.is_valid().to_pylist()
    for row in range(rows):
        messages = [
            {"role": roles[i] if roles else None, "content": contents[i] if contents else None}
            for i in _children(arrays["messages"], row)
            if present[i]
        ]
        tools = [names[i] for i in _children(arrays["tools"], row) if names]
        yield {
            "messages": messages,
            "tools": tools,
            **{key: values[row] if values else None for key, values in texts.items()},
        }


def _bytes_list(array: pa.Array | None) -> list[bytes | None]:
    if array is None:
        return []
    values: list[bytes | None] = array.cast(pa.large_binary()).to_pylist()
    return values


def _children(array: pa.Array | None, row: int) -> range:
    """The places of a row's items in ``array.values``."""
    if array is None or not array[row].is_valid:
        return range(0)
    return range(array.offsets[row].as_py(), array.offsets[row + 1].as_py())
