"""Files as an engineer has them on the first afternoon: exports, pages, streams, odd encodings."""

from __future__ import annotations

import gzip
import io
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from first_afternoon import (
    BEDROCK,
    HELICONE,
    NOON,
    OBSERVATION,
    OTHER_OBSERVATION,
    PAIR,
    PAYLOAD,
    QUESTION,
    SPENDLOG,
    VERTEX,
    lines,
    one,
    opened,
    parquet,
    rows,
)

from stillwatch.errors import InputError
from stillwatch.sources import open_inputs
from stillwatch.sources.json_rows import CHUNK_BYTES, Records, read_records
from stillwatch.sources.json_split import Splitter
from stillwatch.sources.ledger import Ledger


@pytest.mark.parametrize(
    "record", [PAIR, PAYLOAD, SPENDLOG, OBSERVATION, HELICONE, VERTEX, BEDROCK]
)
@pytest.mark.parametrize(
    "layout",
    ["utf-16", "bom", "crlf", "page", "indented page", "pages", "arrays", "gzip of gzips",
     "gzip of arrays", "one behind another", "with blanks between", "with commas", "Records",
     "indented pages", "page of one's own"],
)  # fmt: skip
def test_layouts(tmp_path: Path, record: dict[str, Any], layout: str) -> None:
    twice = lines(record, record)
    page = json.dumps({"data": [record, record], "meta": {"page": 1}}).encode()
    raw = {
        "utf-16": twice.decode().encode("utf-16"),
        "bom": b"\xef\xbb\xbf" + twice,
        "crlf": twice.replace(b"\n", b"\r\n") + b"\r\n",
        "page": page,
        "indented page": json.dumps({"data": [record, record]}, indent=2).encode(),
        "pages": json.dumps({"data": [record], "cursor": "x"}).encode() + b"\n"
        + json.dumps({"data": [record], "cursor": None}).encode(),
        "arrays": b"[" + lines(record) + b"]\n\n[" + lines(record) + b"]\n[]\n",
        "gzip of arrays": gzip.compress(b"[" + lines(record) + b"][" + lines(record) + b"]"),
        "one behind another": lines(record) * 2,
        "with blanks between": lines(record) + b" \t " + lines(record) + b"\n",
        "with commas": lines(record) + b",\n" + lines(record) + b",\n",
        "Records": json.dumps({"Records": [record, record]}).encode(),
        "indented pages": json.dumps({"data": [record]}, indent=1).encode() * 2,
        "page of one's own": json.dumps({"total": 2, "logs": [record, record]}).encode(),
        "gzip of gzips": gzip.compress(lines(record) + b"\n") + gzip.compress(lines(record)),
    }[layout]  # fmt: skip
    inputs = opened(tmp_path, log=raw)
    found = rows(inputs)
    assert inputs.ledger.rows_rejected == 0
    assert len(found) == 2
    assert {(r["ts"], r["input_tokens"], r["output_tokens"], r["output_text"]) for r in found} == {
        (NOON, 5, 2, "yes")
    }
    assert {r["messages"][0]["content"] for r in found} == {"q"}


def test_one_huge_line_of_objects(tmp_path: Path) -> None:
    """As a stream's delivery to S3 leaves them: cut anywhere by the reader's pieces."""
    many = 6_000
    records = [{**PAIR, "exchange_id": f"e{n}", "pad": "}{" * (n % 600)} for n in range(many)]
    raw = b"".join(map(lines, records))
    assert len(raw) > 2 * CHUNK_BYTES
    assert b"\n" not in raw
    inputs = opened(tmp_path, log=raw)
    assert [row["exchange_id"] for row in rows(inputs)] == [f"e{n}" for n in range(many)]
    assert inputs.ledger.rows_rejected == 0


@pytest.mark.parametrize("rest", ['{"a":', "x", "]", '{"a": 1}}'])
def test_what_follows_objects_on_a_line_and_is_none_is_entered(tmp_path: Path, rest: str) -> None:
    inputs = opened(tmp_path, log=lines(PAIR) * 2 + rest.encode())
    with pytest.raises(InputError):
        rows(inputs)
    assert inputs.ledger.rows_accepted == 2
    assert inputs.ledger.rows_rejected >= 1


BROKEN_LINES = {
    "cut behind a carriage return": '{"a":123}\r{"a":1',
    "cut behind a comma": '{"a":1}, {"a":1, ',
    "cut at a value": '{"a":1},{"a":',
    "cut in a list": '{"a":1}{"a":[',
    "cut in a string": '{"a":1}{"a":"x',
    "cut in a name": '{"a":1}{"',
    "one bracket too many": '{"a":1}}{"a":1}',
    "a quote between": '{"a":1}{"a":1} "',
    "braces alone": '{"a":1}' + "{" * 3_000,
    "many lists": '{"a":1}{"a":' + "[" * 3_000,
    "a template": '{"a":1}{"a":{{x}}}',
    "many closed": '{"a":1}{}' + "}" * 3_000,
}


@pytest.mark.parametrize("between", ["\n", ",\n", "\r\n"])
@pytest.mark.parametrize("broken", BROKEN_LINES.values(), ids=BROKEN_LINES)
def test_a_line_that_breaks_hides_none_behind_it(tmp_path: Path, broken: str, between: str) -> None:
    """Whoever can write a log's first line must not take the others out of it."""
    many = 300
    good = [json.dumps({**PAIR, "exchange_id": f"e{n}"}) for n in range(many)]
    for place in (0, 1, 150) if between.strip() == "" else (1, 150):
        log = between.join([*good[:place], broken, *good[place:]])
        inputs = opened(tmp_path, log=log.encode())
        assert [row["exchange_id"] for row in rows(inputs)] == [f"e{n}" for n in range(many)]
        assert 1 <= inputs.ledger.rows_rejected <= 3
        assert inputs.ledger.bytes_unread == 0


def test_an_object_over_lines_may_hold_lines_that_begin_with_a_brace(tmp_path: Path) -> None:
    odd = dict(PAIR, note=[{"a": "\n{"}, {"b": {}}])
    text = json.dumps(odd, indent=0).replace("\\n", "\n").replace('"request": {', '"request":\n{')
    assert text.count("\n{") > 3
    inputs = opened(tmp_path, log=(text + "\n").encode() * 3)
    assert len(rows(inputs)) == 3
    assert inputs.ledger.rows_rejected == 0
    assert inputs.ledger.coerced["JSON mended: invalid UTF-8, NaN or control characters"] == 3


@pytest.mark.parametrize("name", ["Records", "items", "logs", "records", "results", "rows"])
@pytest.mark.parametrize("blanks", ["", " "])
def test_a_list_in_a_row_among_rows_is_no_page(tmp_path: Path, name: str, blanks: str) -> None:
    page = json.dumps({name: [PAIR, PAIR]})
    many = [json.dumps(PAIR)] * 200
    among = [*many, blanks + page, *many]
    for text in ("\n".join(among), f"[{','.join(among)}]", "".join(among)):
        inputs = opened(tmp_path, log=text.encode())
        assert len(rows(inputs)) == 400
        assert inputs.ledger.rows_rejected == 1
        assert not inputs.ledger.notes["pages of a list in an envelope"]
    inputs = opened(tmp_path, log=f"{page}\n{page}\n".encode())
    assert len(rows(inputs)) == 4


@pytest.mark.parametrize(
    "part", ["{", "[", '{"a":', '"\\', "}", "{}", '{"\n', '{\\"\n', '{"a":[\n']
)
def test_a_first_line_of_brackets_takes_time_in_proportion(tmp_path: Path, part: str) -> None:
    """Of eight times as much not sixty-four times as long: none of it is read over and over."""

    def seconds(size: int) -> float:
        raw = b'{"a":1}{"a":' + part.encode() * (size // len(part)) + b"\n" + lines(PAIR)
        begin = time.process_time()
        ledger = Ledger()
        found = [
            value
            for records in read_records(io.BytesIO(raw), "log", ledger, Records)
            for value in records.objects
        ]
        assert found[-1] == PAIR
        return time.process_time() - begin

    seconds(1_000)
    small = min(seconds(40_000) for _ in range(3))
    assert seconds(320_000) < 24 * small + 0.1


def test_tags_that_are_all_text_are_taken_as_they_are_and_others_counted(tmp_path: Path) -> None:
    inputs = opened(tmp_path, log=lines(PAIR | {"tags": {"team": "x", "": ""}}))
    assert rows(inputs)[0]["tags"] == [("team", "x"), ("", "")]
    assert not inputs.ledger.coerced
    inputs = opened(tmp_path, log=lines(PAIR | {"tags": {"team": 7, "none": None}}))
    assert rows(inputs)[0]["tags"] == [("team", "7")]
    assert inputs.ledger.coerced == {"tags: type": 1}


@pytest.mark.parametrize("fraction", ["", ".5", ".123456", ".123456789"])
def test_times_that_end_in_utc(tmp_path: Path, fraction: str) -> None:
    """BigQuery's times, alone and beside others, and one that has a zone already, which is none."""
    told = [f"2026-11-01 12:00:00{fraction} UTC", "2026-11-01 12:00:00 UTC"]
    for more in ([], ["2026-11-01T13:00:00+01:00"], ["1793534400"]):
        many = [PAIR | {"ts": ts, "account_id": ts} for ts in told + more]
        found = {row["account_id"]: row["ts"] for row in rows(opened(tmp_path, log=lines(*many)))}
        micros = int(fraction[1:7].ljust(6, "0"))
        assert found.pop(told[0]) == NOON.replace(microsecond=micros)
        assert set(found.values()) <= {NOON}
    twice = open_inputs([tmp_path], max_rejects=1.0)
    (tmp_path / "log").write_bytes(lines(PAIR | {"ts": "2026-11-01 12:00:00+02:00 UTC"}, PAIR))
    assert len(rows(twice)) == 1


@pytest.mark.parametrize("between", [b"", b"\n"])
@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    ("part", "after"),
    [(b"[", b"]"), (b'{"a":', b"}"), (b'{"]\\"}\\\\":', b"}"), (b'["[{\\"",', b"]"), (b'{"', b"")],
)
def test_a_record_of_brackets_is_passed_over_in_few_steps(
    monkeypatch: pytest.MonkeyPatch, part: bytes, after: bytes, opened: bool, between: bytes
) -> None:
    """A million brackets are one refused row; at its end, or a line after it, reading goes on."""
    steps = 0
    step = Splitter._step

    def counted(self: Splitter, values: list[Any]) -> bool:
        nonlocal steps
        steps += 1
        return step(self, values)

    monkeypatch.setattr(Splitter, "_step", counted)
    times = 5_000_000 // len(part)
    deep = b'{"x":' + part * times + b"1" + after * times + b"}"
    comma = b"," if opened else b" "
    raw = lines(PAIR) + comma + deep + comma + between + lines(PAIR)
    ledger = Ledger()
    file = io.BytesIO(b"[" + raw + b"]" if opened else raw)
    found = [v for some in read_records(file, "log", ledger, Records) for v in some.objects]
    assert steps < 20_000
    assert ledger.rows_rejected == 1
    goes_on = after or (between and not opened)
    assert found == ([PAIR, PAIR] if goes_on else [PAIR])
    if after:
        assert ledger.rejected[0].reason == "JSON nested too deeply"
        assert ledger.bytes_unread == 0
    elif not goes_on:
        assert ledger.bytes_unread > len(deep)


def test_a_record_of_many_shallow_brackets_in_an_array_is_read(tmp_path: Path) -> None:
    many = PAIR | {"tags": {"k": "v"}, "more": [[{}]] * 20_000 + ["]", '"[']}
    whole = [PAIR, many | {"account_id": "b"}, PAIR | {"account_id": "c"}]
    found = rows(opened(tmp_path, log=json.dumps(whole).encode()))
    assert [row["account_id"] for row in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "nothing", [b"", b"\n \r\n", b"[]", b"\xef\xbb\xbf{}\n", gzip.compress(b"", mtime=0)]
)
def test_a_file_that_holds_nothing_among_others(tmp_path: Path, nothing: bytes) -> None:
    inputs = opened(tmp_path, a=nothing, b=lines(PAIR), c=lines(PAYLOAD))
    assert len(rows(inputs)) == 2
    assert inputs.ledger.notes["empty files"] == 1
    assert inputs.formats == ("litellm", "pairs")


@pytest.mark.parametrize("before", ['{"level": "info", "msg": "started"}', '{"startTi'])
@pytest.mark.parametrize("record", [PAIR, PAYLOAD, SPENDLOG, OBSERVATION, HELICONE, VERTEX])
def test_lines_of_another_kind_before_the_first_record(
    tmp_path: Path, record: dict[str, Any], before: str
) -> None:
    many = 200
    inputs = opened(tmp_path, log=before.encode() + b"\n" + lines(*[record] * many))
    assert len(rows(inputs)) == many
    assert inputs.ledger.rows_rejected + inputs.ledger.notes[OTHER_OBSERVATION] == 1


@pytest.mark.parametrize("rest", ["x", "{}", "]", "[1]", '[{"a":'])
def test_what_follows_an_array_and_is_none_is_entered(tmp_path: Path, rest: str) -> None:
    inputs = opened(tmp_path, log=b"[" + lines(PAIR) + b"] " + rest.encode())
    with pytest.raises(InputError):
        rows(inputs)
    assert inputs.ledger.rows_accepted == 1
    assert inputs.ledger.rows_rejected == 1


def test_a_page_holds_what_is_no_record(tmp_path: Path) -> None:
    inputs = opened(tmp_path, log=json.dumps({"data": [PAIR, 3, None]}).encode())
    with pytest.raises(InputError):
        rows(inputs)
    assert inputs.ledger.rows_read == 3
    assert inputs.ledger.rows_accepted == 1


def test_events_of_cloudwatch(tmp_path: Path) -> None:
    event = {"timestamp": 1793534400000, "message": json.dumps(BEDROCK)}
    told = opened(
        tmp_path,
        filtered=json.dumps({"events": [event], "searchedLogStreams": []}).encode(),
        pushed=json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [event]}).encode(),
    )
    assert [row["output_text"] for row in rows(told)] == ["yes", "yes"]


def test_the_body_that_made_a_batch(tmp_path: Path) -> None:
    batch = {
        "type": "message_batch", "id": "m1", "processing_status": "ended", "request_counts": {},
        "created_at": "2026-11-01T12:00:00Z", "account_id": "a",
    }  # fmt: skip
    params = {"model": "claude", "max_tokens": 9, "messages": QUESTION}
    asked = {"requests": [{"custom_id": "1", "params": params}]}
    message = {
        "type": "message", "content": [{"type": "text", "text": "yes"}],
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }  # fmt: skip
    said = {"custom_id": "1", "result": {"type": "succeeded", "message": message}}
    inputs = opened(
        tmp_path, batch=lines(batch), m1_dot_json=lines(asked), m1_results_dot_jsonl=lines(said)
    )
    (row,) = rows(inputs)
    assert (row["messages"], row["output_text"]) == (QUESTION, "yes")


@pytest.mark.parametrize("record", [SPENDLOG, OBSERVATION, HELICONE, VERTEX])
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_tables_of_their_makers_are_told_by_their_columns(
    tmp_path: Path, record: dict[str, Any], kind: str
) -> None:
    raw = parquet(record)
    if kind == "feather":
        out = io.BytesIO()
        feather.write_feather(pq.read_table(io.BytesIO(raw)), out)
        raw = out.getvalue()
    row = one(tmp_path, raw)
    assert (row["ts"], row["output_text"]) == (NOON, "yes")
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv"])
def test_names_in_capitals(tmp_path: Path, kind: str) -> None:
    """As Snowflake and Oracle give them; a name that is written right goes before."""
    row = {"EXCHANGE_ID": "e", "TS": "2026-11-01T12:00:00Z", "ACCOUNT_ID": "a", "Model": "m",
           "OUTPUT_TEXT": "yes", "output_text": "no", "REGION": "eu"}  # fmt: skip
    table, out = pa.Table.from_pylist([row]), io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out)
    elif kind == "arrow":
        feather.write_feather(table, out)
    else:
        pacsv.write_csv(table, out)
    inputs = opened(tmp_path, log=out.getvalue())
    assert inputs.columns == {"exchange_id", "ts", "account_id", "model", "output_text"}
    (found,) = rows(inputs)
    assert (found["ts"], found["account_id"], found["output_text"]) == (NOON, "a", "no")
    assert inputs.ledger.ignored_columns == {"log": ("OUTPUT_TEXT", "REGION")}


def test_a_numeric_id_of_bigquery(tmp_path: Path) -> None:
    row = one(tmp_path, parquet({**VERTEX, "request_id": Decimal(12345678901234567890)}))
    assert row["exchange_id"] == "12345678901234567890"
