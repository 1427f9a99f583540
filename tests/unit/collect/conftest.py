"""Real collectors, made as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector import HTTP, Collector, payload, rows_in

__all__ = ["HTTP", "Collector", "payload", "rows_in"]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Make collectors: ``collector("--segment-seconds", 1)``; those that run are killed after."""
    made: list[Collector] = []

    def make(*options: object, start: bool = True, name: str = "logs") -> Collector:
        one = Collector(tmp_path / name, *options)
        made.append(one)
        return one.start() if start else one

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
