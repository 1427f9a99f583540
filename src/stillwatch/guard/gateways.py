"""What single gateways want to hear: statuses and headers, LiteLLM's guardrail answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stillwatch.guard.bodies import BadBody, columns_of_call, identifier, named
from stillwatch.guard.decision import Decision
from stillwatch.guard.request import Origin, Request, request_of
from stillwatch.kernel import one
from stillwatch.policy import Ladder

__all__ = [
    "GUARDRAIL_PATHS",
    "REFUSES",
    "GuardrailCall",
    "authz_headers",
    "authz_status",
    "forwarded",
    "guardrail_account",
    "guardrail_answer",
    "guardrail_call",
    "refusal_error",
    "refusal_text",
]

# A deployment that bills by key or team has no user on the key; the same order as the log's reader.
_ACCOUNT_FIELDS: Final = ("user_api_key_user_id", "user_api_key_team_id", "user_api_key_hash")
_DATA_FIELDS: Final = (*_ACCOUNT_FIELDS, "user_api_key_end_user_id", "user_api_key_org_id")
# Where a body says who asks, for one that is too long to be read.
GUARDRAIL_PATHS: Final = (
    ("input_type",), ("model",), *(("request_data", name) for name in _DATA_FIELDS)
)  # fmt: skip
_PRESENT: Final = "[present]"  # LiteLLM's stand-in for a header that is not passed on
REFUSES: Final = {"deny": 403, "step_up": 403, "throttle": 429}


def authz_status(decision: Decision, *, auth_request: bool) -> int:
    """Return 200, 403 or 429. nginx' auth_request turns all but 2xx, 401 and 403 into an error
    500, so that it gets 403 for *throttle* too and reads the header."""
    status = REFUSES.get(decision.verdict, 200)
    return 403 if auth_request and status == 429 else status


def authz_headers(
    decision: Decision, ladder: Ladder, *, auth_request: bool = False
) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell a gateway and its upstream what was decided.

    nginx' auth_request drops the body of a refusal: what the user may read is in a header for it,
    escaped so that it stands between the quotes of a JSON text.
    """
    headers = [
        (b"x-stillwatch-verdict", decision.verdict.encode()),
        (b"x-stillwatch-would", decision.would.encode()),
        (b"x-stillwatch-decision", decision.decision_id.encode("latin-1", "replace")),
        (b"cache-control", b"no-store"),
    ]
    if decision.mode == "fail":
        headers.append((b"x-stillwatch-mode", b"fail"))
    if decision.verdict == "throttle":
        headers.append((b"retry-after", b"%d" % max(1, decision.retry_after_s)))
    if decision.verdict == "step_up" and ladder.step_up_url:
        headers.append((b"x-stillwatch-step-up", ladder.step_up_url.encode("latin-1", "replace")))
    if decision.verdict in REFUSES and ladder.appeal_to:
        headers.append((b"x-stillwatch-appeal", ladder.appeal_to.encode("latin-1", "replace")))
    if decision.verdict == "summarize" and not ladder.silent_alteration:
        headers.append((b"x-stillwatch-disclose", b"true"))
    if auth_request and decision.verdict in REFUSES:
        told = json.dumps(refusal_text(decision, ladder))[1:-1]
        headers.append((b"x-stillwatch-message", told.encode("ascii")))
    return headers


def forwarded(value: str | None, trusted_hops: int) -> str | None:
    """Return the caller's address in an ``x-forwarded-for``, None where there is none.

    Each proxy adds at the end the address that it was called from, and the caller may begin the
    list with what it likes. The last is the gateway's own word; ``trusted_hops`` proxies of one's
    own before it added the ones at the end.

    >>> forwarded("198.51.100.1, 192.0.2.7", 0), forwarded("198.51.100.1, 192.0.2.7, 10.0.0.1", 1)
    ('192.0.2.7', '192.0.2.7')
    """
    parts = [part.strip() for part in (value or "").split(",")]
    return parts[max(0, len(parts) - 1 - trusted_hops)] or None


class GuardrailCall(NamedTuple):
    """A call in a body of LiteLLM's guardrail; ``exchange``: its text in canonical columns, with
    that text's ``prefix_full``."""

    request: Request
    exchange: dict[str, Any]
    prefix_full: int


def guardrail_call(value: Any, now_us: int, trusted_hops: int = 0) -> GuardrailCall | None:
    """Return the call in a body of LiteLLM's generic guardrail API, None for a response's.

    LiteLLM 1.106: `structured_messages` are OpenAI's; `request_headers` hold "[present]" for all
    that the deployment does not list in `extra_headers`. Raises BadBody.
    """
    if not isinstance(value, dict):
        raise BadBody("the body must be an object")
    if value.get("input_type") == "response":
        return None
    account = guardrail_account(value)
    if account is None:
        return None
    data = value["request_data"]
    headers = value.get("request_headers")
    of = _header_reader(headers if isinstance(headers, dict) else {})
    address = forwarded(of("x-forwarded-for"), trusted_hops)
    origin = Origin(
        now_us, identifier(account, "the account"), named(data.get("user_api_key_end_user_id")),
        named(data.get("user_api_key_org_id")), named(value.get("model")) or "", None,
        address, of("x-ja4"), of("user-agent"),
    )  # fmt: skip
    exchange = _guardrail_columns(value)
    features = one(exchange, with_intents=False)
    return GuardrailCall(request_of(origin, features), exchange, features.prefix_full)


def guardrail_account(value: Mapping[str, Any]) -> str | None:
    """Return whose key a body of the guardrail's speaks of."""
    data = value.get("request_data")
    found = map(data.get, _ACCOUNT_FIELDS) if isinstance(data, dict) else ()
    return next((v for v in found if isinstance(v, str) and v), None)


def _guardrail_columns(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical columns of the call in a body of the guardrail's; none where it cannot
    be read, since the account is judged all the same."""
    messages = value.get("structured_messages")
    if not isinstance(messages, list) or not messages:
        texts = value.get("texts")
        texts = texts if isinstance(texts, list) else []
        messages = [{"role": "user", "content": t} for t in texts if isinstance(t, str)]
    tools = value.get("tools")
    try:
        return columns_of_call(
            {"messages": messages, "tools": tools if isinstance(tools, list) else None}
        )
    except BadBody:
        return {}


def guardrail_answer(decision: Decision, ladder: Ladder) -> dict[str, Any]:
    """Return NONE, or BLOCKED with a reason that the caller's user may read."""
    if decision.verdict not in REFUSES:
        return {"action": "NONE"}
    return {"action": "BLOCKED", "blocked_reason": refusal_text(decision, ladder)}


def refusal_error(decision: Decision, ladder: Ladder) -> dict[str, Any]:
    """Return a refusal in the form of an OpenAI error, which clients of that API show."""
    text = refusal_text(decision, ladder)
    if decision.mode == "fail":  # nothing was decided of the account, and an error may pass
        return {"error": {"message": text, "type": "api_error", "code": "unchecked"}}
    kind = "rate_limit_error" if decision.verdict == "throttle" else "permission_error"
    return {"error": {"message": text, "type": kind, "code": decision.verdict}}


def refusal_text(decision: Decision, ladder: Ladder) -> str:
    """Return what the caller's user may read: what was done, by which kind of rule, how to object
    and by what reference; no evidence. Where the guard failed and its route fails closed, nothing
    is said of the account."""
    if decision.mode == "fail":
        why = "The request could not be checked. Try again later."
        return f"{why} Reference {decision.decision_id}."
    owned = decision.level == "access"
    reason = {
        "deny": "By a rule on who owns it, this account may not use the model."
        if owned
        else "This account may not use the model.",
        "step_up": f"Verify {'who owns the account' if owned else 'your identity'} first. "
        f"{ladder.step_up_url}".strip(),
        "throttle": f"Too many requests. Try again in {max(1, decision.retry_after_s)} s.",
    }[decision.verdict]
    if ladder.appeal_to:
        reason += f" To object: {ladder.appeal_to}."
    return f"{reason} Reference {decision.decision_id}."


def _header_reader(headers: Mapping[Any, Any]) -> Any:
    lower = {str(k).lower(): v for k, v in headers.items()}

    def of(name: str) -> str | None:
        value = lower.get(name)
        return value[:512] if isinstance(value, str) and value and value != _PRESENT else None

    return of
