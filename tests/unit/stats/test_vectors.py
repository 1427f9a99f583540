"""Sums of groups are those of a loop, bit for bit; centres leave their owner out."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.stats import centred_by, group_sums, unit_rows
from stillwatch.stats.vectors import _summed


def test_sums_are_those_of_a_loop_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 64)) * 10.0 ** rng.integers(-9, 9, (500, 1))
    group = rng.integers(0, 7, 500)
    wanted = np.zeros((8, 64))
    for place, row in zip(group.tolist(), rows, strict=True):
        wanted[place] += row
    assert group_sums(rows, group, 8).tobytes() == wanted.tobytes()


def test_no_rows_sum_to_zero() -> None:
    assert group_sums(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 2).tolist() == [[0.0] * 3] * 2


def test_signed_bytes_in_one_array_are_the_same_rows_as_bytes_objects() -> None:
    signed = np.random.default_rng(1).integers(-128, 128, (9, 64)).astype(np.int8)
    signed[3] = 0
    found = unit_rows(signed)
    assert found.tobytes() == unit_rows([row.tobytes() for row in signed]).tobytes()
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1, 0, 1, 1, 1, 1, 1], abs=1e-6)
    assert unit_rows(np.zeros(0, dtype=np.int8)).shape == (0, 64)


def test_a_centre_is_the_mean_of_the_other_owners_with_the_same_label() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 4)).astype(np.float32)
    label = np.repeat(np.array([7, 9, 11], dtype=np.uint64), 20)
    owner = np.tile(np.arange(4), 15)
    owner[40:] = 100  # one owner alone sends the last label
    found = centred_by(rows, label, owner)
    for k in range(60):
        same = (label == label[k]) & (owner != owner[k]) if k < 40 else owner != owner[k]
        assert found[k] == pytest.approx(rows[k] - rows[same].mean(axis=0), abs=1e-5)


@pytest.mark.parametrize("labels", [1, 3, 40])
def test_blocks_give_the_same_bits_as_all_rows_at_once(
    monkeypatch: pytest.MonkeyPatch, labels: int
) -> None:
    rng = np.random.default_rng(labels)
    rows = rng.normal(size=(300, 64)).astype(np.float32)
    label, owner = rng.integers(0, labels, 300), rng.integers(0, 12, 300)
    whole = centred_by(rows, label, owner)
    monkeypatch.setattr("stillwatch.stats.vectors._BLOCK", 37)
    assert centred_by(rows, label, owner).tobytes() == whole.tobytes()


@pytest.mark.parametrize("block", [37, 400])
def test_groupings_summed_together_have_the_bits_of_each_alone(block: int) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(300, 64)) * 10.0 ** rng.integers(-9, 9, (300, 1))
    codes = [(rng.integers(0, groups, 300), groups) for groups in (7, 90, 1)]
    spans = [slice(low, low + block) for low in range(0, 300, block)]
    found = _summed(lambda span: rows[span], spans, codes)
    alone = [group_sums(rows, code, groups) for code, groups in codes]
    assert [sums.tobytes() for sums in found] == [sums.tobytes() for sums in alone]
