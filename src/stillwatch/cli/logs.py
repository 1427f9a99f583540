"""The options of the commands that read logs: `scan`, `ingest`, `pseudonymize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Format", "Logs", "MaxRejects", "Memory", "Query"]

Logs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, globs, directories, tables (TABLE or TABLE@VERSION), s3://BUCKET/PREFIX, "
        "- for a pipe, or postgresql://…",
    ),
]
Query = Annotated[
    Path | None, typer.Option(metavar="FILE", help="SQL whose result a database is asked for.")
]
Format = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, a format of docs/formats.md, or a mapping file (….toml)."
    ),
]
Memory = Annotated[
    str,
    typer.Option(metavar="SIZE", help="Memory limit, 512MB and more; beyond it the disk is used."),
]
MaxRejects = Annotated[
    float,
    typer.Option(
        metavar="SHARE", min=0, max=1, help="Stop when a larger share of rows is unreadable."
    ),
]
