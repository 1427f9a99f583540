"""Opening a run directory, reading its tables, asking it in SQL."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.store import open_run


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "it's a run"
    (folder / "stages").mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"accounts": 2}))
    line = json.dumps({"campaign_id": "c-1", "note": "a\u2028b"}, ensure_ascii=False)
    (folder / "campaigns.jsonl").write_text(line + "\n\n", encoding="utf-8")
    table = pa.table({"account_id": ["a", "b"], "exchanges": [3, 4]})
    pq.write_table(table, folder / "accounts.parquet")
    pq.write_table(pa.table({"day": [1], "requests": [7]}), folder / "stages" / "volume.parquet")
    return folder


def test_reads_lazily_and_by_name(run_dir):
    run = open_run(run_dir)
    (run_dir / "accounts.parquet").rename(run_dir / "aside")
    assert not run.has("accounts")
    (run_dir / "aside").rename(run_dir / "accounts.parquet")
    assert run.summary["accounts"] == 2
    assert run.campaigns == [{"campaign_id": "c-1", "note": "a\u2028b"}]
    assert run.table("accounts", ["exchanges"]).to_pydict() == {"exchanges": [3, 4]}
    assert run.frames == []
    assert run.has("volume")
    assert not run.has("nonsense")


@pytest.mark.parametrize("name", ["summary.json", "campaigns.jsonl"])
def test_folder_that_lacks_a_file_is_refused_by_its_name(run_dir, name):
    (run_dir / name).unlink()
    with pytest.raises(InputError, match=name):
        open_run(run_dir)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        open_run(tmp_path / "absent")


def test_broken_json_is_named_by_line(run_dir):
    (run_dir / "campaigns.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(InputError, match=r"campaigns\.jsonl:2"):
        _ = open_run(run_dir).campaigns
    (run_dir / "summary.json").write_text("[]")
    with pytest.raises(InputError, match="expected a JSON object"):
        _ = open_run(run_dir).summary
    (run_dir / "summary.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match="UTF-8"):
        _ = open_run(run_dir).summary


def test_missing_or_broken_table(run_dir):
    run = open_run(run_dir)
    with pytest.raises(InputError, match=r"links\.parquet"):
        run.table("links")
    with pytest.raises(InputError, match="no table"):
        run.table("nonsense")
    with pytest.raises(InputError, match="nonsense"):
        run.table("accounts", ["account_id", "nonsense"])
    (run_dir / "links.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="Parquet"):
        run.table("links")


def test_query_joins_the_tables(run_dir):
    answer = open_run(run_dir).query(
        "SELECT sum(exchanges)::BIGINT AS n, (SELECT requests FROM volume) AS r FROM accounts"
    )
    assert answer.to_pydict() == {"n": [7], "r": [7]}


def test_wrong_query_says_so(run_dir):
    with pytest.raises(InputError, match="query"):
        open_run(run_dir).query("SELECT nonsense FROM accounts")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "COPY accounts TO '{outside}.out'",
    ],
)
def test_query_cannot_leave_the_run(run_dir, tmp_path, sql):
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    with pytest.raises(InputError):
        open_run(run_dir).query(sql.format(outside=outside))
    assert not (tmp_path / "outside.csv.out").exists()
