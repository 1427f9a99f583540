"""`stillwatch pseudonymize`: no raw identifier gets past it, and what joined before joins after."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.enrich import (
    read_accounts,
    read_key,
    read_keys,
    read_organizations,
    read_ownership,
    read_permits,
)
from stillwatch.scanner import scan
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.simulate import simulate
from stillwatch.sources import SOURCES, open_inputs

FIXTURES = Path(__file__).parents[2] / "fixtures"
LOGS = {
    "litellm": "litellm/callbacks.jsonl", "spendlogs": "spendlogs/rows.jsonl",
    "otlp": "otlp/spans.traces.jsonl", "batch": "apis/batch", "bedrock": "bedrock",
    "envoy": "envoy/access.jsonl", "langfuse": "langfuse/new.jsonl", "pairs": "apis/pairs.jsonl",
}  # fmt: skip
HASHED = ("exchange_id", "account_id", "org_id", "workspace_id", "key_id", "end_user_id",
          "conversation_id", "trace_id", "origin")  # fmt: skip
KEPT = sorted(set(EXCHANGE.names) - {*HASHED, "ip", "tags"})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("5a" * 32)
    return file


def table(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(file) for file in sorted(folder.glob("*.parquet")))


@pytest.mark.parametrize("name", LOGS)
def test_every_format_becomes_exchanges_without_identifiers(stillwatch, tmp_path, key, name):
    assert name in {source.name for source in SOURCES}
    log = FIXTURES / LOGS[name]
    plain = stillwatch("ingest", log, "--out", tmp_path / "plain", "--max-rejects", "1")
    told = stillwatch("pseudonymize", log, "--key", key, "--out", tmp_path / "out",
                      "--max-rejects", "1")  # fmt: skip
    assert (plain.code, told.code) == (0, 0)
    raw, made = table(tmp_path / "plain" / "exchanges"), table(tmp_path / "out" / "exchanges")
    assert made.num_rows == raw.num_rows > 0
    hide = read_key(key)
    want = raw.append_column("_x", pa.array([hide.of("exchange", x)
                                             for x in raw["exchange_id"].to_pylist()]))  # fmt: skip
    want = want.sort_by("_x")
    made = made.sort_by("exchange_id")
    for column in KEPT:
        assert made[column].to_pylist() == want[column].to_pylist(), column
    for column in HASHED:
        kind = column.removesuffix("_id")
        assert made[column].to_pylist() == [
            None if v is None else hide.of(kind, v) for v in want[column].to_pylist()
        ]
    bytes_written = b"".join(f.read_bytes() for f in (tmp_path / "out").rglob("*") if f.is_file())
    for column in ("account_id", "exchange_id", "ip"):
        for value in raw[column].unique().to_pylist():
            if value is not None and len(value) > 8:
                assert value.encode() not in bytes_written, column
                assert value not in told.out + told.err


@pytest.mark.slow
def test_a_scan_of_pseudonyms_accuses_the_same_accounts(stillwatch, tmp_path, key):
    """…and so logs and side tables still join, by account, organization, card and address."""
    world = simulate("small", seed=7, out=tmp_path / "world").out
    told = stillwatch(
        "pseudonymize", world / "exchanges", "--accounts", world / "accounts.csv",
        "--permits", world / "permits.csv", "--ownership", world / "ownership.csv",
        "--key", key, "--out", tmp_path / "out",
    )  # fmt: skip
    assert told.code == 0
    assert "Next: stillwatch scan" in told.out
    hide, standings = read_key(key), []
    for folder, to in ((world, lambda a: hide.of("account", a)), (tmp_path / "out", str)):
        done = scan(
            [folder / "exchanges"], accounts=folder / "accounts.csv", out=folder / "run",
            permits=folder / "permits.csv", ownership=folder / "ownership.csv", threads=1,
        )  # fmt: skip
        rows = pq.read_table(done.run_dir / "accounts.parquet").to_pylist()
        standings.append({to(r["account_id"]): (r["standing"], r["access"], r["segment"],
                                                r["exchanges"]) for r in rows})  # fmt: skip
    raw, made = standings
    assert raw == made
    assert {"accused", "clear"} <= {standing for standing, *_ in raw.values()}


ACCOUNTS = """account_id,org_id,email,phone,card,device_id,signup_ip,notes,plan,valid_from
a1,o1,Jo@Mail.Example,0043 660 1,4111 1111 1111,AA:BB:CC:00:11:22,192.0.2.7,secret,pro,2026-01-01
a2,o1,jo@mail.example ,+43 (660) 1,4111-1111-1111,aa:bb:cc:00:11:22,192.0.2.9,secret,pro,
a3,,,0660 1,,,no address,secret,,
"""


def test_raw_values_become_hashes_that_scan_takes(stillwatch, tmp_path, key):
    (tmp_path / "a.csv").write_text(ACCOUNTS)
    told = stillwatch("pseudonymize", "--key", key, "--accounts", tmp_path / "a.csv",
                      "--out", tmp_path / "out")  # fmt: skip
    assert told.code == 0
    assert "column left out: notes: 3" in told.out
    assert "telephone numbers without a country code, alike only as they are written: 1" in told.out
    assert "addresses that are none, left out: 1" in told.out
    text = (tmp_path / "out" / "accounts.csv").read_text()
    for raw in ("secret", "4111", "660", "jo@", "192.0.2", "bb:cc", "a1,", "o1,"):
        assert raw not in text.lower(), raw
    one, two, three = read_accounts(tmp_path / "out" / "accounts.csv").table.to_pylist()
    hide = read_key(key)
    assert one["account_id"] == hide.of("account", "a1")
    assert one["email_domain"] == two["email_domain"] == "mail.example"
    for column in ("org_id", "email_hash", "phone_hash", "payment_hash", "device_hash"):
        assert one[column] == two[column] is not None
        assert three[column] in (None, hide.of("phone", "06601"))
    assert one["signup_ip"].rpartition(".")[0] == two["signup_ip"].rpartition(".")[0]
    assert (one["plan"], one["valid_from"].year) == ("pro", 2026)


def test_organizations_join_as_before_and_litellms_own_table_serves(stillwatch, tmp_path, key):
    (tmp_path / "o.csv").write_text(
        "org_id,card,owner_entity_id,signup_ip,notes,email\n"
        "o1,4111 1,lei-1,192.0.2.7,x,a@b.example\n"
    )
    (tmp_path / "l.jsonl").write_text(
        '{"organization_id": "o1", "organization_alias": "Ann & Co", "budget_id": "b"}\n'
    )
    hide = read_key(key)
    rows = []
    for name in ("o.csv", "l.jsonl"):
        told = stillwatch("pseudonymize", "--key", key, "--organizations", tmp_path / name,
                          "--out", tmp_path / name[0])  # fmt: skip
        assert told.code == 0
        text = (tmp_path / name[0] / "organizations.csv").read_text()
        assert not [raw for raw in ("4111", "lei-1", "192.0", "Ann", "b.example") if raw in text]
        rows += read_organizations(tmp_path / name[0] / "organizations.csv").table.to_pylist()
    assert rows[0]["org_id"] == rows[1]["org_id"] == hide.of("org", "o1")
    assert rows[0]["payment_hash"] == hide.of("payment", "41111")
    assert rows[0]["owner_entity_id"] == hide.of("owner", "lei-1")
    assert rows[0]["email_hash"] == hide.of("email", "a@b.example")


def test_keys_permits_and_owners_join_as_before(stillwatch, tmp_path, key):
    (tmp_path / "p.json").write_text(json.dumps([
        {"permit_id": "p1", "account_id": "a1", "methods": ["autograding", "relay"]},
        {"permit_id": "p2", "org_id": "*", "models": ["m"]},
    ]))  # fmt: skip
    (tmp_path / "o.csv").write_text(
        "owner_entity_id,access,policy,citation\nlei-1,restricted,x holds 75 % of lei-1,c0ffee\n"
    )
    (tmp_path / "k.csv").write_text(
        "key_id,account_id,valid_from,valid_to\nh1,a1,,2026-02-01\nh1,a2,2026-02-01,\n"
    )
    told = stillwatch(
        "pseudonymize", "--key", key, "--out", tmp_path / "out", "--keys", tmp_path / "k.csv",
        "--permits", tmp_path / "p.json", "--ownership", tmp_path / "o.csv",
    )  # fmt: skip
    assert told.code == 0
    hide, out = read_key(key), tmp_path / "out"
    one, two = read_permits(out / "permits.csv").to_pylist()
    assert (one["account_id"], one["methods"]) == (
        hide.of("account", "a1"),
        ["autograding", "relay"],
    )
    assert (two["org_id"], two["models"]) == ("*", ["m"])
    (owner,) = read_ownership(out / "ownership.csv").to_pylist()
    assert owner["owner_entity_id"] == hide.of("owner", "lei-1")
    assert (owner["policy"], owner["citation"]) == (None, "c0ffee")
    assert "column left out: policy: 1" in told.out
    assert "account_id" in read_keys(out / "keys.csv").columns()
    assert hide.of("key", "h1") in (out / "keys.csv").read_text()


def test_litellms_users_keep_the_hash_of_their_address(stillwatch, tmp_path, key):
    (tmp_path / "users.jsonl").write_text(
        '{"user_id": "u1", "user_email": "Ann@Mail.Example", "user_role": "x"}\n'
    )
    stillwatch("pseudonymize", "--key", key, "--accounts", tmp_path / "users.jsonl",
               "--out", tmp_path / "out")  # fmt: skip
    (row,) = read_accounts(tmp_path / "out" / "accounts.csv").table.to_pylist()
    assert row["email_hash"] == read_key(key).of("email", "ann@mail.example")
    assert row["email_domain"] == "mail.example"


# Keys


def test_a_new_key_is_its_owners_alone_and_never_written_over(stillwatch, tmp_path):
    file = tmp_path / "key"
    assert stillwatch("pseudonymize", "--new-key", file).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    held = file.read_text()
    told = stillwatch("pseudonymize", "--new-key", file)
    assert (told.code, file.read_text()) == (1, held)
    assert held.strip() not in told.err + repr(read_key(file))


@pytest.mark.parametrize("text", ["", "zz" * 32, "5a" * 31, "5a" * 33, "\u00e9"])
def test_what_is_no_key_is_refused_and_not_shown(stillwatch, tmp_path, text):
    (tmp_path / "key").write_text(text)
    told = stillwatch("pseudonymize", "-", "--key", tmp_path / "key", "--out", tmp_path / "out")
    assert told.code == 1
    assert "64 hexadecimal digits" in told.err
    assert not text or text not in told.err


def test_two_keys_do_not_share_a_folder(stillwatch, tmp_path, key):
    (tmp_path / "a.csv").write_text("account_id\na1\n")
    (tmp_path / "other").write_text("5b" * 32)
    words = ("pseudonymize", "--accounts", tmp_path / "a.csv", "--out", tmp_path / "out", "--key")
    assert stillwatch(*words, key).code == 0
    told = stillwatch(*words, tmp_path / "other")
    assert told.code == 1
    assert "under another key" in told.err
    assert stillwatch(*words, key).code == 0


def test_pseudonyms_are_not_hashed_again(stillwatch, tmp_path, key):
    (tmp_path / "a.csv").write_text("account_id\na1\n")
    stillwatch("pseudonymize", "--accounts", tmp_path / "a.csv", "--out", tmp_path / "x",
               "--key", key)  # fmt: skip
    told = stillwatch("pseudonymize", "--accounts", tmp_path / "x" / "accounts.csv",
                      "--out", tmp_path / "y", "--key", key)  # fmt: skip
    assert told.code == 2
    assert "accounts.csv:2.account_id: holds pseudonyms already" in told.err


def test_lookup_tells_whose_a_pseudonym_is(stillwatch, key, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a1\n\na\x1b[31m2\n"))
    told = stillwatch("pseudonymize", "--key", key, "--lookup", "account")
    hide, strange = read_key(key), "a\x1b[31m2"
    assert told.out.splitlines() == [
        f"a1\t{hide.of('account', 'a1')}", f"{strange!r}\t{hide.of('account', strange)}",
    ]  # fmt: skip
    assert stillwatch("pseudonymize", "--key", key, "--lookup", "shoe").code == 1


def test_the_same_log_and_key_give_the_same_bytes(stillwatch, tmp_path, key):
    for out in ("x", "y"):
        stillwatch("pseudonymize", FIXTURES / LOGS["pairs"], "--key", key, "--out", tmp_path / out,
                   "--max-rejects", "1")  # fmt: skip
    files = [{f.name: f.read_bytes() for f in (tmp_path / out).rglob("*") if f.is_file()}
             for out in ("x", "y")]  # fmt: skip
    assert files[0] == files[1]
    assert ds.dataset(tmp_path / "x" / "exchanges").count_rows() > 0
    assert list(open_inputs([tmp_path / "x" / "exchanges"]).batches())
