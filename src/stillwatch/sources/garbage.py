"""Python's cycle collector, held back while a chunk of JSON is turned into columns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["collector_paused", "without_collector"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Run the block without the cycle collector; afterwards it is as it was before.

    JSON values hold no cycles, yet every 700 of them make the collector look at all that are
    alive: a quarter of the time of reading (measured with perf/json_speed.py).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def without_collector(convert: Callable[[_In], _Out], items: Iterator[_In]) -> Iterator[_Out]:
    """Yield ``convert(item)`` of each item; it is made, converted and freed without the collector.

    Between the results, while the caller works, the collector is as it was.
    """
    while True:
        with collector_paused():
            for item in items:
                result = convert(item)
                break
            else:
                return
            del item
        yield result
