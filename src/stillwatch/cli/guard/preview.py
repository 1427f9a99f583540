"""`stillwatch guard preview`: whom each rung would touch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Run

__all__ = ["preview"]


def preview(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="As in campaigns.jsonl.")],
    run: Run,
    days: Annotated[int, typer.Option(metavar="N", help="Traffic of the last N days.")] = 7,
    ladder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The guard's ladder (TOML).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whom and what each rung would touch, before it is enforced."""
    from stillwatch.cli.guarding import preview_text
    from stillwatch.cli.terminal import Page

    page = Page()
    for line in preview_text(run, campaign, days, ladder=ladder, as_json=json):
        page.sentence(line)
