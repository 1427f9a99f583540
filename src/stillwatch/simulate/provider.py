"""The provider answers a request or fails it, counts tokens and cost, and logs one row."""

from __future__ import annotations

from typing import Final, NamedTuple

from stillwatch.simulate.dice import Dice
from stillwatch.simulate.identity import Account, Client
from stillwatch.simulate.lexicon import lexicon
from stillwatch.simulate.network import Exit
from stillwatch.simulate.sink import Row

__all__ = ["MODELS", "Call", "Message", "draw_status", "log_row"]

Message = tuple[str, str]
# model → (USD per million input tokens, per million output tokens, reasons, ms per output token)
MODELS: Final[dict[str, tuple[float, float, bool, float]]] = {
    "lumen-4-mini": (0.3, 1.2, False, 5.0),
    "lumen-4": (2.5, 10.0, False, 12.0),
    "lumen-4-reason": (3.0, 15.0, True, 14.0),
    "lumen-5": (3.5, 16.0, True, 13.0),
}
_HTTP: Final = {
    "rate_limited": 429,
    "server_error": 500,
    "client_error": 400,
    "denied": 403,
}
# cumulative share of requests that end so
_FAILURES: Final = (
    (0.0070, "rate_limited"),
    (0.0125, "server_error"),
    (0.0165, "client_error"),
    (0.0225, "refused"),
    (0.0250, "filtered"),
)


class Call(NamedTuple):
    """What a caller sets on a request beside messages; None and "" take the account's own."""

    lang: str = ""
    exit_: Exit | None = None
    client: Client | None = None
    conversation_id: str | None = None
    end_user_id: str | None = None
    trace_id: str | None = None
    channel: str = ""
    tools: list[str] | None = None
    tool_schema: str | None = None
    response_format: str | None = None


DEFAULT: Final = Call()


def draw_status(dice: Dice, account: Account, ts: int) -> str:
    """Return "denied" on a closed account, else "ok" or, in 2.5 % of requests, a failure."""
    if account.closed_at is not None and ts >= account.closed_at:
        return "denied"
    u = dice.u()
    return "ok" if u >= 0.025 else next(s for top, s in _FAILURES if u < top)


def log_row(
    dice: Dice,
    account: Account,
    model: str,
    ts: int,
    messages: list[Message],
    answer: str,
    status: str,
    call: Call,
    blob: bytes | None,
) -> Row:
    """Return the log row, its values in the order of the EXCHANGE schema."""
    ok = status == "ok"
    price_in, price_out, reasons, ms = MODELS[model]
    per = lexicon(call.lang or account.lang).token_chars
    tokens_in = 4 + int(sum([len(m[1]) for m in messages]) / per)
    if call.tool_schema:
        tokens_in += len(call.tool_schema) // 4
    tokens_out = max(1, int(len(answer) / per)) if ok else 0
    if account.max_tokens is not None and tokens_out > account.max_tokens:
        tokens_out = account.max_tokens
    tokens_think = int(dice.expo(180)) if reasons and ok else 0
    if not (reasons and ok):
        blob = None
    elif blob is None and dice.u() < 0.7:
        blob = dice.rng.bytes(48 + int(dice.u() * 60))
    exit_ = call.exit_ or dice.pick(account.exits)
    client = call.client or dice.pick(account.clients)
    tools = call.tools
    latency = 220.0 + tokens_out * ms + dice.expo(300) if ok else dice.expo(90)
    return (
        "ex_" + dice.rng.bytes(9).hex(),
        ts,
        account.account_id,
        model,
        "lumen",
        account.org_id,
        account.workspace_id,
        account.key_id,
        call.end_user_id,
        call.conversation_id,
        call.trace_id,
        "chat",
        call.channel or account.channel,
        client.name,
        client.user_agent,
        account.origin,
        account.stream,
        account.temperature,
        account.top_p,
        account.max_tokens,
        None,
        account.sampling_seed,
        account.top_logprobs,
        account.effort if reasons else None,
        call.response_format,
        "auto" if tools else None,
        tools,
        call.tool_schema,
        messages,
        status,
        _HTTP.get(status, 200),
        ("tool_use" if tools and dice.u() < 0.6 else "stop") if ok else None,
        answer if ok else None,
        None,
        blob,
        tokens_in,
        tokens_out,
        tokens_think,
        int(tokens_in * 0.6) if len(messages) > 3 and dice.u() < 0.5 else 0,
        round((tokens_in * price_in + (tokens_out + tokens_think) * price_out) / 1e6, 8),
        round(latency, 1),
        exit_.ip,
        exit_.country,
        exit_.asn,
        client.ja4,
        account.tags,
    )
