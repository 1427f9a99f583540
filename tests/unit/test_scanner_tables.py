"""A scan of a table writes what a scan of its rows in plain Parquet does, of one version of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from stillwatch.errors import ConfigError
from stillwatch.scanner import Progress, scan
from stillwatch.scanner.resume import refuse_other
from stillwatch.simulate import SimulatedWorld, simulate

NOT_COMPARED = ("timing.json", "summary.json")


class Stop(Exception):
    """The scan was stopped here."""


class Laid(NamedTuple):
    """A world whose exchanges lie in a table, of which each was written twice and once deleted."""

    world: SimulatedWorld
    table: Path
    run: Path


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Laid:
    """Return the world, its table, and the run of its plain Parquet."""
    place = tmp_path_factory.mktemp("laid")
    world = simulate("tiny", seed=5, out=place / "tiny")
    table = place / "requests"
    for path in sorted((world.out / "exchanges").glob("*.parquet")):
        rows = pq.read_table(path)
        names = pa.array([f"gone-{name}" for name in rows["exchange_id"].to_pylist()])
        place_of = rows.schema.get_field_index("exchange_id")
        gone = rows.set_column(place_of, rows.schema.field(place_of), names)
        write_deltalake(table, pa.concat_tables([gone, rows]), mode="append")
    DeltaTable(table).delete("exchange_id LIKE 'gone-%'")
    go(world, world.out / "exchanges", place / "run")
    return Laid(world, table, place / "run")


def go(world: SimulatedWorld, logs: str | Path, out: Path, **options: Any) -> None:
    given = {"accounts": world.accounts_csv, "permits": world.permits_csv} | options
    scan([logs], out=out, **given)


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))


def contents(run: Path) -> dict[str, bytes]:
    files = [p for p in run.rglob("*") if p.is_file() and p.name not in NOT_COMPARED]
    return {str(p.relative_to(run)): p.read_bytes() for p in files}


def stop(progress: Progress) -> None:
    if progress.stage == "objects":
        raise Stop


def test_a_stopped_scan_goes_on_with_the_version_that_it_read(laid: Laid, tmp_path: Path) -> None:
    """What comes out are the bytes of a scan of the same rows, and the table's version."""
    table, out = tmp_path / "requests", tmp_path / "run"
    shutil.copytree(laid.table, table)
    version = DeltaTable(table).version()
    with pytest.raises(Stop):
        go(laid.world, table, out, progress=stop)
    DeltaTable(table).delete("exchange_id LIKE '%0'")
    with pytest.raises(ConfigError, match="asked for something else: table requests, ") as caught:
        go(laid.world, table, out, resume=True)
    assert f"what it read is requests@{version}" in caught.value.hint
    go(laid.world, f"{table}@{version}", out, resume=True)
    assert differing(contents(out), contents(laid.run)) == []
    told, expected = (json.loads((run / "summary.json").read_bytes()) for run in (out, laid.run))
    assert expected["cohorts_tested"] > 0
    assert told["inputs"].pop("tables") == [
        {"name": "requests", "kind": "Delta Lake", "version": str(version)}
    ]
    assert told == expected
    go(laid.world, f"{table}@{version}", out, resume=True)  # it is finished: nothing is done


def test_another_schema_of_the_same_snapshot_is_told_as_such() -> None:
    """A snapshot that is named has its own schema, so that naming it would not help."""
    before, now = {"table requests": [["Iceberg", 7, 1]]}, {"table requests": [["Iceberg", 7, 0]]}
    with pytest.raises(ConfigError, match="something else: table requests") as caught:
        refuse_other(before, now)
    assert "this version of requests with another schema: give the metadata file" in (
        caught.value.hint
    )
    assert "@7" not in caught.value.hint


def test_an_engine_does_not_read_tables(laid: Laid, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a table of Delta Lake is read by one process"):
        go(laid.world, laid.table, tmp_path / "run", engine="sail")
