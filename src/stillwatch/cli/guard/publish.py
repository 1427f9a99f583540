"""`stillwatch guard publish`: files go into a depot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Depot, Key

__all__ = ["publish"]


def publish(
    depot: Depot,
    key: Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")],
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A snapshot that compile wrote.")
    ] = None,
    orders: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Orders (mode, undo).")
    ] = None,
    effects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote; it is signed.")
    ] = None,
) -> None:
    """Put snapshot, orders or effects of cases into a depot that nodes pull from."""
    from stillwatch.cli.depots import publish_files
    from stillwatch.cli.terminal import Page

    page = Page()
    for pointer in publish_files(depot, key, by, snapshot, orders, effects):
        page.sentence(f"{pointer.version.file} is in use in {depot} (step {pointer.serial}).")
