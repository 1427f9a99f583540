"""An account that an upheld appeal restored makes no links in the next scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.enrich import read_corrections
from stillwatch.errors import InputError, SchemaError
from stillwatch.scanner import scan
from stillwatch.simulate import SimulatedWorld, simulate


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("small", seed=5, out=tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


def look(world: SimulatedWorld, out: Path, **options: Any) -> dict[str, dict[str, Any]]:
    scan([world.out / "exchanges"], accounts=world.accounts_csv, out=out, **options)
    return {row["account_id"]: row for row in pq.read_table(out / "accounts.parquet").to_pylist()}


def ends(run: Path) -> set[str]:
    table = pq.read_table(run / "links.parquet")
    return {*table["a"].to_pylist(), *table["b"].to_pylist()}


@pytest.mark.slow
def test_a_restored_account_is_not_accused_and_has_no_links(
    world: SimulatedWorld, tmp_path: Path
) -> None:
    before = look(world, tmp_path / "before")
    accused = sorted(a for a, row in before.items() if row["standing"] == "accused")
    assert accused, "this world has a campaign"
    restored = accused[0]
    assert restored in ends(tmp_path / "before")
    file = tmp_path / "effects.json"
    file.write_text(json.dumps({"corrections": [{"account_id": restored, "campaign_id": "c"}]}))
    after = look(world, tmp_path / "after", corrections=file)
    assert after[restored]["standing"] == "clear"
    assert restored not in ends(tmp_path / "after")
    others = {a for a, row in after.items() if row["standing"] == "accused"}
    assert others
    assert others <= set(accused)


def test_no_corrections_change_no_byte(tiny: SimulatedWorld, tmp_path: Path) -> None:
    file = tmp_path / "effects.json"
    file.write_text(json.dumps({"corrections": []}))
    look(tiny, tmp_path / "one")
    look(tiny, tmp_path / "two", corrections=file)
    for name in ("accounts.parquet", "links.parquet", "campaigns.jsonl", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("text", ["", "[]", '{"corrections": {}}', '{"corrections": [1]}',
                                  '{"corrections": [{"account_id": ""}]}'])  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SchemaError):
        read_corrections(tmp_path / "x.json")
    with pytest.raises(InputError):
        read_corrections(tmp_path / "absent.json")
