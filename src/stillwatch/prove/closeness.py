"""How alike the answers of two models are, prompt by prompt, beyond what the prompt explains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stillwatch.errors import EvidenceError
from stillwatch.prove.responses import Answers
from stillwatch.prove.shingles import CHANNELS, Hashes, refuses, shingles

__all__ = ["Closeness", "measure_closeness"]

MIN_PROMPTS = 20


@dataclass(frozen=True)
class Closeness:
    """Cosines in [0, 1]: ``channel[c]`` has shape (prompts, models, candidates)."""

    models: tuple[str, ...]
    candidates: tuple[str, ...]
    prompts: tuple[str, ...]
    channel: Mapping[str, NDArray[np.float32]]

    def row(self, model: str) -> int:
        """Return the place of a model among the rows."""
        return self.models.index(model)


def measure_closeness(
    models: Sequence[Answers],
    candidates: Sequence[Answers],
    *,
    words: int | None = None,
    without_refusals: bool = False,
    suites: frozenset[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Closeness:
    """Return the closeness of every model to every candidate, on the prompts all candidates share.

    A shingle counts by how rare it is among the *candidates'* answers to the same prompt, so what
    the prompt asks for counts little and what one candidate alone writes counts most. Only the
    candidates set these weights: a suspect and a control are treated alike. A prompt that a model
    has not answered contributes NaN for it.

    Args:
        models: suspects, controls, and candidates too where they are wanted as rows.
        candidates: possible teachers, at least three.
        words: cut answers to so many words first (length as a confounder).
        without_refusals: leave out prompts that a third of the candidates refuse, and a model's
            own refusals (refusals as a confounder).
        suites: only prompts of these suites (their origin as a confounder).

    Raises:
        EvidenceError: fewer than three candidates, or fewer than 20 shared prompts.
    """
    if len(candidates) < 3:
        raise EvidenceError(
            f"got {len(candidates)} candidates, expected at least 3",
            where="references",
            hint="add answers of other possible teachers, with the role teacher in models.csv",
        )
    prompts = _shared_prompts(candidates, suites, without_refusals)
    if len(prompts) < MIN_PROMPTS:
        raise EvidenceError(
            f"the candidates share {len(prompts)} prompts, expected at least {MIN_PROMPTS}",
            where="references",
        )
    shape = (len(prompts), len(models), len(candidates))
    channel = {name: np.full(shape, np.nan, dtype=np.float32) for name in CHANNELS}
    everyone = {m.model: m for m in [*candidates, *models]}
    for k, prompt in enumerate(prompts):
        cut = {
            name: shingles(model.output[prompt], words)
            for name, model in everyone.items()
            if prompt in model.output
        }
        names = list(cut)
        places = {name: place for place, name in enumerate(names)}
        taken = [
            row
            for row, model in enumerate(models)
            if prompt in model.output and not (without_refusals and refuses(model.output[prompt]))
        ]
        asked = [places[models[row].model] for row in taken]
        known = [places[c.model] for c in candidates]
        for name in CHANNELS:
            docs = [cut[model][name] for model in names]
            channel[name][k, taken] = _cosines(docs, asked, known)
        progress(k + 1, len(prompts))
    rows = tuple(model.model for model in models)
    return Closeness(rows, tuple(c.model for c in candidates), prompts, channel)


def _shared_prompts(
    candidates: Sequence[Answers], suites: frozenset[str] | None, without_refusals: bool
) -> tuple[str, ...]:
    shared = set.intersection(*(set(c.output) for c in candidates))
    if suites is not None:
        shared = {p for p in shared if candidates[0].suite.get(p) in suites}
    if without_refusals:
        shared = {
            p for p in shared if 3 * sum(refuses(c.output[p]) for c in candidates) < len(candidates)
        }
    return tuple(sorted(shared))


def _cosines(
    docs: Sequence[Hashes], asked: Sequence[int], known: Sequence[int]
) -> NDArray[np.float32]:
    """Return the cosine of each asked document with each known one, weights from the known."""
    sizes = [doc.size for doc in docs]
    if not asked or not sum(sizes):
        return np.zeros((len(asked), len(known)), dtype=np.float32)
    columns, place = np.unique(np.concatenate(docs), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # a row's columns may repeat: the sum is how often the answer has the shingle
    table = sparse.csr_matrix(
        (np.ones(place.size, dtype=np.float32), place, starts), shape=(len(docs), columns.size)
    )
    table.sum_duplicates()
    frequency = np.bincount(table[known].indices, minlength=columns.size)
    weight = np.log((len(known) + 1.0) / np.maximum(frequency, 1)).astype(np.float32)
    table.data = (1.0 + np.log(table.data)) * weight[table.indices]
    squares = np.asarray(table.multiply(table).sum(axis=1)).ravel()
    length = np.sqrt(np.maximum(squares, 1e-12)).astype(np.float32)
    dots = (table[asked] @ table[known].T).toarray()
    return np.asarray(dots / length[asked, None] / length[None, known], dtype=np.float32)
