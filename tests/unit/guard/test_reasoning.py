"""Reasoning taken out of answers: what goes, what stays byte by byte, however a stream is cut."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.guard import strip_reasoning
from stillwatch.guard.reasoning import EventStream, Strip

THOUGHT = "the moon pulls"
SAID = {"role": "assistant", "content": "It turns."}


@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_content": THOUGHT},
        {"reasoning": THOUGHT},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": THOUGHT}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": THOUGHT, "signature": "s"}]},
        {"reasoning_items": [{"type": "reasoning", "encrypted_content": THOUGHT}]},
        {"provider_specific_fields": {"reasoning_content": THOUGHT}},
    ],
    ids=lambda beside: next(iter(beside)),
)
def test_a_chat_keeps_its_answer_and_loses_what_is_beside_it(beside):
    answer = {"choices": [{"index": 0, "message": {**SAID, **beside}}], "usage": {"x": 1}}
    assert strip_reasoning(answer) == 1
    assert THOUGHT not in str(answer)
    (choice,) = answer["choices"]
    assert choice["message"].pop("provider_specific_fields", {}) == {}
    assert (choice["message"], answer["usage"]) == (SAID, {"x": 1})


def test_parts_of_a_chats_content_that_are_thoughts_go():
    parts = [{"type": "thinking", "thinking": [{"text": THOUGHT}]}, {"type": "text", "text": "It."}]
    answer = {"choices": [{"message": {"role": "assistant", "content": parts}}]}
    assert strip_reasoning(answer) == 1
    assert answer["choices"][0]["message"]["content"] == [{"type": "text", "text": "It."}]


def test_tool_calls_and_words_like_reasoning_in_the_answer_stay():
    call = {"id": "1", "function": {"name": "reasoning", "arguments": '{"reasoning": "x"}'}}
    said = {**SAID, "content": "<think>reasoning_content</think>", "tool_calls": [call]}
    answer = {"choices": [{"message": said}]}
    before = json.dumps(answer)
    assert strip_reasoning(answer) == 0
    assert json.dumps(answer) == before


@pytest.mark.parametrize(
    "other",
    [{"error": {"message": "no"}}, {"data": []}, [], None, "x", 7, {"output": []},
     {"content": [{"type": "thinking"}]}, {"type": "message", "content": "text"}],
)  # fmt: skip
def test_what_is_of_no_dialect_is_not_claimed_to_be_read(other):
    before = json.dumps(other)
    assert strip_reasoning(other) is None
    assert json.dumps(other) == before


@pytest.mark.parametrize("odd", [{"choices": [None, 7, {"message": "x"}, {"delta": [1]}]},
                                 {"object": "response", "output": [None, "x", {}]},
                                 {"type": "message", "content": [7, None]}])  # fmt: skip
def test_odd_answers_do_no_harm(odd):
    before = json.dumps(odd)
    assert strip_reasoning(odd) == 0
    assert json.dumps(odd) == before


def test_objects_lose_it_too():
    message = SimpleNamespace(content="It turns.", reasoning_content=THOUGHT, reasoning=None)
    answer = SimpleNamespace(choices=[SimpleNamespace(message=message)])
    assert strip_reasoning(answer) == 1
    assert vars(message) == {"content": "It turns."}


def frames(events: list[dict[str, Any]]) -> bytes:
    return b"".join(
        (f"event: {e['type']}\n" if "type" in e else "").encode()
        + b"data: "
        + json.dumps(e).encode()
        + b"\n\n"
        for e in events
    )


def read(data: bytes) -> list[dict[str, Any]]:
    lines = [line for line in data.splitlines() if line.startswith(b"data:")]
    return [json.loads(line[5:]) for line in lines if line != b"data: [DONE]"]


def block(index: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": more},
        {"type": "content_block_stop", "index": index},
    ]


MESSAGE = [
    {"type": "message_start", "message": {"type": "message", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "thinking_delta", "thinking": THOUGHT}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "signature_delta", "signature": THOUGHT}},
    {"type": "content_block_stop", "index": 0},
    *block(1, type="text", text="It"),
    *block(2, type="redacted_thinking", data=THOUGHT),
    *block(3, type="tool_use", id="t", name="n", input={}),
    {"type": "message_stop"},
]  # fmt: skip


def test_blocks_after_a_thought_move_up():
    strip = Strip()
    told = read(EventStream(strip).feed(frames(MESSAGE)))
    assert THOUGHT not in str(told)
    places = [(e["index"], e["content_block"]["type"]) for e in told if "content_block" in e]
    assert places == [(0, "text"), (1, "tool_use")]
    assert [e["index"] for e in told if e["type"] == "content_block_stop"] == [0, 1]
    assert (strip.removed, strip.outcome) == (2, "stripped")


def test_an_answer_that_has_the_place_of_its_reasoning_stays():
    """As some servers number the items of a response."""
    item = {"type": "message", "id": "m"}
    strip = Strip()
    told = [
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "It"},
    ]
    assert [strip.event(event) for event in told] == ["gone", "gone", "same", "same"]
    assert [event["output_index"] for event in told[2:]] == [0, 0]


def test_what_is_not_changed_goes_on_byte_by_byte():
    odd = (
        b": a comment\r\n\r\nevent: ping\ndata:  {\"type\": \"ping\" , \"x\": 1e400}\n\n"
        b"data: {\"choices\": [{\"delta\": {\"content\": \"\\ud83d\"}}], \"n\": 1.10}\n\n"
        b"data: not json\n\nid: 7\n\ndata: [DONE]\n\nretry: 1"
    )  # fmt: skip
    stream = EventStream(Strip())
    assert stream.feed(odd) + stream.end() == odd


def test_half_a_character_stays_what_it_was():
    delta = {"content": "\ud83d", "reasoning": THOUGHT}
    strip = Strip()
    told = EventStream(strip).feed(frames([{"choices": [{"delta": delta}]}]))
    assert read(told) == [{"choices": [{"delta": {"content": "\ud83d"}}]}]


def test_an_event_that_is_left_out_becomes_a_comment():
    assert EventStream(Strip()).feed(frames(MESSAGE[1:2])) == b":\n\n"


@given(st.integers(0, 1 << 30), st.sampled_from([b"\n", b"\r\n", b"\r", b""]))
def test_a_stream_may_be_cut_anywhere(seed, newline):
    rng = random.Random(seed)
    chat = [{"choices": [{"delta": {"content": "It\u2028", "reasoning_content": THOUGHT}}]}]
    data = frames(chat * 2 + MESSAGE)
    data = data.replace(b"\n", newline) if newline else data.replace(b"\n\n", b"\n\r\n")
    data += b"data: " + json.dumps(MESSAGE[2]).encode()  # cut by its end
    whole = EventStream(Strip())
    wanted = whole.feed(data) + whole.end()
    cut, told = EventStream(Strip()), b""
    while data:
        size = rng.randint(1, 40)
        told, data = told + cut.feed(data[:size]), data[size:]
    assert told + cut.end() == wanted
    assert THOUGHT.encode() not in wanted
    assert b"It" in wanted
