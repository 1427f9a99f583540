"""`stillwatch guard preview`: whom each rung would touch."""

from __future__ import annotations

from typing import Annotated

import typer

from stillwatch.cli.guard.options import Effects, Ladder, Permits, Run

__all__ = ["preview"]


def preview(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="As in campaigns.jsonl.")],
    run: Run,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, max=3650, help="Traffic of the last N days.")
    ] = 7,
    ladder: Ladder = None,
    permits: Permits = None,
    effects: Effects = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whom and what each rung would touch, before it is enforced.

    The requests of these days are also played through a guard: what it does to accounts that are
    not accused is counted as well.
    """
    from stillwatch.cli.previewing import preview_text
    from stillwatch.cli.terminal import Page

    page = Page()
    for line in preview_text(
        run, campaign, days, ladder=ladder, permits=permits, effects=effects, as_json=json
    ):
        page.sentence(line)
