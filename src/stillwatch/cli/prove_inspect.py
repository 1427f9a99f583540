"""`stillwatch prove from-inspect`: answers that inspect_ai collected, as responses.parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page

__all__ = ["from_inspect"]


def from_inspect(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="Log of `inspect eval` (.eval or .json).")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="responses.parquet to write.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the model; default: inspect's PROVIDER/MODEL."),
    ] = None,
) -> None:
    """Take the answers out of a finished log of inspect_ai."""
    from stillwatch.prove import answers_of_inspect

    rows = answers_of_inspect(log, out, model=model)
    Page().sentence(f"{rows} answers in {out}.")
