"""`stillwatch guard compile`: a run becomes the snapshot that the guard decides by."""

from __future__ import annotations

from typing import Annotated

import typer

from stillwatch.cli.guard.options import (
    Effects,
    Key,
    Ladder,
    Ownership,
    Permits,
    Run,
    Snapshot,
    ValidHours,
)

__all__ = ["compile_"]


def compile_(
    run: Run,
    key: Key,
    out: Snapshot,
    ladder: Ladder = None,
    permits: Permits = None,
    effects: Effects = None,
    ownership: Ownership = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="CAMPAIGN:VERDICT", help="What a person decided; takes --by."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided.")] = None,
    action_hours: Annotated[
        float, typer.Option(metavar="H", help="After so long an ordered action lapses.")
    ] = 168.0,
    valid_hours: ValidHours = 168.0,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Default: one more than the file's there.")
    ] = None,
) -> None:
    """Compile a run into the signed snapshot that the guard decides by.

    The snapshot that was there stays beside it as FILE.previous, for `rollback`.
    """
    from stillwatch.cli.guarding import compile_run, told_of
    from stillwatch.cli.terminal import Page

    made = compile_run(
        run, key=key, out=out, ladder=ladder, permits=permits, effects=effects,
        orders=order or [], by=by,
        action_hours=action_hours, valid_hours=valid_hours, version=version,
        ownership=ownership,
    )  # fmt: skip
    page = Page()
    first, *more = told_of(made, effects)
    page.sentence(f"Snapshot {made.snapshot.version} in {out}: {first}")
    for told in more:
        page.sentence(told)
