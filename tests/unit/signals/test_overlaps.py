"""Views of one campaign share one weight; what only touches it keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.overlaps import parts_of_one


def test_thirty_exits_of_one_template_share_its_weight_and_the_whole_has_most():
    whole = np.arange(300)
    exits = [np.arange(k, k + 10) for k in range(0, 300, 10)]
    apart = np.arange(1_000, 1_040)
    part = parts_of_one([whole, *exits, apart])
    assert part[:-1].sum() == pytest.approx(1)
    assert part[0] > 0.95
    assert part[-1] == 1


def test_four_fifths_inside_is_a_view_and_less_is_not():
    whole = np.arange(100)
    for strangers, views in ((2, True), (3, False)):
        other = np.concatenate([np.arange(10 - strangers), 500 + np.arange(strangers)])
        part = parts_of_one([whole, np.sort(other)])
        assert part.sum() == pytest.approx(1 if views else 2)


def test_a_template_within_a_proxys_customers_keeps_nearly_half():
    part = parts_of_one([np.arange(110), np.arange(100)])
    assert part == pytest.approx([12_100 / 22_100, 10_000 / 22_100])


def test_views_of_views_are_one_and_equal_sets_share_evenly():
    part = parts_of_one([np.arange(100), np.arange(40), np.arange(10), np.arange(100)])
    assert part.sum() == pytest.approx(1)
    assert part[0] == part[3] > part[1] > part[2] > 0


def test_nothing_has_no_parts():
    assert len(parts_of_one([])) == 0
    nobody = np.arange(0)
    part = parts_of_one([np.arange(5), nobody, np.arange(4)])
    assert part == pytest.approx([25 / 41, 1, 16 / 41])
