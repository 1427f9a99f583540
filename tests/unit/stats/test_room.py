"""The room lists what it has."""

from __future__ import annotations

import stillwatch.stats as stats


def test_everything_the_room_lists_exists() -> None:
    assert sorted(stats.__all__) == sorted(set(stats.__all__))
    assert all(hasattr(stats, name) for name in stats.__all__)
