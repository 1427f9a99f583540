"""`stillwatch purge`: what is too old to keep goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.errors import ConfigError

__all__ = ["purge"]


def purge(
    db: Annotated[
        str | None, typer.Option(metavar="FILE", help="Case database: a file or PostgreSQL URL.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder whose run directories are looked at.")
    ] = None,
    retention: Annotated[
        Path | None, typer.Option(metavar="FILE", help="retention.toml, if not the shipped one.")
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Terms of judgement, if not the shipped.")
    ] = None,
) -> None:
    """Remove cases and run directories that are past their time; the history says that it was done.

    Nothing goes that is in force, can still be appealed, or corrects a scan.
    """
    from stillwatch.cases import open_book, purge_book, purge_runs, read_retention, read_terms
    from stillwatch.cli.terminal import Page

    if db is None and runs is None:
        raise ConfigError("give --db, --runs or both", where="purge")
    page, times, now = Page(), read_retention(retention), datetime.now(UTC)
    if db is not None:
        count = purge_book(open_book(db, make=False), times, terms=read_terms(terms), now=now)
        page.sentence(f"{count:,} texts removed from the case database.")
    if runs is not None:
        gone = purge_runs(runs, times, now=now)
        page.sentence(f"{len(gone):,} run directories removed.")
