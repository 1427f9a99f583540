"""A streamed answer, logged chunk by chunk or as server-sent events, becomes one response.

Dialects: OpenAI chat and text completions, OpenAI Responses, Anthropic messages. A stream that
ends early gives what came; it has no finish reason then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stillwatch.sources.json_text import BadJson, loads, parsed

__all__ = ["assembled", "response_value"]

_Chunks = list[dict[str, Any]]
_EVENTS = ("data:", "event:", ":")
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def response_value(value: Any) -> tuple[Any, bool]:
    """Return a logged response as one object, and whether it was logged as a stream.

    ``value``: an object; its JSON text; chunks in a list or one a line, each an object or its JSON
    text; server-sent events as text, or each in a list. Any other text is returned as it is.
    """
    if type(value) is str:
        text = value.lstrip()
        if text[:1] in ("{", "["):
            try:
                value = loads(value)[0]
            except (BadJson, RecursionError):
                found = _of_chunks(text.split("\n"))
                return (value, False) if found is None else (found, True)
        elif text.startswith(_EVENTS):
            return assembled(list(_events(text))), True
        else:
            return value, False
    if type(value) is list and value:
        if len(value) == 1 and type(value[0]) is dict and _is_whole(value[0]):
            return value[0], False
        if all(type(chunk) is dict for chunk in value):
            return assembled(value), True
        if all(type(chunk) is str for chunk in value):
            return _of_texts(value)
    return value, False


def _of_texts(chunks: list[str]) -> tuple[Any, bool]:
    """Return the response of a stream that was logged as texts: pieces, events or chunks."""
    text = "".join(chunks).lstrip()
    if text.startswith(_EVENTS):
        whole = all(chunk.startswith(_EVENTS) for chunk in chunks)
        return assembled(list(_events("\n\n".join(chunks) if whole else text))), True
    found = _of_chunks(chunks)
    return (chunks, False) if found is None else (found, True)


def _of_chunks(texts: list[str]) -> dict[str, Any] | None:
    """Return the response whose chunks these are; None where they are not: JSON lines may be text.

    A model that is asked for records answers in lines of JSON, too. The last may be cut.
    """
    told = [text for text in texts if text.strip() not in ("", "[DONE]")]
    chunks: _Chunks = []
    for place, text in enumerate(told, 1):
        value = _object(text)
        if value is not None:
            chunks.append(value)
        elif place < len(told) or not text.lstrip().startswith("{"):
            return None
    known = any(known(chunk) for known, _ in _DIALECTS for chunk in chunks[:4])
    return assembled(chunks) if known else None


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = loads(text)[0]
    except (BadJson, RecursionError):
        return None
    return value if type(value) is dict else None


def _is_whole(response: dict[str, Any]) -> bool:
    """Tell a response from a chunk: some loggers hold the one response in a list."""
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return (isinstance(first, dict) and "message" in first) or isinstance(
        response.get("content", response.get("output")), (list, dict)
    )


def _events(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of server-sent events; what is no JSON object, such as [DONE], is none.

    Where a logger has dropped the empty lines between events, each line is one.
    """
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].lstrip() for line in block.split("\n") if line.startswith("data:")]
        whole = _object("\n".join(lines)) if lines and lines[0][:1] == "{" else None
        found = [whole] if whole is not None or len(lines) < 2 else map(_object, lines)
        yield from (value for value in found if value is not None)


def assembled(chunks: _Chunks) -> dict[str, Any]:
    """Return the response that the chunks of one stream make up; {} where none is known."""
    for known, build in _DIALECTS:
        if any(known(chunk) for chunk in chunks[:4]):
            return build(chunks)
    return next(({"error": c["error"]} for c in chunks if c.get("error")), {})


def _chat(chunks: _Chunks) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for chunk in chunks:
        whole.update((k, v) for k, v in chunk.items() if k != "choices" and v is not None)
        parts = chunk.get("choices")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                index = part.get("index")
                place = index if isinstance(index, int) else 0
                _add_choice(choices.setdefault(place, {"index": place}), part)
    whole["choices"] = [choices[place] for place in sorted(choices)]
    return whole


def _add_choice(choice: dict[str, Any], part: dict[str, Any]) -> None:
    if part.get("finish_reason") is not None:
        choice["finish_reason"] = part["finish_reason"]
    if isinstance(part.get("text"), str):
        choice["text"] = choice.get("text", "") + part["text"]
    delta = part.get("delta")
    if not isinstance(delta, dict):
        return
    message = choice.setdefault("message", {"role": "assistant", "content": None})
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            _add_call(message.setdefault("tool_calls", []), call)


def _add_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    index = part.get("index")
    place = index if isinstance(index, int) and 0 <= index < len(calls) else len(calls)
    if place == len(calls):
        calls.append({"type": "function", "function": {"arguments": ""}})
    told = part.get("function")
    function = calls[place]["function"]
    if isinstance(told, dict):
        if isinstance(told.get("name"), str):
            function["name"] = told["name"]
        if isinstance(told.get("arguments"), str):
            function["arguments"] += told["arguments"]


def _responses(chunks: _Chunks) -> dict[str, Any]:
    """The last event of the Responses API holds the whole; without it, what came counts.

    That is the finished items, and the text of each that was not finished.
    """
    items = [c["item"] for c in chunks if c.get("type") == "response.output_item.done"
             and isinstance(c.get("item"), dict)]  # fmt: skip
    whole: dict[str, Any] = {}
    begun: dict[int | None, str] = {}
    for chunk in chunks:
        if chunk.get("type") == "response.output_text.delta":
            if isinstance(chunk.get("delta"), str):
                place = _place(chunk)
                begun[place] = begun.get(place, "") + chunk["delta"]
        elif chunk.get("type") == "response.output_item.done":
            _end(begun, _place(chunk))
        held = chunk.get("response")
        if isinstance(held, dict):
            whole = held
            if chunk.get("type") in _ENDS:
                return held if held.get("output") else {**held, "output": items}
    for said in filter(None, begun.values()):
        text = {"type": "output_text", "text": said}
        items.append({"type": "message", "role": "assistant", "content": [text]})
    return {**whole, "output": items, "status": None}


def _place(chunk: dict[str, Any]) -> int | None:
    place = chunk.get("output_index")
    return place if type(place) is int else None


def _end(begun: dict[int | None, str], place: int | None) -> None:
    """Drop the text of an item that is whole now; where no place is told, it is that of any."""
    if place is None:
        begun.clear()
    else:
        begun.pop(place, None)
        begun.pop(None, None)


def _anthropic(chunks: _Chunks) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for chunk in chunks:
        kind = chunk.get("type")
        if kind == "message_start" and isinstance(chunk.get("message"), dict):
            whole = dict(chunk["message"])
        elif kind == "content_block_start" and isinstance(chunk.get("content_block"), dict):
            blocks[str(chunk.get("index"))] = dict(chunk["content_block"])
        elif kind == "content_block_delta" and isinstance(chunk.get("delta"), dict):
            _add_delta(blocks.setdefault(str(chunk.get("index")), {}), chunk["delta"])
        elif kind == "message_delta":
            whole.update(chunk["delta"] if isinstance(chunk.get("delta"), dict) else {})
            told = chunk.get("usage")
            if isinstance(told, dict):
                held = whole.get("usage")
                fresh = {k: v for k, v in told.items() if v is not None}
                whole["usage"] = {**held, **fresh} if isinstance(held, dict) else fresh
        elif kind == "error":
            whole["error"] = chunk.get("error")
    whole["content"] = [_finished(block) for block in blocks.values()]
    return whole


def _converse(chunks: _Chunks) -> dict[str, Any]:
    """Bedrock's ConverseStream and Nova: an event an object, counts in the last one."""
    blocks: dict[str, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for chunk in chunks:
        for kind, told in chunk.items():
            if not isinstance(told, dict):
                continue
            if kind in ("contentBlockStart", "contentBlockDelta"):
                held = told.get("start", told.get("delta"))
                block = blocks.setdefault(str(told.get("contentBlockIndex")), {})
                _add_part(block, held if isinstance(held, dict) else {})
            elif kind == "messageStop":
                whole["stopReason"] = told.get("stopReason")
            elif kind == "metadata":
                whole.update((k, v) for k, v in told.items() if k in ("usage", "metrics"))
            elif kind.endswith("Exception"):
                whole["error"] = {"code": kind[:1].upper() + kind[1:]}
    content = [_whole_block(block) for block in blocks.values()]
    return {**whole, "output": {"message": {"content": content}}}


def _whole_block(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block as the answer that is no stream has it."""
    call, thought = block.get("toolUse"), block.get("reasoningContent")
    if isinstance(call, dict):
        return {"toolUse": {**call, "input": parsed(call.get("input"))}}
    if isinstance(thought, dict) and "text" in thought:
        return {"reasoningContent": {"reasoningText": thought}}
    return block


def _add_part(block: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a piece of a content block: its texts, however deep they are, are pieces of one."""
    for key, value in part.items():
        if isinstance(value, dict):
            inner = block.setdefault(key, {})
            _add_part(inner if isinstance(inner, dict) else {}, value)
        elif isinstance(value, str) and isinstance(block.get(key), str):
            block[key] += value
        else:
            block[key] = value


def _gemini(chunks: _Chunks) -> dict[str, Any]:
    """Gemini streams whole responses, each with the next parts; counts are in the last."""
    whole: dict[str, Any] = {}
    parts: list[Any] = []
    ended: Any = None
    for chunk in chunks:
        whole.update((k, v) for k, v in chunk.items() if k != "candidates" and v is not None)
        first = next((c for c in chunk.get("candidates") or () if isinstance(c, dict)), {})
        content = first.get("content")
        more = content.get("parts") if isinstance(content, dict) else None
        _add_parts(parts, more if isinstance(more, list) else [])
        ended = first.get("finishReason") or first.get("finish_reason") or ended
    whole["candidates"] = [{"content": {"role": "model", "parts": parts}, "finishReason": ended}]
    return whole


def _add_parts(parts: list[Any], more: list[Any]) -> None:
    for part in more:
        before = parts[-1] if parts else None
        if (
            isinstance(part, dict)
            and isinstance(before, dict)
            and isinstance(part.get("text"), str)
            and isinstance(before.get("text"), str)
            and bool(part.get("thought")) == bool(before.get("thought"))
        ):
            parts[-1] = {**before, **part, "text": before["text"] + part["text"]}
        else:
            parts.append(part)


def _texts(chunks: _Chunks) -> dict[str, Any]:
    """Bedrock's older text models: Titan says outputText, Llama generation."""
    whole: dict[str, Any] = {}
    said = ""
    key = "outputText" if any("outputText" in chunk for chunk in chunks) else "generation"
    for chunk in chunks:
        whole.update((k, v) for k, v in chunk.items() if v is not None)
        said += chunk[key] if isinstance(chunk.get(key), str) else ""
    return {**whole, key: said}


_DELTAS = {"text": "text", "thinking": "thinking", "signature": "signature",
           "partial_json": "partial_json"}  # fmt: skip


def _add_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for key in _DELTAS:
        if isinstance(delta.get(key), str):
            held = block.get(key)
            block[key] = (held if isinstance(held, str) else "") + delta[key]


def _finished(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block whose input, streamed as pieces of JSON text, is whole."""
    text = block.pop("partial_json", None)
    if text:
        try:
            block["input"] = loads(text)[0]
        except (BadJson, RecursionError):
            block["input"] = text
    return block


_DIALECTS: tuple[tuple[Callable[[dict[str, Any]], bool], Callable[[_Chunks], dict[str, Any]]], ...]
_DIALECTS = (
    (lambda c: isinstance(c.get("choices"), list), _chat),
    (lambda c: isinstance(c.get("candidates"), list), _gemini),
    (lambda c: "outputText" in c or "generation" in c, _texts),
    (lambda c: "messageStart" in c or "contentBlockDelta" in c, _converse),
    (lambda c: str(c.get("type")).startswith("response."), _responses),
    (lambda c: c.get("type") in ("message_start", "content_block_start"), _anthropic),
)
