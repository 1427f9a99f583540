"""LiteLLM's tables of users, teams and keys serve as accounts, alone and together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.enrich import read_accounts
from stillwatch.errors import InputError, SchemaError

USER = {"user_id": "user-1", "user_email": "Ann@Mail.Example", "user_role": "internal_user",
        "organization_id": "org-1", "created_at": "2026-10-01T10:00:00",
        "rpm_limit": 60}  # fmt: skip
TEAM = {"team_id": "team-1", "members_with_roles": [], "organization_id": "org-1",
        "created_at": "2026-09-01T10:00:00", "rpm_limit": None}  # fmt: skip
KEY = {"token": "88dc28", "key_name": "sk-...6b4b", "expires": None, "organization_id": None,
       "created_at": "2026-08-01T10:00:00"}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, row in (("keys", KEY), ("teams", TEAM), ("users", USER)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    return tmp_path


def by_account(path: Path) -> dict[str, dict[str, Any]]:
    return {row["account_id"]: row for row in read_accounts(path).table.to_pylist()}


def test_each_table_gives_the_accounts_of_its_kind(folder: Path) -> None:
    rows = by_account(folder)
    assert set(rows) == {"user-1", "team-1", "88dc28"}
    assert (rows["user-1"]["org_id"], rows["user-1"]["rate_limit_rpm"]) == ("org-1", 60)
    assert rows["team-1"]["created_at"].isoformat() == "2026-09-01T10:00:00+00:00"
    assert by_account(folder / "users.jsonl")["user-1"] == rows["user-1"]


def test_of_an_address_only_the_domain_is_taken(folder: Path) -> None:
    accounts = read_accounts(folder / "users.jsonl")
    assert accounts.table["email_domain"].to_pylist() == ["mail.example"]
    assert "ann" not in str(accounts.table.to_pylist()).lower()
    assert "email_domain" not in read_accounts(folder / "teams.jsonl").columns


def test_our_own_table_may_lie_beside_them(folder: Path) -> None:
    (folder / "more.csv").write_text("account_id,payment_hash\nacct-9,ab12\n", "utf-8")
    assert by_account(folder)["acct-9"]["payment_hash"] == "ab12"
    assert {"payment_hash", "created_at"} <= read_accounts(folder).columns


def test_an_account_in_two_files_is_refused_without_its_name(folder: Path) -> None:
    (folder / "z.csv").write_text("account_id\nuser-1\n", "utf-8")
    with pytest.raises(SchemaError, match=r"users\.jsonl has too") as caught:
        read_accounts(folder)
    assert "user-1" not in str(caught.value)


def test_an_empty_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty folder"):
        read_accounts(tmp_path)
