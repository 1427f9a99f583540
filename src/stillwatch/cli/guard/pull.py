"""`stillwatch guard pull`: what a depot has in use comes into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Depot, Trust

__all__ = ["pull"]


def pull(
    depot: Depot,
    trust: Trust,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder that a guard serves from.")],
    every_s: Annotated[
        float, typer.Option(metavar="S", help="Go on, once in so many seconds; 0: once.")
    ] = 0.0,
) -> None:
    """Bring what a depot has in use into a folder; what does not hold leaves what is there.

    `guard serve --snapshot DIR/snapshot.json` takes it within a second. A process of its own, so
    that no store that hangs can delay an answer.
    """
    from stillwatch.cli.depots import pull_files
    from stillwatch.cli.terminal import Page

    page = Page()
    for told in pull_files(depot, trust, to, every_s):
        page.sentence(told)
