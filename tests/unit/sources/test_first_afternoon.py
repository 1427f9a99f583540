"""Files as an engineer has them on the first afternoon: exports, pages, streams, odd encodings."""

from __future__ import annotations

import gzip
import io
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.sources import Inputs, open_inputs
from stillwatch.sources.json_rows import CHUNK_BYTES, Records, read_records
from stillwatch.sources.json_split import Splitter
from stillwatch.sources.ledger import Ledger

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
QUESTION = [{"role": "user", "content": "q"}]
CHAT = {
    "id": "c1", "object": "chat.completion", "created": 1793534400, "model": "gpt-5",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}  # fmt: skip
PAIR = {"ts": "2026-11-01T12:00:00Z", "account_id": "a",
        "request": {"model": "gpt-5", "messages": QUESTION}, "response": CHAT}  # fmt: skip
PAYLOAD = {
    "id": "p1", "call_type": "acompletion", "startTime": 1793534400.0, "endTime": 1793534401.5,
    "status": "success", "model": "gpt-5", "prompt_tokens": 5, "completion_tokens": 2,
    "messages": QUESTION, "response": CHAT,
    "metadata": {"user_api_key_hash": "h1", "user_api_key_user_id": "u1"},
}  # fmt: skip
SPENDLOG = {
    "request_id": "s1", "call_type": "acompletion", "api_key": "h1", "spend": 0.5, "user": "u1",
    "prompt_tokens": 5, "completion_tokens": 2, "startTime": "2026-11-01T12:00:00",
    "endTime": "2026-11-01T12:00:01.5", "model": "gpt-5", "team_id": "t1", "status": "success",
    "metadata": {}, "response": CHAT,
    "proxy_server_request": {"model": "gpt-5", "messages": QUESTION},
}  # fmt: skip
OBSERVATION = {
    "id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": "2026-11-01T12:00:00Z",
    "endTime": "2026-11-01T12:00:01.5Z", "userId": "a", "input": QUESTION, "output": "yes",
    "model": "gpt-5", "usageDetails": {"input": 5, "output": 2, "total": 7},
}  # fmt: skip
HELICONE = {
    "request_id": "r1", "request_created_at": "2026-11-01T12:00:00Z", "response_status": 200,
    "request_user_id": "a", "request_body": PAIR["request"], "response_body": CHAT,
    "prompt_tokens": 5, "completion_tokens": 2,
}  # fmt: skip
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}
GEMINI_SAID = {
    "candidates": [{"content": {"parts": [{"text": "yes"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
}
VERTEX = {
    "endpoint": "projects/a/locations/l/publishers/google/models/gemini-3-pro",
    "logging_time": "2026-11-01 12:00:00 UTC", "request_id": 7, "model": "",
    "deployed_model_id": "", "api_method": "generateContent",
    "full_request": json.dumps(GEMINI), "full_response": json.dumps(GEMINI_SAID),
}  # fmt: skip
BEDROCK = {
    "schemaType": "ModelInvocationLog", "timestamp": "2026-11-01T12:00:00Z", "accountId": "1",
    "identity": {"arn": "a"}, "requestId": "b1", "operation": "ConverseStream",
    "modelId": "amazon.nova-pro-v1:0",
    "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "q"}]}]}},
    "output": {"outputBodyJson": {"output": {"message": {"content": [{"text": "yes"}]}},
                                  "stopReason": "end_turn",
                                  "usage": {"inputTokens": 5, "outputTokens": 2}}},
}  # fmt: skip


OTHER_OBSERVATION = "observations that are no model call"


def lines(*records: dict[str, Any]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def opened(folder: Path, **files: bytes) -> Inputs:
    for name, raw in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return open_inputs([folder])


def rows(inputs: Inputs) -> list[dict[str, Any]]:
    return [row for batch in inputs.batches() for row in batch.to_pylist()]


def one(folder: Path, raw: bytes) -> dict[str, Any]:
    """Return the only exchange in a file; nothing may be refused."""
    inputs = opened(folder, log=raw)
    found = rows(inputs)
    assert inputs.ledger.rows_rejected == 0
    assert len(found) == 1
    return found[0]


def parquet(record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    texts = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in record.items()}
    pq.write_table(pa.Table.from_pylist([texts]), out)
    return out.getvalue()


# How files are laid out and encoded


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


# LiteLLM


def test_keys_that_an_administrator_made_are_no_one_account(tmp_path: Path) -> None:
    """Else all customers of a proxy without users would be one account, and act as one."""
    made = [
        {**PAYLOAD, "id": f"p{n}", "metadata": {"user_api_key_hash": f"h{n}", **more,
                                                "user_api_key_user_id": "default_user_id"}}
        for n, more in enumerate(({}, {}, {"user_api_key_team_id": "t1"},
                                  {"user_api_key_team_id": "default_user_id"}))
    ]  # fmt: skip
    logs = [
        {**SPENDLOG, "request_id": "s1", "user": "default_user_id", "team_id": ""},
        {**SPENDLOG, "request_id": "s2", "user": "default_user_id"},
    ]
    found = rows(opened(tmp_path, payloads=lines(*made), spendlogs=lines(*logs)))
    assert [row["account_id"] for row in found] == ["h0", "h1", "t1", "h3", "h1", "t1"]


def test_payloads_with_json_as_text_and_times_as_text(tmp_path: Path) -> None:
    text = {
        **PAYLOAD,
        **{name: json.dumps(PAYLOAD[name]) for name in ("metadata", "messages", "response")},
        "startTime": "2026-11-01T12:00:00Z", "endTime": "2026-11-01T12:00:01.5+00:00",
    }  # fmt: skip
    row = one(tmp_path, lines(text))
    assert (row["account_id"], row["messages"], row["output_text"]) == ("u1", QUESTION, "yes")
    assert (row["ts"], row["latency_ms"]) == (NOON, 1500.0)


def test_an_answer_that_is_json_stays_the_answer(tmp_path: Path) -> None:
    assert one(tmp_path, lines({**PAYLOAD, "response": '{"a": 1}'}))["output_text"] == '{"a": 1}'


# Bodies


def pair(response: Any, **more: Any) -> bytes:
    return lines({**PAIR, "response": response, **more})


def test_a_response_alone_in_a_list(tmp_path: Path) -> None:
    row = one(tmp_path, pair([CHAT]))
    assert (row["output_text"], row["stream"]) == ("yes", None)


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_under_its_other_name(tmp_path: Path, streamed: bool) -> None:
    message = {"role": "assistant", "content": "yes", "reasoning": "hm"}
    choice = {"index": 0, "delta" if streamed else "message": message, "finish_reason": "stop"}
    whole = {**CHAT, "choices": [choice]}
    row = one(tmp_path, pair([whole, whole] if streamed else whole))
    assert row["reasoning_text"] == ("hmhm" if streamed else "hm")


def test_an_error_in_place_of_a_stream(tmp_path: Path) -> None:
    events = 'event: error\r\ndata: {"error": {"type": "overloaded_error"}}\r\n\r\n'
    row = one(tmp_path, pair(events))
    assert (row["status"], row["http_status"]) == ("server_error", 529)


def test_counts_as_text_and_as_floats(tmp_path: Path) -> None:
    usage = {"input_tokens": "5", "cache_read_input_tokens": 4.0, "output_tokens": "2"}
    said = {"id": "m", "content": [{"type": "text", "text": "yes"}], "usage": usage}
    row = one(tmp_path, pair(said))
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (9, 4, 2)


def test_records_without_an_id_are_told_apart_by_their_content(tmp_path: Path) -> None:
    refused = {**PAIR, "response": {"error": {"type": "rate_limit_error"}}, "status_code": 429}
    named = {**refused, "request_id": "mine"}
    inputs = opened(tmp_path, log=lines(refused, {**refused, "account_id": "b"}, refused, named))
    first, second, again, known = (row["exchange_id"] for row in rows(inputs))
    assert first == again != second
    assert known == "mine"
    assert inputs.ledger.notes["records without an id, told apart by their content"] == 3


def converse(*events: dict[str, Any]) -> dict[str, Any]:
    return {**BEDROCK, "output": {"outputBodyJson": [
        {"messageStart": {"role": "assistant"}}, *events,
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2}}}]}}  # fmt: skip


def delta(index: int, **part: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": part}}


def test_events_of_nova_and_converse(tmp_path: Path) -> None:
    call = {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "x", "name": "look"}}}
    record = converse(
        delta(0, reasoningContent={"text": "h"}), delta(0, reasoningContent={"text": "m"}),
        delta(0, reasoningContent={"signature": "seal"}),
        delta(1, text="y"), delta(1, text="es"), {"contentBlockStart": call},
        delta(2, toolUse={"input": '{"a"'}), delta(2, toolUse={"input": ": 1}"}),
    )  # fmt: skip
    row = one(tmp_path, lines(record))
    assert row["output_text"].startswith("yes\n[tool_call sha256:")
    assert row["output_text"].endswith(" look]")
    assert (row["reasoning_text"], row["reasoning_blob"]) == ("hm", b"seal")
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)
    assert (row["status"], row["finish_reason"], row["stream"]) == ("ok", "end_turn", True)


def test_a_stream_of_bedrock_that_fails(tmp_path: Path) -> None:
    record = converse(delta(0, text="y"), {"throttlingException": {"message": "no"}})
    assert one(tmp_path, lines(record))["status"] == "rate_limited"


def test_mistral_and_cohere_on_bedrock(tmp_path: Path) -> None:
    mistral = {**BEDROCK, "requestId": "1", "input": {"inputBodyJson": {"prompt": "q"}},
               "output": {"outputBodyJson": {"outputs": [
                   {"text": "yes", "stop_reason": "stop"}]}}}  # fmt: skip
    turns = [{"role": "USER", "message": "p"}, {"role": "CHATBOT", "message": "r"}]
    cohere = {
        **BEDROCK, "requestId": "2",
        "input": {"inputBodyJson": {"message": "q", "chat_history": turns, "preamble": "s"}},
        "output": {"outputBodyJson": {"text": "yes", "finish_reason": "COMPLETE"}},
    }  # fmt: skip
    first, second = rows(opened(tmp_path, log=lines(mistral, cohere)))
    assert (first["output_text"], first["finish_reason"]) == ("yes", "stop")
    assert [(m["role"], m["content"]) for m in second["messages"]] == [
        ("system", "s"), ("user", "p"), ("assistant", "r"), ("user", "q"),
    ]  # fmt: skip
    assert (second["output_text"], second["finish_reason"]) == ("yes", "COMPLETE")


# Vertex, Helicone, Langfuse


def test_a_partner_models_events_in_vertex(tmp_path: Path) -> None:
    said = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}},
    ]
    texts = [f"event: {chunk['type']}\ndata: {json.dumps(chunk)}\n\n" for chunk in said]
    record = {**VERTEX, "api_method": "streamRawPredict", "full_response": None,
              "response_payload": texts}  # fmt: skip
    row = one(tmp_path, lines(record))
    assert (row["output_text"], row["input_tokens"], row["output_tokens"]) == ("yes", 5, 2)
    assert row["model"] == "gemini-3-pro"


@pytest.mark.parametrize("as_list", [False, True])
def test_a_stream_of_helicone_and_its_own_counts(tmp_path: Path, as_list: bool) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "yes"}}]}
    events: Any = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    body = {"streamed_data": [events] if as_list else events}
    row = one(tmp_path, lines({**HELICONE, "response_body": body}))
    assert (row["output_text"], row["input_tokens"], row["output_tokens"]) == ("yes", 5, 2)


@pytest.mark.parametrize(
    "usage",
    [
        {"usageDetails": {"input": "5", "output": 2.0, "total": "7"}},
        {"usageDetails": None, "usage": {"input": 5, "output": 2, "promptTokens": 5,
                                         "completionTokens": 2, "inputCost": 1.0}},
        {"usageDetails": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}},
    ],
)  # fmt: skip
def test_counts_of_langfuse_are_not_added_twice(tmp_path: Path, usage: dict[str, Any]) -> None:
    row = one(tmp_path, lines({**OBSERVATION, **usage}))
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)


@pytest.mark.parametrize(
    ("asked", "text"),
    [("q", "q"), ({"prompt": "q"}, "q"), ({"query": "q"}, '{"query":"q"}'),
     ({"role": "user", "content": "q"}, "q")],
)  # fmt: skip
def test_inputs_of_langfuse(tmp_path: Path, asked: Any, text: str) -> None:
    row = one(tmp_path, lines({**OBSERVATION, "input": asked}))
    assert row["messages"] == [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    "said",
    ["yes", {"completion": "yes"}, {"content": "yes"}, [{"type": "text", "text": "yes"}],
     {"role": "assistant", "content": "yes"}, [{"role": "assistant", "content": "yes"}], CHAT],
)  # fmt: skip
def test_outputs_of_langfuse(tmp_path: Path, said: Any) -> None:
    row = one(tmp_path, lines({**OBSERVATION, "output": said}))
    assert (row["output_text"], row["status"]) == ("yes", "ok")


# Files that are no log


@pytest.mark.parametrize(
    ("head", "got", "step"),
    [
        (b"PK\x03\x04rest", "a ZIP archive", "unpack it"),
        (b"x" * 257 + b"ustar\x0000", "a tar archive", "unpack it"),
        (gzip.compress(b"x" * 257 + b"ustar\x0000", mtime=0), "a tar archive", "unpack it"),
        (b"BZh91AY", "compressed with bzip2", ".gz and .zst are read"),
        (b"\xfd7zXZ\x00", "compressed with xz", ".gz and .zst are read"),
        (b"Obj\x01\x04", "Avro", "convert it to Parquet"),
        (b"SQLite format 3\x00", "an SQLite database", "CSV or JSON lines"),
        (b"%PDF-1.7", "a PDF", "give the logs alone"),
        (b"\n<html><title>Sign in", "HTML or XML", "sign-in page"),
        (b"\n \n\n", "blank lines alone", "is the export finished"),
        (b"[]\n", "JSON that holds nothing", "is the export finished"),
        (
            b'{"_source": {"secret": 1}}',
            "JSON whose records lie under '_source'",
            "jq -c '._source'",
        ),
        (b'{"log": "{\\"secret\\": 1}\\n"}\n', "JSON whose records lie under 'log'", "fromjson"),
        (b'2026-11-01 out {"secret": 1}\n', "lines of JSON behind other text", "sed"),
        (b'[2026-11-01 00:00:00] {"secret": 1}\n', "lines of JSON behind other text", "sed"),
        (b'{"startTime": 1}\n{"secret": "call_type"}', "JSON with the keys of no known", "--sugg"),
        (b'{"secret": "value"}\n', "JSON with the keys of no known format", "--suggest"),
        (b"Dear secret,\nthe logs", "text, neither JSON nor a table", "--suggest"),
        ("\u00fcb".encode()[:3] + b"\xe2\x82", "text, neither", "--suggest"),
        (b"secret\x00\x01\x02", "binary data of no known kind", "give the logs alone"),
    ],
)
def test_a_file_that_is_no_log_is_told_for_what_it_is(
    tmp_path: Path, head: bytes, got: str, step: str
) -> None:
    (tmp_path / "odd").write_bytes(head)
    with pytest.raises(InputError) as caught:
        open_inputs([tmp_path / "odd"])
    assert caught.value.where == "odd"
    assert caught.value.message.startswith(f"format not recognised: {got}")
    assert step in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_format_that_was_named_wrongly_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(PAYLOAD), "utf-8")
    opened = open_inputs([log], format="otlp")
    with pytest.raises(InputError, match=r"leave --format out: log\.jsonl looks like litellm"):
        list(opened.batches())


@pytest.mark.parametrize("format", ["csv", "parquet", "arrow"])
def test_a_table_that_is_none_tells_nothing_of_its_first_line(tmp_path: Path, format: str) -> None:
    """Whoever names the format wrongly finds no prompt among the columns that were ignored."""
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**PAYLOAD, "note": 'a secret, "stream", more'}), "utf-8")
    with pytest.raises(InputError, match=r"leave --format out: log\.jsonl looks like litellm"):
        list((opened := open_inputs([log], format=format)).batches())
    if format == "csv":
        assert opened.ledger.ignored_columns == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([""], r"there is no file in it.*begin with \. or _ are left out"),
        (["none"], r"none: no such file or directory.*give files"),
        (["*.log"], r"\*\.log: no file matches.*ls"),
        (["empty.jsonl"], r"empty\.jsonl: every input file is empty.*finished"),
    ],
)
def test_nothing_to_read_is_told_with_place_and_next_step(
    tmp_path: Path, given: list[str], said: str
) -> None:
    (tmp_path / ".hidden").write_text("{}", "utf-8")
    if given == ["empty.jsonl"]:
        (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match=said):
        open_inputs([tmp_path / name for name in given])
