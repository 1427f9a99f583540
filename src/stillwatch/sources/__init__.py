"""Log files of many formats become canonical exchanges; what cannot be read is entered.

Input: files, globs, directories, standard input, objects in S3. Output: record batches in
`schema.arrow.EXCHANGE`, a `Ledger`, and on request the same as Parquet by day (`ingest`).
Promise: every row read is either yielded or in the ledger, nothing of its content leaves the
ledger, and memory does not grow with the size of the input.
"""

from stillwatch.sources.coverage import Coverage
from stillwatch.sources.files import InputFile, find_files, open_file, short_names
from stillwatch.sources.ingest import IngestResult, ingest
from stillwatch.sources.inputs import Inputs, open_inputs
from stillwatch.sources.ledger import Ledger, Rejected
from stillwatch.sources.mapping import Mapping, read_mapping
from stillwatch.sources.registry import SOURCES
from stillwatch.sources.source import Source
from stillwatch.sources.suggest import Suggestion, suggest_mapping

__all__ = [
    "SOURCES",
    "Coverage",
    "IngestResult",
    "InputFile",
    "Inputs",
    "Ledger",
    "Mapping",
    "Rejected",
    "Source",
    "Suggestion",
    "find_files",
    "ingest",
    "open_file",
    "open_inputs",
    "read_mapping",
    "short_names",
    "suggest_mapping",
]
