"""The collector rests while rows are made, and only then."""

from __future__ import annotations

import gc

import pytest

from stillwatch.sources.garbage import without_collector


def test_it_rests_inside_and_works_outside() -> None:
    seen: list[bool] = []
    for _ in without_collector(lambda _: seen.append(gc.isenabled()), iter(range(3))):
        assert gc.isenabled()
    assert seen == [False] * 3
    assert gc.isenabled()


def test_an_error_brings_it_back() -> None:
    with pytest.raises(ZeroDivisionError):
        list(without_collector(lambda x: 1 // x, iter([1, 0])))
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        assert list(without_collector(str, iter([1, 2]))) == ["1", "2"]
        assert not gc.isenabled()
    finally:
        gc.enable()
