"""Templates that others suspect: what they change in a scan, and what lists of liars cannot."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.enrich import read_corroborated
from stillwatch.errors import InputError, SchemaError
from stillwatch.scanner import candidate_frames, corroborated_lines, scan
from stillwatch.simulate import SimulatedWorld, simulate

NOW = datetime(2026, 11, 26, tzinfo=UTC)
pytestmark = pytest.mark.slow


def look(world: SimulatedWorld, out: Path, **options: Any) -> Path:
    scan([world.out / "exchanges"], accounts=world.accounts_csv, out=out, now=NOW, **options)
    return out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("small", seed=5, out=tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def before(world: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return look(world, tmp_path_factory.mktemp("before"))


def written(path: Path, frames: list[str]) -> Path:
    path.write_bytes(corroborated_lines(frames))
    return path


def findings(run: Path) -> list[dict[str, Any]]:
    return pq.read_table(run / "stages" / "findings.parquet").to_pylist()


def accused(run: Path) -> set[str]:
    rows = pq.read_table(run / "accounts.parquet", columns=["account_id", "standing"]).to_pylist()
    return {row["account_id"] for row in rows if row["standing"] == "accused"}


def test_templates_that_nobody_here_carries_change_no_byte(world, before, tmp_path):
    file = written(tmp_path / "c.jsonl", [f"0:16:{k:016x}" for k in range(1, 200)])
    after = look(world, tmp_path / "after", corroborated=file)
    for name in ("campaigns.jsonl", "signals.parquet", "accounts.parquet", "stix.json"):
        assert (before / name).read_bytes() == (after / name).read_bytes(), name


def test_a_suspected_template_is_tested_on_the_whole_window_on_this_log_alone(
    world, before, tmp_path
):
    suspected, asked = candidate_frames(before)
    assert suspected, "this world has campaigns"
    assert set(suspected) < set(asked)
    file = written(tmp_path / "c.jsonl", suspected)
    after = look(world, tmp_path / "after", corroborated=file)
    key = [(f["cohort"], f["signal"]) for f in findings(before)]
    assert key == [(f["cohort"], f["signal"]) for f in findings(after)]
    changed = {
        (b["cohort"], b["signal"])
        for b, a in zip(findings(before), findings(after), strict=True)
        if str((b["n"], b["e_value"])) != str((a["n"], a["e_value"]))  # NaN is NaN
    }
    assert changed
    assert {signal for _, signal in changed} <= {"round_robin", "even_volumes"}
    for b, a in zip(findings(before), findings(after), strict=True):
        if (b["cohort"], b["signal"]) in changed and b["signal"] == "round_robin":
            assert a["n"] > b["n"], "both parts"
    assert accused(before) <= accused(after)
    again = look(world, tmp_path / "after", corroborated=file, resume=True)
    assert str(findings(again)) == str(findings(after))


@pytest.mark.parametrize("name", ["small-benign", "small"])
def test_liars_who_register_every_template_accuse_nobody_honest(name, tmp_path):
    made = simulate(name, seed=11, out=tmp_path / "world")
    first = look(made, tmp_path / "first")
    _, asked = candidate_frames(first)
    truth = pq.read_table(made.truth_parquet).to_pylist()
    guilty = {row["account_id"] for row in truth if row["campaign"] is not None}
    assert len(asked) > 5
    for part in (asked, asked[::2], asked[:3], asked[-2:]):
        run = look(made, tmp_path / "run", corroborated=written(tmp_path / "c.jsonl", part))
        assert accused(run) <= guilty


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"pos": 0, "len": 16, "value": "xyz"}', '{"pos": 0, "len": 16}',
             '{"pos": true, "len": 16, "value": "0123456789abcdef"}',
             '{"pos": 0, "len": 16, "value": "0123456789abcdef", "more": 1}'],
)  # fmt: skip
def test_another_file_is_refused_by_line(tmp_path, text):
    good = json.dumps({"pos": 0, "len": 16, "value": "0123456789abcdef"})
    (tmp_path / "x.jsonl").write_text(f"{good}\n{text}\n")
    with pytest.raises(SchemaError, match=r"x\.jsonl:2"):
        read_corroborated(tmp_path / "x.jsonl")
    with pytest.raises(InputError):
        read_corroborated(tmp_path / "absent.jsonl")
    (tmp_path / "x.jsonl").write_text(f"{good}\n{good}\n")
    assert read_corroborated(tmp_path / "x.jsonl").to_pylist() == [
        {"pos": 0, "len": 16, "h": 0x0123456789ABCDEF}
    ]
