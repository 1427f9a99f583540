"""`stillwatch prove canary`: marks by campaign, registered before they are planted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.prove_options import (
    ByLogProbabilities,
    CanaryAlpha,
    CanaryPlan,
    CanaryPrompts,
    Looks,
    Out,
    Registry,
    RegistryKey,
    RegistryPrivateKey,
    Seed,
)
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
    looks: Looks = 1,
    alpha: CanaryAlpha = 1e-6,
) -> None:
    """Draw a secret seed and the marks; print how many a claim needs."""
    from stillwatch.prove import plan_canaries

    made = plan_canaries(campaign, out, facts=facts, suspects=suspects, looks=looks, alpha=alpha)
    page = Page()
    page.sentence(
        f"{made['marks']} marks in {out}. Keep seed.key secret; register plan.json before any mark "
        "is planted."
    )
    page.sentence("Marks needed for a power of 0.9, at that level over all comparisons:")
    page.table(
        [">two options: shown", ">marks", ">facts: favoured", ">facts"],
        [
            [
                f"{two['adoption']:.0%}",
                f"{two['marks_needed']:,}",
                f"{fact['adoption']:.0%}",
                f"{fact['marks_needed']:,}",
            ]
            for two, fact in zip(made["power"], made["fact_power"], strict=True)
        ],
    )


@canary.command()
def register(
    registry: Registry,
    private_key: RegistryPrivateKey,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="plan.json, before it is planted.")
    ] = None,
    suspect: Annotated[
        str | None, typer.Option(metavar="NAME", help="A suspect model, before it is asked.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The prompts it will be asked, such as probes.jsonl."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="NAME", help="The base model it will be scored against.")
    ] = None,
    log_probabilities: ByLogProbabilities = False,
    looks: Looks = 1,
    planted: Annotated[
        Path | None, typer.Option(metavar="FILE", help="plan.json whose marks are being planted.")
    ] = None,
    legal_basis: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What allows the marks to be planted.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="NAME", help="The campaign that is given facts.")
    ] = None,
    facts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The facts it is given: their ids, one a line."),
    ] = None,
    drawn_for: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="plan.json that public randomness was drawn for."),
    ] = None,
    nonce: Annotated[
        str | None, typer.Option(metavar="HEX", help="That randomness, 16 bytes or more.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where anybody can look it up.")
    ] = None,
) -> None:
    """Enter a plan, its nonce, the planting of marks, or a suspect into the signed registry."""
    from stillwatch.prove import Registration
    from stillwatch.prove import register as enter

    what = Registration(
        plan=plan,
        drawn_for=drawn_for,
        nonce=nonce or "",
        source=source or "",
        planted=planted,
        legal_basis=legal_basis,
        campaign=campaign,
        facts=facts,
        suspect=suspect,
        prompts=prompts,
        base=base or "",
        log_probabilities=log_probabilities,
        looks=looks,
    )
    head = enter(what, registry, private_key, datetime.now(UTC))
    Page().sentence(f"Registered. Keep this digest elsewhere, or publish it: {head}")


@canary.command()
def order(
    plan: CanaryPlan,
    seed: Seed,
    registry: Registry,
    private_key: RegistryPrivateKey,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The order, for the guard.")],
    campaign: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this campaign of the plan; may be given again."),
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", help="For how long it holds.")] = 30,
) -> None:
    """Write the signed order by which the guard plants a plan's words and formats."""
    from stillwatch.prove import order_planting

    made = order_planting(
        plan,
        seed,
        registry,
        private_key,
        out,
        now=datetime.now(UTC),
        days=days,
        campaigns=campaign or (),
    )
    marks = len(next(iter(made.campaigns.values())))
    page = Page()
    page.sentence(
        f"{out} orders {marks} marks for {len(made.campaigns)} campaigns, for {days} days, under: "
        f"{made.legal_basis}."
    )
    page.sentence(
        "The guard carries it out only where its ladder's legal switch is on (silent_alteration). "
        "The seed is not in it."
    )


@canary.command()
def likelihoods(
    weights: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with the weights, as Transformers has them.")
    ],
    model: Annotated[
        str,
        typer.Option("--model", "--name", metavar="NAME", help="The model's name as registered."),
    ],
    prompts: CanaryPrompts,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Log-probabilities (JSON lines).")],
    gguf: Annotated[
        str | None, typer.Option(metavar="FILE", help="A GGUF file in that folder instead.")
    ] = None,
) -> None:
    """Read from open weights how likely they find every option of every fact."""
    from stillwatch.prove import ask_likelihoods, load_weights, read_questions

    questions = read_questions(prompts)
    ask_likelihoods(load_weights(weights, gguf), model, questions, datetime.now(UTC), out)
    Page().sentence(f"{len(questions)} facts in {out}.")


@canary.command()
def audit(
    registry: Registry,
    public_key: RegistryKey,
    published: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="A head that was kept elsewhere.")
    ] = None,
) -> None:
    """Verify a registry offline and list its entries; say which of them a kept head vouches for."""
    from stillwatch.prove import standing_of

    found = standing_of(registry, public_key, published)
    page = Page()
    page.table(
        [">", "at", "entry", "of", "vouched for"],
        [
            [
                str(k),
                entry["at"],
                entry["kind"],
                str(entry.get("suspect") or entry.get("campaign") or entry.get("source") or ""),
                "yes" if k <= found["vouched"] else "no",
            ]
            for k, entry in enumerate(found["entries"], 1)
        ],
    )
    page.sentence(f"Signatures and chain of {len(found['entries'])} entries hold.")
    page.sentence(f"Head: {found['head']}")
    if published is None:
        page.sentence(
            "No head that was kept elsewhere was given: the file could have been written anew."
        )


@canary.command()
def score(
    plan: CanaryPlan,
    seed: Seed,
    suspect: Annotated[
        Path, typer.Option(metavar="FILE", help="The suspect's answers or log-probabilities.")
    ],
    prompts: CanaryPrompts,
    registry: Registry,
    public_key: RegistryKey,
    out: Out,
    base: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same of the registered base; more power."),
    ] = None,
    log_probabilities: ByLogProbabilities = False,
    alpha: CanaryAlpha = 1e-6,
    private_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The registry's private key: enter the score into it too."
        ),
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
        public_key,
        out,
        base=base,
        log_probabilities=log_probabilities,
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
