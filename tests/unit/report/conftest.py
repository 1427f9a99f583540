"""Runs of the synthetic worlds, built and rendered once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import run_builder

from stillwatch.report import write_report


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return run_builder


@pytest.fixture(scope="session")
def run_of(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(world: str) -> Path:
        if world not in made:
            made[world] = builder.write_run(tmp_path_factory.mktemp(world), world)
            write_report(made[world])
        return made[world]

    return make


@pytest.fixture(scope="session")
def page_of(run_of: Callable[[str], Path]) -> Callable[[str], str]:
    return lambda world: (run_of(world) / "report.html").read_text(encoding="utf-8")
