"""`stillwatch guard follow`: the newest run is compiled by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import (
    Effects,
    Key,
    Ladder,
    Ownership,
    Permits,
    Snapshot,
    ValidHours,
)

__all__ = ["follow"]


def follow(
    runs: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run directory, or the folder of several.")
    ],
    key: Key,
    out: Snapshot,
    ladder: Ladder = None,
    permits: Permits = None,
    effects: Effects = None,
    ownership: Ownership = None,
    valid_hours: ValidHours = 168.0,
    every_s: Annotated[
        float, typer.Option(metavar="S", help="Look once in so many seconds; 0: once.")
    ] = 10.0,
) -> None:
    """Compile the newest run that a scan has ended, and again whenever there is another.

    `guard serve --snapshot FILE` takes it within a second. A process of its own, so that a compile
    delays no answer and the guard needs no key that signs.
    """
    from stillwatch.cli.following import Following, follow_runs
    from stillwatch.cli.terminal import Page

    page = Page()
    what = Following(runs, key, out, ladder, permits, effects, ownership, valid_hours)
    for told in follow_runs(what, every_s):
        page.sentence(told)
