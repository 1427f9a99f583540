"""Side tables over time: what held when a request was made, nothing from before or after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.enrich import Keys, read_accounts, read_keys
from stillwatch.errors import SchemaError
from stillwatch.profiles import STEPS
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, KEY, ORGANIZATION
from stillwatch.sources.inputs import complete

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def day(n: int) -> datetime:
    return T0 + timedelta(days=n)


def put(folder: Path, text: str) -> Path:
    file = folder / "table.csv"
    file.write_text(text, "utf-8")
    return file


def batch(rows: list[tuple[str | None, datetime]], **more: Any) -> pa.RecordBatch:
    made = [
        {"exchange_id": f"x{i}", "ts": ts, "account_id": "as-logged", "model": "m", "key_id": key}
        | more
        for i, (key, ts) in enumerate(rows)
    ]
    names = [n for n in EXCHANGE.names if n in made[0]]
    schema = pa.schema([EXCHANGE.field(n) for n in names])
    return complete(pa.RecordBatch.from_pylist(made, schema=schema))


MOVED = """key_id,account_id,org_id,valid_from,valid_to
h1,first,org-1,,2026-03-05
h1,second,org-2,2026-03-05,2026-03-10
h2,third,,2026-03-03,
"""


def test_a_key_that_moves_takes_its_later_requests_along_and_no_earlier_one(tmp_path: Path) -> None:
    keys = read_keys(put(tmp_path, MOVED))
    assert keys.columns() == {"account_id", "org_id"}
    asked = [("h1", day(0)), ("h1", day(4) - timedelta(microseconds=1)), ("h1", day(4)),
             ("h1", day(9)), ("h2", day(1)), ("h2", day(99)), (None, day(1)),
             ("h3", day(1))]  # fmt: skip
    done = keys.apply(batch(asked, org_id="logged-org"))
    assert done["account_id"].to_pylist() == [
        "first", "first", "second", "as-logged", "as-logged", "third", "as-logged", "as-logged",
    ]  # fmt: skip
    assert done["org_id"].to_pylist() == ["org-1", "org-1", "org-2", *["logged-org"] * 5]
    assert done.schema == EXCHANGE


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["h,,2026-03-05", "h,2026-03-04,"], r"csv:3: holds at the same time as line 2.*"
         r"from 2026-03-04T00:00:00\+00:00 until 2026-03-05T00:00:00\+00:00"),
        (["h,2026-03-04,", "h,2026-03-09,"], r"csv:3:.*from 2026-03-09T00:00:00\+00:00 on"),
        (["h,,2026-03-04", "g,,", "h,,2026-03-02"], r"csv:4: .* as line 2.*from the beginning"),
        (["h,,", "h,,"], r"csv:3: the same (key|account)_id as in line 2"),
        (["h,2026-03-04,2026-03-04"], r"csv:2: valid_to: expected a time after valid_from"),
        (["h,2026-03-05,2026-03-04"], r"csv:2: valid_to: expected a time after valid_from"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["key", "account"])
def test_rows_that_hold_at_one_time_are_refused_with_both_lines(
    tmp_path: Path, kind: str, rows: list[str], said: str
) -> None:
    file = put(tmp_path, "\n".join([f"{kind}_id,valid_from,valid_to", *rows]) + "\n")
    with pytest.raises(SchemaError, match=said):
        (read_keys if kind == "key" else read_accounts)(file)


def test_rows_that_touch_do_not_overlap_in_any_order(tmp_path: Path) -> None:
    rows = ("a,c,2026-03-09,", "a,x,,2026-03-04", "a,b,2026-03-04,2026-03-09")
    text = "\n".join(["account_id,plan,valid_from,valid_to", *rows])
    assert read_accounts(put(tmp_path, text)).table.num_rows == 3


def test_a_key_in_clear_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"csv:2: key_id holds a key") as caught:
        read_keys(put(tmp_path, "key_id\nsk-secret\n"))
    assert "secret" not in str(caught.value)


cuts = st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True).map(sorted)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), cuts, min_size=1),
    st.lists(st.tuples(st.sampled_from([*"abcd", None]), st.integers(-1, 41)), min_size=1),
)
def test_the_join_is_the_plain_one(
    moves: dict[str, list[int]], asked: list[tuple[str | None, int]]
) -> None:
    rows = [
        {"key_id": key, "account_id": f"{key}{low}", "valid_from": day(low), "valid_to": day(high)}
        for key, held in moves.items()
        for low, high in pairwise(held)
    ]
    keys = Keys(pa.Table.from_pylist(rows[::-1], schema=KEY))
    got = keys.apply(batch([(key, day(n)) for key, n in asked]))["account_id"].to_pylist()
    want = [
        next((r["account_id"] for r in rows
              if r["key_id"] == key and r["valid_from"] <= day(n) < r["valid_to"]), "as-logged")
        for key, n in asked
    ]  # fmt: skip
    assert got == want


def test_an_account_counts_as_it_stood_at_its_last_request(tmp_path: Path) -> None:
    """Three windows over one history: each sees its own plan and organization, no later one."""
    from stillwatch.pipeline import FEATURES, features

    side = read_accounts(put(tmp_path, (
        "account_id,plan,org_id,payment_hash,valid_from,valid_to\n"
        "as-logged,free,org-1,p1,,2026-03-05\nas-logged,team,org-2,p2,2026-03-05,2026-03-10\n"
    )))  # fmt: skip
    assert side.table.schema == ACCOUNT
    seen = []
    for until in (4, 8, 12):
        runner = LocalRunner(
            tmp_path / str(until), Settings(until=day(until)), columns=frozenset(), threads=1
        )
        log = batch([("h", day(n)) for n in (0, 3, 4, 7, 9, 11)])
        runner.map("features", features, [log], FEATURES)
        runner.put("accounts", side.table)
        runner.put("organizations", ORGANIZATION.empty_table())
        for step in STEPS:
            if step.name in ("repeats", "people"):
                runner.run(step)
        people = runner.query("SELECT plan, org_id, payment_hash FROM people").to_pylist()
        seen.append([tuple(row.values()) for row in people])
        runner.close()
    assert seen == [[("free", "org-1", "p1")], [("team", "org-2", "p2")], [(None, None, None)]]
