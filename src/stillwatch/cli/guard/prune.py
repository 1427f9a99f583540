"""`stillwatch guard prune`: old versions leave a depot."""

from __future__ import annotations

from typing import Annotated

import typer

from stillwatch.cli.guard.options import Depot, Key

__all__ = ["prune"]


def prune(
    depot: Depot,
    key: Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")],
    keep: Annotated[
        int, typer.Option(metavar="N", min=1, help="The one in use and N - 1 before it stay.")
    ] = 1,
) -> None:
    """Remove old versions from a depot, so that nobody can go back to them or read them.

    After an erasure: compile, publish, prune. What nodes have pulled is on the nodes.
    """
    from stillwatch.cli.depots import prune_depot
    from stillwatch.cli.terminal import Page

    page = Page()
    for told in prune_depot(depot, key, by, keep):
        page.sentence(told)
