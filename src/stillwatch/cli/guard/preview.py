"""`stillwatch guard preview`: whom each rung would touch."""

from __future__ import annotations

from typing import Annotated

import typer

from stillwatch.cli.guard.options import Run

__all__ = ["preview"]


def preview(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="As in campaigns.jsonl.")],
    run: Run,
    days: Annotated[int, typer.Option(metavar="N", help="Traffic of the last N days.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whom and what each rung would touch, before it is enforced."""
    from stillwatch.cli.guarding import preview_text
    from stillwatch.cli.terminal import Page

    page = Page()
    for line in preview_text(run, campaign, days, as_json=json):
        page.sentence(line)
