"""Messages and answers in OpenTelemetry's attributes and events, of every convention.

1. ``gen_ai.input.messages``, ``gen_ai.output.messages``, ``gen_ai.system_instructions``:
   structured, or the same as a JSON string; a message is a role and parts.
2. ``gen_ai.prompt``, ``gen_ai.completion``: JSON or text, on the span or on its events.
3. ``gen_ai.prompt.0.role`` …: numbered attributes.
4. Events ``gen_ai.<role>.message`` and ``gen_ai.choice`` that belong to the span.

The first that is there counts, for the request and the answer apart.
"""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch.sources.answers import NO_ANSWER, Answer, answer_of
from stillwatch.sources.json_text import BadJson, canonical, loads
from stillwatch.sources.messages import blob_of, content_text, digest_mark, message_text
from stillwatch.sources.otlp_names import MESSAGE_EVENT

__all__ = ["answer_in", "has_content", "messages_in", "structured"]

_Facts = dict[str, Any]
_INPUT, _OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_SYSTEM = "gen_ai.system_instructions"
_PROMPT, _COMPLETION = "gen_ai.prompt", "gen_ai.completion"
_INDEXED = ("gen_ai.prompt.0.role", "gen_ai.prompt.0.content")
_INDEXED_ANSWER = tuple(
    f"gen_ai.completion.0.{name}" for name in ("role", "content", "finish_reason")
)
_RARE = (_PROMPT, _COMPLETION, *_INDEXED, *_INDEXED_ANSWER)
_FILTER = "content_filter"


def has_content(facts: _Facts, told: list[Any]) -> bool:
    """Tell whether a record carries any of its request or answer."""
    if _INPUT in facts or _OUTPUT in facts or told:
        return True
    return any(name in facts for name in _RARE)


def structured(value: Any) -> Any:
    """Return what a JSON string holds, text that is none as it is."""
    if type(value) is not str or value[:1] not in _OPENERS or not value:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    try:
        return loads(value)[0]
    except BadJson:
        return value


_OPENERS = frozenset('[{"')


def messages_in(facts: _Facts, told: list[Any]) -> Any:
    """Return the request's messages as `messages_array` takes them, None where there are none."""
    given = facts.get(_INPUT)
    if given is not None:
        messages = _messages(structured(given))
        system = facts.get(_SYSTEM)
        if system is not None:
            text = _parts_text(structured(system))
            return [{"role": "system", "content": text}, *messages] if text else messages
        return messages
    if _PROMPT in facts:
        return _messages(structured(facts[_PROMPT]))
    if any(name in facts for name in _INDEXED):
        return _numbered(facts, "gen_ai.prompt.")
    spoken = [_spoken(name, body) for name, body in told if not name.endswith("choice")]
    return spoken or None


def answer_in(facts: _Facts, told: list[Any]) -> Answer:
    """Return the answer; ``finish`` is the first reason of ``gen_ai.response.finish_reasons``."""
    given = structured(facts.get(_OUTPUT))
    if given is not None:
        answer = _output(given)
    elif _COMPLETION in facts:
        answer = _completion(structured(facts[_COMPLETION]))
    elif any(name in facts for name in _INDEXED_ANSWER):
        numbered = [_unfiltered(m) for m in _numbered(facts, "gen_ai.completion.")]
        answer = answer_of(
            {"choices": [{"message": m, "finish_reason": m.get("finish_reason")} for m in numbered]}
        )
    else:
        choices = [structured(body) for name, body in told if name.endswith("choice")]
        answer = answer_of({"choices": choices}) if choices else NO_ANSWER
    reasons = structured(facts.get("gen_ai.response.finish_reasons"))
    first = reasons[0] if type(reasons) is list and reasons else reasons
    if type(first) is not str or not first:
        return answer
    return Answer(answer.text, answer.reasoning, answer.blob, first, answer.refused)


def _unfiltered(message: _Facts) -> _Facts:
    """Return the answer without the word that stands for one which a filter withheld."""
    withheld = message.get("content") == "FILTERED" and message.get("finish_reason") == _FILTER
    return {**message, "content": None} if withheld else message


def _messages(value: Any) -> list[Any]:
    found = value if type(value) is list else [value]
    return [_message(m) if type(m) is dict and "parts" in m else m for m in found]


def _message(message: _Facts) -> _Facts:
    return {"role": message.get("role"), "content": _parts_text(message["parts"])}


def _parts_text(parts: Any) -> str:
    if type(parts) is not list:
        return _part_text(parts)
    if len(parts) != 1:
        return "\n".join([_part_text(part) for part in parts])
    part = parts[0]
    if type(part) is dict and part.get("type") == "text":
        content = part.get("content")
        if type(content) is str:
            return content
    return _part_text(part)


def _part_text(part: Any) -> str:
    if type(part) is not dict:
        return content_text(part)
    kind, content = part.get("type"), part.get("content")
    if kind == "text":
        return content if type(content) is str else content_text(content or part.get("text"))
    if kind == "tool_call":
        return message_text({"tool_calls": [part]})
    if kind == "tool_call_response":
        found = part.get("response", part.get("result"))
        return content_text(found) if type(found) is not dict else canonical(found)
    if kind == "reasoning":
        return digest_mark("thinking", blob_of(part) or canonical(part))
    if kind in ("blob", "file", "uri"):
        payload = next((part[k] for k in ("content", "file_id", "uri") if part.get(k)), part)
        modality = part.get("modality")
        name = modality if type(modality) is str else kind
        return digest_mark(name, payload if type(payload) is str else canonical(payload))
    return content_text(part)


def _output(value: Any) -> Answer:
    """Read output messages; reasoning apart, several choices joined by a blank line."""
    texts: list[str] = []
    thoughts: list[str] = []
    finish: str | None = None
    for message in value if type(value) is list else (value,):
        if type(message) is not dict:
            texts.append(content_text(message))
            continue
        parts = message.get("parts", message.get("content"))
        if type(parts) is list and True in map(_is_reasoning, parts):
            thoughts += [content_text(p.get("content")) for p in parts if _is_reasoning(p)]
            parts = [part for part in parts if not _is_reasoning(part)]
        texts.append(_parts_text(parts))
        reason = message.get("finish_reason")
        finish = finish or (reason if type(reason) is str else None)
    return Answer(
        text="\n\n".join(texts) if texts else None,
        reasoning="\n".join(t for t in thoughts if t) or None,
        finish=finish,
        refused=finish == "refusal",
    )


def _is_reasoning(part: Any) -> bool:
    return type(part) is dict and part.get("type") == "reasoning"


def _completion(value: Any) -> Answer:
    found = value if type(value) is list else [value]
    if found and type(found[0]) is dict and "message" in found[0]:
        return answer_of({"choices": found})
    return _output(found)


def _spoken(name: str, body: Any) -> Any:
    """Return the message of an event: its role is in its name unless the body says another."""
    match = MESSAGE_EVENT.match(name)
    role = match[1] if match else None
    body = structured(body)
    if type(body) is not dict:
        return {"role": role, "content": body}
    return {**body, "role": body.get("role") or role}


def _numbered(facts: _Facts, prefix: str) -> list[_Facts]:
    """Gather ``prefix0.role``, ``prefix0.tool_calls.0.name`` … into messages in their order."""
    found: dict[int, _Facts] = {}
    calls: dict[int, dict[str, _Facts]] = {}
    for name, value in facts.items():
        if not name.startswith(prefix):
            continue
        digits, _, field = name[len(prefix) :].partition(".")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 8):
            continue
        number = int(digits)
        message = found.setdefault(number, {})
        if field.startswith("tool_calls."):
            _, which, inner = (*field.split(".", 2), "")[:3]
            calls.setdefault(number, {}).setdefault(which, {})[inner] = value
        elif field == "content":
            message["content"] = _parts_or_text(value)
        else:
            message[field] = value
    for place, by_number in calls.items():
        found[place]["tool_calls"] = list(by_number.values())
    return [found[place] for place in sorted(found)]


def _parts_or_text(value: Any) -> Any:
    parts = structured(value) if type(value) is str and value.startswith('[{"') else value
    fit = type(parts) is list and all(type(p) is dict and "type" in p for p in parts)
    return parts if fit else value
