"""Chromium, and the report's synthetic worlds. A missing browser fails, it does not skip.

``browser`` has no WebGL, ``browser_gl`` computes it on the processor: what draws by WebGL is tested
with both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import argon2
import pytest
import run_builder
from console_visits import Served, served
from playwright.sync_api import Browser, Playwright, sync_playwright

from stillwatch.report import write_report


@pytest.fixture(scope="module")  # while it lives its event loop runs in this thread
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as play:
        yield play


@contextmanager
def _chromium(play: Playwright, *flags: str) -> Iterator[Browser]:
    path = os.environ.get("STILLWATCH_CHROMIUM", "/usr/bin/chromium")
    chromium = play.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with _chromium(playwright, "--disable-3d-apis") as chromium:
        yield chromium


@pytest.fixture(scope="module")
def browser_gl(playwright: Playwright) -> Iterator[Browser]:
    flags = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    with _chromium(playwright, *flags) as chromium:
        yield chromium


@pytest.fixture(scope="session")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(world: str) -> Path:
        if world not in made:
            made[world] = write_report(run_builder.write_run(tmp_path_factory.mktemp(world), world))
        return made[world]

    return make


@pytest.fixture(scope="module")
def quick_hashes() -> Iterator[None]:
    """Argon2id with the least work: every test logs in."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stillwatch.console.entry._hasher", lambda: quick)
        yield


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, quick_hashes: None) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("console"), "full") as held:
        yield held


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, quick_hashes: None) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("hostile"), "hostile") as held:
        yield held
