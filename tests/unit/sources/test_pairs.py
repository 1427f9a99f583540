"""Bodies of the model APIs, as the makers' clients and types wrote them, become exchanges."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sources import Ledger, open_inputs
from stillwatch.sources.inputs import complete
from stillwatch.sources.pairs import Pairs
from stillwatch.sources.registry import choose_source
from stillwatch.sources.streams import assembled, response_value

LOG = Path(__file__).parents[2] / "fixtures" / "apis" / "pairs.jsonl"
RECORDS = {r["tags"]["case"]: r for r in map(json.loads, LOG.read_text("utf-8").splitlines())}


def rows_of(*records: dict[str, Any]) -> list[dict[str, Any]]:
    ledger = Ledger()
    raw = io.BufferedReader(io.BytesIO(b"\n".join(json.dumps(r).encode() for r in records)))  # type: ignore[arg-type]
    rows = [row for b in Pairs().read(raw, "log", ledger) for row in complete(b).to_pylist()]
    assert not ledger.rejected
    return rows


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    (row,) = rows_of(record)
    return row


ROWS = {case: row_of(record) for case, record in RECORDS.items()}


def changed(case: str, **more: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(RECORDS[case])), **more}


def test_the_format_is_told_by_its_content() -> None:
    head = LOG.read_bytes()
    assert choose_source(head, "x").name == "pairs"
    assert choose_source(head[:700], "cut").name == "pairs"
    assert choose_source(b"[" + head.splitlines()[0] + b"]", "array").name == "pairs"


def test_every_parameter_of_a_chat_request() -> None:
    row = ROWS["chat"]
    want = {
        "exchange_id": "req-0", "ts": datetime(2026, 11, 1, tzinfo=UTC), "account_id": "acct-1",
        "org_id": "org-1", "key_id": "key-1", "end_user_id": "customer-7", "model": "gpt-5.1",
        "operation": "chat", "client": "openai", "ip": "203.0.113.9", "temperature": 0.0,
        "top_p": 0.5, "max_tokens": 64, "n": 2, "seed": 7, "top_logprobs": 5,
        "reasoning_effort": "high", "response_format": "json_object", "output_text": "Hello!",
        "messages": [{"role": "user", "content": "Say hello"}], "latency_ms": 750.0,
        "http_status": 200, "finish_reason": "stop", "tags": [("case", "chat")],
    }  # fmt: skip
    assert {k: row[k] for k in want} == want
    assert row["user_agent"] == RECORDS["chat"]["headers"]["User-Agent"]


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ("chat", "ok", 200),
        ("chat_refused", "refused", 200),
        ("chat_cut", "filtered", 200),
        ("chat_filtered", "filtered", 400),
        ("chat_limited", "rate_limited", 429),
        ("chat_denied", "denied", 401),
        ("messages_refused", "refused", 200),
        ("messages_busy", "server_error", 529),
        ("responses_short", "ok", 200),
    ],
)
def test_outcome(case: str, status: str, code: int) -> None:
    assert (ROWS[case]["status"], ROWS[case]["http_status"]) == (status, code)


def test_an_error_without_a_code_is_told_by_its_type() -> None:
    for kind, status in (("rate_limit_error", "rate_limited"), ("permission_error", "denied")):
        error = {"type": "error", "error": {"type": kind, "message": "no"}}
        row = row_of(changed("messages_busy", status_code=None, response=error))
        assert row["status"] == status


@pytest.mark.parametrize("case", ["chat", "responses", "messages", "chat_stream",
                                  "responses_stream", "messages_stream"])  # fmt: skip
def test_cached_tokens_are_within_the_input_in_every_dialect(case: str) -> None:
    """Anthropic counts 20 + 100 read + 30 written, OpenAI 120 of which 100 were read."""
    row = ROWS[case]
    want = (150, 40, 100) if case.startswith("messages") else (120, 40, 100)
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == want


def test_what_is_not_told_is_null_and_zero_is_zero() -> None:
    row = ROWS["chat_no_usage"]
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (None, None, None)
    assert ROWS["messages_uncached"]["cached_tokens"] == 0
    assert ROWS["messages"]["reasoning_tokens"] is None
    assert ROWS["chat_limited"]["input_tokens"] is None


def test_reasoning_of_both_makers() -> None:
    for case, blob in (("responses", b"gAAAAABblob=="), ("messages_thinking", b"EqQBCgIYAhIM==")):
        assert ROWS[case]["reasoning_text"] == "Six times seven."
        assert ROWS[case]["reasoning_blob"] == blob
    assert ROWS["messages_thinking"]["output_text"] == "42"


def test_a_tool_call_reads_the_same_in_every_dialect_and_when_it_is_sent_back() -> None:
    mark = ROWS["chat_tools"]["output_text"]
    assert mark.startswith("[tool_call sha256:")
    assert ROWS["messages_tools"]["output_text"] == mark
    assert ROWS["chat_many"]["messages"][1] == {"role": "assistant", "content": mark}
    assert ROWS["messages_stream"]["output_text"] == f"42\n{mark}"
    assert ROWS["chat_tools"]["tools"] == ROWS["messages_tools"]["tools"] == ["get_weather"]


def test_system_prompts_come_first_wherever_they_are_kept() -> None:
    for case, text in (("responses", "Be brief."), ("messages", "Be brief."),
                       ("messages_tools", "Be\nbrief.")):  # fmt: skip
        assert ROWS[case]["messages"][0] == {"role": "system", "content": text}


def test_pictures_are_digests() -> None:
    assert "[image sha256:" in ROWS["chat_tools"]["messages"][0]["content"]
    assert "[image sha256:" in ROWS["messages_tools"]["messages"][1]["content"]
    assert "iVBOR" not in str(ROWS)


def test_several_choices_and_inputs() -> None:
    assert ROWS["chat_many"]["output_text"] == "One\n\nTwo"
    assert [m["content"] for m in ROWS["embeddings"]["messages"]] == ["one", "two"]
    assert ROWS["embeddings"]["operation"] == "embedding"


@pytest.mark.parametrize("case", ["chat", "chat_tools", "responses", "messages"])
def test_a_stream_reads_like_the_answer_in_one_piece(case: str) -> None:
    """As server-sent events, and as a list of the chunks that they hold."""
    events = RECORDS[f"{case}_stream"]["response"]
    chunks = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: {")]
    listed = row_of(changed(f"{case}_stream", response=chunks))
    assert listed == ROWS[f"{case}_stream"]
    assert listed["stream"] is True
    names = ["finish_reason", "output_text", "reasoning_text", "reasoning_blob", "status"]
    if case != "messages":  # its stream holds thinking, text and a tool call
        assert [listed[n] for n in names] == [ROWS[case][n] for n in names]


def test_a_stream_that_ends_early_gives_what_came() -> None:
    text = RECORDS["messages_stream"]["response"]
    row = row_of(changed("messages_stream", response=text[: text.index('"signature_delta"')]))
    assert row["reasoning_text"] == "Six times seven."
    assert row["finish_reason"] is None
    assert response_value("data: [DONE]\n\n") == ({}, True)


@pytest.mark.parametrize("case", ["chat", "responses", "messages"])
def test_a_stream_reads_the_same_however_a_logger_keeps_its_chunks(case: str) -> None:
    """Events each in a list, without the empty lines between them; chunks as text, one a line."""
    events = [e for e in RECORDS[f"{case}_stream"]["response"].split("\n\n") if e]
    chunks = [line[6:] for e in events for line in e.split("\n") if line.startswith("data: {")]
    kept: list[Any] = [events, [f"{e}\n" for e in events], "\n".join(events), chunks,
                       [*chunks, "[DONE]"], "\n".join(chunks)]  # fmt: skip
    for response in kept:
        assert row_of(changed(f"{case}_stream", response=response)) == ROWS[f"{case}_stream"]


@pytest.mark.parametrize("case", ["chat", "responses", "messages"])
def test_chunks_as_text_that_are_cut_within_the_last_give_what_came(case: str) -> None:
    events = RECORDS[f"{case}_stream"]["response"].split("\n")
    chunks = [line[6:] for line in events if line.startswith("data: {")]
    came = row_of(changed(f"{case}_stream", response=chunks[:4]))
    cut = [*chunks[:4], chunks[4][:-9]]
    for response in (cut, "\n".join(cut), [*cut, ""]):
        assert row_of(changed(f"{case}_stream", response=response)) == came
    for no_stream in (chunks[4][:-9], "\n".join([cut[-1], *cut]), "\n".join([*chunks[:4], "so"])):
        assert response_value(no_stream) == (no_stream, False)


def test_an_answer_of_json_lines_is_no_stream() -> None:
    """A model that is asked for records answers so, which is what a harvest looks like."""
    cut = '{"instruction": "a", "output": "b"}\n{"instruction": "c", "outp'
    assert response_value(cut) == (cut, False)
    text = '{"instruction": "a", "output": "b"}\n{"instruction": "c", "output": "d"}'
    assert response_value(text) == (text, False)
    assert response_value(text.split("\n")) == (text.split("\n"), False)


def test_a_responses_stream_that_ends_early_gives_the_text_that_came() -> None:
    events = RECORDS["responses_stream"]["response"].split("\n\n")
    cut = next(n for n, e in enumerate(events) if '"response.output_item.done"' in e)
    delta = {"type": "response.output_text.delta", "delta": "Hel"}
    events.insert(cut, f"data: {json.dumps(delta)}")
    row = row_of(changed("responses_stream", response="\n\n".join(events[: cut + 1])))
    assert row["output_text"].endswith("Hel")
    assert row["finish_reason"] is None


def _delta(index: int | None, text: str) -> dict[str, Any]:
    told = {"type": "response.output_text.delta", "output_index": index, "delta": text}
    return {k: v for k, v in told.items() if v is not None}


def test_an_item_that_ends_does_not_end_another() -> None:
    call = {"type": "function_call", "name": "f", "arguments": "{}"}
    said = {"type": "message", "content": [{"type": "output_text", "text": "one"}]}
    done = {"type": "response.output_item.done", "output_index": 1, "item": call}
    first = {**done, "output_index": 0, "item": said}
    last = {**done, "output_index": 1, "item": said}
    for chunks, texts in (
        ([_delta(0, "Hel"), done, _delta(0, "lo")], ["Hello"]),
        ([_delta(0, "Hel"), _delta(2, "you"), done, _delta(0, "lo")], ["Hello", "you"]),
        ([_delta(0, "one"), _delta(1, "tw"), first], ["one", "tw"]),
        ([_delta(None, "one"), last], ["one"]),
    ):
        items = assembled(chunks)["output"]
        found = [item["content"][0]["text"] for item in items if item["type"] == "message"]
        assert found == texts


def test_a_refusal_beside_thinking_blocks_is_one() -> None:
    thought = {"type": "thinking", "thinking": "No.", "signature": "EqQ="}
    for spoken in ([], [{"type": "text", "text": "Hm."}]):
        message = {"role": "assistant", "content": [thought, *spoken], "refusal": "I will not."}
        said = {"choices": [{"finish_reason": "stop", "message": message}]}
        row = row_of(changed("chat", response=said))
        assert (row["status"], row["reasoning_text"]) == ("refused", "No.")
        assert row["output_text"] == ("Hm." if spoken else "I will not.")


def test_texts_as_input_are_an_embedding_only_where_nothing_is_said() -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "Well."}]}
    record = changed("responses", request={"model": "m", "input": ["How are you?"]},
                     response={"id": "r", "status": "completed", "output": [said]})  # fmt: skip
    for name in ("url", "path", "route"):
        record.pop(name, None)
    row = row_of(record)
    assert (row["operation"], row["output_text"]) == ("chat", "Well.")
    assert row_of({**record, "response": {"id": "r"}})["operation"] == "embedding"


def test_an_embedding_is_told_by_its_input_and_its_answer() -> None:
    listed = {"object": "list", "data": [{"object": "embedding", "embedding": [0.5]}], "model": "m"}
    for asked, said in ((["a", "b"], None), ([1, 2], None), ("a", listed)):
        record = changed("embeddings", request={"model": "m", "input": asked}, response=said)
        for name in ("url", "path", "route"):
            record.pop(name, None)
        assert row_of(record)["operation"] == "embedding"


def test_bodies_as_json_text_and_within_http_records() -> None:
    bare = changed("chat")
    text = changed(
        "chat", request=json.dumps(bare["request"]), response=json.dumps(bare["response"])
    )
    assert row_of(text) == ROWS["chat"]
    held = changed(
        "chat",
        request={"method": "POST", "url": bare.pop("url"), "headers": bare.pop("headers"),
                 "body": bare["request"]},
        response={"status_code": 200, "body": json.dumps(bare["response"])},
    )  # fmt: skip
    for name in ("url", "headers", "status_code"):
        del held[name]
    assert row_of(held) == ROWS["chat"]


def test_what_stands_beside_the_bodies_wins() -> None:
    row = row_of(changed("chat", model="ours", end_user_id="eu", input_tokens=7, status="denied"))
    assert (row["model"], row["end_user_id"], row["input_tokens"]) == ("ours", "eu", 7)
    assert row["status"] == "denied"


@pytest.mark.parametrize(
    "time",
    ["2026-11-01T00:00:00Z", "2026-11-01T01:00:00+01:00", "2026-10-31 17:00:00-0700",
     1_793_491_200, 1_793_491_200.0, 1_793_491_200_000, 1_793_491_200_000_000, "1793491200"],
)  # fmt: skip
def test_times_of_every_zone_and_unit(time: Any) -> None:
    record = changed("chat", timestamp=time)
    del record["ts"]
    row = row_of(record)
    assert row["ts"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert row["latency_ms"] == 750.0


def test_without_a_logged_start_the_response_tells_the_time() -> None:
    record = changed("chat")
    del record["ts"]
    assert row_of(record)["ts"] == ROWS["chat"]["ts"] + timedelta(seconds=1)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    records = [*RECORDS.values(), {**changed("chat"), "latency_ms": 3.0, "client": "x"}]
    assert rows_of(*records)[: len(ROWS)] == list(ROWS.values())


def test_only_columns_that_the_file_can_fill_are_promised(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    record = changed("chat")
    for name in ("ip", "ja4", "headers", "end_time"):
        del record[name]
    path.write_text(json.dumps(record), "utf-8")
    assert {"ip", "ja4", "user_agent", "client", "latency_ms"} <= open_inputs([LOG]).columns
    assert not {"ip", "ja4", "user_agent", "client", "latency_ms"} & open_inputs([path]).columns
    assert {"messages", "status", "key_id"} <= open_inputs([path]).columns
