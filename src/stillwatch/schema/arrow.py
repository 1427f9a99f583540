"""The Arrow types of every table that crosses a room (design section 4)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = [
    "ACCOUNT",
    "ACCOUNT_RESULT",
    "CONTEXT",
    "EXCHANGE",
    "KEY",
    "LINK",
    "MESSAGE",
    "ORGANIZATION",
    "OWNER",
    "PERMIT",
    "REQUIRED_EXCHANGE_COLUMNS",
    "RESPONSE",
    "SIGNAL",
    "TOPIC_BYTES",
    "packed",
]

_TS = pa.timestamp("us", tz="UTC")
MESSAGE = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])

TOPIC_BYTES = 64
REQUIRED_EXCHANGE_COLUMNS = ("exchange_id", "ts", "account_id", "model")

EXCHANGE = pa.schema(
    [
        pa.field("exchange_id", pa.string(), nullable=False),
        pa.field("ts", _TS, nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("provider", pa.string()),
        pa.field("org_id", pa.string()),
        pa.field("workspace_id", pa.string()),
        pa.field("key_id", pa.string()),
        pa.field("end_user_id", pa.string()),
        pa.field("conversation_id", pa.string()),
        pa.field("trace_id", pa.string()),
        pa.field("operation", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("client", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("stream", pa.bool_()),
        pa.field("temperature", pa.float32()),
        pa.field("top_p", pa.float32()),
        pa.field("max_tokens", pa.int64()),
        pa.field("n", pa.int32()),
        pa.field("seed", pa.int64()),
        pa.field("top_logprobs", pa.int32()),
        pa.field("reasoning_effort", pa.string()),
        pa.field("response_format", pa.string()),
        pa.field("tool_choice", pa.string()),
        pa.field("tools", pa.list_(pa.string())),
        pa.field("tool_schema", pa.string()),
        pa.field("messages", pa.list_(MESSAGE)),
        pa.field("status", pa.string()),
        pa.field("http_status", pa.int16()),
        pa.field("finish_reason", pa.string()),
        pa.field("output_text", pa.string()),
        pa.field("reasoning_text", pa.string()),
        pa.field("reasoning_blob", pa.binary()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cached_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("latency_ms", pa.float64()),
        pa.field("ip", pa.string()),
        pa.field("country", pa.string()),
        pa.field("asn", pa.int64()),
        pa.field("ja4", pa.string()),
        pa.field("tags", pa.map_(pa.string(), pa.string())),
    ]
)

ACCOUNT = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("org_id", pa.string()),
        pa.field("created_at", _TS),
        pa.field("closed_at", _TS),
        pa.field("closed_reason", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("rate_limit_rpm", pa.int64()),
        pa.field("segment", pa.string()),
        pa.field("email_domain", pa.string()),
        pa.field("email_hash", pa.string()),
        pa.field("phone_hash", pa.string()),
        pa.field("payment_hash", pa.string()),
        pa.field("payment_country", pa.string()),
        pa.field("billing_country", pa.string()),
        pa.field("device_hash", pa.string()),
        pa.field("signup_ip", pa.string()),
        pa.field("kyc_level", pa.string()),
        pa.field("declared_use", pa.string()),
        pa.field("owner_entity_id", pa.string()),
        pa.field("valid_from", _TS),
        pa.field("valid_to", _TS),
    ]
)

# Whose a key was, and from when to when.
KEY = pa.schema(
    [
        pa.field("key_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string()),
        pa.field("org_id", pa.string()),
        pa.field("workspace_id", pa.string()),
        pa.field("valid_from", _TS),
        pa.field("valid_to", _TS),
    ]
)

# What accounts belong to. What an account's own row leaves empty, its organization's row tells;
# those from created_at to signup_ip are of its sign-up, for which an only account stands.
ORGANIZATION = pa.schema(
    [
        pa.field("org_id", pa.string(), nullable=False),
        pa.field("closed_at", _TS),
        pa.field("closed_reason", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("payment_hash", pa.string()),
        pa.field("owner_entity_id", pa.string()),
        pa.field("created_at", _TS),
        pa.field("email_hash", pa.string()),
        pa.field("phone_hash", pa.string()),
        pa.field("device_hash", pa.string()),
        pa.field("signup_ip", pa.string()),
        pa.field("valid_from", _TS),
        pa.field("valid_to", _TS),
    ]
)

PERMIT = pa.schema(
    [
        pa.field("permit_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string()),
        pa.field("org_id", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("methods", pa.list_(pa.string())),
        pa.field("models", pa.list_(pa.string())),
        pa.field("max_output_tokens_per_day", pa.int64()),
        pa.field("valid_from", _TS),
        pa.field("valid_until", _TS),
        pa.field("granted_by", pa.string()),
        pa.field("reference", pa.string()),
    ]
)

OWNER = pa.schema(
    [
        pa.field("owner_entity_id", pa.string(), nullable=False),
        pa.field("access", pa.string(), nullable=False),
        pa.field("as_of", _TS),
        pa.field("policy", pa.string()),
        pa.field("rules", pa.string()),
        pa.field("citation", pa.string()),
        pa.field("proof", pa.string()),
    ]
)

# What explains an account's traffic and counts neither for nor against it.
CONTEXT = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("exchanges", pa.int64()),
    ]
)

ACCOUNT_RESULT = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("org_id", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("exchanges", pa.int64()),
        pa.field("standing", pa.string()),
        pa.field("access", pa.string()),
        pa.field("campaign_id", pa.string()),
        pa.field("role", pa.string()),
        pa.field("p_value", pa.float64()),
        pa.field("e_value", pa.float64()),
        pa.field("q_value", pa.float64()),
        pa.field("top_signals", pa.list_(pa.string())),
    ]
)

SIGNAL = pa.schema(
    [
        pa.field("subject_kind", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("window_start", _TS),
        pa.field("window_end", _TS),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("statistic", pa.float64()),
        pa.field("p_value", pa.float64()),
        pa.field("null", pa.string()),
        pa.field("n", pa.int64()),
    ]
)

LINK = pa.schema(
    [
        pa.field("a", pa.string(), nullable=False),
        pa.field("b", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("llr", pa.float64()),
        pa.field("count", pa.int64()),
        pa.field("first_seen", _TS),
    ]
)

RASTER = pa.schema(
    [
        pa.field("campaign_id", pa.string(), nullable=False),
        pa.field("row", pa.int32()),
        pa.field("subject", pa.string()),
        pa.field("ts", _TS),
        pa.field("status", pa.string()),
        pa.field("model", pa.string()),
        pa.field("core", pa.bool_()),
    ]
)

CLOCK = pa.schema(
    [
        pa.field("campaign_id", pa.string(), nullable=False),
        pa.field("hour", pa.int32()),
        pa.field("campaign_share", pa.float64()),
        pa.field("segment_low", pa.float64()),
        pa.field("segment_mid", pa.float64()),
        pa.field("segment_high", pa.float64()),
    ]
)

COVERAGE = pa.schema(
    [
        pa.field("campaign_id", pa.string(), nullable=False),
        pa.field("requests", pa.int64()),
        pa.field("campaign_topics", pa.float64()),
        pa.field("segment_low", pa.float64()),
        pa.field("segment_mid", pa.float64()),
        pa.field("segment_high", pa.float64()),
    ]
)

VOLUME = pa.schema(
    [
        pa.field("day", _TS),
        pa.field("model", pa.string()),
        pa.field("campaign_id", pa.string()),
        pa.field("requests", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("accounts", pa.int64()),
    ]
)


def packed(column: pa.ChunkedArray) -> np.ndarray:
    """Return the bytes of a binary column without nulls, one row after another, as int8.

    Nothing is copied where the column is one chunk.
    """
    parts = [_packed(chunk) for chunk in column.chunks if len(chunk)]
    if not parts:
        return np.zeros(0, dtype=np.int8)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _packed(chunk: pa.Array) -> np.ndarray:
    chunk = chunk.cast(pa.large_binary())
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[[chunk.offset, chunk.offset + len(chunk)]]
    return np.frombuffer(data or b"", dtype=np.int8)[ends[0] : ends[1]]


TOKEN_LOGPROB = pa.struct([pa.field("token", pa.string()), pa.field("logprob", pa.float32())])

# Saved answers of one or more models: what `prove collect` writes and every test of `prove` reads.
RESPONSE = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("suite", pa.string()),
        pa.field("sample", pa.int32()),
        pa.field("system", pa.string()),
        pa.field("temperature", pa.float32()),
        pa.field("top_p", pa.float32()),
        pa.field("max_tokens", pa.int64()),
        pa.field("finish_reason", pa.string()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("asked_at", _TS),
        pa.field("logprobs", pa.list_(TOKEN_LOGPROB)),
    ]
)
