"""What a model that shows its reasoning answers, made of a stub's answers without: each piece of
reasoning, signature and encrypted content holds ``THOUGHT``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["THOUGHT", "thinking_events", "thinking_whole"]

THOUGHT = "THE-MOON-PULLS"
_SUMMARY = {"type": "summary_text", "text": THOUGHT}
_TEXT = {"type": "reasoning_text", "text": THOUGHT}
_ITEM = {"type": "reasoning", "id": "rs_1", "summary": [_SUMMARY], "content": [_TEXT],
         "encrypted_content": THOUGHT, "status": "completed"}  # fmt: skip
_BLOCKS = [
    {"type": "thinking", "thinking": THOUGHT, "signature": THOUGHT},
    {"type": "redacted_thinking", "data": THOUGHT},
]


def thinking_whole(answer: dict[str, Any]) -> dict[str, Any]:
    """A whole answer of the stub's with reasoning."""
    if "choices" in answer:
        (choice,) = answer["choices"]
        message = {**choice["message"], "reasoning_content": THOUGHT, "reasoning": THOUGHT}
        return {**answer, "choices": [{**choice, "message": message}]}
    if "output" in answer:
        return {**answer, "output": [_ITEM, *answer["output"]]}
    return {**answer, "content": [*_BLOCKS, *answer["content"]]}


def thinking_events(frames: Iterable[str]) -> Iterator[str]:
    """The stub's stream with reasoning before the answer."""
    begun = False
    for frame in frames:
        # The last frame of the stub's chat has [DONE] behind it.
        event = json.loads(frame.partition("data: ")[2].partition("\n")[0])
        kind = event.get("type")
        if kind is None:
            if not begun:
                for _ in range(2):
                    delta = {"role": "assistant", "content": None, "reasoning_content": THOUGHT}
                    choice = {"index": 0, "delta": delta, "finish_reason": None}
                    yield _frame({**event, "choices": [choice]})
                begun = True
            yield frame
            continue
        moved = _moved(event)
        yield _frame(moved)
        if kind in ("response.created", "message_start"):
            yield from map(_frame, _RESPONSE if kind == "response.created" else _MESSAGE)


def _moved(event: dict[str, Any]) -> dict[str, Any]:
    if "output_index" in event:
        return {**event, "output_index": event["output_index"] + 1}
    if "index" in event:
        return {**event, "index": event["index"] + len(_BLOCKS)}
    if event["type"] == "response.completed":
        return {**event, "response": thinking_whole(event["response"])}
    return event


def _frame(event: dict[str, Any]) -> str:
    named = f"event: {event['type']}\n" if "type" in event else ""
    return f"{named}data: {json.dumps(event)}\n\n"


_AT = {"output_index": 0, "item_id": "rs_1", "sequence_number": 1}
_RESPONSE: list[dict[str, Any]] = [
    {"type": "response.output_item.added", **_AT,
     "item": {**_ITEM, "summary": [], "content": [], "status": "in_progress"}},
    {"type": "response.reasoning_summary_part.added", **_AT, "summary_index": 0,
     "part": {**_SUMMARY, "text": ""}},
    {"type": "response.reasoning_summary_text.delta", **_AT, "summary_index": 0, "delta": THOUGHT},
    {"type": "response.reasoning_summary_text.done", **_AT, "summary_index": 0, "text": THOUGHT},
    {"type": "response.reasoning_summary_part.done", **_AT, "summary_index": 0, "part": _SUMMARY},
    {"type": "response.reasoning_text.delta", **_AT, "content_index": 0, "delta": THOUGHT},
    {"type": "response.reasoning_text.done", **_AT, "content_index": 0, "text": THOUGHT},
    {"type": "response.output_item.done", **_AT, "item": _ITEM},
]  # fmt: skip
_MESSAGE: list[dict[str, Any]] = [
    {"type": "content_block_start", "index": 0,
     "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "thinking_delta", "thinking": THOUGHT}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "signature_delta", "signature": THOUGHT}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": _BLOCKS[1]},
    {"type": "content_block_stop", "index": 1},
]  # fmt: skip
