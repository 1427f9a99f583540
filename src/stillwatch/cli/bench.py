"""`stillwatch bench …`: detection beside baselines, and what sharing adds to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page

__all__ = ["bench"]

bench = typer.Typer(no_args_is_help=True, help="Measure stillwatch and others on simulated worlds.")


@bench.callback()
def root() -> None:
    """Measure stillwatch and others on simulated worlds."""


@bench.command()
def detect(
    suite: Annotated[
        str,
        typer.Option(metavar="NAME", help="smoke (2 minutes), standard (30) or full (hours)."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder to write to; what is there is kept.")
    ],
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out", help="Use seeds that nothing was chosen on, and enter it in the ledger."
        ),
    ] = False,
    ledger: Annotated[
        Path, typer.Option(metavar="FILE", help="Where looks at the held-out seeds are counted.")
    ] = Path("bench/results/heldout.jsonl"),
    corpora: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="STILLWATCH_DATA",
            help="Data folder: texts from its corpora, a split of its own where held out.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Let stillwatch and ten baselines judge the same simulated logs.

    Writes benchmark.html, table.md, result.json and the curves. Stopped, it goes on from the last
    finished record. Needs the extra `bench`.
    """
    from stillwatch.bench import append_look, results_of, run_suite, write_pages
    from stillwatch.bench import suite as named

    page = Page()
    chosen = named(suite, held_out=held_out, corpora=corpora)
    run_suite(
        chosen, out, held_out=held_out, tell=lambda text: None if quiet else page.sentence(text)
    )
    result = results_of(out)
    write_pages(result, out)
    if held_out:
        looks = append_look(ledger, suite, result, datetime.now(UTC))
        page.sentence(f"Look {looks} at the held-out seeds, entered in {ledger}.")
    page.sentence(f"{result['worlds']} worlds judged: {out / 'benchmark.html'}")


@bench.command()
def share(
    suite: Annotated[
        str,
        typer.Option(metavar="NAME", help="smoke (a minute), collective, control, standard, full."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder to write to; what is there is kept.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Let providers with thin slices of campaigns scan alone, and again with an exchange.

    With a real hub and witness as processes on loopback; by number of members, and with two that
    lie. Writes result.json. Stopped, it goes on from the last finished world. Needs the extras
    `bench`, `hub` and `share`.
    """
    import json

    from stillwatch.bench.sharing import SUITES, results, run_sharing
    from stillwatch.errors import ConfigError
    from stillwatch.schema import write_whole

    if suite not in SUITES:
        raise ConfigError("no such suite", where="--suite", hint=", ".join(SUITES))
    page = Page()
    run_sharing(suite, out / "worlds", tell=lambda text: None if quiet else page.sentence(text))
    told = results(out / "worlds")
    write_whole(out / "result.json", (json.dumps(told, indent=1) + "\n").encode())
    page.table(
        ("exchange", "accused alone", "together", "false alone", "false together"),
        [
            (
                name,
                f"{one['alone']['accounts_accused']} of {one['alone']['accounts']}",
                f"{one['together']['accounts_accused']} of {one['together']['accounts']}",
                str(one["alone"]["false_accusations"]),
                str(one["together"]["false_accusations"]),
            )
            for name, one in told["by_exchange"].items()
        ],
    )
