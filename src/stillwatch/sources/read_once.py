"""Record batches, or the bytes of a query's result, as a stream that is read once."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from typing import Any

import pyarrow as pa

from stillwatch.errors import InputError

__all__ = ["BatchStream", "ReadOnce"]


class ReadOnce(io.RawIOBase):
    """What every such stream is; who reads counts in ``_given`` and names ``_where``."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._given = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        """Say yes: what was read last is still in the buffer of whoever reads this."""
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation("the result of a query is read once")

    def _broken(self) -> InputError:
        return InputError(
            "the connection to the database broke", where=self._where,
            hint="try again; nothing was left half-written",
        )  # fmt: skip


class BatchStream(ReadOnce):
    """Record batches in Arrow's stream format, one batch in memory.

    The schema comes first, with a batch of no rows, without which Arrow does not write it: who only
    wants the names asks for no batch. What ``batches`` raise is raised by whoever reads.
    """

    def __init__(
        self, where: str, schema: pa.Schema | None = None, batches: Iterable[pa.RecordBatch] = ()
    ) -> None:
        super().__init__(where)
        self._parts: list[memoryview] = []
        self._pieces: Generator[None, None, None] | None = None
        if schema is not None:
            self._write(schema, batches)

    def _write(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self._pieces = self._written(schema, batches)

    def _written(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
    ) -> Generator[None, None, None]:
        """Write the stream piece by piece into ``_parts``."""
        with pa.ipc.new_stream(pa.PythonFile(_Sink(self._parts), "w"), schema) as stream:
            none = [pa.nulls(0, field.type) for field in schema]
            stream.write_batch(pa.RecordBatch.from_arrays(none, schema=schema))
            yield
            for batch in batches:
                stream.write_batch(batch)
                yield

    def readinto(self, buffer: Any) -> int:
        while not self._parts and self._pieces is not None:
            try:
                next(self._pieces)
            except StopIteration:
                self._pieces = None
        filled = 0
        while self._parts and filled < len(buffer):
            part = self._parts[0]
            count = min(len(buffer) - filled, len(part))
            buffer[filled : filled + count] = part[:count]
            filled += count
            if count < len(part):
                self._parts[0] = part[count:]
            else:
                del self._parts[0]
        self._given += filled
        return filled

    def close(self) -> None:
        """Let the last batch go: it and this name each other, and readers stop at its end."""
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None
        self._parts.clear()
        super().close()


class _Sink(io.RawIOBase):
    """Takes what Arrow writes."""

    def __init__(self, parts: list[memoryview]) -> None:
        self._parts = parts

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        held = memoryview(bytes(data))  # not a view: Arrow takes its buffer back
        if held:
            self._parts.append(held)
        return len(held)
