"""Options that commands of `stillwatch prove` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Alpha",
    "ByLogProbabilities",
    "CanaryAlpha",
    "CanaryPlan",
    "CanaryPrompts",
    "Candidates",
    "Looks",
    "Model",
    "Out",
    "References",
    "Registry",
    "RegistryKey",
    "RegistryPrivateKey",
    "Seed",
    "Suspect",
]

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

# Of `prove canary`. A key is named for what it is; `--key` was either, by command, and is accepted.
Registry = Annotated[Path, typer.Option(metavar="FILE", help="The signed registry (JSON lines).")]
RegistryPrivateKey = Annotated[
    Path,
    typer.Option("--private-key", "--key", metavar="FILE", help="The registry's private key."),
]
RegistryKey = Annotated[
    Path, typer.Option("--public-key", "--key", metavar="FILE", help="The registry's public key.")
]
CanaryPlan = Annotated[Path, typer.Option(metavar="FILE", help="plan.json, as registered.")]
Seed = Annotated[Path, typer.Option(metavar="FILE", help="seed.key of the plan.")]
CanaryPrompts = Annotated[
    Path, typer.Option(metavar="FILE", help="The prompts, as registered, such as probes.jsonl.")
]
ByLogProbabilities = Annotated[
    bool,
    typer.Option("--log-probabilities", help="Suspect and base are scored by log-probabilities."),
]
Looks = Annotated[int, typer.Option(metavar="N", help="Scores of each suspect.")]
CanaryAlpha = Annotated[float, typer.Option(metavar="A", help="Level over all comparisons.")]
