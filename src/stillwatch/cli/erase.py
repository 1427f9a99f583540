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
    days: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder `days` of a watch.")
    ] = None,
    effects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote.")
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The guard's snapshot; FILE.previous is removed."),
    ] = None,
    trust: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Key that signed the snapshot (PEM).")
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A guard's decision log; takes --snapshot and --trust."),
    ] = None,
    state: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A guard's state folder; takes --snapshot and --trust."),
    ] = None,
    citations: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Citations of ownership; takes --run, for the owner."),
    ] = None,
) -> None:
    """Erase an account from cases, runs and the guard's files; the history still verifies.

    Of citations go those of owners whom the runs know of this account alone, and those that name
    ACCOUNT itself: give a person's or an entity's identifier to take it out of every chain.
    Reports are rendered anew. Old versions in a depot go with `guard prune`; evidence packs that
    were handed out are not reached: docs/privacy.md says how they go.
    """
    from stillwatch.cases import (
        end_users_of,
        erase_from_book,
        erase_from_effects,
        erase_from_run,
        open_book,
        unsearched,
    )
    from stillwatch.cli.citing import erase_cited
    from stillwatch.cli.guarding import erase_from_guard
    from stillwatch.cli.terminal import Page
    from stillwatch.report import write_report
    from stillwatch.store import open_run
    from stillwatch.store.days import erase_account

    if not any((db, run, days, effects, snapshot, citations)):
        raise ConfigError(
            "give --db, --run, --days, --effects, --snapshot or --citations", where="erase"
        )
    if (decisions or state) and snapshot is None:
        raise ConfigError(
            "it holds keys, and their salt is in the snapshot",
            where="--decisions" if decisions else "--state",
            hint="give --snapshot and --trust",
        )  # fmt: skip
    page = Page()
    users = sorted({u for folder in run or [] for u in end_users_of(open_run(folder), account)})
    for told in erase_cited(citations or [], run or [], account):  # the runs still know the owner
        page.sentence(told)
    if db is not None:
        book = open_book(db, make=False)
        count = erase_from_book(book, account, by=by, now=datetime.now(UTC))
        page.sentence(f"{count:,} texts of the case database rewritten.")
        for file in unsearched(book):
            page.point(
                f"{file.case_id}: {file.id} is no plain text, so nobody looked whom it names: "
                "look, and remove it in the console."
            )
    if days is not None:
        count = erase_account(days, account)
        page.sentence(f"{count:,} exchanges removed from {days}.")
    if snapshot is not None:
        for told in erase_from_guard(
            snapshot, trust or [], decisions or [], state or [], account, users
        ):
            page.sentence(told)
    if effects is not None:
        gone = erase_from_effects(effects, account)
        page.sentence(f"{gone:,} rows removed from {effects}.")
    for folder in run or []:
        done = erase_from_run(open_run(folder), account)
        write_report(folder)
        page.sentence(f"{done.rows:,} rows removed, {done.files:,} files rewritten in {folder}.")
    page.sentence(
        "Compile the guard's snapshot anew, publish it and `guard prune` the depot. Not reached: "
        "packs that were handed out (docs/privacy.md)."
    )
