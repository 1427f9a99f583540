"""`stillwatch watch`: keeps scanning as logs arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["watch"]


def watch(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Folders or s3:// into which logs come, whole."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Days, runs, journal of looks and alerts.")
    ] = Path("stillwatch-watch"),
    window: Annotated[str, typer.Option(metavar="SPAN", help="What a look covers.")] = "7d",
    every: Annotated[
        str, typer.Option(metavar="SPAN", help="How often to look; what looks need, they share.")
    ] = "7d",
    late: Annotated[
        str, typer.Option(metavar="SPAN", help="How late an exchange may arrive.")
    ] = "6h",
    idle: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Wait no more when nothing came for so long; as --late."),
    ] = None,
    budget: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="Looks of any such stretch share alpha; `ever`: all, each less than the last.",
        ),
    ] = "28d",
    once: Annotated[
        bool, typer.Option("--once", help="One round, for cron; ends with the codes of scan.")
    ] = False,
    ended: Annotated[
        bool, typer.Option("--ended", help="With --once: the logs end here, nothing more comes.")
    ] = False,
    poll_s: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Seconds between two rounds.")
    ] = 30.0,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="As for scan; one that is read file by file.")
    ] = "auto",
    accounts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of accounts, read every look.")
    ] = None,
    organizations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Side table of organizations, read every look."),
    ] = None,
    permits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of permits, read every look.")
    ] = None,
    ownership: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ownership answers, read every look.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote.")
    ] = None,
    indicators: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `share pull` wrote.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Run of an earlier window; may be given again."),
    ] = None,
    value: Annotated[
        Path | None, typer.Option(metavar="FILE", help="value.toml, as for scan.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(metavar="SHARE", help="Budget that looks share; see --budget.")
    ] = 0.01,
    max_rejects: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="As for scan, over a window.")
    ] = 0.01,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory limit.")] = "4GB",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Threads to use; all by default.")
    ] = None,
    db: Annotated[
        str | None, typer.Option(metavar="FILE", help="Case database; DIR/cases.db by default.")
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="alerts.toml: who hears of what.")
    ] = None,
    keep_runs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Run directories to keep.")
    ] = 10,
    keep_days: Annotated[
        int, typer.Option(metavar="N", min=1, help="Days of features to keep.")
    ] = 90,
    guard_depot: Annotated[
        str | None,
        typer.Option(metavar="DEPOT", help="Publish a snapshot here after every look."),
    ] = None,
    guard_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Private key that signs it (PEM).")
    ] = None,
    guard_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers for it; it is written down.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print problems only.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON a round that did something.")
    ] = False,
) -> None:
    """Keep scanning as logs arrive: days are read once, looks made when due, people told.

    Stops at SIGTERM or Ctrl-C; the same command goes on.
    """
    from stillwatch.cli import watched
    from stillwatch.service import Cadence, Plan, parse_span, read_channels

    console, channels = read_channels(alerts) if alerts else ("", [])
    slack = parse_span(late, where="--late")
    plan = Plan(
        sources=tuple(sources),
        folder=out,
        cadence=Cadence(
            parse_span(window, where="--window"),
            parse_span(every, where="--every"),
            slack,
            slack if idle is None else parse_span(idle, where="--idle"),
            None if budget == "ever" else parse_span(budget, where="--budget"),
        ),
        db=db or str(out / "cases.db"),
        format=format,
        max_rejects=max_rejects,
        keep_runs=keep_runs,
        keep=watched.days(keep_days),
        console=console,
        channels=channels,
        scan={
            "accounts": accounts,
            "organizations": organizations,
            "permits": permits,
            "ownership": ownership,
            "corrections": corrections,
            "indicators": indicators,
            "baseline": tuple(baseline or ()),
            "value": value,
            "alpha": alpha,
            "memory": memory,
            "threads": threads,
        },
        after_look=watched.publisher(guard_depot, guard_key, guard_by, permits, corrections, out),
    )
    how = watched.Telling(quiet=quiet, as_json=as_json)
    if once:
        raise typer.Exit(watched.one_round(plan, how, ended=ended))
    watched.keep_watching(plan, how, poll_s=poll_s, ended=ended)
