"""What an engine cannot read is refused before anything begins; what a worker reads of a file."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.pipeline import FEATURES, features
from stillwatch.scanner import scan
from stillwatch.scanner.spread import read_features, read_texts
from stillwatch.simulate import SimulatedWorld, simulate
from stillwatch.sources import Ledger, open_inputs

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    folder = tmp_path_factory.mktemp("tiny")
    return simulate("tiny", seed=5, out=folder, formats=("parquet", "litellm"))


@pytest.mark.parametrize(
    ("given", "where", "why"),
    [
        ({"engine": "yarn"}, "--engine", "not an engine"),
        ({"inputs": [ROOT / "tests/fixtures/otlp"]}, "--engine", "spread over files"),
        ({"keys": "keys.csv"}, "--keys", "this process reads"),
        ({"networks": ["vpn=vpn.txt"]}, "--networks", "this process reads"),
    ],
)
def test_what_no_engine_reads_is_refused_and_the_folder_stays_empty(
    tiny: SimulatedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object], where: str, why: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("keys.csv").write_text("key_id,account_id\nk,a\n")
    Path("vpn.txt").write_text("192.0.2.0/24\n")
    options = {"inputs": [tiny.out / "exchanges"], "engine": "sail", "out": tmp_path / "run"}
    with pytest.raises(ConfigError, match=why) as caught:
        scan(**{**options, **given})  # type: ignore[arg-type]
    assert caught.value.where == where
    assert not list((tmp_path / "run").glob("*"))


def drained(generator):
    batches = []
    while True:
        try:
            batches.append(next(generator))
        except StopIteration as stop:
            return batches, stop.value


def item(path: Path, name: str = "deep/log", **more: object) -> dict[str, object]:
    return {"path": str(path), "name": name, "format": "auto", "now": NOW.isoformat(), **more}


def test_a_worker_makes_the_features_of_a_file_and_tells_its_ledger(tiny: SimulatedWorld) -> None:
    log = tiny.out / "litellm.jsonl"
    made, note = drained(read_features(item(log)))
    opened = open_inputs([log], now=NOW)
    here = pa.Table.from_batches([features(batch) for batch in opened.batches()], FEATURES)
    assert pa.Table.from_batches(made, FEATURES).equals(here)
    ledger = Ledger()
    ledger.join(note["ledger"], log.name)
    assert ledger.summary() == opened.ledger.summary()
    assert "failed" not in note


def test_a_worker_tells_of_a_damaged_file_what_it_read_before(
    tiny: SimulatedWorld, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl.gz"
    whole = gzip.compress((tiny.out / "litellm.jsonl").read_bytes())
    log.write_bytes(whole[: len(whole) * 3 // 4])
    opened = open_inputs([log], now=NOW, max_rejects=1.0)
    with pytest.raises(InputError) as caught:
        list(opened.batches())
    _, note = drained(read_features(item(log, name="deep/log.jsonl.gz")))
    kind, message, where, _ = note["failed"]
    assert (kind, where) == ("InputError", "deep/log.jsonl.gz")
    assert message == caught.value.message
    assert note["ledger"]["rows_read"] == opened.ledger.rows_read


def test_a_worker_answers_with_the_texts_that_are_wanted_and_no_others(
    tiny: SimulatedWorld,
) -> None:
    log = sorted((tiny.out / "exchanges").iterdir())[0]
    ids = pa.Table.from_batches(list(open_inputs([log]).batches()))["exchange_id"].to_pylist()
    wanted = [ids[3], ids[20], "not there"]
    made, _ = drained(read_texts(item(log, wanted=wanted)))
    rows = pa.Table.from_batches(made)
    assert rows.column_names == ["exchange_id", "ts", "messages"]
    assert sorted(rows["exchange_id"].to_pylist()) == sorted(wanted[:2])
