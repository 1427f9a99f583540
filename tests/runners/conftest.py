"""A simulated week, its plain scan, and what two run directories have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.scanner import ScanResult, scan
from stillwatch.simulate import SimulatedWorld, simulate


class Accusations(NamedTuple):
    """Who stands how: all that a scan decides about anybody."""

    campaigns: list[tuple[str, str]]
    accounts: list[tuple[str, str, str | None]]
    subjects: list[tuple[str, str, str | None]]


class Scanned(NamedTuple):
    """A run directory as bytes by file name, without timing.json, and what it decided."""

    files: dict[str, bytes]
    accusations: Accusations
    summary: dict[str, Any]

    def differing(self, other: Scanned) -> list[str]:
        """Return the names of the files that are not the same, or not there, in both."""
        names = sorted(self.files.keys() | other.files.keys())
        return [n for n in names if self.files.get(n) != other.files.get(n)]


def scanned(result: ScanResult) -> Scanned:
    folder = result.run_dir
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timing.json"
    }
    return Scanned(
        files,
        Accusations(
            [(c["campaign_id"], c["standing"]) for c in result.campaigns],
            _standings(result.accounts),
            _standings(result.subjects),
        ),
        result.summary,
    )


def _standings(table: pa.Table) -> list[tuple[str, str, str | None]]:
    names = ("account_id", "standing", "campaign_id")
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True), key=str)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    folder = tmp_path_factory.mktemp("small")
    return simulate("small", seed=7, out=folder, formats=("parquet", "litellm"))


@pytest.fixture(scope="session")
def rows(world: SimulatedWorld) -> pa.Table:
    """Return all exchanges, in the order of the simulator's files."""
    return pq.read_table(world.out / "exchanges")


Scan = Callable[..., Scanned]


@pytest.fixture(scope="session")
def scan_of(world: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """Return what scans an input with the world's side tables."""

    def run(*inputs: Path, **options: Any) -> Scanned:
        result = scan(
            inputs,
            accounts=world.accounts_csv,
            permits=world.permits_csv,
            ownership=world.ownership_csv,
            out=tmp_path_factory.mktemp("run"),
            **options,
        )
        return scanned(result)

    return run


@pytest.fixture(scope="session")
def plain(world: SimulatedWorld, scan_of: Scan) -> Scanned:
    """Return the scan of the simulator's own files, with default options."""
    return scan_of(world.out / "exchanges")
