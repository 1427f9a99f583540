"""The group apart is the farthest one."""

from __future__ import annotations

import numpy as np

from stillwatch.stats import (
    leave_one_out,
)


def test_the_group_apart_is_the_farthest_and_single_rows_have_no_distance() -> None:
    rng = np.random.default_rng(4)
    group = np.array(["a"] * 20 + ["b"] * 20 + ["c"] * 20 + ["d"])
    vectors = rng.normal(size=(61, 5)) + 5.0 * (group == "b")[:, None]
    got = leave_one_out(vectors, group)
    assert got.groups[np.nanargmax(got.distance)] == "b"
    assert np.isnan(got.distance[3])
    assert np.isnan(got.distance_sq_unbiased[3])
    assert (got.n_rows == [20, 20, 20, 1]).all()
    assert leave_one_out(np.empty((0, 3)), np.empty(0)).distance.size == 0
