"""`stillwatch ingest`: logs in, canonical Parquet or a verdict out."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from lake_tables import exchanges


@pytest.fixture
def log(tmp_path):
    """Write a CSV log of 200 rows, one of them without a time."""
    file = tmp_path / "log.csv"
    rows = [f"x{i},2026-11-16T00:{i % 60:02d}:00Z,acct-{i % 7},nova" for i in range(199)]
    head = "exchange_id,ts,account_id,model"
    file.write_text("\n".join([head, *rows, "x199,secret-text,acct-1,nova"]) + "\n")
    return file


def test_writes_a_file_a_day_and_the_ledger(stillwatch, log, tmp_path):
    told = stillwatch("ingest", log, "--out", tmp_path / "out")
    assert told.code == 0
    assert "200 rows read from 1 file (csv): 199 accepted, 1 refused." in told.out
    assert "199 exchanges in 1 file under" in told.out
    assert "Next: stillwatch scan" in told.out
    assert pq.read_table(tmp_path / "out" / "exchanges" / "2026-11-16.parquet").num_rows == 199
    (line,) = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["field"] == "ts"
    assert "secret-text" not in told.out + told.err + line


def test_check_writes_nothing(stillwatch, log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    told = stillwatch("ingest", log, "--check")
    assert told.code == 0
    assert "refused 1 time:" in told.out
    assert "(ts)" in told.out
    assert sorted(tmp_path.rglob("*")) == before


def test_too_many_refused_rows_stop_it_and_the_ledger_stays(stillwatch, log, tmp_path):
    told = stillwatch("ingest", log, "--out", tmp_path / "out", "--max-rejects", "0")
    assert told.code == 2
    assert "1 of 200 rows cannot be read" in told.err
    assert (tmp_path / "out" / "rejected.jsonl").is_file()
    assert not (tmp_path / "out" / "exchanges").exists()


def test_input_that_is_not_there_or_not_known(stillwatch, tmp_path):
    assert stillwatch("ingest", tmp_path / "absent", "--check").code == 2
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01\x02")
    told = stillwatch("ingest", tmp_path / "odd.bin", "--check")
    assert told.code == 2
    assert "format not recognised" in told.err


@pytest.mark.parametrize(
    ("side", "header"),
    [
        ("accounts", "account_id,org_id,created_at,plan"),
        ("permits", "permit_id;account_id;methods;valid_until"),
        ("keys", "key_id,account_id,org_id,valid_from"),
        ("organizations", "org_id,plan,payment_hash,closed_at"),
        ("ownership", '"owner_entity_id","access","as_of"'),
    ],
)
def test_a_side_table_among_the_logs_is_named_with_its_option(stillwatch, tmp_path, side, header):
    (tmp_path / "table.csv").write_text(f"{header}\n")
    told = stillwatch("ingest", tmp_path / "table.csv", "--check")
    assert told.code == 2
    assert f"give it to `scan` with --{side}," in told.err


def test_output_that_exists_is_not_overwritten(stillwatch, log, tmp_path):
    (tmp_path / "out" / "exchanges").mkdir(parents=True)
    told = stillwatch("ingest", log, "--out", tmp_path / "out")
    assert told.code == 1
    assert "exists already" in told.err


def test_check_of_a_log_of_which_nothing_is_accepted_says_why_and_no_more(stillwatch, tmp_path):
    log = tmp_path / "half.jsonl"
    for text, said, step in (
        ('{"id": "p1", "call_type": ', "JSON ends early", "is the file still being written"),
        ('{"id": nothing}', "malformed JSON", "see the reasons above"),
    ):
        log.write_text(text)
        told = stillwatch("ingest", log, "--check", "--format", "litellm")
        assert told.code == 2
        assert f"refused 1 time: {said}; first at half.jsonl:1" in told.out
        assert "In none of them" not in told.out
        assert step in told.err
        assert "rejected.jsonl" not in told.err


def test_check_says_what_the_log_fills_and_what_its_gaps_cost(stillwatch, log):
    told = stillwatch("ingest", log, "--check").out
    assert "What the first 199 exchanges hold" in told
    assert "account_id (required)" in told
    assert "messages" in told.split("In none of them: ")[1].split("\n")[0]
    assert "not evaluable: One queue of ever-new topics, each item once (extractive)" in told
    assert "Without messages nothing can be accused" in told
    assert "Leaving through the same address prefixes (coordinated), for want of ip" in told
    assert "created_at" in told.split("From a side table")[1]
    assert "ja4, user_agent: no links by the same client" in told


def test_what_tells_clients_apart_is_said_as_it_is(stillwatch, tmp_path):
    """The link is of the fingerprint and the agent together: one of them alone still links."""
    log = tmp_path / "log.csv"
    for name, value, said in (
        ("user_agent", "openai/3", "ja4: clients are told apart by their user agent alone"),
        ("ja4", "t13d1516h2", "user_agent: clients are told apart by their TLS fingerprint alone"),
    ):
        log.write_text(f"exchange_id,ts,account_id,model,{name}\nx,2026-11-16,a,m,{value}\n")
        told = stillwatch("ingest", log, "--check").out
        assert said in told
        assert "no links by the same client" not in told


def test_a_log_of_ones_own_from_proposal_to_columns(stillwatch, tmp_path):
    rows = [{"when": f"2026-11-16T00:00:{i:02}Z", "tenantId": f"t{i % 3}", "engine": "gpt-5",
             "prompt": f"blue heron {i} in the reeds", "remote_ip": "203.0.113.9"}
            for i in range(30)]  # fmt: skip
    log = tmp_path / "own.jsonl"
    log.write_text("\n".join(map(json.dumps, rows)))
    refused = stillwatch("ingest", log, "--check")
    assert refused.code == 2
    assert "--suggest" in refused.err
    proposal = stillwatch("ingest", log, "--suggest")
    assert proposal.code == 0
    assert "heron" not in proposal.out
    assert "ts = 'when'  # in 100% of rows, by its values alone" in proposal.out
    mapping = tmp_path / "own.toml"
    mapping.write_text(proposal.out)
    told = stillwatch("ingest", log, "--format", mapping, "--check")
    assert told.code == 0
    assert "30 rows read from 1 file (own): 30 accepted, 0 refused." in told.out
    assert "remote_ip" in told.out


def test_a_path_that_finds_nothing_is_named(stillwatch, log, tmp_path):
    mapping = tmp_path / "m.toml"
    mapping.write_text("[columns]\nts='ts'\naccount_id='account_id'\nmodel='model'\nip='adress'\n")
    told = stillwatch("ingest", log, "--format", mapping, "--check")
    assert "ip = 'adress' finds nothing: is it spelled so?" in told.out


def test_where_no_row_was_accepted_no_path_is_called_wrong(stillwatch, log, tmp_path):
    mapping = tmp_path / "m.toml"
    mapping.write_text("[columns]\naccount_id='account_id'\nmodel='model'\n"
                       "[bodies]\nresponse='response'\n")  # fmt: skip
    told = stillwatch("ingest", log, "--format", mapping, "--check")
    assert told.code == 2
    assert "finds nothing" not in told.out
    assert "m.toml says nothing of ts, and the bodies tell none: add ts = '…'" in told.err


def test_one_thing_at_a_time(stillwatch, log, tmp_path):
    assert stillwatch("ingest", log, "--check", "--suggest").code == 1
    assert stillwatch("ingest", log, "--suggest", "--out", tmp_path / "x").code == 1


def test_what_was_changed_to_be_read_is_said(stillwatch, tmp_path):
    log = tmp_path / "log.csv"
    log.write_bytes(
        b"exchange_id,ts,account_id,model,output_text\nx,2026-11-16T00:00:00Z,a,m,gr\xfc\xdf\n"
    )
    told = stillwatch("ingest", log, "--check")
    assert told.code == 0
    assert "Changed so that they can be read: invalid UTF-8 replaced (2)." in told.out


def test_a_table_is_told_with_its_version(stillwatch, tmp_path):
    write_deltalake(tmp_path / "requests", exchanges(0, 3))
    write_deltalake(tmp_path / "requests", exchanges(3, 5), mode="append")
    told = stillwatch("ingest", tmp_path / "requests", "--check")
    assert "5 rows read from 2 files (parquet): 5 accepted, 0 refused." in told.out
    assert "requests is a table of Delta Lake, read at version 1." in told.out
    told = stillwatch("ingest", f"{tmp_path / 'requests'}@0", "--out", tmp_path / "out")
    assert "3 exchanges in 1 file under" in told.out
