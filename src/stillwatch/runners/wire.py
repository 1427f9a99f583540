"""Rows on their way through an engine's shuffle: Spark has no unsigned numbers and no fixed bytes.

A number or a time goes as the signed integer of the same bits, fixed bytes as bytes; both ways
without a change of value, whatever an engine makes of types that it does not know.
"""

from __future__ import annotations

import pyarrow as pa

from stillwatch.errors import RunnerError

__all__ = ["ddl", "received", "sent"]

_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_NAMES = {
    pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INT", pa.int64(): "BIGINT",
    pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN",
    pa.string(): "STRING", pa.binary(): "BINARY",
}  # fmt: skip


def _wire_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return _SIGNED[kind.bit_width]
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    return kind


def ddl(schema: pa.Schema) -> str:
    """Return the columns on the wire as an engine declares them.

    Raises RunnerError for a type that has no place there (lists, structs, decimals).
    """
    names = []
    for field in schema:
        kind = _NAMES.get(_wire_type(field.type))
        if kind is None:
            raise RunnerError(
                f"columns of type {field.type} cannot be split by a key", where=field.name,
                hint="leave the column out of the step's `reads`",
            )  # fmt: skip
        names.append(f"`{field.name}` {kind}")
    return ", ".join(names)


def sent(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch in the types of the wire."""
    columns = []
    for column in batch.columns:
        kind = _wire_type(column.type)
        if pa.types.is_fixed_size_binary(column.type):
            columns.append(column.cast(kind))
        else:
            columns.append(column.view(kind) if kind != column.type else column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def received(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch in its own types, from the wire's or what an engine made of those."""
    columns = []
    for field in schema:
        kind = _wire_type(field.type)
        column = batch.column(field.name).cast(kind)
        if pa.types.is_fixed_size_binary(field.type):
            columns.append(column.cast(field.type))
        else:
            columns.append(column.view(field.type) if kind != field.type else column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
