"""JSON bodies → requests: the contract's own, and those of the model APIs that gateways pass on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from stillwatch.errors import ConfigError
from stillwatch.guard.reasoning import OUTCOMES
from stillwatch.guard.request import NO_BANDS, Origin, Request, request_of_text, response_hash
from stillwatch.kernel import client_hash, one, prefix_hash, turn_of
from stillwatch.schema import STATUSES, parse_time, to_micros
from stillwatch.schema.message import blob_of, canonical, message_text
from stillwatch.schema.snapshot import SLOTS

__all__ = [
    "BadBody",
    "BadName",
    "Ending",
    "columns_of_call",
    "ending_of",
    "identifier",
    "moment_or_0",
    "named",
    "parse",
    "request_of_body",
]

_SLOT_NAMES: Final = tuple("system" if side == "system" else f"{side}_{n}" for side, n in SLOTS)
_BAND_NAMES: Final = tuple(f"band_{k}" for k in range(8))
_MOST: Final = 1 << 64
_TEXT_KEYS: Final = ("messages", "system", "prompt", "input", "tools")
_LINKS: Final = ("payment", "device", "phone", "email")
_LONGEST_ID: Final = 512
_US_2200: Final = 7_258_118_400_000_000
_OFF_US: Final = 300_000_000  # so far a gateway's clock may be from the guard's


class BadBody(ValueError):
    """The body is not what the contract asks for; the message names a field, never its content."""


class BadName(BadBody):
    """An account's identifier is too long to be one; cut, it would be another account's."""


class Ending(NamedTuple):
    """How a request ended, as ``Guard.observe`` takes it.

    ``summarized``: one of `OUTCOMES` where the call was to be summarized, else empty;
    ``decision_id``: the decision that it was so by.
    """

    status: str
    output_tokens: int
    prefix_full: int
    h_blob: int
    verified: bool
    h_response: int
    turn: tuple[int, ...]
    summarized: str
    decision_id: str


def parse(data: bytes) -> Any:
    """Return the value of a JSON body. Raises BadBody."""
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError):
        raise BadBody("the body is not JSON") from None


def request_of_body(value: Any, now_us: int, *, inline: bool = False) -> Request:
    """Return the request of a contract body: hashes in ``hashes``, or text in ``messages`` & co.

    ``now_us`` stands in for a missing ``ts``, and bounds it: no more than five minutes ahead, and
    of a request that waits for its answer (``inline``) no more behind. A gateway whose clock is
    hours late would turn a campaign's budget back with every burst of requests. Raises BadBody.
    """
    if type(value) is not dict:
        raise BadBody("the body must be an object")
    get = value.get
    account = get("account_id")
    if type(account) is not str or not account:
        raise BadBody("account_id must be a text")
    ts_us = _time(get("ts"), now_us)
    if inline and ts_us < now_us - _OFF_US:
        ts_us = now_us - _OFF_US
    hashes = get("hashes")
    if hashes is None:
        if any(value.get(key) is not None for key in _TEXT_KEYS):
            return request_of_text(_origin(value, ts_us, account), columns_of_call(value))
        hashes = {}
    elif type(hashes) is not dict:
        raise BadBody("hashes must be an object")
    if not hashes.keys() <= _HASH_NAMES:
        raise BadBody("hashes holds a name that is not of the contract")
    hashed = {k: v if type(v) is int and 0 <= v < _MOST else _hash(v, k) for k, v in hashes.items()}
    of = hashed.get
    tokens = get("user_tokens", 0)
    if type(tokens) is not int or tokens < 0:
        raise BadBody("user_tokens must be a whole number")
    links = _links(get("links"))
    return Request(
        ts_us, identifier(account, "account_id"), _text(get("end_user_id"), "end_user_id"),
        _text(get("org_id"), "org_id"), _text(get("model"), "model") or "",
        _text(get("plan"), "plan"),
        tuple([of(name, 0) for name in _SLOT_NAMES]),  # a list first: a third faster
        tuple([of(name, 0) for name in _BAND_NAMES]) if tokens >= 12 else NO_BANDS,
        of("prefix") or prefix_hash(_text(get("ip"), "ip")),
        of("client")
        or client_hash(_text(get("ja4"), "ja4"), _text(get("user_agent"), "user_agent")),
        of("payload", 0), tokens, of("prefix_before_last_user", 0), of("blob", 0), links,
        _time(get("account_created_at"), now_us, missing=0),
        response_hash(get("previous_response_id")),
    )  # fmt: skip


_HASH_NAMES: Final = {
    *_SLOT_NAMES, *_BAND_NAMES, "prefix", "client", "payload", "prefix_before_last_user", "blob",
    "prefix_full",
}  # fmt: skip


def ending_of(value: Any) -> Ending:
    """Return how a request ended, from an observe body. Raises BadBody."""
    status = value.get("status", "ok")
    if status not in STATUSES:
        raise BadBody(f"status must be one of {', '.join(STATUSES)}")
    tokens = value.get("output_tokens", 0)
    if type(tokens) is not int or not 0 <= tokens < _MOST:
        raise BadBody("output_tokens must be a whole number")
    hashes = value.get("hashes") or {}
    prefix = _hash(hashes.get("prefix_full", 0), "prefix_full")
    blob = _hash(hashes.get("blob", 0), "blob")
    output = _text(value.get("output_text"), "output_text", 1 << 30)
    h_response = response_hash(value.get("response_id"))
    turn: tuple[int, ...] = ()
    if not hashes and any(value.get(key) is not None for key in _TEXT_KEYS):
        call = columns_of_call(value) | {
            "output_text": output,
            "reasoning_blob": _text(value.get("reasoning_blob"), "reasoning_blob", 1 << 30),
        }
        features = one(call, with_intents=False)
        prefix, blob = features.prefix_full, features.h_blob
        if h_response or response_hash(value.get("previous_response_id")):
            turn = turn_of(call)
    verified = value.get("step_up") == "passed"
    summarized = value.get("summarized", "")
    if summarized and summarized not in OUTCOMES:
        raise BadBody(f"summarized must be one of {', '.join(OUTCOMES)}")
    decision = _text(value.get("decision_id"), "decision_id") or ""
    return Ending(status, tokens, prefix, blob, verified, h_response, turn, summarized, decision)


def columns_of_call(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical columns of a model call's body, OpenAI's or Anthropic's.

    Texts are what `stillwatch.sources` makes of the same call in a log, so that hashes agree. The
    blob is the last opaque reasoning block that the call sends back; of the Responses API beside
    them the response that the call goes on from. Raises BadBody.
    """
    messages: list[dict[str, str]] = []
    given = body.get("messages", body.get("input", body.get("prompt")))
    if body.get("system") not in (None, "", []):
        messages.append({"role": "system", "content": _content({"content": body["system"]})})
    if body.get("instructions") not in (None, ""):
        messages.append({"role": "system", "content": _content({"content": body["instructions"]})})
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    elif isinstance(given, list):
        for message in given:
            if isinstance(message, dict):
                role = message.get("role")
                text = _content(message)
                messages.append({"role": role if isinstance(role, str) else "", "content": text})
            else:
                messages.append({"role": "user", "content": _content({"content": message})})
    elif given is not None:
        raise BadBody("messages must be a list")
    tools = body.get("tools") or body.get("functions")
    blob = _last_blob(given if isinstance(given, list) else [])
    return {
        "messages": messages,
        "tool_schema": canonical(tools) if tools else None,
        "reasoning_blob": blob,
        "previous_response_id": body.get("previous_response_id"),
    }


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if type(content) is str and len(message) <= 2:
        return content
    try:
        return message_text(dict(message))
    except RecursionError:
        raise BadBody("messages are nested too deeply") from None


def _last_blob(messages: list[Any]) -> str | None:
    found: str | None = None
    for message in messages:
        if not isinstance(message, dict):
            continue
        blocks = message.get("thinking_blocks") or message.get("content")
        for block in blocks if isinstance(blocks, list) else [message]:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind in ("thinking", "redacted_thinking", "reasoning"):
                found = blob_of(block) or found
    return found


def _origin(value: Mapping[str, Any], ts_us: int, account: str) -> Origin:
    return Origin(
        ts_us, identifier(account, "account_id"), _text(value.get("end_user_id"), "end_user_id"),
        _text(value.get("org_id"), "org_id"), _text(value.get("model"), "model") or "",
        _text(value.get("plan"), "plan"), _text(value.get("ip"), "ip"),
        _text(value.get("ja4"), "ja4"), _text(value.get("user_agent"), "user_agent"),
        _links(value.get("links")), _time(value.get("account_created_at"), ts_us, missing=0),
    )  # fmt: skip


def moment_or_0(value: Any, now_us: int) -> int:
    """Return a time in µs; 0 where there is none, or one that cannot be read."""
    try:
        return _time(value, now_us, missing=0)
    except BadBody:
        return 0


def _time(value: Any, now_us: int, missing: int | None = None) -> int:
    if value is None:
        return now_us if missing is None else missing
    if type(value) is int and 0 <= value < _US_2200:
        moment = value
    elif type(value) is str and len(value) < 64:
        try:
            moment = to_micros(parse_time(value.replace("Z", "+00:00")))
        except (ConfigError, OverflowError) as error:
            raise BadBody("a time is not ISO 8601") from error
    else:
        raise BadBody("a time must be ISO 8601, or microseconds since 1970")
    return min(max(moment, 0), now_us + _OFF_US)


def _hash(value: Any, name: str) -> int:
    if type(value) is int and 0 <= value < _MOST:
        return value
    if type(value) is str and 0 < len(value) <= 18:
        try:
            number = int(value, 16)
        except ValueError:
            number = -1
        if 0 <= number < _MOST:
            return number
    raise BadBody(f"{name} must be a 64-bit number or its hexadecimal digits")


def _links(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if type(value) is not dict or not value.keys() <= set(_LINKS):
        raise BadBody(f"links must be an object with {', '.join(_LINKS)}")
    return {k: _text(v, "links") or "" for k, v in value.items() if v}


def _text(value: Any, name: str, longest: int = _LONGEST_ID) -> str | None:
    if value is None:
        return None
    if type(value) is not str or len(value) > longest:
        raise BadBody(f"{name} must be a text of at most {longest} characters")
    return value


def named(value: Any) -> str | None:
    """Return an identifier that may be missing; one that is too long is, as cut it is another's."""
    return value if type(value) is str and 0 < len(value) <= _LONGEST_ID else None


def identifier(value: str, name: str) -> str:
    """Return an identifier of at most 512 characters. Raises BadName: it is longer."""
    if len(value) > _LONGEST_ID:
        raise BadName(f"{name} must be a text of at most {_LONGEST_ID} characters")
    return value
