"""`stillwatch scan`: the main job."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.logs import Format, Logs, MaxRejects, Memory, Query
from stillwatch.cli.progress import progress
from stillwatch.schema import SUMMARY, parse_time

__all__ = ["scan"]


def scan(
    inputs: Logs,
    query: Query = None,
    format: Format = "auto",
    accounts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Side table of accounts: CSV, Parquet or JSON lines."),
    ] = None,
    organizations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Side table of organizations: what their accounts' rows leave empty.",
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Side table of keys: whose a key was, from when on."),
    ] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=LIST",
            help="Networks of a kind (vpn, datacenter …), or FILE.mmdb; may be given again.",
        ),
    ] = None,
    disposable: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Disposable e-mail domains; `package` for a shipped list."
        ),
    ] = None,
    permits: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Side table of permits: distillation that is allowed."),
    ] = None,
    ownership: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Side table of ownership answers; sets `access`, never a standing."
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What `case effects` wrote; accounts that appeals restored."
        ),
    ] = None,
    indicators: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What `share pull` wrote; who carries it is watched, never accused.",
        ),
    ] = None,
    corroborated: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What `share propose` wrote; templates that others have too need less evidence.",
        ),
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Earlier run directory to calibrate on; may be given again."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Leave out what is earlier (ISO 8601, UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Leave out this time and what is later.")
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="Tolerated share of false campaigns among those selected."
        ),
    ] = 0.01,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Run directory; one that is there is replaced.")
    ] = Path("stillwatch-run"),
    memory: Memory = "4GB",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Threads to use; all by default.")
    ] = None,
    max_rejects: MaxRejects = 0.01,
    sampling_rate: Annotated[
        float,
        typer.Option(metavar="SHARE", help="The share of requests that the log holds, at random."),
    ] = 1.0,
    value: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="value.toml: prices and assumptions for value at risk."),
    ] = None,
    look: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Which look at this traffic it is; later ones need more."
        ),
    ] = 1,
    looks: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Looks that share alpha evenly; else all ever, by number."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a scan into --out was stopped.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(metavar="ENGINE", help="Who reads the logs: local, sail, sc://…, spark://…."),
    ] = "local",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print summary.json instead of sentences.")
    ] = False,
) -> None:
    """Look for campaigns in a log.

    Writes a run directory with report.html and exits with 3 when a campaign is accused.
    """
    from stillwatch import scan as scan_log
    from stillwatch.cli.outcome import print_outcome
    from stillwatch.store import open_run

    with progress(quiet=quiet) as report:
        result = scan_log(
            inputs,
            accounts=accounts,
            organizations=organizations,
            keys=keys,
            networks=tuple(networks or ()),
            disposable=disposable,
            permits=permits,
            ownership=ownership,
            corrections=corrections,
            indicators=indicators,
            corroborated=corroborated,
            baseline=tuple(baseline or ()),
            format=format,
            since=None if since is None else parse_time(since, where="--since"),
            until=None if until is None else parse_time(until, where="--until"),
            alpha=alpha,
            out=out,
            memory=memory,
            threads=threads,
            max_rejects=max_rejects,
            sampling_rate=sampling_rate,
            value=value,
            now=datetime.now(UTC),
            resume=resume,
            look=look,
            looks=looks,
            progress=report,
            query=query,
            engine=engine,
        )
    if as_json:
        print((result.run_dir / SUMMARY).read_text(encoding="utf-8").rstrip("\n"))
    else:
        print_outcome(open_run(result.run_dir))
    raise typer.Exit(result.exit_code)
