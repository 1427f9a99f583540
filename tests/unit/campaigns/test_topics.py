"""A member's topics: the campaign's one queue or its own, and little said from few rows."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaigns.topics import topic_nats

HABITS = np.linspace(0.05, 1.5, 10)


def nats(ratio, rows, habits=HABITS):
    return topic_nats(np.atleast_1d(np.array(ratio, dtype=float)), np.atleast_1d(rows), habits)


def test_the_queue_speaks_for_a_member_and_topics_of_its_own_against_it():
    assert nats(1.0, 24)[0] > 1
    assert nats(1 + 24 * 0.5, 24)[0] < -1


def test_nothing_known_says_nothing():
    assert nats([np.nan, 1.0, 9.0], np.array([24, 0, 0])).tolist() == [0, 0, 0]
    assert nats([], np.zeros(0, dtype=int)).shape == (0,)


def test_few_rows_say_less_than_many():
    near = nats(np.full(4, 1.0), np.array([1, 3, 8, 24]))
    assert (np.diff(near) > 0).all()
    assert abs(near[0]) < 1


def test_the_further_from_the_queue_the_less_for_it_and_never_beyond_the_cap():
    found = nats(np.linspace(0, 500, 400), np.full(400, 24))
    assert np.isfinite(found).all()
    assert (np.diff(found) <= 1e-12).all()
    assert found[-1] == -5
    assert nats(0.0, 10**6)[0] == 5


@pytest.mark.parametrize("rows", [2, 8, 24])
def test_ratios_as_the_queue_draws_them_speak_for_it_on_average(rows):
    """The mean log likelihood ratio is positive under its numerator, negative under the other."""
    rng = np.random.default_rng(5)
    many = np.full(4_000, rows)
    queue = rng.gamma(6, 1 / 6, 4_000)
    own = rng.gamma(6, 1 / 6, 4_000) * (1 + rows * rng.choice(HABITS, 4_000))
    assert nats(queue, many).mean() > 0
    assert nats(own, many).mean() < 0
