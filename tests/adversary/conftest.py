"""Worlds of the simulator, scanned once a session by the real pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch import scan
from stillwatch.scanner import ScanResult
from stillwatch.simulate import WORLDS, SimulatedWorld, simulate


@dataclass(frozen=True)
class Scanned:
    """A world, its run and its truth."""

    world: SimulatedWorld
    run: ScanResult
    truth: dict[str, dict[str, Any]]

    @property
    def standing(self) -> dict[str, str]:
        rows = self.run.accounts.select(["account_id", "standing"]).to_pylist()
        return {r["account_id"]: r["standing"] for r in rows}

    def of(self, *, role: str | None = None, family: str | None = None) -> dict[str, str]:
        """Return account → standing of those of a role or family that sent anything."""
        standing = self.standing
        return {
            a: standing[a]
            for a, t in self.truth.items()
            if a in standing and role in (None, t["role"]) and family in (None, t["family"])
        }

    @property
    def accused(self) -> set[str]:
        return {a for a, s in self.standing.items() if s == "accused"}

    def honest_accused(self) -> dict[str, tuple[str, str]]:
        """Return accused accounts that are no campaign's core, with family and role."""
        return {
            a: (self.truth[a]["family"], self.truth[a]["role"])
            for a in sorted(self.accused)
            if self.truth[a]["role"] != "core"
        }


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Scanned]:
    """Return what plays a world and scans it; ``changes`` replace fields of the world."""
    made: dict[Any, Scanned] = {}

    def play(name: str, seed: int, *, languages: tuple[str, ...] = (), **options: Any) -> Scanned:
        key = (name, seed, languages, *sorted(options.items()))
        if key not in made:
            folder: Path = tmp_path_factory.mktemp(f"{name}-{seed}")
            world = WORLDS[name]
            if languages:
                world = replace(world, languages=languages)
            result = simulate(world, seed=seed, out=folder / "world")
            run = scan(
                [folder / "world" / "exchanges"], accounts=result.accounts_csv,
                **({"permits": result.permits_csv} | options), out=folder / "run", threads=1,
            )  # fmt: skip
            truth = {t["account_id"]: t for t in pq.read_table(result.truth_parquet).to_pylist()}
            made[key] = Scanned(result, run, truth)
        return made[key]

    return play
