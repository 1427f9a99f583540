"""Request and response bodies of the model APIs become columns, whatever record they are logged in.

Dialects: OpenAI chat completions, completions, responses and embeddings, and all that speak them;
Anthropic messages; Bedrock Converse, Gemini and older text models (`dialects`). Which one it is
shows in the keys; nothing has to be told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stillwatch.sources.answers import Answer, answer_of
from stillwatch.sources.dialects import plain_request, plain_response
from stillwatch.sources.fields import first_of, kind_of, text_of, tool_names
from stillwatch.sources.json_text import canonical
from stillwatch.sources.outcomes import outcome_of
from stillwatch.sources.streams import response_value
from stillwatch.sources.usage import tokens_of

__all__ = ["BODY_COLUMNS", "Call", "body_columns", "body_messages", "body_parameters"]

_EMPTY: dict[str, Any] = {}
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


class Call(NamedTuple):
    """One call: its bodies as logged, its HTTP code, its route, and an error logged beside them."""

    request: Any
    response: Any
    code: Any = None
    route: Any = None
    error: Any = None


def body_columns(calls: list[Call]) -> dict[str, list[Any]]:
    """Return what the bodies say, under the names of EXCHANGE, a value a call.

    ``ts`` is the response's own time: for OpenAI when it was made, in whole seconds; Anthropic
    has none. Whoever logs the request's start puts that in its place.
    """
    requests = [plain_request(c.request) if type(c.request) is dict else _EMPTY for c in calls]
    found = [_plain(response_value(c.response)) for c in calls]
    responses = [value if type(value) is dict else _EMPTY for value, _ in found]
    answers = [_answer(value) for value, _ in found]
    outcomes = [
        outcome_of(response, call.code, call.error, answer)
        for call, response, answer in zip(calls, responses, answers, strict=True)
    ]
    tokens = [tokens_of(r.get("usage")) for r in responses]
    asked = [r.get("stream") for r in requests]
    return {
        "exchange_id": [r.get("id") for r in responses],
        "ts": first_of(responses, ("created", "created_at")),
        "model": [
            q.get("model") or r.get("model") for q, r in zip(requests, responses, strict=True)
        ],
        "operation": [
            _operation(call.route, q, r)
            for call, q, r in zip(calls, requests, responses, strict=True)
        ],
        "stream": [
            flag if flag is not None else streamed or None
            for flag, (_, streamed) in zip(asked, found, strict=True)
        ],
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


def _plain(found: tuple[Any, bool]) -> tuple[Any, bool]:
    value, streamed = found
    return (plain_response(value) if type(value) is dict else value), streamed


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _answer(response: Any) -> Answer:
    """Return the answer; of a Responses API object that is cut short, why, as its end."""
    answer = answer_of(response)
    if type(response) is dict and type(response.get("incomplete_details")) is dict:
        reason = response["incomplete_details"].get("reason")
        if isinstance(reason, str):
            return answer._replace(finish=reason)
    return answer


def _operation(route: Any, request: dict[str, Any], response: dict[str, Any]) -> str | None:
    if type(route) is str:
        for part, operation in _ROUTES:
            if part in route:
                return operation
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
        requests, ("max_completion_tokens", "max_tokens", "max_output_tokens")
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
