"""Log files of many formats become canonical exchanges; what cannot be read is entered.

Input: files, globs, directories, tables of Delta Lake and Iceberg, standard input, objects in S3,
what clients push. Output: record batches in `schema.arrow.EXCHANGE`, a `Ledger`, and on request the
same as Parquet by day (`ingest`). Promise: every row read is either yielded or in the ledger,
nothing of its content leaves the ledger, and memory does not grow with the size of the input.
"""

from stillwatch.sources.coverage import Coverage
from stillwatch.sources.files import InputFile, find_files, open_file, short_names
from stillwatch.sources.ingest import IngestResult, ingest
from stillwatch.sources.inputs import Inputs, open_inputs
from stillwatch.sources.json_text import BadJson
from stillwatch.sources.lakes import TableRefused
from stillwatch.sources.ledger import Ledger, Rejected
from stillwatch.sources.mapping import Mapping, read_mapping
from stillwatch.sources.object_store import (
    S3,
    Stored,
    object_state,
    open_object,
    plain_name,
    watch_objects,
)
from stillwatch.sources.pushed import (
    LATER,
    PART,
    TOLD,
    WHOLE,
    OtlpLine,
    litellm_lines,
    otlp_lines,
    otlp_value,
    read_litellm_lines,
    read_otlp_lines,
)
from stillwatch.sources.registry import SOURCES
from stillwatch.sources.shipped import SHIPPED, shipped_text
from stillwatch.sources.source import Source
from stillwatch.sources.suggest import Suggestion, suggest_mapping
from stillwatch.sources.warehouse import SCHEMES, connect

__all__ = [
    "LATER",
    "PART",
    "S3",
    "SCHEMES",
    "SHIPPED",
    "SOURCES",
    "TOLD",
    "WHOLE",
    "BadJson",
    "Coverage",
    "IngestResult",
    "InputFile",
    "Inputs",
    "Ledger",
    "Mapping",
    "OtlpLine",
    "Rejected",
    "Source",
    "Stored",
    "Suggestion",
    "TableRefused",
    "connect",
    "find_files",
    "ingest",
    "litellm_lines",
    "object_state",
    "open_file",
    "open_inputs",
    "open_object",
    "otlp_lines",
    "otlp_value",
    "plain_name",
    "read_litellm_lines",
    "read_mapping",
    "read_otlp_lines",
    "shipped_text",
    "short_names",
    "suggest_mapping",
    "watch_objects",
]
