"""Receives logs as they happen: LiteLLM's generic API logger, and OTLP over HTTP.

*Input*: POSTs of records. *Output*: canonical Parquet below a folder,
``date=YYYY-MM-DD/hour=HH/*.parquet`` by the time of the event, which `scan` reads as any directory;
``_rejected/*.jsonl`` the rows that could not be read, by place and reason. *Promise*: a record that
was acknowledged is on the disk and survives a kill; it becomes the row that a file with the same
record would give, once; what cannot be taken is refused in words the client can act on, never
lost; no content and no identifier is in a log line, an error or a metric.
"""

from __future__ import annotations

from stillwatch.collect.compaction import Compacted, compact
from stillwatch.collect.server import serve
from stillwatch.collect.settings import Settings

__all__ = ["Compacted", "Settings", "compact", "serve"]
