"""The order of the tests loses none, and begins each worker's share with what takes long."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from dealing import SECONDS, dealt

TESTS = Path(__file__).parents[1]
ITEMS = [(name, k) for name, count in (("a", 40), ("long", 7), ("b", 60), ("longer", 3), ("z", 5))
         for k in range(count)]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 200])
def test_every_test_is_there_once_and_folders_that_take_long_stay_whole(workers):
    order = dealt(ITEMS, workers, lambda item: item[0], {"long": 1, "longer": 9})
    assert sorted(order) == sorted(ITEMS)
    for name in ("long", "longer"):
        assert [k for n, k in order if n == name] == list(range(7 if name == "long" else 3))


def test_each_worker_begins_with_what_takes_long_the_longest_first():
    order = iter(dealt(ITEMS, 2, lambda item: item[0], {"long": 1, "longer": 9}))
    first, second = list(islice(order, len(ITEMS) // 2)), list(order)  # as worksteal cuts
    assert {name for name, _ in first[:3]} == {"longer"}
    assert {name for name, _ in second[:7]} == {"long"}


def test_the_folders_that_are_named_are_there():
    assert [name for name in SECONDS if not (TESTS / name).is_dir()] == []
