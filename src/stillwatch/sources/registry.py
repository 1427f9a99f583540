"""Every format that `scan` reads, in the order in which they are asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema.arrow import (
    ACCOUNT,
    KEY,
    ORGANIZATION,
    OWNER,
    PERMIT,
    REQUIRED_EXCHANGE_COLUMNS,
)
from stillwatch.sources.batches import Batches
from stillwatch.sources.bedrock import Bedrock
from stillwatch.sources.canonical_arrow import CanonicalArrow
from stillwatch.sources.canonical_csv import CanonicalCsv
from stillwatch.sources.canonical_parquet import CanonicalParquet, known_columns
from stillwatch.sources.csv_rows import csv_header
from stillwatch.sources.envoy import Envoy
from stillwatch.sources.helicone import Helicone
from stillwatch.sources.langfuse import Langfuse
from stillwatch.sources.litellm import LiteLLM
from stillwatch.sources.otlp import Otlp
from stillwatch.sources.pairs import Pairs
from stillwatch.sources.shipped import SHIPPED, resembles
from stillwatch.sources.source import Source
from stillwatch.sources.spendlogs import SpendLogs
from stillwatch.sources.strangers import SUGGEST, stranger
from stillwatch.sources.vertex import Vertex

__all__ = ["SOURCES", "choose_source", "choose_table"]

SOURCES: Final[tuple[Source, ...]] = (
    CanonicalParquet(),
    CanonicalArrow(),
    LiteLLM(),
    SpendLogs(),
    Otlp(),
    Batches(),
    Bedrock(),
    Vertex(),
    Helicone(),
    Envoy(),
    Langfuse(),
    Pairs(),
    CanonicalCsv(),
)

_FIRST_LINES: Final = 20
# In this order: keys name accounts, and accounts organizations.
_SIDE_TABLES: Final = (
    ("permits", PERMIT, {"permit_id"}),
    ("keys", KEY, {"key_id"}),
    ("accounts", ACCOUNT, {"account_id"}),
    ("organizations", ORGANIZATION, {"org_id"}),
    ("ownership", OWNER, {"owner_entity_id", "access"}),
)


def choose_source(
    head: bytes, name: str, format: str = "auto", sources: tuple[Source, ...] = SOURCES
) -> Source:
    """Return the one of ``sources`` named ``format``, or the first that knows the bytes.

    Raises ConfigError where ``format`` is none of them, InputError where none knows the bytes; both
    list the known formats.
    """
    known = ", ".join([*(source.name for source in sources), *SHIPPED])
    if format != "auto":
        for source in sources:
            if source.name == format:
                return source
        raise ConfigError(f"unknown format {format!r}", where="--format", hint=f"one of {known}")
    for part in _parts(head):
        for source in sources:
            if source.sniff(part, name):
                return source
    side = _side_table(head)
    got, step = stranger(head)
    like = resembles(head)
    if like:
        got, step = f"it looks like a log of {like}", f"read it with --format {like}"
    elif side:
        step = f"a table of {side}: give it to `scan` with --{side}, and the logs without it"
    elif SUGGEST in step:
        step = f"{step} ({known})"
    raise InputError(f"format not recognised: {got}", where=name, hint=step)


def _parts(head: bytes) -> Iterator[bytes]:
    """Yield the first bytes, then those from further lines that begin an object.

    A process that writes its access log to its output begins it with lines about itself.
    """
    yield head
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return
    start = 0
    for _ in range(_FIRST_LINES):
        start = head.find(b"\n{", start) + 1
        if not start:
            return
        yield head[start:]


def _side_table(head: bytes) -> str | None:
    """Return which of `scan`'s side tables a CSV file's first line is that of, if any."""
    columns = set(csv_header(head))
    for name, held, least in _SIDE_TABLES:
        if least <= columns and 2 * len(columns & set(held.names)) > len(columns):
            return name
    return None


def choose_table(columns: list[str], name: str, sources: tuple[Source, ...]) -> Source | None:
    """Return the source whose records a table with these columns holds; None: our own names.

    BigQuery, Langfuse and databases export logs as Parquet too.
    """
    if not columns or known_columns(columns).keys() >= set(REQUIRED_EXCHANGE_COLUMNS):
        return None
    named = json.dumps(dict.fromkeys(columns)).encode()
    return next((s for s in sources if s.reads_tables and s.sniff(named, name)), None)
