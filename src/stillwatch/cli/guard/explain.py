"""`stillwatch guard explain`: what a decision rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["explain"]


def explain(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="Its id.")],
    log: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Decision log; may be given again.")
    ],
    citations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `ownership answer` wrote there.")
    ] = None,
    notice: Annotated[
        bool, typer.Option("--notice", help="Print what the account's owner is told instead.")
    ] = False,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Terms of judgement, for the notice (TOML).")
    ] = None,
) -> None:
    """Show what a decision rests on: reasons, rules with their text, the chain of ownership.

    The chain is for the provider's analysts; it is in no answer, no log and no notice.
    """
    from stillwatch.cli.citing import explained_decision, printed_notice
    from stillwatch.cli.terminal import Page

    if notice:
        print(printed_notice(decision, log, citations, terms), end="")
        return
    page = Page()
    for heading, points in explained_decision(decision, log, citations):
        page.heading(heading)
        for point in points:
            page.point(point)
