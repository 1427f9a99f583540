"""`stillwatch prove agreement | identity | equality`: how like its teacher a suspect is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.prove_options import Alpha, Model, Out, References, Suspect
from stillwatch.cli.terminal import Page
from stillwatch.errors import ConfigError

__all__ = ["agreement", "equality", "identity"]


def agreement(
    suspect: Suspect,
    references: References,
    teacher: Annotated[
        str, typer.Option(metavar="NAME", help="One candidate, named before the answers were seen.")
    ],
    out: Out,
    model: Model = None,
    alpha: Alpha = 0.05,
) -> None:
    """Compare first tokens with a teacher's, where log-probabilities were saved."""
    from stillwatch.prove import inquire_agreement

    found = inquire_agreement(suspect, references, teacher, out, model=model, alpha=alpha)
    low, high = found["interval"]["low"], found["interval"]["high"]
    gap = found["over_closest"]
    page = Page()
    page.sentence(
        f"First tokens agree on {found['share']:.0%} of {found['prompts']} prompts ({low:.0%} to "
        f"{high:.0%}); rank p {found['p_value']:.3f} among {found['n_controls']} controls. Null: "
        f"{found['null']}."
    )
    page.sentence(
        f"Against the control that agrees most: {gap['difference']:+.0%} "
        f"({gap['interval']['low']:+.0%} to {gap['interval']['high']:+.0%}), about these prompts."
    )


def identity(
    suspect: Suspect,
    references: References,
    alias: Annotated[
        list[str],
        typer.Option(
            metavar="FAMILY=NAME,NAME",
            help="A family and what it is called (model and maker), named beforehand; up to three.",
        ),
    ],
    out: Out,
    model: Model = None,
    alpha: Alpha = 0.05,
) -> None:
    """Count whom the suspect says it is, when asked in 24 ways (`prove prompts --identity`)."""
    from stillwatch.prove import inquire_identity

    aliases = {}
    for given in alias:
        family, _, names = given.partition("=")
        aliases[family] = [name.strip() for name in names.split(",") if name.strip()]
        if not family or not aliases[family]:
            raise ConfigError("got another form than FAMILY=NAME,NAME", where="--alias")
    found = inquire_identity(suspect, references, aliases, out, model=model, alpha=alpha)
    page = Page()
    for row in found["families"]:
        page.point(
            f"{row['family']}: named in {row['times']} of {row['questions']} answers (controls at "
            f"most {row['most_among_controls']}); rank p {row['p_value']:.3f}, Holm "
            f"{row['p_adjusted']:.3f}, {row['n_controls']} controls."
        )


def equality(
    suspect: Suspect,
    teacher: Annotated[
        Path, typer.Option(metavar="FILE", help="The teacher's samples of the same prompts.")
    ],
    out: Out,
    other: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Another model's samples, for the power."),
    ] = None,
    model: Model = None,
    alpha: Alpha = 0.05,
) -> None:
    """Ask whether the suspect is the teacher itself: two samples, one distribution?"""
    from stillwatch.prove import inquire_equality

    found = inquire_equality(suspect, teacher, out, other=other, model=model, alpha=alpha)
    page = Page()
    said = "differ" if found["differs"] else "cannot be told apart: that is no proof of equality"
    page.sentence(
        f"Samples of {found['prompts']} prompts {said} (MMD² {found['statistic']:.3g}, permutation "
        f"p {found['p_value']:.3g}). Null: {found['null']}."
    )
    for row in found["power"]:
        page.point(f"With {row['other_share']:.0%} of another model: noticed {row['power']:.0%}.")
