"""What all tests share: the data folder, and examples that do not change from run to run in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from postgres import Postgres

ROOT = Path(__file__).parents[1]

# A slow machine is no defect, and a landing must not depend on the luck of a draw.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


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
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()
