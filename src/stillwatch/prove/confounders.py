"""The same comparison with length, refusals and the prompts' origin controlled, one at a time.

Two models may be close because both answer briefly, both refuse, or because the prompts of one
suite dictate the answer. What a verdict owes to that is seen by taking it away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from stillwatch.errors import EvidenceError
from stillwatch.prove.closeness import MIN_PROMPTS, Closeness, measure_closeness
from stillwatch.prove.responses import Answers

__all__ = ["CUT_SETTING", "CUT_WORDS", "controlled_settings"]

CUT_WORDS: Final = 60
CUT_SETTING: Final = (
    f"answers cut to {CUT_WORDS} words (endings are not cut: the verdict is the same by "
    "construction)"
)


def controlled_settings(
    close: Closeness,
    rows: Sequence[Answers],
    candidates: Sequence[Answers],
    *,
    words: int | None = None,
    without_refusals: bool = False,
) -> Iterator[tuple[str, Closeness | None]]:
    """Yield each setting's name and the closeness under it, None for fewer than 20 prompts.

    1. Length: all answers cut to 60 words, so that none are alike for being equally long. Closings
       are not cut, so the ranking can change and the open-set verdict cannot: it is the same by
       construction and no second opinion.
    2. Refusals: left out, with the prompts that a third of the candidates refuse.
    3. Origin: the prompts of each suite alone, where the first candidate's answers name suites.

    Decoding cannot be taken away from answers: compare a suspect that was asked as the others were.

    Args:
        close: the comparison itself.
        rows, candidates: what it was measured from.
        words, without_refusals: as it was measured; what is controlled already is not again.
    """
    if words is None or words > CUT_WORDS:
        cut = measure_closeness(
            rows, candidates, words=CUT_WORDS, without_refusals=without_refusals
        )
        yield CUT_SETTING, cut
    if not without_refusals:
        try:
            left = measure_closeness(rows, candidates, words=words, without_refusals=True)
        except EvidenceError:  # too few prompts are left
            left = None
        yield "without refusals", left
    suite = np.array([candidates[0].suite.get(p, "") for p in close.prompts])
    for name in sorted(set(suite.tolist()) - {""}):
        kept = suite == name
        yield f"prompts of {name}", _part(close, kept) if kept.sum() >= MIN_PROMPTS else None


def _part(close: Closeness, kept: np.ndarray) -> Closeness:
    prompts = tuple(p for p, k in zip(close.prompts, kept, strict=True) if k)
    channel = {name: table[kept] for name, table in close.channel.items()}
    return Closeness(close.models, close.candidates, prompts, channel)
