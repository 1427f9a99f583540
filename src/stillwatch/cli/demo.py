"""`stillwatch demo`: from nothing to a report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.progress import progress
from stillwatch.cli.terminal import Page
from stillwatch.schema import REPORT

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path("demo"),
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed is another week.")] = 7,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Simulate a week, scan it, leave a report.

    The traffic is that of a fictional provider; the report is DIR/report.html.
    """
    from stillwatch import scan as scan_log
    from stillwatch.cli.outcome import print_outcome
    from stillwatch.scanner import Progress
    from stillwatch.simulate import simulate as play
    from stillwatch.store import open_run

    with progress(quiet=quiet) as report:
        if report is not None:
            report(Progress("simulating a week", 0, None, ""))
        world = play("demo", seed=seed, out=out / "world")
        result = scan_log(
            [out / "world" / "exchanges"],
            accounts=world.accounts_csv,
            permits=world.permits_csv,
            out=out / "run",
            progress=report,
        )
    shutil.copyfile(result.run_dir / REPORT, out / REPORT)
    page = Page()
    page.sentence(
        f"Simulated traffic of a fictional provider, seed {seed}: the figures say nothing about "
        "yours."
    )
    print_outcome(open_run(result.run_dir), report=out / REPORT)
