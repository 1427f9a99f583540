"""What all tests share: the data folder, and examples that do not change from run to run in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dealing import SECONDS, dealt
from hypothesis import settings
from postgres import Postgres

HERE = Path(__file__).parent
ROOT = HERE.parent

# A slow machine is no defect, and a landing must not depend on the luck of a draw.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.hookimpl(trylast=True)  # after pytest itself has put together what shares a fixture
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = dealt(items, workers, folder_of, SECONDS)


def folder_of(item: pytest.Item) -> str:
    """Return the folder of a test below tests/, as ``unit/cli``."""
    return item.path.parent.relative_to(HERE).as_posix()


@pytest.fixture(scope="session")
def stillwatch_data() -> Path:
    """Return the folder of real prompts and tables; skip where it is not laid."""
    folder = Path(os.environ.get("STILLWATCH_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set STILLWATCH_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start one PostgreSQL for every test that does not stop it; each makes a database in it."""
    server = Postgres(durable=False)
    try:
        server.start()
        yield server
    finally:
        server.remove()
