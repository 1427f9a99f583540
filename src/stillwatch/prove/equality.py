"""Is the suspect the teacher itself, served by another? A two-sample test over sampled answers.

Distillation leaves a model that differs from its teacher. A relay sells the teacher's own answers:
then several samples of each prompt come from one distribution, and there is no student at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import EvidenceError, InputError, SchemaError, why
from stillwatch.prove.radioactivity import words_of
from stillwatch.stats import FloatArray

__all__ = ["Equality", "EqualityPower", "Samples", "equality_power", "model_equality"]
__all__ += ["read_samples"]

Samples = Mapping[str, Sequence[str]]
"""prompt_id to several answers."""

SHARES: Final = (0.1, 0.2, 0.3, 0.5, 1.0)
_MIN_PROMPTS: Final = 5
_LONGEST: Final = 64
_PERMUTATIONS: Final = 999
_DRAWS: Final = 100


@dataclass(frozen=True)
class Equality:
    """MMD² of two models' answers, averaged over prompts, and its permutation p-value."""

    prompts: int
    samples: int
    statistic: float
    p_value: float
    permutations: int


@dataclass(frozen=True)
class EqualityPower:
    """How often a mixture of the reference and another model is told from the reference."""

    other_share: float
    power: float
    n: int


def read_samples(path: Path) -> dict[str, dict[str, list[str]]]:
    """Return model to prompt_id to answers in the order of their sample numbers.

    Raises:
        InputError: the file cannot be read.
        SchemaError: a column of model, prompt_id, output is absent.
    """
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot be read as Parquet ({why(error)})", where=path.name) from error
    if not {"model", "prompt_id", "output"} <= set(table.column_names):
        raise SchemaError("columns model, prompt_id and output are needed", where=path.name)
    found: dict[str, dict[str, list[str]]] = {}
    for row in sorted(table.to_pylist(), key=lambda r: r.get("sample") or 0):
        said = found.setdefault(str(row["model"]), {})
        said.setdefault(str(row["prompt_id"]), []).append(row["output"] or "")
    return found


def model_equality(
    suspect: Samples,
    reference: Samples,
    rng: np.random.Generator,
    *,
    permutations: int = _PERMUTATIONS,
    tokens: Callable[[str], list[str]] = words_of,
) -> Equality:
    """Return whether two models' answers to the same prompts come from one distribution.

    Null: given a prompt, the answers of both are independent draws from one distribution. A large
    p-value is no proof of equality: read it beside :func:`equality_power`.

    Args:
        suspect: at least two answers to a prompt; prompts that both answered are compared.
        reference: the teacher, asked the same way (settings, system prompt, length).
        rng: draws the permutations.
        permutations: their number; the p-value is never below 1/(permutations + 1).
        tokens: how an answer is cut; the first 64 are compared.

    Raises:
        EvidenceError: fewer than five prompts that both answered at least twice.

    Error: the p-value is exact, whatever the prompts: labels are permuted within each prompt.
    Source: Gao, Liang, Guestrin 2024, arXiv 2410.20247: maximum mean discrepancy with the Hamming
    kernel over tokens, answers compared within their prompt.
    """
    kernels = _kernels(suspect, reference, tokens)
    observed, law = _permuted(kernels, permutations, rng)
    p = (1 + int((law >= observed - 1e-12).sum())) / (permutations + 1)
    samples = sum(k.shape[0] for k, _ in kernels)
    return Equality(len(kernels), samples, observed, p, permutations)


def equality_power(
    reference: Samples,
    again: Samples,
    other: Samples,
    rng: np.random.Generator,
    *,
    alpha: float = 0.05,
    permutations: int = 199,
) -> tuple[EqualityPower, ...]:
    """Return how often answers of ``other`` among fresh ones of the reference are noticed.

    Args:
        reference: one half of the reference's samples.
        again: another half, independent of the first.
        other: a model that stands for what might be served instead.
        rng: draws mixtures and permutations.
        alpha: level of each test.
        permutations: per test.

    Raises:
        EvidenceError: as :func:`model_equality`.
    """
    out = []
    for share in SHARES:
        hits = 0
        for _ in range(_DRAWS):
            mixed = {
                p: [
                    str(rng.choice(other[p])) if p in other and rng.random() < share else answer
                    for answer in answers
                ]
                for p, answers in again.items()
            }
            found = model_equality(mixed, reference, rng, permutations=permutations)
            hits += found.p_value <= alpha
        out.append(EqualityPower(share, hits / _DRAWS, _DRAWS))
    return tuple(out)


def _kernels(
    suspect: Samples, reference: Samples, tokens: Callable[[str], list[str]]
) -> list[tuple[FloatArray, int]]:
    """Return for each prompt the kernel among all answers, and how many are the suspect's."""
    out = []
    for prompt in sorted(set(suspect) & set(reference)):
        ours, theirs = suspect[prompt], reference[prompt]
        if min(len(ours), len(theirs)) >= 2:
            out.append((_hamming([*ours, *theirs], tokens), len(ours)))
    if len(out) < _MIN_PROMPTS:
        raise EvidenceError(
            f"{len(out)} prompts have two answers of both models, expected {_MIN_PROMPTS}",
            where="equality",
            hint="collect several samples of each prompt",
        )
    return out


def _hamming(answers: Sequence[str], tokens: Callable[[str], list[str]]) -> FloatArray:
    """Return the share of places with the same token; after its end a text has one more kind."""
    cut = [tokens(a)[:_LONGEST] for a in answers]
    longest = max(1, *map(len, cut))
    names = {t: k for k, t in enumerate(sorted({t for row in cut for t in row}), 1)}
    table = np.zeros((len(cut), longest), dtype=np.int64)
    for row, words in zip(table, cut, strict=True):
        row[: len(words)] = [names[w] for w in words]
    same: FloatArray = (table[:, None] == table[None, :]).mean(axis=2)
    return same


def _permuted(
    kernels: Sequence[tuple[FloatArray, int]], permutations: int, rng: np.random.Generator
) -> tuple[float, FloatArray]:
    observed, law = 0.0, np.zeros(permutations)
    for kernel, ours in kernels:
        count = kernel.shape[0]
        order = np.argsort(rng.random((permutations, count)), axis=1)
        first = np.zeros((permutations + 1, count))
        first[0, :ours] = 1.0
        np.put_along_axis(first[1:], order[:, :ours], 1.0, axis=1)
        values = _mmd(kernel, first)
        observed += values[0] / len(kernels)
        law += values[1:] / len(kernels)
    return float(observed), law


def _mmd(kernel: FloatArray, first: FloatArray) -> FloatArray:
    """Return the unbiased MMD² for each row of labels (1: the first sample)."""
    hollow = kernel - np.diag(np.diag(kernel))
    second = 1.0 - first
    n, m = first[0].sum(), second[0].sum()
    a, b = first @ hollow, second @ hollow
    within = (a * first).sum(axis=1) / (n * (n - 1)) + (b * second).sum(axis=1) / (m * (m - 1))
    value: FloatArray = within - 2 * (first @ kernel * second).sum(axis=1) / (n * m)
    return value
