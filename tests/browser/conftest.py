"""Chromium, and the report's synthetic worlds. A missing browser fails, it does not skip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run_builder
from playwright.sync_api import Browser, sync_playwright

from stillwatch.report import write_report


@pytest.fixture(scope="module")  # while it lives its event loop runs in this thread
def browser() -> Iterator[Browser]:
    path = os.environ.get("STILLWATCH_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(world: str) -> Path:
        if world not in made:
            made[world] = write_report(run_builder.write_run(tmp_path_factory.mktemp(world), world))
        return made[world]

    return make
