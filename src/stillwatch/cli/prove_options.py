"""Options that commands of `stillwatch prove` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Alpha", "Candidates", "Model", "Out", "References", "Suspect"]

Suspect = Annotated[Path, typer.Option(metavar="FILE", help="The suspect's answers.")]
References = Annotated[
    Path, typer.Option(metavar="DIR", help="Answers of teachers and controls, with models.csv.")
]
Out = Annotated[Path, typer.Option(metavar="FILE", help="Result to write (JSON).")]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="The suspect, where FILE holds several.")
]
Alpha = Annotated[float, typer.Option(metavar="A", help="Level, set beforehand.")]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FAMILY",
        help="A teacher family named before the answers were seen; up to three. None: a "
        "screening, which has no error rate.",
    ),
]
