"""Same rows, same configuration → the same bytes, however the rows come and whatever runs them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import api_rows
import numpy as np
import orjson
import otlp_rows
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.simulate import SimulatedWorld
from stillwatch.sources import open_inputs

from .conftest import Scan, Scanned

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# LiteLLM logs no channel, origin, country or asn, names tool schemas in its own envelope, and the
# simulator's log has no reasoning blobs; so these files, which hold such columns or what follows
# from them (segments, end users of a gateway account, p-values), may differ between formats …
FOLLOWS_THE_COLUMNS = {
    "accounts.parquet",  # segment = plan/channel, p_value, e_value, q_value
    "campaigns.jsonl",  # evidence of tests that need a blob or compare with a segment
    "links.parquet",  # weights: the gateway's end users are no subjects, tool schemas differ
    "report.html",  # shows all of these
    "signals.parquet",
    "stix.json",  # names the tests: one_source takes fifty customers, and end users are customers
    "stages/clock.parquet",  # the hours of a campaign's segments
    "stages/coverage.parquet",  # the pools of a campaign's segments, drawn by subject number
    "stages/cohort_members.parquet",  # subject numbers
    "stages/cohort_scores.parquet",
    "stages/cohorts.parquet",
    "stages/exchanges.parquet",  # channel, h_tools, h_output, prefix_full, h_blob, sid
    "stages/findings.parquet",
    "stages/frames.parquet",
    "stages/spikes.parquet",
    "stages/subjects.parquet",
    "subjects.parquet",
    "summary.json",  # formats, subjects, organizations, digests
}


def write_files(table: pa.Table, folder: Path, files: int, seed: int) -> Path:
    """Write the rows, shuffled over ``files`` Parquet files whose names say nothing of time."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(files, size=table.num_rows)
    folder.mkdir()
    for number in range(files):
        mine = rng.permutation(np.flatnonzero(owner == number))
        name = f"{int(rng.integers(10**9)):09d}-{number}.parquet"
        pq.write_table(table.take(pa.array(mine)), folder / name, row_group_size=700 + number)
    return folder


def test_the_scan_accuses_somebody(plain: Scanned) -> None:
    assert any(standing == "accused" for _, standing in plain.accusations.campaigns)
    assert any(standing == "accused" for _, standing, _ in plain.accusations.accounts)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="again"),
        pytest.param({"threads": 1}, id="one thread"),
        pytest.param({"threads": 2}, id="two threads"),
        pytest.param({"threads": 3, "memory": "512MB"}, id="three threads in 512 MB"),
    ],
)
def test_neither_time_nor_threads_nor_memory_change_a_byte(
    world: SimulatedWorld, plain: Scanned, scan_of: Scan, options: dict[str, Any]
) -> None:
    other = scan_of(world.out / "exchanges", **options)
    assert plain.differing(other) == []


@pytest.mark.parametrize("files", [1, 50])
def test_neither_files_nor_order_change_a_byte(
    rows: pa.Table, plain: Scanned, scan_of: Scan, tmp_path: Path, files: int
) -> None:
    folder = write_files(rows, tmp_path / "split", files, seed=files)
    other = scan_of(*sorted(folder.iterdir(), reverse=True))
    assert plain.differing(other) == []


def test_the_same_rows_from_another_format_give_the_same_bytes(
    world: SimulatedWorld, scan_of: Scan, tmp_path: Path
) -> None:
    log = world.out / "litellm.jsonl"
    opened = open_inputs([log])
    names = [name for name in EXCHANGE.names if name in opened.columns]
    read = pa.Table.from_batches(list(opened.batches())).select(names)
    pq.write_table(read, tmp_path / "read.parquet")
    one, other = scan_of(log), scan_of(tmp_path / "read.parquet")
    assert one.summary["inputs"].pop("formats") == ["litellm"]
    assert other.summary["inputs"].pop("formats") == ["parquet"]
    assert one.summary == other.summary
    assert set(one.differing(other)) <= {"summary.json", "report.html"}


NAMES_WATCHED_CAMPAIGNS = {"stages/frames.jsonl", "stages/raster.parquet"}


def accused(rows: list[Any]) -> list[Any]:
    return [row for row in rows if row[1] == "accused"]


def ticks(made: Scanned) -> list[dict[str, Any]]:
    return pq.read_table(pa.BufferReader(made.files["stages/raster.parquet"])).to_pylist()


def skeletons(made: Scanned) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.files["stages/frames.jsonl"].splitlines()]


def test_parquet_and_litellm_accuse_the_same(
    world: SimulatedWorld, plain: Scanned, scan_of: Scan
) -> None:
    """Accused campaigns are the same; of watched ones, the core follows the columns, and with it
    the name: a member's probability compares it with its segment. Every account stands the same.
    """
    other = scan_of(world.out / "litellm.jsonl")
    assert accused(other.accusations.campaigns) == accused(plain.accusations.campaigns)
    assert accused(other.accusations.accounts) == accused(plain.accusations.accounts)
    for one, same in zip(other.accusations.accounts, plain.accusations.accounts, strict=True):
        assert one[:2] == same[:2]
    stand = [[standing for _, standing in s.accusations.campaigns] for s in (other, plain)]
    assert stand[0] == stand[1]
    assert set(plain.differing(other)) <= FOLLOWS_THE_COLUMNS | NAMES_WATCHED_CAMPAIGNS
    names = {name for name, _ in accused(plain.accusations.campaigns)}
    for read in (ticks, skeletons):
        mine, theirs = ([r for r in read(s) if r["campaign_id"] in names] for s in (plain, other))
        assert mine
        assert mine == theirs
    assert other.summary["rejected"] == 0
    assert other.summary["rows_kept"] == plain.summary["rows_kept"]


# A blob is base64 text in OTLP JSON, so its hash is another; nothing else follows from that.
FOLLOWS_THE_BLOB = {"report.html", "stages/exchanges.parquet", "summary.json"}


@pytest.mark.parametrize("form", ["spans", "events"])
def test_parquet_and_otlp_decide_the_same(
    rows: pa.Table, plain: Scanned, scan_of: Scan, tmp_path: Path, form: str
) -> None:
    """Spans with content in one packed file; or spans without, and their events in another."""
    for signal, line in otlp_rows.otlp_lines(rows.to_pylist(), form):
        with (tmp_path / f"{signal}.jsonl").open("ab") as out:
            out.write(line + b"\n")
    (tmp_path / "traces.jsonl.gz").write_bytes(
        gzip.compress((tmp_path / "traces.jsonl").read_bytes(), 1)
    )
    (tmp_path / "traces.jsonl").unlink()
    other = scan_of(tmp_path)
    assert other.summary["inputs"]["formats"] == ["otlp"]
    assert other.accusations == plain.accusations
    assert set(plain.differing(other)) <= FOLLOWS_THE_BLOB
    assert other.summary["rejected"] == 0
    assert other.summary["rows_kept"] == plain.summary["rows_kept"]


@pytest.mark.parametrize("form", ["pair", "spendlog", "foreign"])
def test_other_formats_accuse_the_same(
    rows: pa.Table, plain: Scanned, scan_of: Scan, tmp_path: Path, form: str
) -> None:
    """Bodies in a wrapper record, LiteLLM's database, and a log of one's own through a mapping.

    As for LiteLLM's payloads, what follows from columns that a format lacks may differ.
    """
    made = getattr(api_rows, form)
    more = {"dialect": "responses"} if form == "pair" else {}
    with (tmp_path / "log.jsonl").open("wb") as out:
        out.writelines(orjson.dumps(made(row, **more)) + b"\n" for row in rows.to_pylist())
    (tmp_path / "mapping.toml").write_text(api_rows.MAPPING, "utf-8")
    options = {"format": str(tmp_path / "mapping.toml")} if form == "foreign" else {}
    other = scan_of(tmp_path / "log.jsonl", **options)
    assert other.summary["rejected"] == 0
    assert accused(other.accusations.campaigns) == accused(plain.accusations.campaigns)
    assert accused(other.accusations.accounts) == accused(plain.accusations.accounts)


# Bedrock and Vertex log no address and no client, so that a campaign found behind a pool of
# addresses alone may be missed, and who is held to be a member may change; Envoy logs no text, so
# nothing can be accused.
@pytest.mark.parametrize("form", ["bedrock", "vertex", "envoy"])
def test_formats_that_lack_columns_accuse_nobody_honest(
    world: SimulatedWorld, rows: pa.Table, plain: Scanned, scan_of: Scan, tmp_path: Path, form: str
) -> None:
    """Whoever is accused belongs to a campaign of the simulated truth."""
    made = getattr(api_rows, form)
    truth = pq.read_table(world.out / "truth.parquet").to_pylist()
    guilty = {row["account_id"] for row in truth if row["role"] == "core"}
    with (tmp_path / "log.jsonl").open("wb") as out:
        out.writelines(orjson.dumps(made(row)) + b"\n" for row in rows.to_pylist())
    other = scan_of(tmp_path / "log.jsonl")
    assert other.summary["inputs"]["formats"] == [form]
    assert other.summary["rejected"] == 0
    mine = {account for account, *_ in accused(other.accusations.accounts)}
    theirs = {account for account, *_ in accused(plain.accusations.accounts)}
    assert mine <= guilty
    if form == "envoy":
        assert other.summary["cannot_accuse"]
        assert not mine
    else:
        assert len(mine & theirs) > 0.5 * len(theirs)


def repeats(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return rows whose ids are taken: exact repeats, and later ones of another account."""
    same = rows.take(pa.array(rng.choice(rows.num_rows, 400, replace=False)))
    late = rows.take(pa.array(rng.choice(rows.num_rows, 60, replace=False)))
    fields = late.schema.names
    stranger = pa.array([f"acct_seen_only_in_repeats_{k}" for k in range(60)])
    later = pa.array(np.asarray(late["ts"].cast(pa.int64())) + 1_000_000)
    later = later.cast(EXCHANGE.field("ts").type)
    gateway = pa.array(["gateway"] * 60)
    words = [[{"role": "user", "content": f"Other words, {k}."}] for k in range(60)]
    messages = pa.array(words, EXCHANGE.field("messages").type)
    for name, column in (
        ("account_id", stranger),
        ("ts", later),
        ("channel", gateway),
        ("messages", messages),
    ):
        late = late.set_column(fields.index(name), EXCHANGE.field(name), column)
    return pa.concat_tables([same, same, late])


def test_repeats_are_dropped_and_counted(
    rows: pa.Table, plain: Scanned, scan_of: Scan, tmp_path: Path
) -> None:
    added = repeats(rows, np.random.default_rng(3))
    folder = write_files(pa.concat_tables([rows, added]), tmp_path / "twice", 5, seed=3)
    other = scan_of(folder)
    assert set(plain.differing(other)) <= {"summary.json", "report.html"}
    assert other.accusations == plain.accusations
    expected = plain.summary | {
        "rows_in": plain.summary["rows_in"] + added.num_rows,
        "duplicates": added.num_rows,
    }
    assert json.dumps(other.summary) == json.dumps(expected)
