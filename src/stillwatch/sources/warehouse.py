"""The result of an SQL query as an Arrow stream: PostgreSQL through ADBC, batch by batch.

ClickHouse, BigQuery and Snowflake are beside it, untested (`untested_warehouses`).

The query runs in a transaction that may only read. Its columns have the names of EXCHANGE, or a
mapping file says what they mean. Address, password and what the server says about an error are in
no message: the server's words quote the query, and a query may hold anything.
"""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources.read_once import BatchStream
from stillwatch.sources.untested_warehouses import (
    CLICKHOUSE,
    OTHER_SCHEMES,
    ClickHouseStream,
    connect_other,
    may_only_read,
)

__all__ = ["SCHEMES", "WAREHOUSES", "QueryStream", "connect", "open_query", "read_query"]

SCHEMES = ("postgresql://", "postgres://")
WAREHOUSES = (*SCHEMES, *OTHER_SCHEMES)
_BATCH_BYTES = 8 << 20
_V4, _V6 = 2, 3  # PGSQL_AF_INET and PGSQL_AF_INET6 in PostgreSQL's binary format of inet
_READABLE = frozenset({"numeric", "inet", "cidr"})


def read_query(path: Path) -> str:
    """Return the text of a query's file. Raises ConfigError."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", where="--query") from error
    if not text:
        raise ConfigError("holds no query", where="--query")
    return text


def open_query(address: str, query: str, where: str) -> io.RawIOBase:
    """Return the result of a query in Arrow's stream format, read once.

    Raises InputError and ConfigError as `QueryStream` does.
    """
    if address.startswith(OTHER_SCHEMES):
        may_only_read(query, where)
    if address.startswith(CLICKHOUSE):
        return ClickHouseStream(address, query, where)
    return QueryStream(address, query, where)


class QueryStream(BatchStream):
    """The result of a query in Arrow's stream format, read once, one batch in memory.

    Raises InputError when the database cannot be reached, the query fails or the connection breaks,
    ConfigError when the driver is not installed.
    """

    def __init__(self, address: str, query: str, where: str) -> None:
        super().__init__(where)
        self._ours = address.startswith(SCHEMES)
        self._connection = (connect if self._ours else connect_other)(address, where)
        self._cursor = self._connection.cursor()
        try:
            reader = self._asked(query)
            schema = _plain_schema(reader.schema, where)
        except BaseException:
            self.close()
            raise
        self._write(schema, self._fetched(reader, schema))

    def _asked(self, query: str) -> Any:
        import adbc_driver_manager

        try:
            if self._ours:
                self._cursor.execute("SET TRANSACTION READ ONLY")
                self._cursor.adbc_statement.set_options(
                    **{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
                )
            self._cursor.execute(query)
            return self._cursor.fetch_record_batch()
        except adbc_driver_manager.Error as error:
            code = f"SQLSTATE {error.sqlstate}" if error.sqlstate else type(error).__name__
            raise InputError(
                f"the query failed ({code})", where=self._where,
                hint="run it with psql, in a transaction that may only read, to see why"
                if self._ours else "run it with the database's own client to see why",
            ) from None  # fmt: skip

    def _fetched(self, reader: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import adbc_driver_manager

        try:
            for batch in reader:
                arrays = [
                    _plain(array, field)
                    for array, field in zip(batch.columns, reader.schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except (adbc_driver_manager.Error, pa.ArrowException, OSError):
            raise self._broken() from None

    def close(self) -> None:
        if not self.closed:
            self._cursor.close()
            self._connection.close()
        super().close()


def connect(address: str, where: str) -> Any:
    """Return ADBC's connection to a PostgreSQL database, in a transaction of its own.

    Raises InputError, without the address, where it cannot be reached; ConfigError: no driver.
    """
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise ConfigError(
            f"PostgreSQL needs the package {error.name}",
            hint="pip install 'stillwatch[postgresql]'",
        ) from error
    try:
        return dbapi.connect(address)
    except adbc_driver_manager.Error:
        raise InputError(
            "cannot connect to the database", where=where,
            hint="check host, port, database and user; a password belongs into PGPASSWORD or "
            "~/.pgpass, not into the address",
        ) from None  # fmt: skip


def _kind(field: pa.Field) -> str:
    metadata = field.metadata or {}
    return str(metadata.get(b"POSTGRESQL:type", b"").decode())


def _plain_schema(schema: pa.Schema, where: str) -> pa.Schema:
    """Return the schema without types of PostgreSQL alone. Raises InputError for unknown ones."""
    fields = []
    for field in schema:
        kind = field.type
        if isinstance(kind, pa.BaseExtensionType):
            if isinstance(kind, pa.OpaqueType) and _kind(field) not in _READABLE:
                raise InputError(
                    f"a column of type {_kind(field)} cannot be read", where=where,
                    hint="write column::text in the query",
                )  # fmt: skip
            kind = pa.string() if isinstance(kind, pa.OpaqueType) else kind.storage_type
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def _plain(array: pa.Array, field: pa.Field) -> pa.Array:
    if not isinstance(field.type, pa.BaseExtensionType):
        return array
    if _kind(field) in ("inet", "cidr"):
        return pa.array([_address(v) for v in array.storage.to_pylist()], pa.string())
    return array.storage


def _address(value: bytes | None) -> str | None:
    """Return an inet: family, bits, whether it is a network, length, address."""
    if value is None or len(value) < 8 or value[0] not in (_V4, _V6):
        return None
    return str(ipaddress.ip_address(value[4 : 4 + value[3]]))
