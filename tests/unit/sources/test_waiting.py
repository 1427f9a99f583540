"""Rows that wait: those of one key together, whatever lies on disk, and never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from stillwatch.sources import waiting
from stillwatch.sources.waiting import Row, Waiting

ROWS = [
    Row(f"key-{n % 2_000:04d}", n % 3, n % 7, n, b'{"n": %d, "t": "\xe2\x80\xa8"}' % n)
    for n in range(6_000)
]


def grouped(whole: Callable[[Row], str]) -> dict[str, list[Row]]:
    kept = Waiting()
    for start in range(0, len(ROWS), 500):
        kept.put(ROWS[start : start + 500])
    found: dict[str, list[Row]] = {}
    for group in kept.groups(whole):
        assert found.setdefault(whole(group[0]), group) is group  # each key once
    return found


@pytest.mark.parametrize("whole", [lambda row: row.key, lambda row: f"{row.file}/{row.key}"])
@pytest.mark.parametrize("part", [1 << 30, 2_000, 0])
def test_groups_are_the_same_in_memory_and_on_disk(
    monkeypatch: pytest.MonkeyPatch, whole: Callable[[Row], str], part: int
) -> None:
    want: dict[str, list[Row]] = {}
    for row in ROWS:
        want.setdefault(whole(row), []).append(row)
    assert grouped(whole) == want
    monkeypatch.setattr(waiting, "MEMORY_BYTES", 10_000)
    monkeypatch.setattr(waiting, "_PART_BYTES", part)
    assert grouped(whole) == want


def test_a_part_that_is_too_large_is_split_by_other_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of one length whose hashes agree in some bits differ in others."""
    held: list[int] = []
    by_key = waiting._by_key

    def counted(rows: Iterable[Row], whole: Callable[[Row], str]) -> Iterator[list[Row]]:
        rows = list(rows)
        held.append(len(rows))
        return by_key(rows, whole)

    monkeypatch.setattr(waiting, "_by_key", counted)
    monkeypatch.setattr(waiting, "MEMORY_BYTES", 10_000)
    grouped(lambda row: row.key)
    assert max(held) > 20  # 2,000 keys of three rows in 256 parts
    held.clear()
    monkeypatch.setattr(waiting, "MEMORY_BYTES", 0)
    monkeypatch.setattr(waiting, "_PART_BYTES", 100)
    grouped(lambda row: row.key)
    assert max(held) < 10
