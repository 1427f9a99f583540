"""What an account's row leaves empty its organization's tells; of a sign-up, of an only account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.enrich import read_accounts, read_organizations
from stillwatch.errors import SchemaError
from stillwatch.pipeline import FEATURES, features
from stillwatch.profiles import STEPS
from stillwatch.runners import LocalRunner
from stillwatch.scanner.described import described, refuse_silence
from stillwatch.schema import Settings
from stillwatch.schema.arrow import EXCHANGE

START = datetime(2026, 3, 1, tzinfo=UTC)
SIGNED_UP = ("created_at", "email_hash", "phone_hash", "device_hash", "signup_ip")


def put(folder: Path, text: str, name: str = "organizations.csv") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


class People:
    """Gives the table `people` by account: one exchange an hour for each of a list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runners: list[LocalRunner] = []

    def __call__(
        self, sent: list[tuple[str, str | None]], accounts: str = "", organizations: str = ""
    ) -> dict[str, dict[str, Any]]:
        rows = [
            {"exchange_id": f"e{n}", "ts": START + timedelta(hours=n), "account_id": account,
             "org_id": org, "model": "m-1"}
            for n, (account, org) in enumerate(sent)
        ]  # fmt: skip
        log = pa.RecordBatch.from_pylist(rows, schema=EXCHANGE)
        folder = self.folder / f"run{len(self.runners)}"
        runner = LocalRunner(folder, Settings(), threads=1)
        self.runners.append(runner)
        runner.map("features", features, [log], FEATURES)
        side = put(self.folder, accounts or "account_id\n", "accounts.csv")
        runner.put("accounts", read_accounts(side).table)
        whole = put(self.folder, organizations or "org_id\n")
        runner.put("organizations", read_organizations(whole).table)
        for step in STEPS:
            if step.name in ("repeats", "people"):
                runner.run(step)
        return {row["account_id"]: row for row in runner.query("FROM people").to_pylist()}


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    made = People(tmp_path)
    yield made
    for runner in made.runners:
        runner.close()


def test_what_the_account_leaves_empty_the_organization_tells(people: People) -> None:
    got = people(
        [("a", None), ("b", "org-1"), ("c", "org-2")],
        "account_id,org_id,plan,payment_hash\na,org-1,free,\n",
        "org_id,plan,segment,payment_hash,owner_entity_id\norg-1,team,,card1,owner-7\n",
    )
    told = [(row["plan"], row["payment_hash"], row["owner_entity_id"]) for row in got.values()]
    assert told == [("free", "card1", "owner-7"), ("team", "card1", "owner-7"), (None, None, None)]
    assert [row["segment"] for row in got.values()] == [
        "free/unknown", "team/unknown", "unknown/unknown",
    ]  # fmt: skip


def test_a_sign_up_is_told_of_an_only_account(people: People) -> None:
    """Colleagues of one organization share no sign-up: they would look made by one hand."""
    made = "org_id,created_at,email_hash,phone_hash,device_hash,signup_ip\n"
    rows = "".join(f"org-{n},2026-02-01,e{n},p{n},d{n},198.51.100.{n}\n" for n in (1, 2))
    got = people([("a", "org-1"), ("b", "org-2"), ("c", "org-2")], "", made + rows)
    assert [got["a"][name] for name in SIGNED_UP] == [
        datetime(2026, 2, 1, tzinfo=UTC), "e1", "p1", "d1", "198.51.100.1",
    ]  # fmt: skip
    assert all(got[who][name] is None for who in "bc" for name in SIGNED_UP)


def test_an_account_that_ended_by_itself_was_not_closed_with_the_organization(
    people: People,
) -> None:
    got = people(
        [("a", "org-1"), ("b", "org-1")],
        "account_id,closed_at\na,2026-02-02\n",
        "org_id,closed_at,closed_reason\norg-1,2026-02-09,abuse\n",
    )
    ends = {who: (row["closed_at"].day, row["closed_reason"]) for who, row in got.items()}
    assert ends == {"a": (2, None), "b": (9, "abuse")}


def test_the_row_counts_that_holds_at_the_last_request(people: People) -> None:
    got = people(
        [("a", "org-1"), ("b", "org-1"), ("b", "org-1")],
        "",
        "org_id,plan,valid_from,valid_to\n"
        "org-1,free,,2026-03-01T01:00\norg-1,team,2026-03-01T01:00,2026-03-01T02:00\n",
    )
    assert {who: row["plan"] for who, row in got.items()} == {"a": "free", "b": None}


def test_a_table_of_other_organizations_makes_nothing_evaluable(people: People) -> None:
    columns = {"accounts": frozenset({"plan"}), "organizations": frozenset({"payment_hash"})}
    for org, kept, known in (("org-1", {"ip", "accounts.payment_hash"}, 1), ("org-9", {"ip"}, 0)):
        people([("a", "org-1")], "", f"org_id,payment_hash\n{org},card\n")
        runner = people.runners[-1]
        runner.columns = frozenset({"ip", "accounts.plan", "accounts.payment_hash"})
        refuse_silence(runner, columns)
        assert (runner.columns, described(runner)) == (frozenset(kept), known)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account_id,org_id\na,b\n", r"a table of accounts; expected.*give it as --accounts"),
        ("name\nb\n", r"no column org_id"),
        ("org_id,plan\no,b\no,c\n", r"csv:3.*the same org_id as in line 2"),
        ("org_id,created_at\no,soon\n", r"csv:2.*created_at: expected a time"),
        ("org_id,payment_hash\no,4111 1111 1111 1111\n", r"csv:2.*payment_hash holds a raw value"),
        ("org_id,email_hash\no,x@y.example\n", r"csv:2.*email_hash holds a raw value"),
    ],
)
def test_what_is_wrong_is_named_without_the_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said) as caught:
        read_organizations(put(tmp_path, text))
    assert "4111" not in str(caught.value)
    assert "x@y" not in str(caught.value)


def test_accounts_and_organizations_mixed_up_are_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"no column account_id.*--organizations"):
        read_accounts(put(tmp_path, "org_id,plan\no,team\n"))


def test_litellms_own_table_serves(tmp_path: Path) -> None:
    row = {"organization_id": "org-1", "organization_alias": "Ann & Co", "budget_id": "b",
           "created_at": "2026-08-01T10:00:00", "metadata": {}}  # fmt: skip
    held = read_organizations(put(tmp_path, json.dumps(row), "organizations.jsonl"))
    (got,) = held.table.to_pylist()
    assert (got["org_id"], got["created_at"].day) == ("org-1", 1)
    assert held.columns == {"created_at"}
