"""`stillwatch erase`: one account leaves the case database and the run directories."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.errors import ConfigError

__all__ = ["erase"]


def erase(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's identifier.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")],
    db: Annotated[
        str | None, typer.Option(metavar="FILE", help="Case database: a file or PostgreSQL URL.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Run directory; may be given again."),
    ] = None,
) -> None:
    """Erase an account from cases and runs; reports are rendered anew, the history still verifies.

    The guard's snapshot and evidence packs already handed out are not reached: compile the snapshot
    anew, and ask whoever holds a pack.
    """
    from stillwatch.cases import erase_from_book, erase_from_run, open_book
    from stillwatch.cli.terminal import Page
    from stillwatch.report import write_report
    from stillwatch.store import open_run

    if db is None and not run:
        raise ConfigError("give --db, --run or both", where="erase")
    page = Page()
    if db is not None:
        count = erase_from_book(open_book(db), account, by=by, now=datetime.now(UTC))
        page.sentence(f"{count:,} texts of the case database rewritten.")
    for folder in run or []:
        done = erase_from_run(open_run(folder), account)
        write_report(folder)
        page.sentence(f"{done.rows:,} rows removed, {done.files:,} files rewritten in {folder}.")
    page.sentence("Compile the guard's snapshot anew.")
