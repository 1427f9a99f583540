"""`stillwatch case`: evidence packs, audit samples, and whether the history holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.case import CASE, DB, case

if TYPE_CHECKING:
    from stillwatch.cases import Rate

__all__ = ["check", "export", "key", "rates", "sample", "verify"]


@case.command()
def key(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The private key; .pub beside it.")],
) -> None:
    """Make a key pair to sign evidence packs with; a key is never overwritten."""
    from stillwatch.cli.terminal import Page
    from stillwatch.seal import new_key

    new_key(out)
    Page().sentence(f"Private key {out}, public key {out}.pub. Hand out the public one only.")


@case.command()
def export(
    name: CASE,
    level: Annotated[
        str, typer.Option(metavar="WORD", help="For whom: internal, counsel, partner or public.")
    ],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key to sign with.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder for the pack.")],
    db: DB,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run directory that the links come from.")
    ] = None,
) -> None:
    """Write a case as a signed, self-contained folder that verifies offline."""
    from stillwatch.cases import export_case, open_book
    from stillwatch.cli.terminal import Page
    from stillwatch.seal import read_private_key
    from stillwatch.store import open_run

    pack = export_case(
        open_book(db, make=False), name, out, level=level, key=read_private_key(key),
        now=datetime.now(UTC),
        run=open_run(run) if run else None,
    )  # fmt: skip
    Page().sentence(
        f"{pack.files} files for {level} in {pack.folder}, manifest {pack.manifest_digest}."
    )


@case.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An evidence pack.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Public key, got by another way.")],
) -> None:
    """Check an evidence pack offline: signature, every file, the history, every text."""
    from stillwatch.cases import verify_pack
    from stillwatch.cli.terminal import Page
    from stillwatch.seal import read_public_key

    done = verify_pack(folder, read_public_key(key))
    Page().sentence(
        f"Holds: {done.files} files for {done.level}, {done.entries:,} entries of history, "
        f"{done.opened:,} of them with their text, manifest {done.manifest_digest}."
    )


@case.command()
def check(
    db: DB,
    last: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="What the history ended with, kept apart.")
    ] = None,
) -> None:
    """Check the case database: the chain, the texts behind it, the tables derived from them."""
    from stillwatch.cases import open_book, verify_book
    from stillwatch.cli.terminal import Page

    done = verify_book(open_book(db, make=False), last=last)
    Page().sentence(
        f"Holds: {done.entries:,} entries, {done.opened:,} with their text, {done.erased:,} erased "
        f"or purged. It ends with {done.last}; keep that elsewhere."
    )


@case.command()
def sample(
    size: Annotated[int, typer.Argument(metavar="N", help="How many accounts to draw.")],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for sample.csv, design.json.")],
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed draws the same.")],
) -> None:
    """Draw a random sample of all accounts for an audit, by standing, with known chances."""
    from stillwatch.cases import sample_run
    from stillwatch.cli.terminal import Page
    from stillwatch.store import open_run

    design, page = sample_run(open_run(run), size, out, seed=seed), Page()
    page.table(
        ("standing", ">accounts", ">drawn", ">chance"),
        [(s.standing, f"{s.size:,}", f"{len(s.drawn):,}", f"{s.inclusion_probability:.4f}")
         for s in design.strata],
    )  # fmt: skip
    page.sentence(f"Fill in the column distils of {out / 'sample.csv'} (yes, no, unsure).")
    page.sentence("Whoever labels should not see design.json, the report or the accounts table.")


@case.command()
def rates(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="What `case sample` wrote, labels filled in.")
    ],
    level: Annotated[
        float, typer.Option(metavar="SHARE", min=0.5, max=0.999, help="Confidence.")
    ] = 0.95,
) -> None:
    """Estimate false accusations and missed accounts from the labels of an audit sample."""
    from stillwatch.cases import estimate_rates, read_design, read_labels
    from stillwatch.cli.terminal import Page

    design = read_design(folder)
    found = estimate_rates(design, read_labels(folder / "sample.csv"), level=level)
    page = Page()
    page.table(
        ("rate", ">estimate", ">low", ">high"),
        [("of honest accounts, accused", *_told(found.false_accusation)),
         ("of accused accounts, honest", *_told(found.false_discovery)),
         ("of accounts that distil, not accused", *_told(found.missed))],
    )  # fmt: skip
    page.sentence(
        f"{found.labelled:,} labels, {found.unsure:,} unsure or missing: these count as either, "
        f"whichever is worse. The intervals hold together with {level:.1%} confidence or more."
    )


def _told(rate: Rate) -> tuple[str, str, str]:
    shown = [f"{share:.4%}" if share == share else "none" for share in
             (rate.estimate, rate.low, rate.high)]  # fmt: skip
    return shown[0], shown[1], shown[2]
