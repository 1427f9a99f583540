from __future__ import annotations

import numpy as np
import pytest

from stillwatch.stats import least_repeated


def drawn(rng: np.random.Generator, pool: int, senders: int, each: int) -> np.ndarray:
    """Return how many items have 0, 1, 2 … senders when each draws ``each`` from the pool."""
    carried = np.zeros(pool, dtype=int)
    for _ in range(senders):
        carried[np.unique(rng.integers(pool, size=each))] += 1
    return np.bincount(carried, minlength=3)


def repeated(items: np.ndarray, least: int) -> float:
    """Return the share of all sendings that are of repeated items."""
    sent = np.arange(len(items)) * items
    return float(sent[least:].sum() / sent.sum())


@pytest.mark.parametrize(
    ("pool", "senders", "each"),
    [(700, 660, 4), (20_000, 660, 4), (2_000, 100, 40), (100_000, 100, 100)],
)
def test_a_queue_from_which_each_draws_anew_repeats_nothing(pool, senders, each):
    """A campaign that asks for several answers to a prompt, or whose corpus is small."""
    items = drawn(np.random.default_rng(pool), pool, senders, each)
    assert repeated(items, 2) > 0.09, "each was sent by another account too"
    assert repeated(items, least_repeated(items, senders)) <= 0.06


def test_four_answers_to_each_prompt_are_a_queue_too():
    assert least_repeated(np.array([0, 0, 0, 0, 500]), 660) == 5
    assert least_repeated(np.array([0, 6, 3, 12, 480]), 660) == 5, "some were refused"


def test_what_everybody_runs_is_repeated():
    """An evaluation, also beside a campaign; half of an exercise sheet each; a viral prompt."""
    assert least_repeated(np.array([0] * 30 + [50]), 30) == 2
    assert least_repeated(np.array([0, 3_000, 40] + [0] * 17 + [50]), 400) == 2
    assert least_repeated(np.array([0, 1_000, 0, 0, 250]), 400) == 2, "four run the same"
    assert 4 < least_repeated(np.array([0, 0, 0, 0, 2_000, 0, 0, 0, 200]), 400) <= 8
    assert least_repeated(np.array([0] * 8 + [50]), 100) == 2, "each has much of the pool"
    rng = np.random.default_rng(5)
    sheet = drawn(rng, 20, 30, 14)
    assert repeated(sheet, least_repeated(sheet, 30)) == 1
    viral = np.bincount((400 * rng.pareto(0.8, 60) / 40).astype(int) + 1)
    assert repeated(viral, least_repeated(viral, 400)) > 0.3


def test_one_prompt_in_common_is_repeated_for_the_two_who_sent_it():
    assert least_repeated(np.array([0, 11, 1]), 4) == 2
    assert least_repeated(np.array([0, 0, 0]), 4) == 2
