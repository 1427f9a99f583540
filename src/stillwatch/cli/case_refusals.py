"""`stillwatch case refusals`: what guards refused by ownership becomes cases with notices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.case import DB, TERMS, case

__all__ = ["refusals"]


@case.command()
def refusals(
    log: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A guard's decision log; may be given again.")
    ],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Run that the snapshot was made of.")],
    snapshot: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The guard's snapshot, for the salt of its keys."),
    ],
    trust: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Key that signed the snapshot (PEM).")
    ],
    db: DB,
    citations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `ownership answer` wrote there.")
    ] = None,
    terms: TERMS = None,
) -> None:
    """Enter what guards refused by ownership: each account gets a notice and may appeal.

    Run it as often as logs come in, and `case effects` after it; what was entered is not entered
    twice. An appeal that is upheld, or not decided in time, makes the guard do less.
    """
    from stillwatch.cli.refusing import entered_refusals
    from stillwatch.cli.terminal import Page

    page = Page()
    for told in entered_refusals(log, run, snapshot, trust, db, citations, terms):
        page.sentence(told)
