"""A mapping file reads a log that nobody knows; what is wrong with it is said in one line."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources import Inputs, open_inputs, read_mapping

TEXT = """
[columns]
exchange_id = 'id'
ts = 'time'
account_id = 'who.tenant || who.user'
model = 'model'
messages = 'prompt'
http_status = 'code'
ip = 'regex(peer, `"^(.*):[0-9]+$"`)'
latency_ms = 'scale(took_s, `1000`)'
user_agent = 'headers."user-agent"'
"""
ROW: dict[str, Any] = {
    "id": "a", "time": 1_793_491_200_000, "who": {"tenant": "acct-1", "user": "u"}, "code": 200,
    "model": "gpt-5", "prompt": "Say hello", "peer": "203.0.113.9:4711", "took_s": 0.5,
    "headers": {"user-agent": "curl/8.0"},
}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path):
    def run(
        mapping: str, rows: list[dict[str, Any]], max_rejects: float = 0.0, before: str = ""
    ) -> tuple[list[dict[str, Any]], Inputs]:
        (tmp_path / "m.toml").write_text(mapping, "utf-8")
        text = "\n".join(before + json.dumps(row) for row in rows)
        (tmp_path / "log.jsonl").write_text(text, "utf-8")
        opened = open_inputs(
            [tmp_path / "log.jsonl"], format=str(tmp_path / "m.toml"), max_rejects=max_rejects
        )
        return [row for batch in opened.batches() for row in batch.to_pylist()], opened

    return run


def told(mapping: str, tmp_path: Path) -> ConfigError:
    path = tmp_path / "m.toml"
    path.write_text(mapping, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    return caught.value


def test_expressions_fill_columns(read) -> None:
    (row,), opened = read(TEXT, [ROW])
    want = {
        "exchange_id": "a", "ts": datetime(2026, 11, 1, tzinfo=UTC), "account_id": "acct-1",
        "model": "gpt-5", "messages": [{"role": "user", "content": "Say hello"}], "status": "ok",
        "ip": "203.0.113.9", "latency_ms": 500.0, "user_agent": "curl/8.0", "client": "curl",
    }  # fmt: skip
    assert {k: row[k] for k in want} == want
    assert opened.formats == ("m",)
    assert "ip" in opened.columns
    assert "ja4" not in opened.columns


def test_the_first_alternative_that_is_there(read) -> None:
    rows = [{**ROW, "who": {"tenant": tenant, "user": "u"}} for tenant in (None, "", "t")]
    rows.append({**ROW, "who": {"user": "u"}})
    found, _ = read(TEXT, rows)
    assert [row["account_id"] for row in found] == ["u", "u", "t", "u"]


def test_bodies_fill_what_the_columns_do_not_say(read) -> None:
    body = {"model": "gpt-5.1", "messages": [{"role": "user", "content": "Hi"}], "seed": 3}
    said = {"id": "x", "choices": [{"finish_reason": "stop", "message": {"content": "Ho"}}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 1}}  # fmt: skip
    mapping = """
        [columns]
        ts = 'time'
        account_id = 'who.user'
        input_tokens = 'counted'
        [bodies]
        request = 'q'
        response = 'r'
        status = 'code'
    """
    rows = [{**ROW, "q": q, "r": r, "counted": c} for q, r, c in (
        (body, said, None), (json.dumps(body), json.dumps(said), 9))]  # fmt: skip
    one, other = read(mapping, rows)[0]
    for row in (one, other):
        assert (row["messages"][0]["content"], row["output_text"], row["seed"]) == ("Hi", "Ho", 3)
        assert (row["exchange_id"], row["http_status"]) == ("x", 200)
    assert (one["input_tokens"], other["input_tokens"]) == (4, 9)


def test_constants_words_zone_and_rows_left_out(read) -> None:
    mapping = (
        TEXT
        + """
status = 'outcome'
[constants]
channel = "gateway"
[rows]
keep = "kind == 'chat'"
zone = "America/New_York"
[words.status]
"MODERATED" = "filtered"
"""
    )
    rows = [{**ROW, "id": str(i), "kind": "chat" if i else "health", "outcome": "MODERATED",
             "time": "2026-07-01T00:00:00"} for i in range(3)]  # fmt: skip
    found, opened = read(mapping, rows)
    assert [row["exchange_id"] for row in found] == ["1", "2"]
    assert {row["channel"] for row in found} == {"gateway"}
    assert {row["status"] for row in found} == {"filtered"}
    assert found[0]["ts"] == datetime(2026, 7, 1, 4, tzinfo=UTC)  # in summer, four hours
    assert opened.ledger.notes["rows that the mapping leaves out (rows.keep)"] == 1
    assert opened.ledger.zoneless_times == 0


def test_without_an_id_equal_rows_have_one_id(read) -> None:
    rows = [ROW, dict(reversed(ROW.items())), {**ROW, "prompt": "Other"}]
    found, _ = read(TEXT.replace("exchange_id = 'id'\n", ""), rows)
    ids = [row["exchange_id"] for row in found]
    assert ids[0] == ids[1] != ids[2]


def test_csv_and_parquet_say_the_same_as_json(read, tmp_path: Path) -> None:
    mapping = "[columns]\nts = 't'\naccount_id = 'a'\nmodel = 'm'\nmessages = 'p'\n" \
        "input_tokens = 'n'\ntools = 'f'\n"  # fmt: skip
    rows = [{"t": "2026-11-01T00:00:00Z", "a": f"acct-{i}", "m": "x", "p": '[{"role":"user",'
             '"content":"Hi"}]', "n": str(i), "f": '["search"]'} for i in range(5)]  # fmt: skip
    want, _ = read(mapping, rows)
    assert want[3]["messages"] == [{"role": "user", "content": "Hi"}]
    assert (want[3]["input_tokens"], want[3]["tools"]) == (3, ["search"])
    with (tmp_path / "log.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    for name in ("log.csv", "log.parquet"):
        opened = open_inputs([tmp_path / name], format=str(tmp_path / "m.toml"))
        assert [row for batch in opened.batches() for row in batch.to_pylist()] == want


def test_an_expression_that_fails_is_null_and_counted(read) -> None:
    rows = [{**ROW, "extra": "x"}, {**ROW, "id": "b"}]
    found, opened = read(TEXT + "org_id = 'abs(extra)'\n", rows)
    assert [row["org_id"] for row in found] == [None, None]
    assert opened.ledger.coerced["org_id: the mapping's expression failed, set to null"] == 2


def test_a_wrong_path_is_named_in_the_error(read) -> None:
    with pytest.raises(InputError) as caught:
        read(TEXT.replace("who.tenant || who.user", "wo.tenant"), [ROW] * 3)
    assert "account_id = 'wo.tenant'" in caught.value.hint


@pytest.mark.parametrize(
    ("mapping", "where", "message", "hint"),
    [
        ("[columns]\nts = a.b", "m.toml", "not TOML", "single quotes"),
        (TEXT.replace("'model'", "'model['"), "columns.model", "not a JMESPath", "quotes"),
        (TEXT.replace("model =", "modle ="), "columns", "unknown name modle", "did you mean model"),
        (TEXT.replace("model = 'model'\n", ""), "columns", "nothing is said about", "model ="),
        (TEXT + "[colums]\n", "m.toml", "unknown name colums", "columns"),
        (TEXT + "seed = 7\n", "columns.seed", "expected an expression", "[constants]"),
        (TEXT + "[rows]\nzone = 'Mars'\n", "rows.zone", "unknown time zone", "Europe/Berlin"),
        ("columns = 3\n", "columns", "expected a table", "[columns]"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, mapping: str, where: str, message: str, hint: str) -> None:
    error = told(mapping, tmp_path)
    assert where in error.where
    assert message in error.message
    assert hint in error.hint


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping(tmp_path / "none.toml")
    assert "--suggest" in caught.value.hint


def test_parquet_with_names_of_its_own_is_told_what_to_do(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"when": 1, "who": "a"}]), tmp_path / "log.parquet")
    with pytest.raises(InputError) as caught:
        list(open_inputs([tmp_path / "log.parquet"]).batches())
    assert "--suggest" in caught.value.hint


def test_lines_behind_a_loggers_time_are_told_with_what_cuts_it_off(read) -> None:
    with pytest.raises(InputError, match="behind other text") as caught:
        read(TEXT, [ROW], before="[2026-11-01 00:00:00] ")
    assert caught.value.hint == "cut that off, with sed 's/^[^{]*//'"


@pytest.mark.parametrize("before", ["  ", "\t", "\ufeff"])
def test_blanks_and_a_mark_of_byte_order_are_no_text_of_a_logger(read, before: str) -> None:
    (row,), _ = read(TEXT, [ROW], before=before)
    assert row["account_id"] == "acct-1"
