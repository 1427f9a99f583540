"""`stillwatch export`: a run for a SIEM, a spreadsheet, a warehouse, or whoever reads STIX."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.errors import ConfigError
from stillwatch.schema import STIX, write_whole

if TYPE_CHECKING:
    from stillwatch.store import Run

__all__ = ["export"]

_DATABASE = "the database"


class Format(enum.StrEnum):
    """What a run can be written as."""

    ocsf = "ocsf"
    csv = "csv"
    parquet = "parquet"
    stix = "stix"
    postgresql = "postgresql"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory that a scan wrote.")],
    format: Annotated[Format, typer.Option(help="What to write.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files; made if missing.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="With postgresql: postgresql://USER@HOST/DATABASE."),
    ] = None,
    schema: Annotated[
        str, typer.Option(metavar="NAME", help="With postgresql: the schema of the tables.")
    ] = "stillwatch",
    activity: Annotated[
        bool,
        typer.Option("--activity", help="With ocsf: also each request of the accused accounts."),
    ] = False,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="With --activity: whose models they are.")
    ] = "unknown",
) -> None:
    """Write a run in another form.

    ocsf: findings of OCSF 1.8, a JSON object a line. csv, parquet: campaigns, members, accounts,
    subjects, signals and links. postgresql: the same tables, and `runs`, in a database; the same
    run again replaces its rows. stix: the accused campaigns as a bundle without identities. All but
    stix hold your accounts: they are for your own systems.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.report.export_tables import as_csv, export_tables
    from stillwatch.report.ocsf_events import activity_events, finding_events
    from stillwatch.store import open_run
    from stillwatch.store.warehouse import run_id

    held = open_run(run)
    if activity and format is not Format.ocsf:
        raise ConfigError("goes with --format ocsf", where="--activity")
    if to is None and format is Format.postgresql:
        raise ConfigError("--format postgresql needs it", where="--to",
                          hint="give postgresql://USER@HOST/DATABASE")  # fmt: skip
    if to is not None and format is not Format.postgresql:
        raise ConfigError("goes with --format postgresql", where="--to",
                          hint="give --out DIR for files")  # fmt: skip
    if to is not None:
        rows = _into_database(held, to, schema)
        Page().sentence(f"{rows:,} rows of run {run_id(held)} are in the schema {schema}.")
        return
    if out is None:
        raise ConfigError("no folder for the files", where="--out", hint="give --out DIR")
    out.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    if format is Format.ocsf:
        files.append(_lines(out / "findings.ocsf.jsonl", finding_events(held)))
        if activity:
            events = activity_events(held, provider=provider)
            files.append(_lines(out / "activity.ocsf.jsonl", events))
    elif format is Format.stix:
        files.append(out / STIX)
        write_whole(files[0], (held.path / STIX).read_bytes())
    else:
        for name, table in export_tables(held).items():
            files.append(out / f"{name}.{format.value}")
            write_whole(files[-1], as_csv(table) if format is Format.csv else _parquet(table))
    page = Page()
    for file in files:
        page.point(f"{file} ({file.stat().st_size / 1e6:,.1f} MB)")


def _into_database(run: Run, address: str, schema: str) -> int:
    from stillwatch.report.export_tables import export_tables
    from stillwatch.sources import SCHEMES, connect
    from stillwatch.store.warehouse import run_id, run_row, write_tables

    if not address.startswith(SCHEMES):
        raise ConfigError("an address of this kind is not known", where="--to", hint=SCHEMES[0])
    tables = {"runs": run_row(run), **export_tables(run)}
    with connect(address, _DATABASE) as connection:
        return write_tables(connection, schema, run_id(run), tables, where=_DATABASE)


def _lines(file: Path, events: Iterable[dict[str, Any]]) -> Path:
    """Write events aside, one a line, then rename; however many, they are not held."""
    aside = file.with_name(f"{file.name}.part")
    with aside.open("w", encoding="utf-8") as out:
        for event in events:
            out.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
    return aside.replace(file)


def _parquet(table: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
