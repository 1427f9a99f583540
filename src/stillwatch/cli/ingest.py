"""`stillwatch ingest`: any log format to canonical Parquet by day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.errors import ConfigError
from stillwatch.schema import REJECTED

__all__ = ["ingest"]


def ingest(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Files, globs, directories, or - for a pipe."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write exchanges/*.parquet to.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read everything, say what is wrong, write nothing.")
    ] = False,
    format: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto, parquet, arrow, csv, litellm or otlp; .gz and .zst are unpacked.",
        ),
    ] = "auto",
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Memory limit; beyond it the disk is used.")
    ] = "1GB",
    max_rejects: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Stop when a larger share of rows is unreadable."
        ),
    ] = 0.01,
) -> None:
    """Turn logs into canonical Parquet.

    Reads any known format and writes one sorted file a day; refused rows are entered in
    DIR/rejected.jsonl by place and reason, never by content.
    """
    from stillwatch.cli.reading import print_reading
    from stillwatch.sources import ingest as write_exchanges
    from stillwatch.sources import open_inputs

    if (out is None) == (not check):
        raise ConfigError("give either --out DIR or --check", where="ingest")
    opened = open_inputs(inputs, format=format, max_rejects=max_rejects, now=datetime.now(UTC))
    try:
        if out is None:
            for _ in opened.batches():
                pass
            print_reading(opened, None)
        else:
            print_reading(opened, write_exchanges(opened, out, memory=memory))
    finally:
        if out is not None and opened.ledger.rejected:
            out.mkdir(parents=True, exist_ok=True)
            opened.ledger.write(out / REJECTED)
