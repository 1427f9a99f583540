"""Before a scan begins: how many exchanges are to come, and whether the disk can hold them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
import zstandard

from stillwatch.errors import ConfigError
from stillwatch.scanner import scan
from stillwatch.scanner.disk import BYTES_PER_ROW, guess_rows
from stillwatch.simulate import SimulatedWorld, simulate
from stillwatch.sources import open_inputs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate(
        "tiny", seed=5, out=tmp_path_factory.mktemp("tiny"), formats=("parquet", "litellm")
    )


def test_parquet_says_its_rows(world: SimulatedWorld) -> None:
    assert guess_rows(open_inputs([world.out / "exchanges"]).files) == world.exchanges


@pytest.mark.parametrize("packed", ["", "gz", "zst"])
def test_lines_are_counted_at_the_head_of_a_file(
    packed: str, world: SimulatedWorld, tmp_path: Path
) -> None:
    lines = (world.out / "litellm.jsonl").read_bytes().splitlines(keepends=True)
    log = tmp_path / f"log.jsonl.{packed}"
    pack = {"": bytes, "gz": gzip.compress, "zst": zstandard.compress}[packed]
    log.write_bytes(pack(b"".join(lines)))
    guess = guess_rows(open_inputs([log]).files)
    assert guess is not None
    assert 0.5 < guess / len(lines) < 2


def test_a_file_without_lines_tells_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("exchange_id,ts,account_id,model")
    assert guess_rows(open_inputs([log]).files) is None


def test_a_small_disk_is_refused_before_anything_is_read(
    world: SimulatedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No disk of a few hundred kilobytes is at hand: its free space is told otherwise here."""
    usage = shutil.disk_usage(tmp_path)
    free = world.exchanges * BYTES_PER_ROW - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    with pytest.raises(ConfigError, match="exchanges need about") as refused:
        scan([world.out / "exchanges"], out=tmp_path / "run")
    assert refused.value.where == "--out"
    assert not [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free + 1))
    scan([world.out / "exchanges"], out=tmp_path / "run")


def test_a_run_stays_below_the_estimate(world: SimulatedWorld, tmp_path: Path) -> None:
    fullest = 0

    def weigh(_: object) -> None:
        nonlocal fullest
        files = [p for p in (tmp_path / "run" / "stages").rglob("*") if p.is_file()]
        fullest = max(fullest, sum(p.stat().st_size for p in files))

    scan([world.out / "exchanges"], out=tmp_path / "run", progress=weigh)
    assert 0 < fullest < world.exchanges * BYTES_PER_ROW
