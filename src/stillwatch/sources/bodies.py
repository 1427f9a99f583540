"""Request and response bodies of the model APIs become columns, whatever record they are logged in.

Dialects: OpenAI chat completions, completions, responses and embeddings, and all that speak them;
Anthropic messages; Bedrock Converse, Gemini and older text models (`dialects`). Which one it is
shows in the keys; nothing has to be told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from stillwatch.sources.answers import Answer, answer_of
from stillwatch.sources.dialects import (
    may_be_foreign_requests,
    may_be_foreign_responses,
    plain_request,
    plain_response,
)
from stillwatch.sources.fields import first_of, kind_of, text_of, tool_names
from stillwatch.sources.json_text import canonical
from stillwatch.sources.outcomes import outcome_of
from stillwatch.sources.streams import response_value
from stillwatch.sources.usage import tokens_of

__all__ = ["BODY_COLUMNS", "Calls", "body_columns", "body_messages", "body_parameters"]

_EMPTY: dict[str, Any] = {}
_LONG = 512
_ROUTES = (
    ("embedding", "embedding"),
    ("chat/completions", "chat"),
    ("completions", "completion"),
    ("images", "image"),
    ("audio", "audio"),
    ("moderations", "moderation"),
)
BODY_COLUMNS = frozenset(
    {
        "exchange_id", "ts", "model", "operation", "stream", "temperature", "top_p", "max_tokens",
        "n", "seed", "top_logprobs", "reasoning_effort", "response_format", "tool_choice", "tools",
        "tool_schema", "messages", "status", "http_status", "finish_reason", "output_text",
        "reasoning_text", "reasoning_blob", "input_tokens", "output_tokens", "reasoning_tokens",
        "cached_tokens", "end_user_id", "conversation_id",
    }
)  # fmt: skip


class Calls(NamedTuple):
    """Calls, a value each in every list: bodies as logged, HTTP codes, routes, logged errors."""

    requests: list[Any]
    responses: list[Any]
    codes: list[Any]
    routes: list[Any]
    errors: list[Any]


def body_columns(calls: Calls) -> dict[str, list[Any]]:
    """Return what the bodies say, under the names of EXCHANGE, a value a call.

    ``ts`` is the response's own time: for OpenAI when it was made, in whole seconds; Anthropic
    has none. Whoever logs the request's start puts that in its place.
    """
    requests = _requests(calls.requests)
    values, streamed = _responses(calls.responses)
    responses = [value if type(value) is dict else _EMPTY for value in values]
    told = set().union(*responses)
    answer = _answer if "incomplete_details" in told else answer_of
    answers = [answer(value) for value in values]
    outcomes = list(map(outcome_of, responses, calls.codes, calls.errors, answers))
    tokens = [tokens_of(r.get("usage")) for r in responses]
    asked = [q.get("stream") for q in requests]
    return {
        "exchange_id": [r.get("id") for r in responses],
        "ts": first_of(responses, ("created", "created_at"), told),
        "model": [
            q.get("model") or r.get("model") for q, r in zip(requests, responses, strict=True)
        ],
        "operation": list(map(_operation, calls.routes, requests, responses)),
        "stream": [
            (place in streamed or None) if flag is None else flag
            for place, flag in enumerate(asked)
        ] if streamed else asked,
        **body_parameters(requests),
        "messages": [body_messages(q) for q in requests],
        "status": [status for status, _ in outcomes],
        "http_status": [code for _, code in outcomes],
        "finish_reason": [a.finish for a in answers],
        "output_text": [a.text for a in answers],
        "reasoning_text": [a.reasoning for a in answers],
        "reasoning_blob": [None if a.blob is None else _bytes(a.blob) for a in answers],
        "input_tokens": [t.input for t in tokens],
        "output_tokens": [t.output for t in tokens],
        "reasoning_tokens": [t.reasoning for t in tokens],
        "cached_tokens": [t.cached for t in tokens],
    }  # fmt: skip


def _requests(values: list[Any]) -> list[dict[str, Any]]:
    """Return requests in the names that are read; {} for what is no object."""
    bodies = [value if type(value) is dict else _EMPTY for value in values]
    if may_be_foreign_requests(bodies):
        return [plain_request(body) for body in bodies]
    return bodies


def _responses(values: list[Any]) -> tuple[list[Any], set[int]]:
    """Return responses in the names that are read, and which of them were logged as streams."""
    found = list(values)
    streamed: set[int] = set()
    for place, value in enumerate(values):
        if type(value) is not dict and value is not None:
            found[place], flag = response_value(value)
            if flag:
                streamed.add(place)
    bodies = [value for value in found if type(value) is dict]
    if may_be_foreign_responses(bodies):
        found = [plain_response(value) if type(value) is dict else value for value in found]
    return found, streamed


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _answer(response: Any) -> Answer:
    """Return the answer; of a Responses API object that is cut short, why, as its end."""
    answer = answer_of(response)
    if type(response) is dict and type(response.get("incomplete_details")) is dict:
        reason = response["incomplete_details"].get("reason")
        if isinstance(reason, str):
            return replace(answer, finish=reason)
    return answer


def _operation(route: Any, request: dict[str, Any], response: dict[str, Any]) -> str | None:
    if type(route) is str:
        known = _operation_at(route) if len(route) < _LONG else _named_in(route)
        if known is not None:
            return known
    if "messages" in request:
        return "chat"
    if "prompt" in request:
        return "completion"
    if "input" not in request:
        return None
    asked = request["input"]
    plain = type(asked) is list and asked and type(asked[0]) is not dict  # texts or token numbers
    said = response.get("output", response.get("choices")) is not None
    if (plain and not said) or "encoding_format" in request or "dimensions" in request:
        return "embedding"
    data = response.get("data")
    first = data[0] if type(data) is list and data else None
    return "embedding" if type(first) is dict and "embedding" in first else "chat"


def _named_in(route: str) -> str | None:
    return next((operation for part, operation in _ROUTES if part in route), None)


_operation_at = lru_cache(maxsize=1_024)(_named_in)


def body_messages(request: dict[str, Any]) -> Any:
    """Return the messages with the system prompt before them, wherever the dialect keeps it."""
    said = request.get("messages")
    if said is None:
        said = _turns(request.get("input", request.get("prompt")))
    system = request.get("system") or request.get("instructions")
    if not system:
        return said
    head = {"role": "system", "content": system}
    if said is None:
        return [head]
    return [head, *said] if type(said) is list else [head, said]


def _turns(value: Any) -> Any:
    """Return an input or prompt as messages; token numbers as one, by their digest."""
    if type(value) is list and value and all(type(v) in (int, list) for v in value):
        return [{"role": "user", "content": [{"type": "tokens", "tokens": value}]}]
    return value


def body_parameters(requests: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns of parameters that at least one of the requests names."""
    told = set().union(*requests)
    columns: dict[str, list[Any]] = {
        name: [q.get(name) for q in requests]
        for name in ("temperature", "top_p", "n", "seed")
        if name in told
    }
    columns["max_tokens"] = first_of(
        requests, ("max_completion_tokens", "max_tokens", "max_output_tokens"), told
    )
    for name, (keys, read) in _READERS.items():
        if not told.isdisjoint(keys):
            columns[name] = [read(q) for q in requests]
    if not told.isdisjoint(("tools", "functions")):
        tools = [q.get("tools") or q.get("functions") for q in requests]
        columns["tools"] = [tool_names(t) for t in tools]
        columns["tool_schema"] = [canonical(t) if t else None for t in tools]
    return columns


def _logprobs(request: dict[str, Any]) -> Any:
    """Return how many alternatives were asked for; completions call that ``logprobs``."""
    count = request.get("top_logprobs")
    old = request.get("logprobs")
    return old if count is None and type(old) is int else count


def _effort(request: dict[str, Any]) -> str | None:
    """Return the reasoning effort, else how Anthropic's thinking is switched."""
    effort = request.get("reasoning_effort")
    for holder in ("reasoning", "output_config"):
        if effort is None and type(request.get(holder)) is dict:
            effort = request[holder].get("effort")
    return text_of(effort) if effort is not None else kind_of(request.get("thinking"))


def _format(request: dict[str, Any]) -> str | None:
    found = request.get("response_format")
    for holder in ("text", "output_config"):
        if found is None and type(request.get(holder)) is dict:
            found = request[holder].get("format")
    return kind_of(found)


def _end_user(request: dict[str, Any]) -> Any:
    found = request.get("safety_identifier") or request.get("user")
    metadata = request.get("metadata")
    return found or (metadata.get("user_id") if type(metadata) is dict else None)


def _conversation(request: dict[str, Any]) -> Any:
    found = request.get("conversation")
    return found.get("id") if type(found) is dict else found


_READERS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], Any]]] = {
    "top_logprobs": (("top_logprobs", "logprobs"), _logprobs),
    "reasoning_effort": (("reasoning_effort", "reasoning", "output_config", "thinking"), _effort),
    "response_format": (("response_format", "text", "output_config"), _format),
    "tool_choice": (("tool_choice",), lambda q: text_of(q.get("tool_choice"))),
    "end_user_id": (("safety_identifier", "user", "metadata"), _end_user),
    "conversation_id": (("conversation",), _conversation),
}
