"""Runs of the synthetic worlds, built and rendered once a session."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from stillwatch.report import write_report


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "report_run_builder", Path(__file__).with_name("run_builder.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return load_builder()


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
