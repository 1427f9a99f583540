"""`stillwatch explain`: why an account has the standing it has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["explain"]


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account's identifier, as in the log.")
    ],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")],
) -> None:
    """Say why an account stands as it does.

    In sentences: its standing, its campaign, the evidence, its links, what would clear it, and
    for a clear account what was looked at.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.report.why import why
    from stillwatch.store import open_run

    page = Page()
    for section in why(open_run(run), account):
        page.heading(section.heading)
        for point in section.points:
            page.point(point)
