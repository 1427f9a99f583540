"""Options that several of the guard's commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Depot", "Key", "Others", "Ownership", "Run", "Trust"]

Key = Annotated[Path, typer.Option(metavar="FILE", help="Private Ed25519 key that signs (PEM).")]
Trust = Annotated[
    list[Path], typer.Option(metavar="FILE", help="Public key to trust (PEM); may be given again.")
]
Others = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Public key of who signed before (PEM); may be given again."),
]
Ownership = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The answers that the scan took, so that decisions cite."),
]
Run = Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")]
Depot = Annotated[
    str, typer.Argument(metavar="DEPOT", help="A folder, or s3://bucket/prefix as pyarrow reads.")
]
