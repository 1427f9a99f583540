"""The contract of `simulate`: same bytes, canonical tables, everybody present, honest rows kept."""

from __future__ import annotations

import ast
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch.simulate
from stillwatch.errors import ConfigError
from stillwatch.schema import STATUSES
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, PERMIT
from stillwatch.simulate import CAMPAIGN_FAMILIES, TRUTH, WORLDS, Size, World, simulate


def test_same_seed_gives_same_bytes(tmp_path, digests):
    formats = ("parquet", "litellm", "litellm.gz", "litellm.zst")
    for name in ("a", "b"):
        simulate("tiny", seed=3, out=tmp_path / name, formats=formats)
    simulate("tiny", seed=4, out=tmp_path / "c", formats=formats)
    a, b, c = (digests(tmp_path / n) for n in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[n] != c[n] for n in a)


def test_a_second_run_replaces_the_first(tmp_path, digests):
    simulate("tiny", seed=3, out=tmp_path / "a")
    simulate("tiny", seed=4, out=tmp_path / "a")
    simulate("tiny", seed=4, out=tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_exchanges_of_somebody_else_are_not_replaced(tmp_path):
    log = tmp_path / "exchanges" / "2026-11-16.parquet"
    log.parent.mkdir()
    log.write_bytes(b"a provider's own")
    with pytest.raises(ConfigError, match="no simulation wrote"):
        simulate("tiny", seed=1, out=tmp_path)
    assert log.read_bytes() == b"a provider's own"


def test_honest_rows_do_not_depend_on_campaigns(small, small_benign):
    honest = {a for a, t in small.truth.items() if t["role"] != "core"}
    assert honest == set(small_benign.truth)
    keep = pc.is_in(small.exchanges["account_id"], pa.array(sorted(honest), pa.string()))
    assert small.exchanges.filter(keep).equals(small_benign.exchanges)
    assert all(small.accounts[a] == small_benign.accounts[a] for a in honest)
    assert {t["role"] for t in small_benign.truth.values()} == {"honest", "permitted"}


def test_tables_are_canonical_and_sorted(small):
    assert small.exchanges.schema.equals(EXCHANGE)
    small.exchanges.validate(full=True)
    ts = small.exchanges["ts"].to_pylist()
    assert ts == sorted(ts)
    assert small.exchanges.num_rows == small.result.exchanges
    assert pc.count_distinct(small.exchanges["exchange_id"]).as_py() == len(ts)
    assert set(small.exchanges["status"].to_pylist()) <= set(STATUSES)
    for path in small.result.files["parquet"]:
        days = pc.unique(pc.strftime(pq.read_table(path)["ts"], "%Y-%m-%d")).to_pylist()
        assert days == [path.stem]
    for field in EXCHANGE:
        if not field.nullable:
            assert small.exchanges[field.name].null_count == 0


def test_window_and_creation_bound_every_exchange(small):
    begin, end = small.result.start, small.result.end
    assert end - begin == timedelta(days=7)
    for row in small.exchanges.select(["ts", "account_id"]).to_pylist():
        assert begin <= row["ts"] < end
        created = datetime.fromisoformat(small.accounts[row["account_id"]]["created_at"])
        assert row["ts"] >= created.replace(tzinfo=created.tzinfo or UTC)


def test_a_closed_account_is_denied_from_then_on(small):
    closed = {
        a: datetime.fromisoformat(r["closed_at"])
        for a, r in small.accounts.items()
        if r["closed_at"]
    }
    statuses = {False: set(), True: set()}
    for row in small.exchanges.select(["ts", "account_id", "status"]).to_pylist():
        if row["account_id"] in closed:
            statuses[row["ts"] >= closed[row["account_id"]]].add(row["status"])
    assert statuses[True] == {"denied"}
    assert "denied" not in statuses[False]


def test_failed_requests_have_no_answer(small):
    ok = pc.equal(small.exchanges["status"], "ok")
    assert pc.all(pc.is_valid(small.exchanges.filter(ok)["output_text"])).as_py()
    assert pc.all(pc.is_null(small.exchanges.filter(pc.invert(ok))["output_text"])).as_py()


def test_every_family_is_present(small):
    families = set(WORLDS["small"].sizes()) - {"victims"}  # victims are applications
    assert set(small.result.families) == families
    seen = {small.truth[a]["family"] for a in small.exchanges["account_id"].to_pylist()}
    assert seen == families
    assert set(small.result.roles) == {"honest", "core", "periphery", "victim", "permitted"}


def test_side_tables(small):
    head = small.result.accounts_csv.read_text("utf-8").splitlines()[0]
    assert head.split(",") == [name for name in ACCOUNT.names if not name.startswith("valid_")]
    lines = small.result.permits_csv.read_text("utf-8").splitlines()
    assert lines[0].split(",") == PERMIT.names
    permitted = {
        small.accounts[a]["org_id"] for a, t in small.truth.items() if t["role"] == "permitted"
    }
    assert {line.split(",")[2] for line in lines[1:]} == permitted
    owners = small.result.ownership_csv.read_text("utf-8").splitlines()
    assert owners[0].startswith("owner_entity_id,access")
    assert pq.read_table(small.result.truth_parquet).schema.equals(TRUTH)
    assert small.result.accounts == len(small.accounts) == len(small.truth)


def test_preset_sizes():
    """The presets keep the sizes that other rooms' tests rely on."""
    demo = WORLDS["demo"]
    assert 3000 <= sum(s.total for s in demo.sizes().values()) <= 3500
    assert all(getattr(WORLDS["demo-benign"], c).total == 0 for c in CAMPAIGN_FAMILIES)
    assert demo.without_campaigns() == WORLDS["demo-benign"]
    small = sum(s.total for s in WORLDS["small"].sizes().values())
    assert 800 <= small <= 1000


def test_small_and_tiny_row_counts(small, tmp_path):
    assert 10_000 <= small.result.exchanges <= 16_000
    tiny = simulate("tiny", seed=1, out=tmp_path)
    assert 1_200 <= tiny.exchanges <= 3_000
    assert 120 <= tiny.accounts <= 180


@pytest.mark.parametrize("family", [n for n in WORLDS["tiny"].sizes() if n != "framing"])
def test_every_family_plays_alone(tmp_path, family):
    world = World("alone", 3, **{family: WORLDS["tiny"].sizes()[family]})
    result = simulate(world, seed=5, out=tmp_path)
    assert result.exchanges > 0
    assert result.accounts >= 1


@pytest.mark.parametrize("factor", [0.1, 0.5, 3.0])
def test_scale_keeps_every_family(factor):
    scaled = WORLDS["demo"].scale(factor)
    assert all(s.total > 0 for s in scaled.sizes().values())
    assert scaled.chat.accounts == pytest.approx(WORLDS["demo"].chat.accounts * factor, abs=1)


def test_now_moves_the_window(tmp_path):
    world = World("one", 2, chat=Size(1, 20, 5))
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    result = simulate(world, seed=1, out=tmp_path, now=now)
    assert (result.start, result.end) == (now - timedelta(days=2), now)
    assert [p.stem for p in result.files["parquet"]] == ["2026-02-27", "2026-02-28", "2026-03-01"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"world": "nowhere"}, "no world named"),
        ({"formats": ("xml",)}, "cannot write xml"),
        ({"world": World("w", framing=Size(1, 5, 5))}, "framing needs victims"),
        ({"world": World("w", languages=("en",))}, "those of the mix"),
        ({"now": datetime(2026, 1, 1)}, "without a zone"),  # noqa: DTZ001
    ],
)
def test_bad_arguments_say_what_is_wrong(tmp_path, kwargs, message):
    arguments = {"world": "tiny", "seed": 1, "out": tmp_path} | kwargs
    world = arguments.pop("world")
    with pytest.raises(ConfigError, match=message):
        simulate(world, **arguments)


def test_speed_floor(tmp_path):
    """A loose floor, in processor seconds, so that a busy machine does not fail it."""
    begin = time.process_time()
    result = simulate("small", seed=11, out=tmp_path)
    rate = result.exchanges / (time.process_time() - begin)
    print(f"\n{rate:,.0f} exchanges/s")
    assert rate >= 1000


def test_the_room_imports_no_detector():
    allowed = ("stillwatch.schema", "stillwatch.errors", "stillwatch.simulate")
    for path in Path(stillwatch.simulate.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stillwatch"):
                assert node.module.startswith(allowed), path.name
