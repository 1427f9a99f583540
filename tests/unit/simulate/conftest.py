"""Worlds that the tests of this room share; each is played once a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from stillwatch.simulate import SimulatedWorld, simulate


@dataclass(frozen=True)
class Played:
    result: SimulatedWorld
    exchanges: pa.Table
    accounts: dict[str, dict[str, str]]
    truth: dict[str, dict[str, object]]

    def rows(self, family: str, role: str | None = None) -> list[dict[str, object]]:
        """Return the exchanges of a family (and role) in the order of time."""
        ids = [
            a
            for a, t in self.truth.items()
            if t["family"] == family and (role is None or t["role"] == role)
        ]
        keep = pc.is_in(self.exchanges["account_id"], pa.array(ids, pa.string()))
        return self.exchanges.filter(keep).to_pylist()


def load(result: SimulatedWorld) -> Played:
    exchanges = pa.concat_tables([pq.read_table(p) for p in result.files["parquet"]])
    strings = pacsv.ConvertOptions(
        column_types={n: pa.string() for n in ("created_at", "closed_at", "email_hash")}
    )
    accounts = pacsv.read_csv(result.accounts_csv, convert_options=strings).to_pylist()
    truth = pq.read_table(result.truth_parquet).to_pylist()
    return Played(
        result,
        exchanges,
        {a["account_id"]: a for a in accounts},
        {t["account_id"]: t for t in truth},
    )


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return load(simulate("small", seed=7, out=tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="session")
def small_benign(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return load(simulate("small-benign", seed=7, out=tmp_path_factory.mktemp("benign")))


@pytest.fixture(scope="session")
def digests() -> Callable[[Path], dict[str, bytes]]:
    def read(folder: Path) -> dict[str, bytes]:
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        return {str(p.relative_to(folder)): p.read_bytes() for p in files}

    return read


__all__ = ["Played"]
