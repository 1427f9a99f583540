"""`stillwatch simulate`: labelled traffic of a made-up provider, and students of known teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stillwatch.cli.terminal import Page, command

__all__ = ["simulate"]


class _WorldFirst(TyperGroup):
    """Takes what is no command for the first word after ``world``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["world", *args]
        return super().parse_args(ctx, args)


simulate = typer.Typer(
    cls=_WorldFirst,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make labelled traffic (`simulate WORLD` is short for it), or students.",
)


@simulate.command("world")
def make_world(
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

    `simulate WORLD` does the same. Beside the log lie accounts.csv, permits.csv and ownership.csv
    for `scan`, and truth.parquet, which says who did what.
    """
    from stillwatch.simulate import simulate as play

    made = play(world, seed=seed, out=out, formats=format or ("parquet",), corpora=corpora)
    page = Page()
    page.sentence(
        f"World {made.world}, seed {made.seed}: {made.exchanges:,} exchanges from "
        f"{made.start:%Y-%m-%d} to before {made.end:%Y-%m-%d}, in {made.out}; "
        f"{made.accounts_csv.name} lists {made.accounts:,} accounts."
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


def _lineage(found: dict[str, Any]) -> tuple[str, str]:
    if "rank" not in found:
        return "-", "-"
    share = found["dependence"].get("share")
    return f"{found['rank']}/{found['families']}", "-" if share is None else f"{share:.2f}"


@simulate.command()
def student(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder to write to; what is there is kept.")
    ],
    seed: Annotated[int, typer.Option(metavar="N", help="Of marks, data and order.")] = 7,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="tiny (n-grams, seconds) or smollm2 (135 million parameters, an hour of one core; "
            "needs the extra `student`, its weights, and a data folder).",
        ),
    ] = "tiny",
    arm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only these students; may be given again."),
    ] = None,
    corpora: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="STILLWATCH_DATA",
            help="Data folder: prompts, other authors' answers, published models (smollm2).",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Teach students with known truth and put every test of `prove` to them.

    A teacher answers a simulated campaign's prompts; students are taught a share of the marked
    answers, controls other data. Writes what every model said and result.json. Stopped, it goes
    on from the last model.
    """
    from stillwatch.bench.pipeline import simulate_students

    page = Page()
    result = simulate_students(
        model,
        out,
        seed=seed,
        arms=arm,
        corpora=corpora,
        tell=lambda text: None if quiet else page.sentence(text),
    )
    page.sentence(f"Model: {result['model']}.")
    page.table(
        ["model", ">campaign's tokens", ">canary p", ">by log-prob.", ">rank", ">dependence"],
        [
            [
                name,
                f"{row['taught'].get('tokens_from_campaign', 0):,}",
                f"{row['canary']['by_text']['right']['p_adjusted']:.1e}",
                f"{row['canary']['by_log_probability']['right']['p_adjusted']:.1e}",
                *_lineage(row["lineage"]),
            ]
            for name, row in result["students"].items()
        ],
    )
    page.sentence(f"All tests: {out / 'result.json'}")
