"""`stillwatch guard rollback`: the snapshot before is in use again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["rollback"]


def rollback(
    target: Annotated[
        str, typer.Argument(metavar="FILE|DEPOT", help="The snapshot in use, or a depot.")
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a depot: the key that signs (PEM).")
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="For a depot: who does this.")] = "",
    kind: Annotated[
        str, typer.Option(metavar="WORD", help="For a depot: snapshot, orders or effects.")
    ] = "snapshot",
) -> None:
    """Exchange a snapshot for the one before it; a running guard takes it within a second.

    In a depot every step back goes one version further; nodes take it at their next pull.
    """
    from stillwatch.cli.depots import is_depot, roll_back_depot
    from stillwatch.cli.guarding import roll_back
    from stillwatch.cli.terminal import Page

    if is_depot(target):
        pointer = roll_back_depot(target, kind, key, by)
        told = f"{pointer.version.file} of {pointer.version.by} is in use (step {pointer.serial})."
    else:
        roll_back(Path(target))
        told = f"{target} is the one before; the other is now {target}.previous."
    Page().sentence(told)
