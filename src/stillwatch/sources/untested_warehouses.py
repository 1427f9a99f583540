"""ClickHouse, BigQuery and Snowflake as places to read from: never tried against any of the three.

None of them can be started where stillwatch is built. What stands here is thin: an address and the
environment become a connection of the maker's driver, or one HTTP request to ClickHouse, whose
answer is Arrow's stream format already. docs/sources/warehouses.md has a checklist for whoever runs
it first. Nothing of an address is in a message.
"""

from __future__ import annotations

import http.client
import os
import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources.read_once import ReadOnce

__all__ = ["CLICKHOUSE", "OTHER_SCHEMES", "ClickHouseStream", "connect_other", "may_only_read"]

CLICKHOUSE: Final = "clickhouse://"
OTHER_SCHEMES: Final = (CLICKHOUSE, "bigquery://", "snowflake://")
_SECONDS: Final = 600
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"  # of an Arrow stream
_REMARKS: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.S)
_READS: Final = re.compile(r"\(|(?:SELECT|WITH)\b", re.I)
# Read only, though settings may be given with it; text as text, and not as bytes.
_CLICKHOUSE_SETTINGS: Final = {
    "default_format": "ArrowStream", "readonly": "2", "output_format_arrow_string_as_string": "1",
}  # fmt: skip


def may_only_read(query: str, where: str) -> None:
    """Refuse what is no SELECT: these databases have no transaction that may only read.

    A role that may only read is the safeguard; this catches a wrong file. Raises ConfigError.

    >>> may_only_read("-- last week\\nSELECT 1", "log.sql")
    """
    begin = _REMARKS.match(query)
    if not _READS.match(query, begin.end() if begin else 0):
        raise ConfigError(
            "the query is no SELECT", where=where,
            hint="begin it with SELECT or WITH, and let the user's role only read",
        )  # fmt: skip


class ClickHouseStream(ReadOnce):
    """The answer of ClickHouse's HTTP interface, in Arrow's stream format, read once.

    ``address``: clickhouse://USER@HOST[:PORT]/DATABASE[?secure=0]; HTTPS to port 8443 unless it
    says otherwise. The password is in CLICKHOUSE_PASSWORD. No redirection is followed.

    Raises InputError where it cannot be reached, refuses, or breaks off: also between two batches,
    which HTTP does not always tell, and which a reader of Arrow takes for the end.
    """

    def __init__(self, address: str, query: str, where: str) -> None:
        super().__init__(where)
        self._last = b""
        self._answer = _asked(address, query, where)

    def readinto(self, buffer: Any) -> int:
        try:
            count = int(self._answer.readinto(buffer))
        except (OSError, ValueError, http.client.HTTPException):
            raise self._broken() from None
        if not count and len(buffer) and self._last != _END:
            raise self._broken()
        self._last = (self._last + bytes(buffer[max(count - len(_END), 0) : count]))[-len(_END) :]
        self._given += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()


def _asked(address: str, query: str, where: str) -> Any:
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    secure = options.pop("secure", "1") not in ("0", "false")
    if options or not parts.hostname:
        raise ConfigError(
            "an address that is not understood", where=where,
            hint="clickhouse://USER@HOST:8443/DATABASE, with ?secure=0 for plain HTTP",
        )  # fmt: skip
    settings = _CLICKHOUSE_SETTINGS | {"database": parts.path.strip("/") or "default"}
    port = parts.port or (8443 if secure else 8123)
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    password = os.environ.get("CLICKHOUSE_PASSWORD", unquote(parts.password or ""))
    headers = {"X-ClickHouse-User": unquote(parts.username or "default"),
               "X-ClickHouse-Key": password, "Connection": "close"}  # fmt: skip
    try:
        connection = kind(parts.hostname, port, timeout=_SECONDS)
        connection.request("POST", f"/?{urlencode(settings)}", query.encode(), headers)
        answer = connection.getresponse()
    except (OSError, ValueError, http.client.HTTPException):
        raise InputError(
            "cannot connect to the database", where=where,
            hint="check host, port and ?secure=0; a password belongs into CLICKHOUSE_PASSWORD",
        ) from None  # fmt: skip
    if answer.status != 200:
        code = answer.headers.get("X-ClickHouse-Exception-Code", "")
        answer.close()
        raise InputError(
            f"the query failed (HTTP {answer.status}{code and ', code '}{code[:9]})", where=where,
            hint="run it with clickhouse-client --readonly 2 to see why",
        )  # fmt: skip
    return answer


def connect_other(address: str, where: str) -> Any:
    """Return ADBC's connection to BigQuery or Snowflake.

    ``bigquery://PROJECT[/DATASET]``, with Google's default credentials; ``snowflake://USER@ACCOUNT/
    DATABASE[/SCHEMA][?warehouse=…&role=…]``, with the password in SNOWFLAKE_PASSWORD.

    Raises InputError, without the address, where it cannot be reached; ConfigError: no driver.
    """
    name = address.partition("://")[0]
    try:
        import adbc_driver_manager

        open_one = _BY_NAME[name]()
    except ImportError as error:
        raise ConfigError(
            f"{name} needs the package {error.name}", hint=f"pip install 'stillwatch[{name}]'"
        ) from error
    try:
        return open_one(address)
    except (adbc_driver_manager.Error, ValueError):
        raise InputError(
            "cannot connect to the database", where=where,
            hint=f"check the address and the credentials: docs/sources/warehouses.md, {name}",
        ) from None  # fmt: skip


def _bigquery() -> Any:
    from adbc_driver_bigquery import DatabaseOptions, dbapi

    def open_one(address: str) -> Any:
        parts = urlsplit(address)
        options = {DatabaseOptions.PROJECT_ID.value: parts.netloc}
        if dataset := parts.path.strip("/"):
            options[DatabaseOptions.DATASET_ID.value] = dataset
        return dbapi.connect(options)

    return open_one


def _snowflake() -> Any:
    from adbc_driver_snowflake import dbapi

    def open_one(address: str) -> Any:
        password = os.environ.get("SNOWFLAKE_PASSWORD")
        return dbapi.connect(
            address.partition("://")[2], db_kwargs={"password": password} if password else None
        )

    return open_one


_BY_NAME: Final = {"bigquery": _bigquery, "snowflake": _snowflake}
