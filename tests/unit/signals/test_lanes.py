"""Work in lanes: in order, no more ahead than needed, an error where it belongs."""

from __future__ import annotations

import threading
import time

import pytest

from stillwatch.signals.lanes import in_order


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(threads):
    def work(item):
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(in_order(work, range(40), threads)) == [n * n for n in range(40)]


def test_two_threads_work_at_once():
    together = threading.Barrier(2, timeout=20)
    assert list(in_order(lambda _: together.wait() >= 0, range(4), 2)) == [True] * 4


def test_few_items_are_taken_ahead_of_what_was_yielded():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    made = in_order(lambda item: item, items(), 2)
    assert next(made) == 0
    assert len(taken) <= 10
    assert list(made) == list(range(1, 100))


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_reaches_the_caller_in_its_turn(threads):
    made = in_order(lambda item: 1 // (2 - item), range(4), threads)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
