"""Side tables: what is wrong is named by file, line and field, never by value."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.enrich import read_accounts, read_networks, read_ownership, read_permits
from stillwatch.errors import InputError, SchemaError
from stillwatch.schema.arrow import ACCOUNT, OWNER, PERMIT


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


ROWS = [
    {"account_id": "a1", "created_at": "2026-01-31T01:00:00+01:00", "rate_limit_rpm": 60},
    {"account_id": "a2", "created_at": "2026-01-31", "email_domain": "example.com"},
]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_accounts_from_every_format(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"accounts.{kind}"
    if kind == "csv":
        path.write_text(
            "\ufeffaccount_id,created_at,rate_limit_rpm,email_domain,shoe_size\n"
            "a1,2026-01-31T01:00:00+01:00,60,,44\na2,2026-01-31,,example.com,\n"
        )
    elif kind == "parquet":
        pq.write_table(
            pa.Table.from_pylist([*ROWS, {"email_domain": None, "account_id": "a3"}]), path
        )
    elif kind == "json":
        path.write_text(json.dumps(ROWS))
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)))
    accounts = read_accounts(path)
    assert accounts.table.schema == ACCOUNT
    assert accounts.table["account_id"].to_pylist()[:2] == ["a1", "a2"]
    assert accounts.table["created_at"][0].as_py() == datetime(2026, 1, 31, tzinfo=UTC)
    assert accounts.table["rate_limit_rpm"].to_pylist()[:2] == [60, None]
    assert accounts.columns >= {"account_id", "created_at", "rate_limit_rpm"}
    assert "payment_hash" not in accounts.columns
    assert "shoe_size" not in accounts.columns


def test_repeated_account_names_both_lines_and_not_the_id(tmp_path: Path) -> None:
    path = put(tmp_path, "accounts.csv", "account_id\nsecret\nother\nsecret\n")
    with pytest.raises(
        SchemaError, match=r"accounts\.csv:4: the same account_id as in line 2"
    ) as e:
        read_accounts(path)
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email_hash", "someone@example.com"),
        ("phone_hash", "+43 660 1234567"),
        ("phone_hash", "0660 1234567"),
        ("payment_hash", "4111 1111 1111 1111"),
        ("device_hash", "00:1B:44:11:3A:B7"),
        ("email_domain", "someone@example.com"),
    ],
)
def test_raw_value_where_a_keyed_hash_belongs(tmp_path: Path, column: str, value: str) -> None:
    path = put(tmp_path, "accounts.csv", f"account_id,{column}\na1,\na2,{value}\n")
    with pytest.raises(SchemaError, match=rf"accounts\.csv:3: {column}.*pseudonymize") as caught:
        read_accounts(path)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["9f86d081884c7d65", "AbC-_19", "123456789012345678901234567890ab"]
)
def test_keyed_hashes_pass(tmp_path: Path, value: str) -> None:
    columns = "email_hash,phone_hash,payment_hash,device_hash"
    path = put(tmp_path, "accounts.csv", f"account_id,{columns}\na,{','.join([value] * 4)}\n")
    assert read_accounts(path).table["phone_hash"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user\nx\n", "no column account_id"),
        ("", "an empty file.*finished"),
        ("account_id,ts,model\na,b,c\n", "the only column of an account.*is it a log"),
        ("Account_ID,plan\na,x\n", "no column account_id.*small letters"),
        ("account_id,created_at\na,yesterday\n", r":2: created_at: expected a time"),
        ("account_id,created_at\na,31/01/2026\n", r":2: created_at: .*write days as 2026-01-31"),
        ('account_id,rate_limit_rpm\na,"1,000"\n', r":2: rate_limit_rpm: .*not 1,000"),
        ("account_id,rate_limit_rpm\na,many\n", r":2: rate_limit_rpm: expected a whole number"),
        ("account_id,rate_limit_rpm\na,1.5\n", r":2: rate_limit_rpm: expected a whole number"),
        ("account_id,plan\n,free\n", r":2: account_id is empty; expected text"),
        ("account_id,plan\na\n", r":2: wrong number of fields"),
        ("account_id,plan\na,b,c\n", r":2: wrong number of fields"),
        ('account_id,plan\n"a"b,c\n', "not CSV"),
        ('{"account_id": "a"}\n{"account_id": \n', r":2: not JSON"),
        ('{"account_id": {"x": 1}}\n', r":1: account_id: expected text"),
        ("[1]", r":1: expected an object"),
    ],
)
def test_defects_of_an_accounts_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read_accounts(put(tmp_path, "accounts.txt", text))


COMMAS = b"account_id,org_id,declared_use\na,o1,one; two\nb,,\n"


@pytest.mark.parametrize(
    "raw",
    [
        b'account_id;org_id;declared_use\na;o1;"one; two"\nb;;\n',
        b"account_id\torg_id\tdeclared_use\r\na\to1\tone; two\r\nb\t\t\r\n",
        b"\xef\xbb\xbf" + COMMAS,
        gzip.compress(COMMAS),
        zstandard.compress(COMMAS),
        gzip.compress(COMMAS[:9]) + gzip.compress(COMMAS[9:]),
    ],
    ids=["semicolons", "tabs", "mark", "gz", "zst", "two members"],
)
def test_tables_as_spreadsheets_and_exports_leave_them(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a").write_bytes(raw)
    table = read_accounts(tmp_path / "a").table.select(["account_id", "org_id", "declared_use"])
    assert table.to_pylist() == [
        {"account_id": "a", "org_id": "o1", "declared_use": "one; two"},
        {"account_id": "b", "org_id": None, "declared_use": None},
    ]


def test_a_packed_parquet_is_a_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"account_id": ["a"]}), tmp_path / "a.parquet")
    (tmp_path / "a.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert read_accounts(tmp_path / "a.gz").table["account_id"].to_pylist() == ["a"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("read", [read_accounts, lambda file: read_networks([f"vpn={file}"])])
def test_a_copy_that_was_cut_off_is_no_shorter_table(tmp_path: Path, pack: Any, read: Any) -> None:
    rows = "".join(f"192.0.2.{n % 250}\n" for n in range(5_000))
    raw = pack(("account_id\n" + rows if read is read_accounts else rows).encode())
    (tmp_path / "cut").write_bytes(raw[:-3])
    with pytest.raises(InputError, match=r"cut: damaged or truncated compressed data"):
        read(tmp_path / "cut")


def test_a_spreadsheet_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"ZIP archive or a spreadsheet.*save the sheet as CSV"):
        read_accounts(put(tmp_path, "accounts.xlsx", "PK\x03\x04"))


def test_line_numbers_count_newlines_in_quotes(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'account_id,plan,rate_limit_rpm\na,"x\ny",1\nb,z,many\n')
    with pytest.raises(SchemaError, match=r"a\.csv:4"):
        read_accounts(path)


@pytest.mark.parametrize(
    "raw",
    [
        "account_id\tplan\r\na\tfree\r\n".encode("utf-16"),
        b"\xef\xbb\xbfaccount_id;plan\r\na;free\r\n",
        b"account_id, plan\na, free\n",
        b'{"account_id": "a", "plan": "free", "declared_use": "\xe2\x80\xa8x\xc2\x85"}\n',
    ],
)
def test_tables_as_spreadsheets_and_hands_write_them(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(raw)
    found = read_accounts(tmp_path / "a.csv")
    assert found.table.select(["account_id", "plan"]).to_pylist() == [
        {"account_id": "a", "plan": "free"}
    ]
    assert "plan" in found.columns


def test_accounts_that_are_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_accounts(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"account_id\n\xff\n")
    with pytest.raises(SchemaError, match="not UTF-8"):
        read_accounts(tmp_path / "latin.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="damaged or truncated Parquet"):
        read_accounts(tmp_path / "broken.parquet")


def test_accounts_with_a_header_alone(tmp_path: Path) -> None:
    accounts = read_accounts(put(tmp_path, "a.csv", "account_id,plan\n"))
    assert accounts.table.num_rows == 0
    assert accounts.columns == {"account_id", "plan"}


PERMITS = "permit_id,account_id,org_id,plan,methods,models,valid_from,valid_until\n"


def test_permits_from_csv_and_json(tmp_path: Path) -> None:
    text = (
        PERMITS
        + "p1,a1,,,synthetic_data;autograding,m1;m2,2026-01-01,2026-12-31\np2,,*,,*,open-1,,\n"
    )
    table = read_permits(put(tmp_path, "p.csv", text))
    assert table.schema == PERMIT
    assert table["methods"].to_pylist() == [["synthetic_data", "autograding"], ["*"]]
    rows = [
        {"permit_id": "p1", "org_id": "o", "methods": ["relay"], "max_output_tokens_per_day": 5}
    ]
    table = read_permits(put(tmp_path, "p.json", json.dumps(rows)))
    assert table["methods"].to_pylist() == [["relay"]]
    assert table["max_output_tokens_per_day"].to_pylist() == [5]


def test_a_cells_list_may_be_written_as_json(tmp_path: Path) -> None:
    cells = [' ["relay", "autograding"]', "[]", '["relay"']
    lines = [
        f'p{k},a{k},,,"{cell.replace(chr(34), 2 * chr(34))}",,,\n' for k, cell in enumerate(cells)
    ]
    table = read_permits(put(tmp_path, "p.csv", PERMITS + lines[0] + lines[1]))
    assert table["methods"].to_pylist() == [["relay", "autograding"], []]
    for broken in (lines[2], 'p,a,,,"[1, {}]",,,\n', "p,a,,,[relay],,,\n"):
        with pytest.raises(SchemaError, match=r"methods: .*or as a JSON array"):
            read_permits(put(tmp_path, "p.csv", PERMITS + broken))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p,a,o,,,,,", "either account_id or org_id"),
        ("p,,,,,,,", "either account_id or org_id"),
        ("p,,*,,,,,", "needs models or a plan"),
        ("p,,*,,,*,,", "needs models or a plan"),
        ("p,a,,,theft,,,", "a word that is no method"),
        ("p,a,,,,,2026-02-01,2026-01-01", "a time after valid_from"),
        (",a,,,,,,", "permit_id is empty"),
        ("p,a,,,,,,\np,b,,,,,,", "same permit_id as in line 2"),
    ],
)
def test_defects_of_a_permit(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read_permits(put(tmp_path, "p.csv", PERMITS + line + "\n"))


def test_ownership(tmp_path: Path) -> None:
    table = read_ownership(
        put(
            tmp_path, "o.csv", "owner_entity_id,access,as_of\ne1,restricted,2026-01-01\ne2,clear,\n"
        )
    )
    assert table.schema == OWNER
    assert table["access"].to_pylist() == ["restricted", "clear"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("owner_entity_id\ne\n", "no column access"),
        ("owner_entity_id,access\ne,maybe\n", ":2: access: expected one of clear, restricted"),
        ("owner_entity_id,access\ne,clear\ne,clear\n", ":3: the same owner_entity_id as in line 2"),
    ],
)
def test_defects_of_an_ownership_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read_ownership(put(tmp_path, "o.csv", text))
