"""Does the suspect begin its answers with the teacher's token more often than controls do?

Where log-probabilities were saved, the first token of an answer is known exactly, and one token an
answer is cheap to ask for. What everybody says first tells nothing: an agreement counts by how
few of the models compared share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import EvidenceError, InputError, SchemaError, why
from stillwatch.prove.openset import MIN_CONTROLS, check_controls
from stillwatch.stats import (
    FloatArray,
    Interval,
    PairedDifference,
    clopper_pearson,
    paired_difference,
    surrogate_p,
)

__all__ = ["Agreed", "AgreementPower", "Tokens", "agreement_power", "next_token_agreement"]
__all__ += ["read_first_tokens"]

Tokens = Mapping[str, str]
"""prompt_id to the first token of an answer."""

SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
_MIN_PROMPTS: Final = 20
_DRAWS: Final = 200


@dataclass(frozen=True)
class Agreed:
    """How often the suspect agrees with the teacher, and its rank among the controls.

    ``score`` is in nats a prompt: agreements weighted by their rarity. ``p_value`` is the rank of
    the score among the controls', never below 1/(n + 1). ``over_closest`` compares plain shares
    with the control that agrees most; it is about these prompts, not about models.
    """

    prompts: int
    share: float
    interval: Interval
    score: float
    p_value: float
    n_controls: int
    closest_control: str
    over_closest: PairedDifference
    control_scores: Mapping[str, float]


@dataclass(frozen=True)
class AgreementPower:
    """How often a control would rank first if it took a share of its tokens from the teacher."""

    taught_share: float
    power: float
    n: int


def read_first_tokens(path: Path) -> dict[str, dict[str, str]]:
    """Return model to prompt_id to the first token, from saved log-probabilities.

    Of several samples the lowest number counts; prompts without log-probabilities are left out.

    Raises:
        InputError: the file cannot be read.
        SchemaError: it holds no log-probabilities.
    """
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot be read as Parquet ({why(error)})", where=path.name) from error
    if not {"model", "prompt_id", "logprobs"} <= set(table.column_names):
        raise SchemaError(
            "columns model, prompt_id and logprobs are needed",
            where=path.name,
            hint="collect with --logprobs, where the endpoint offers them",
        )
    rows = table.to_pylist()
    found: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda r: -(r.get("sample") or 0)):
        if row["logprobs"]:
            said = found.setdefault(str(row["model"]), {})
            said[str(row["prompt_id"])] = str(row["logprobs"][0]["token"])
    if not found:
        raise SchemaError("holds no log-probabilities", where=path.name)
    return found


def next_token_agreement(
    suspect: Tokens, teacher: Tokens, controls: Mapping[str, Tokens]
) -> Agreed:
    """Return how the suspect agrees with the teacher, ranked among the controls.

    Null: the suspect learnt nothing from the teacher and is exchangeable with the controls.

    Args:
        suspect: its first tokens.
        teacher: the one candidate, named beforehand.
        controls: models that are nobody's students; at least four.

    Raises:
        EvidenceError: fewer than four controls, or than 20 prompts that all answered.

    Error: the p-value is exact if suspect and controls are exchangeable under the null: the
    weights are made from all of them alike. The interval of the share is exact (Clopper-Pearson)
    for prompts drawn independently. Source: Nikolic et al. 2025, arXiv 2502.00706, whose test is
    over prompts; here the model is the unit, since answers of one model are not independent.
    """
    check_controls(sorted(controls))
    names = sorted(controls)
    prompts = _shared([suspect, teacher, *controls.values()])
    same = np.array(
        [[m[p] == teacher[p] for p in prompts] for m in (suspect, *(controls[n] for n in names))]
    )
    scores = _scores(same)
    shares = same.mean(axis=1)
    closest = int(shares[1:].argmax())
    hits = int(same[0].sum())
    return Agreed(
        prompts=len(prompts),
        share=float(shares[0]),
        interval=clopper_pearson(hits, len(prompts)),
        score=float(scores[0]),
        p_value=surrogate_p(float(scores[0]), scores[1:], "upper"),
        n_controls=len(names),
        closest_control=names[closest],
        over_closest=paired_difference(same[0], same[1 + closest]),
        control_scores=dict(zip(names, map(float, scores[1:]), strict=True)),
    )


def agreement_power(
    teacher: Tokens, controls: Mapping[str, Tokens], rng: np.random.Generator
) -> tuple[AgreementPower, ...]:
    """Return the power at the smallest p-value: a control that took tokens from the teacher.

    Imitation at its most direct, so an upper bound. At least five controls: four stay as null.

    Raises:
        EvidenceError: fewer than five controls, or too few prompts.
    """
    names = sorted(controls)
    if len(names) <= MIN_CONTROLS:
        raise EvidenceError(
            f"got {len(names)} controls, expected at least {MIN_CONTROLS + 1}", where="agreement"
        )
    prompts = _shared([teacher, *controls.values()])
    same = np.array([[controls[n][p] == teacher[p] for p in prompts] for n in names])
    out = []
    for share in SHARES:
        hits = 0
        for draw in range(_DRAWS):
            taught = same[draw % len(names)] | (rng.random(len(prompts)) < share)
            rest = np.delete(same, draw % len(names), axis=0)
            scores = _scores(np.vstack([taught, rest]))
            hits += bool(scores[0] > scores[1:].max())
        out.append(AgreementPower(share, hits / _DRAWS, _DRAWS))
    return tuple(out)


def _shared(models: Sequence[Tokens]) -> list[str]:
    prompts = sorted(set.intersection(*(set(m) for m in models)))
    if len(prompts) < _MIN_PROMPTS:
        raise EvidenceError(
            f"the models share {len(prompts)} prompts, expected at least {_MIN_PROMPTS}",
            where="agreement",
        )
    return prompts


def _scores(same: np.ndarray) -> FloatArray:
    """Return nats a prompt by model: an agreement weighs minus the log of how many have it."""
    count = same.sum(axis=0)
    weight = -np.log((count + 0.5) / (same.shape[0] + 0.5))
    total: FloatArray = (same * weight).sum(axis=1) / same.shape[1]
    return total
