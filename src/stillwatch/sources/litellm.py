"""LiteLLM's StandardLoggingPayload, as its callbacks and loggers write it.

One JSON object a line, an array, or one object a file (`generic_api` formats ``ndjson``,
``json_array``, ``single``), read as of LiteLLM 1.106 (`litellm/types/utils.py`). Nothing is
required but an id, a start time, a model and an account.

The account is the key's user, else its team, else the hash of the key. A deployment that bills
by team or by key registers ``LiteLLM(account=("team", "key"))`` or ``LiteLLM(account=("key",))``.
``default_user_id`` is no user: the proxy writes it for every key that its administrator made, so
customers whose keys were made so would all be one account.

What LiteLLM redacted (``redacted-by-litellm``) is null here: were it text, every redacted request
would be the same request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.answers import Answer, answer_of
from stillwatch.sources.fields import client_of, first_of, kind_of, text_of, tool_names
from stillwatch.sources.json_rows import Records, read_records
from stillwatch.sources.json_text import canonical, parsed, parsed_object
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.litellm_status import outcome
from stillwatch.sources.outline import outline
from stillwatch.sources.parts import END_TIME, Part, admitted
from stillwatch.sources.source import Source

__all__ = ["LiteLLM"]

_REDACTED = "redacted-by-litellm"
_EMPTY: dict[str, Any] = {}
_SIGNS = frozenset({"startTime", "call_type"})
_NO_USER = frozenset({"default_user_id"})  # SpecialProxyStrings in litellm/proxy/_types.py
_ACCOUNT_KEYS = {
    "user": "user_api_key_user_id",
    "team": "user_api_key_team_id",
    "key": "user_api_key_hash",
}
_OPERATIONS = {
    "completion": "chat",
    "anthropic_messages": "chat",
    "responses": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "create_batch": "batch",
    "image_generation": "image",
}
_RESPONSE = frozenset({"choices", "content", "output"})
_JA4_HEADERS = ("x-ja4", "x-client-ja4", "ja4", "x-ja4-fingerprint")
_COLUMNS = frozenset(EXCHANGE.names) - {"origin", "country", "asn"}
_Payloads = list[dict[str, Any]]


class LiteLLM(Source):
    """Reads payloads column by column, about a thousand at a time."""

    name = "litellm"
    columns = _COLUMNS

    def __init__(self, account: tuple[str, ...] = ("user", "team", "key")) -> None:
        self._account = tuple(_ACCOUNT_KEYS[kind] for kind in account)

    def sniff(self, head: bytes, name: str) -> bool:
        return b'"request_id"' not in head and outline(head) >= _SIGNS

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return self.columns

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        def convert(records: Records) -> Part:
            columns = self.columns_of(records.objects) if records.objects else {}
            return Part(columns, records.lines, where, records.size)

        yield from admitted(map(convert, read_records(handle, where, ledger, Records)), ledger)

    def columns_of(self, rows: _Payloads) -> dict[str, Any]:
        """Return what payloads say, under the names of EXCHANGE."""
        meta = [parsed_object(row.get("metadata")) for row in rows]
        return {
            **self._who(rows, meta),
            **_what(rows),
            **_parameters([parsed_object(row.get("model_parameters")) for row in rows]),
            **_answer(rows),
            **_usage(rows, meta),
        }

    def _who(self, rows: _Payloads, meta: _Payloads) -> dict[str, list[Any]]:
        agents = [
            row.get("user_agent") or m.get("user_agent") for row, m in zip(rows, meta, strict=True)
        ]
        return {
            "account_id": self._accounts(meta),
            "key_id": [m.get("user_api_key_hash") for m in meta],
            "org_id": [m.get("user_api_key_org_id") for m in meta],
            "workspace_id": first_of(meta, ("user_api_key_team_id", "user_api_key_project_id")),
            "end_user_id": [
                row.get("end_user") or m.get("user_api_key_end_user_id")
                for row, m in zip(rows, meta, strict=True)
            ],
            "ip": [
                row.get("requester_ip_address") or m.get("requester_ip_address")
                for row, m in zip(rows, meta, strict=True)
            ],
            "user_agent": agents,
            "client": [client_of(agent) for agent in agents],
            "ja4": [_ja4(m.get("requester_custom_headers")) for m in meta],
        }

    def _accounts(self, meta: _Payloads) -> list[Any]:
        found = first_of(meta, self._account)
        for place, account in enumerate(found):
            if type(account) is str and account in _NO_USER:
                said = map(meta[place].get, self._account)
                found[place] = next((v for v in said if type(v) is str and v and
                                     v not in _NO_USER), None)  # fmt: skip
        return found


def _ja4(headers: Any) -> str | None:
    if type(headers) is not dict or not headers:
        return None
    lower = {key.lower(): value for key, value in headers.items()}
    found = (lower.get(name) for name in _JA4_HEADERS)
    return next((v for v in found if isinstance(v, str) and v), None)


def _what(rows: _Payloads) -> dict[str, list[Any]]:
    tags = [_tags(row.get("request_tags")) for row in rows]
    return {
        "exchange_id": [_id(row) for row in rows],
        "ts": [row.get("startTime") for row in rows],
        **_took(rows),
        "model": first_of(rows, ("model", "model_group")),
        "provider": [row.get("custom_llm_provider") for row in rows],
        "conversation_id": [row.get("session_id") for row in rows],
        "trace_id": [row.get("trace_id") for row in rows],
        "operation": [_operation(row.get("call_type")) for row in rows],
        "channel": ["gateway" if t and "gateway" in dict(t) else "api" for t in tags],
        "stream": [row.get("stream") for row in rows],
        "messages": [_readable(row.get("messages")) for row in rows],
        "cost_usd": [row.get("response_cost") for row in rows],
        "tags": tags,
    }


def _id(row: dict[str, Any]) -> Any:
    """Return the id; a failed call's ``str(None)`` is none, its call id stands in."""
    found = row.get("id")
    return found if found not in (None, "", "None") else row.get("litellm_call_id")


def _took(rows: _Payloads) -> dict[str, list[Any]]:
    if any(type(row.get("startTime")) is str for row in rows):  # older payloads: ISO 8601
        return {END_TIME: [row.get("endTime") for row in rows]}
    return {"latency_ms": [_latency(row) for row in rows]}


def _latency(row: dict[str, Any]) -> float | None:
    start, end = row.get("startTime"), row.get("endTime")
    if isinstance(start, (int, float)) and isinstance(end, (int, float)) and end >= start:
        return round((end - start) * 1e3, 3)
    return None


def _operation(call_type: Any) -> str | None:
    if not isinstance(call_type, str) or not call_type:
        return None
    if call_type in _OPERATIONS:
        return _OPERATIONS[call_type]
    plain = call_type.removeprefix("a") if call_type[1:] in _KNOWN_ASYNC else call_type
    return _OPERATIONS.get(plain, plain)


_KNOWN_ASYNC = frozenset(_OPERATIONS) | {
    "embedding",
    "moderation",
    "transcription",
    "speech",
    "rerank",
    "image_edit",
    "generate_content_stream",
}


def _tags(tags: Any) -> list[tuple[str, str]] | None:
    """Return request tags as a map: ``key:value`` split at its first colon, others to ""."""
    if type(tags) is not list or not tags:
        return None
    pairs = (tag.partition(":") for tag in tags if isinstance(tag, str))
    return sorted({key.strip(): value.strip() for key, _, value in pairs if key.strip()}.items())


def _readable(messages: Any) -> Any:
    """Return messages, or null where LiteLLM has redacted them or logged none."""
    if messages in ("", {}, [], None, _REDACTED):
        return None
    if type(messages) is str and messages[:2] == "[{":
        messages = parsed(messages)
    if type(messages) is list:
        first = messages[0]
        if type(first) is dict and first.get("content") == _REDACTED:
            return None
    elif type(messages) is dict and messages.get("text") == _REDACTED:
        return None
    return messages


def _parameters(params: _Payloads) -> dict[str, list[Any]]:
    tools = [p.get("tools") or p.get("functions") for p in params]
    return {
        "temperature": [p.get("temperature") for p in params],
        "top_p": [p.get("top_p") for p in params],
        "max_tokens": first_of(
            params, ("max_tokens", "max_completion_tokens", "max_output_tokens")
        ),
        "n": [p.get("n") for p in params],
        "seed": [p.get("seed") for p in params],
        "top_logprobs": [p.get("top_logprobs") for p in params],
        "reasoning_effort": [_effort(p) for p in params],
        "response_format": [kind_of(p.get("response_format")) for p in params],
        "tool_choice": [text_of(p.get("tool_choice")) for p in params],
        "tools": [tool_names(t) for t in tools],
        "tool_schema": [canonical(t) if t else None for t in tools],
    }


def _effort(params: dict[str, Any]) -> str | None:
    """Return the effort, else how Anthropic's thinking is switched."""
    effort = params.get("reasoning_effort")
    if isinstance(effort, dict):
        effort = effort.get("effort")
    if effort is None and isinstance(params.get("reasoning"), dict):
        effort = params["reasoning"].get("effort")
    if effort is None:
        effort = kind_of(params.get("thinking"))
    return text_of(effort)


def _answer(rows: _Payloads) -> dict[str, list[Any]]:
    answers = [_unredacted(answer_of(_said(row.get("response")))) for row in rows]
    outcomes = [outcome(row, a.finish, a.refused) for row, a in zip(rows, answers, strict=True)]
    return {
        "status": [status for status, _ in outcomes],
        "http_status": [code for _, code in outcomes],
        "finish_reason": [a.finish for a in answers],
        "output_text": [a.text for a in answers],
        "reasoning_text": [a.reasoning for a in answers],
        "reasoning_blob": [None if a.blob is None else a.blob.encode() for a in answers],
    }


def _said(response: Any) -> Any:
    """Return the response; of one that is JSON text, the object where it is a response."""
    if type(response) is str and response[:1] == "{":
        value = parsed(response)
        if type(value) is dict and not _RESPONSE.isdisjoint(value):
            return value
    return response


def _unredacted(answer: Answer) -> Answer:
    return Answer(finish=answer.finish) if answer.text == _REDACTED else answer


def _usage(rows: _Payloads, meta: _Payloads) -> dict[str, list[Any]]:
    """Read tokens; a failed call's zeros without a usage object mean "not known"."""
    usage = [parsed_object(m.get("usage_object")) for m in meta]
    prompt = [parsed_object(u.get("prompt_tokens_details")) for u in usage]
    answer = [parsed_object(u.get("completion_tokens_details")) for u in usage]
    known: Callable[[str], list[Any]] = lambda key: [  # noqa: E731
        row.get(key) or (u.get(key) if u else None) for row, u in zip(rows, usage, strict=True)
    ]
    return {
        "input_tokens": known("prompt_tokens"),
        "output_tokens": known("completion_tokens"),
        "reasoning_tokens": [a.get("reasoning_tokens") for a in answer],
        "cached_tokens": [
            p.get("cached_tokens") or u.get("cache_read_input_tokens") or p.get("cached_tokens")
            for p, u in zip(prompt, usage, strict=True)
        ],
    }
