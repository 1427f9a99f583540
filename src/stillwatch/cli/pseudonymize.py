"""`stillwatch pseudonymize`: logs and side tables with keyed hashes where identifiers were."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.logs import Format, MaxRejects, Memory
from stillwatch.errors import ConfigError
from stillwatch.schema import REJECTED, write_whole

if TYPE_CHECKING:
    from stillwatch.cli.terminal import Page
    from stillwatch.enrich import Pseudonyms

__all__ = ["pseudonymize"]

_ABOUT = "pseudonyms.json"


def pseudonymize(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT]", help="Logs: files, globs, directories, or - for a pipe."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key, 64 hexadecimal digits.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for exchanges/*.parquet and the side tables."),
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of accounts, raw values in it.")
    ] = None,
    organizations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Side table of organizations, raw values in it."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of keys: whose, from when on.")
    ] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=LIST",
            help="As `scan` takes them; afterwards an address tells nothing any more.",
        ),
    ] = None,
    permits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of permits.")
    ] = None,
    ownership: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Side table of ownership answers.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", metavar="FILE", help="Make a key, and stop.")
    ] = None,
    lookup: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Print value and pseudonym of each line of standard input: account, org, key …",
        ),
    ] = None,
    format: Format = "auto",
    memory: Memory = "1GB",
    max_rejects: MaxRejects = 0.01,
) -> None:
    """Replace identifiers by keyed hashes, where the raw values are.

    Reads any known format and writes what `scan` takes: canonical Parquet and side tables that
    join as before. The key stays with whoever may know the customers; texts of prompts are left as
    they are. docs/pseudonymize.md tells how keys are kept and changed.
    """
    from stillwatch.cli.terminal import Page, command
    from stillwatch.enrich import KINDS, read_key, write_key

    page = Page()
    if new_key is not None:
        write_key(new_key)
        page.sentence(f"A new key is in {new_key}. Keep a copy: without it nothing joins again.")
        return
    if key is None:
        raise ConfigError("give --key FILE", where="pseudonymize", hint="--new-key makes one")
    made_by = read_key(key)
    if lookup is not None:
        if lookup not in KINDS:
            raise ConfigError("no such kind", where="--lookup", hint=f"one of {', '.join(KINDS)}")
        _look_up(lookup, made_by)
        return
    tables = {"accounts": accounts, "organizations": organizations, "keys": keys,
              "permits": permits, "ownership": ownership}  # fmt: skip
    given = {name: path for name, path in tables.items() if path is not None}
    if out is None or not (inputs or given):
        raise ConfigError("give --out DIR, and a log or a side table", where="pseudonymize")
    out.mkdir(parents=True, exist_ok=True)
    _refuse_other_key(out, made_by.key_id)
    for name, path in given.items():
        _table(name, path, out, made_by, page)
    if inputs:
        _log(
            inputs, out, made_by, networks or [], format=format, memory=memory,
            max_rejects=max_rejects,
        )  # fmt: skip
    write_whole(out / _ABOUT, json.dumps({"key_id": made_by.key_id, "version": 1}).encode())
    page.sentence(f"Pseudonyms are under the key {made_by.key_id}.")
    if inputs:
        side = [word for name in given for word in (f"--{name}", out / f"{name}.csv")]
        page.sentence(f"Next: {command('scan', out / 'exchanges', *side, '--out', out / 'run')}")


def _log(
    inputs: list[str], out: Path, made_by: Pseudonyms, networks: list[str], *, format: str,
    memory: str, max_rejects: float,
) -> None:  # fmt: skip
    from stillwatch.cli.reading import print_reading
    from stillwatch.enrich import pseudonymize_batch, read_networks
    from stillwatch.sources import ingest, open_inputs

    opened = open_inputs(inputs, format=format, max_rejects=max_rejects, now=datetime.now(UTC))
    notes, looked_up = opened.ledger.notes, read_networks(networks)
    try:
        ingest(
            opened, out, memory=memory,
            change=lambda batch: pseudonymize_batch(looked_up.apply(batch), made_by, notes),
        )  # fmt: skip
        print_reading(opened, None)
    finally:
        if opened.ledger.rejected:
            opened.ledger.write(out / REJECTED)


def _table(name: str, path: Path, out: Path, made_by: Pseudonyms, page: Page) -> None:
    from stillwatch.enrich import pseudonymize_table

    notes: Counter[str] = pseudonymize_table(name, path, out / f"{name}.csv", made_by)
    page.sentence(f"{out / name}.csv is written.")
    for note, times in sorted(notes.items()):
        page.point(f"{note}: {times:,}")


def _look_up(kind: str, made_by: Pseudonyms) -> None:
    """Answer on the terminal of whoever holds the key; a control character ends no line."""
    from stillwatch.enrich import canonical_value

    for line in sys.stdin:
        value = canonical_value(kind, line.rstrip("\r\n"))
        if value:
            shown = value if value.isprintable() else ascii(value)
            print(f"{shown}\t{made_by.of(kind, value)}")


def _refuse_other_key(out: Path, key_id: str) -> None:
    file = out / _ABOUT
    if file.is_file() and json.loads(file.read_text("utf-8")).get("key_id") != key_id:
        raise ConfigError(
            "holds pseudonyms under another key", where=str(out),
            hint="choose another folder: what is under two keys does not join",
        )  # fmt: skip
