"""How often would the lineage test find a student, by how much of its answers is taught?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.prove.closeness import Closeness
from stillwatch.prove.lineage import COUNTED, excess

__all__ = ["SHARES", "LineagePower", "lineage_power"]

SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_DRAWS: Final = 5


@dataclass(frozen=True)
class LineagePower:
    """Share of made-up suspects whose own family beats every control, for a share of answers."""

    taught_share: float
    power: float
    n: int


def lineage_power(
    close: Closeness,
    families: Mapping[str, str],
    controls: Sequence[str],
    rng: np.random.Generator,
) -> tuple[LineagePower, ...]:
    """Return the power curve, empty where no family has two snapshots among the models.

    A made-up suspect answers as a control model does, but a random share of its prompts as another
    snapshot of a candidate would: the most direct imitation there is. Real students imitate less
    well, so this is an upper bound of the power at the smallest p-value, 1/(n + 1), with the other
    controls as the null.
    """
    doubled = [
        (a, families[a])
        for a in close.candidates
        if a in close.models and sum(f == families[a] for f in families.values()) > 1
    ]
    if not doubled:
        return ()
    names, _ = excess(close, controls[0], families)
    left = {sibling: _without(close, sibling) for sibling, _ in doubled}
    nulls = {
        sibling: np.array([excess(rest, c, families)[1] for c in controls])
        for sibling, rest in left.items()
    }
    out = []
    for share in SHARES:
        hits = []
        for sibling, family in doubled:
            rest, null = left[sibling], nulls[sibling]
            place = names.index(family)
            for _ in range(_DRAWS):
                k = int(rng.integers(len(controls)))
                taught = rng.random(len(close.prompts)) < share
                mixed = _mixed(rest, controls[k], sibling, taught)
                score = excess(mixed, "mixed", families)[1][place]
                hits.append(bool(score > np.delete(null[:, place], k).max()))
        out.append(LineagePower(share, float(np.mean(hits)), len(hits)))
    return tuple(out)


def _without(close: Closeness, candidate: str) -> Closeness:
    """Leave a candidate out of the columns: a suspect is not compared with itself."""
    kept = [k for k, c in enumerate(close.candidates) if c != candidate]
    channel = {COUNTED: close.channel[COUNTED][:, :, kept]}
    names = tuple(close.candidates[k] for k in kept)
    return Closeness(close.models, names, close.prompts, channel)


def _mixed(close: Closeness, control: str, sibling: str, taught: np.ndarray) -> Closeness:
    a, b = close.row(sibling), close.row(control)
    near = close.channel[COUNTED]
    row = np.where(taught[:, None], near[:, a], near[:, b])
    return Closeness(("mixed",), close.candidates, close.prompts, {COUNTED: row[:, None]})
