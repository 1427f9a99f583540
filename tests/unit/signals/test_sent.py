"""Who sent how much through which prefix, told apart by part from one reading."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.data import Sent

OWN = np.array([True, True, False, True])
# sid, prefix, exchanges of part A, of part B, first of part B
ROWS = [
    (0, 0, 5, 5, 10.0),  # no address
    (0, 7, 2, 0, np.nan),
    (0, 8, 2, 1, 30.0),
    (0, 9, 0, 3, 20.0),
    (1, 7, 1, 1, 40.0),
    (2, 9, 4, 4, 50.0),  # an end user
    (3, 8, 0, 6, 60.0),
]


def sent() -> Sent:
    sid, prefix, a, b, late = (np.array(column) for column in zip(*ROWS, strict=True))
    return Sent(OWN, sid, prefix.astype(np.uint64), {"A": a, "B": b}, late)


def test_volumes_count_everything_and_exits_only_addresses_of_ones_own():
    volume, exits, share = sent().traffic("A")
    assert volume.tolist() == [9, 1, 4, 0]
    assert exits.tolist() == [0, 0, -1, -1]  # of two used alike, 7 and 8, the smaller
    assert share.round(3).tolist() == [0.222, 1, 0, 0]  # of all that each sent
    volume, exits, share = sent().traffic("B")
    assert volume.tolist() == [9, 1, 4, 6]
    assert exits.tolist() == [0, 1, -1, 2]  # codes by first appearance: 9, 7, 8
    assert share.round(3).tolist() == [0.333, 1, 0, 1]


def test_who_moved_takes_the_first_prefix_that_its_organization_had_not_used():
    org = np.array([0, 1, 2, 1])
    moved = sent().moved(org)
    assert sorted(zip(moved.org.tolist(), moved.prefix.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0),
    ]  # fmt: skip
    assert moved.first_new.tolist() == [2, 1, -1]  # prefix 9; 8 by another account; unknown
