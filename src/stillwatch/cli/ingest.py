"""`stillwatch ingest`: any log format to canonical Parquet by day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.logs import Format, Logs, MaxRejects, Memory, Query
from stillwatch.errors import ConfigError
from stillwatch.schema import REJECTED

__all__ = ["ingest"]


def ingest(
    inputs: Logs,
    query: Query = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write exchanges/*.parquet to.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read everything, say what is wrong, write nothing.")
    ] = False,
    suggest: Annotated[
        bool,
        typer.Option("--suggest", help="Print a mapping file proposed from the first rows."),
    ] = False,
    format: Format = "auto",
    memory: Memory = "1GB",
    max_rejects: MaxRejects = 0.01,
) -> None:
    """Turn logs into canonical Parquet.

    Reads any known format and writes one sorted file a day; refused rows are entered in
    DIR/rejected.jsonl by place and reason, never by content. With --check it says which columns
    the log fills, and what each gap costs in detection. With --suggest it proposes a mapping
    file for a log of your own.
    """
    from stillwatch.cli.coverage import print_coverage
    from stillwatch.cli.reading import print_reading
    from stillwatch.sources import Coverage, open_inputs, suggest_mapping
    from stillwatch.sources import ingest as write_exchanges

    if (out is not None) + check + suggest != 1:
        raise ConfigError("give one of --out DIR, --check and --suggest", where="ingest")
    if suggest:
        print(suggest_mapping(inputs).text, end="")
        return
    coverage = Coverage()
    opened = open_inputs(
        inputs, format=format, max_rejects=max_rejects, now=datetime.now(UTC), query=query
    )
    try:
        if out is None:
            opened.ledger.listing = "see the reasons above"
            try:
                for _ in coverage.watching(opened.batches()):
                    pass
            finally:
                print_reading(opened, None)
                print_coverage(coverage, opened.mapping)
        else:
            print_reading(opened, write_exchanges(opened, out, memory=memory))
    finally:
        if out is not None and opened.ledger.rejected:
            out.mkdir(parents=True, exist_ok=True)
            opened.ledger.write(out / REJECTED)
