"""Options that several of the guard's commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Depot", "Effects", "Key", "Ladder", "Others", "Ownership", "Permits", "Run", "Snapshot",
    "Trust", "ValidHours",
]  # fmt: skip

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
Snapshot = Annotated[Path, typer.Option(metavar="FILE", help="The snapshot.")]
Ladder = Annotated[Path | None, typer.Option(metavar="FILE", help="Ladder of verdicts (TOML).")]
Permits = Annotated[Path | None, typer.Option(metavar="FILE", help="Permits, as for scan.")]
Effects = Annotated[Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote.")]
ValidHours = Annotated[
    float, typer.Option(metavar="H", help="After so long the snapshot allows everything.")
]
