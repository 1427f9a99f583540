"""`stillwatch prove canary`: marks by campaign, registered before they are planted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page

__all__ = ["canary"]

canary = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Trace a suspect to the campaign whose answers it learnt from.",
)


@canary.command()
def plan(
    campaign: Annotated[
        list[str], typer.Option(metavar="NAME", help="A campaign to mark; may be given again.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for plan, seed and probes.")],
    facts: Annotated[int, typer.Option(metavar="N", help="Fictional facts, four bits each.")] = 64,
    suspects: Annotated[int, typer.Option(metavar="N", help="Suspects to be scored.")] = 1,
    looks: Annotated[int, typer.Option(metavar="N", help="Scores of each suspect.")] = 1,
    alpha: Annotated[float, typer.Option(metavar="A", help="Level over all of them.")] = 1e-6,
) -> None:
    """Draw a secret seed and the marks; print how many a claim needs."""
    from stillwatch.prove import plan_canaries

    made = plan_canaries(campaign, out, facts=facts, suspects=suspects, looks=looks, alpha=alpha)
    page = Page()
    page.sentence(
        f"{made['marks']} marks in {out}. Keep seed.key secret; register plan.json before any mark "
        "is planted."
    )
    page.table(
        [">a student shows the mark", ">marks needed for power 0.9"],
        [[f"{row['adoption']:.0%}", f"{row['marks_needed']:,}"] for row in made["power"]],
    )


@canary.command()
def register(
    registry: Annotated[Path, typer.Option(metavar="FILE", help="Registry to add to.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key to sign with.")],
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="plan.json, before it is planted.")
    ] = None,
    suspect: Annotated[
        str | None, typer.Option(metavar="NAME", help="A suspect model, before it is asked.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The prompts it will be asked.")
    ] = None,
    looks: Annotated[int, typer.Option(metavar="N", help="Times it will be scored.")] = 1,
    planted: Annotated[
        Path | None, typer.Option(metavar="FILE", help="plan.json whose marks are being planted.")
    ] = None,
    legal_basis: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What allows the marks to be planted.")
    ] = None,
) -> None:
    """Enter a plan, a suspect, or the planting of marks into the signed registry."""
    from stillwatch.prove import Registration
    from stillwatch.prove import register as enter

    what = Registration(plan, suspect, prompts, looks, planted, legal_basis)
    head = enter(what, registry, key, datetime.now(UTC))
    Page().sentence(f"Registered. Keep this digest elsewhere, or publish it: {head}")


@canary.command()
def score(
    plan: Annotated[Path, typer.Option(metavar="FILE", help="plan.json.")],
    seed: Annotated[Path, typer.Option(metavar="FILE", help="seed.key.")],
    suspect: Annotated[Path, typer.Option(metavar="FILE", help="The suspect's answers.")],
    prompts: Annotated[Path, typer.Option(metavar="FILE", help="The registered prompts.")],
    registry: Annotated[Path, typer.Option(metavar="FILE", help="The registry.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Public key of the registry.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Result to write (JSON).")],
    base: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers of a model that saw no campaign; more power."),
    ] = None,
    alpha: Annotated[float, typer.Option(metavar="A", help="Level, after Bonferroni.")] = 1e-6,
    private_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Enter the score into the registry too.")
    ] = None,
) -> None:
    """Say whose marks a suspect shows, with the exact chance of so many matches."""
    from stillwatch.prove import inquire_canary

    found = inquire_canary(
        plan,
        seed,
        suspect,
        prompts,
        registry,
        key,
        out,
        base=base,
        alpha=alpha,
        now=datetime.now(UTC),
        private=private_key,
    )
    page = Page()
    page.table(
        ["campaign", ">matches", ">marks seen", ">by chance", ">p", ">adjusted"],
        [
            [
                row["campaign"],
                str(row["matches"]),
                str(row["marks_seen"]),
                f"{row['expected']:.1f}",
                f"{row['p_value']:.3g}",
                f"{row['p_adjusted']:.3g}",
            ]
            for row in found["scores"]
        ],
    )
    page.sentence(f"Null: {found['null']}. Adjusted for {found['tests']} comparisons.")
