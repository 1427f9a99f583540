"""`stillwatch simulate`: labelled traffic of a made-up provider."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page, command

__all__ = ["simulate"]


def simulate(
    world: Annotated[
        str,
        typer.Argument(
            metavar="WORLD",
            help="A .toml file (docs/worlds.md), a world that comes along (smoke, benign, rung1 to "
            "rung5, tactics, drift-…, mix-…), or demo, small, tiny; demo-benign and small-benign "
            "hold no campaign.",
        ),
    ],
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same bytes.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")],
    format: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="parquet (default), litellm, litellm.gz or litellm.zst; may be given again.",
        ),
    ] = None,
    corpora: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="STILLWATCH_DATA",
            help="Data folder with the corpora that texts are taken from; without one, a grammar "
            "writes them.",
        ),
    ] = None,
) -> None:
    """Write the labelled traffic of a made-up provider, by default a week of it.

    Beside the log lie accounts.csv, permits.csv and ownership.csv for `scan`, and truth.parquet,
    which says who did what.
    """
    from stillwatch.simulate import simulate as play

    made = play(world, seed=seed, out=out, formats=format or ("parquet",), corpora=corpora)
    page = Page()
    page.sentence(
        f"World {made.world}, seed {made.seed}: {made.exchanges:,} exchanges of "
        f"{made.accounts:,} accounts, {made.start:%Y-%m-%d} to {made.end:%Y-%m-%d}, in {made.out}."
    )
    if made.texts != "grammar":
        page.sentence(f"Texts: corpora of the split {made.texts}; see `stillwatch corpora`.")
    first = next(iter(made.files.values()))[0]
    page.sentence(
        "Next: "
        + command(
            "scan",
            first.parent if first.suffix == ".parquet" else first,
            "--accounts",
            made.accounts_csv,
            "--permits",
            made.permits_csv,
            "--out",
            made.out / "run",
        )
    )
