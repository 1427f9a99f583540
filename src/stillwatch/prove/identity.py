"""Whom does the suspect say it is, when asked in many words?

A student often repeats its teacher's self-description. So does any model that read the web, where
some assistants are named far more often than others: only the rank among controls is a test.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from scipy.stats import binom

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.prove.openset import MOST_NAMED, check_controls
from stillwatch.prove.responses import Answers
from stillwatch.stats import Interval, clopper_pearson, holm_adjusted, surrogate_p

__all__ = ["IdentityPower", "Named", "identity_power", "identity_questions", "self_identification"]

RATES: Final = (0.1, 0.25, 0.5, 0.75, 1.0)
_MIN_QUESTIONS: Final = 10


@dataclass(frozen=True)
class Named:
    """How often a model names one family when asked who it is, and its rank among controls.

    ``interval`` is exact over the questions, which are paraphrases of one: it describes this
    list. ``p_value`` is never below 1/(n + 1); ``p_adjusted`` is Holm's over the families named.
    """

    family: str
    questions: int
    times: int
    interval: Interval
    p_value: float
    p_adjusted: float
    n_controls: int
    most_among_controls: int


@dataclass(frozen=True)
class IdentityPower:
    """Chance that a suspect that names the family at a rate does so more than every control."""

    rate: float
    power: float


def identity_questions() -> dict[str, str]:
    """Return prompt_id to question: the 24 that ship."""
    shelf = tomllib.loads((files(__package__) / "identity_questions.toml").read_text("utf-8"))
    return {f"who-{k:02}": q for k, q in enumerate(shelf["questions"], 1)}


def self_identification(
    suspect: Answers,
    controls: Sequence[Answers],
    aliases: Mapping[str, Sequence[str]],
) -> list[Named]:
    """Return how often the suspect names each family, ranked among the controls.

    Null: the suspect learnt nothing from the family's models and is exchangeable with the
    controls.

    Args:
        suspect: its answers to the questions, asked without a system prompt.
        controls: models that are nobody's students, asked in the same way; at least four.
        aliases: family to its names (model and maker), at most three families, beforehand.

    Raises:
        ConfigError: no or more than three families, or a family without a name.
        EvidenceError: fewer than four controls, or than ten questions that all answered.

    Error: exact under the null (a rank; ties count against the claim). A question that holds a
    name itself does not count for its family.
    """
    if not 1 <= len(aliases) <= MOST_NAMED or not all(aliases.values()):
        raise ConfigError("name one to three families, each with a name", where="aliases")
    check_controls(controls)
    shared = sorted(set(suspect.output).intersection(*(c.output for c in controls)))
    found = []
    for family in sorted(aliases):
        pattern = _pattern(aliases[family])
        asked = [p for p in shared if not pattern.search(suspect.prompt.get(p, ""))]
        if len(asked) < _MIN_QUESTIONS:
            raise EvidenceError(
                f"{len(asked)} questions that all answered, expected {_MIN_QUESTIONS}",
                where="identity",
            )
        times, *others = (
            sum(pattern.search(m.output[p]) is not None for p in asked)
            for m in (suspect, *controls)
        )
        p = surrogate_p(times, others, "upper")
        found.append((family, len(asked), times, p, max(others)))
    raised = holm_adjusted([p for *_, p, _ in found])
    return [
        Named(family, n, k, clopper_pearson(k, n), p, q, len(controls), most)
        for (family, n, k, p, most), q in zip(found, raised, strict=True)
    ]


def identity_power(named: Named) -> tuple[IdentityPower, ...]:
    """Return the power at the smallest p-value, for questions that are answered independently.

    Error: exact for independent answers; paraphrases are not, so it is too steep on both sides.
    """
    return tuple(
        IdentityPower(r, float(binom.sf(named.most_among_controls, named.questions, r)))
        for r in RATES
    )


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(n) for n in names) + r")(?!\w)", re.IGNORECASE
    )
