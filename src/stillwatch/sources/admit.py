"""The gate every batch passes: columns in canonical types, rows that are fit, the rest entered.

A row is refused when, in this order:

1. a required column is null or empty, or its time is no time;
2. its time lies before 2015, or more than a day after the ledger's ``now``;
3. a value cannot be read as its column's type;
4. a token count is negative.

Not refused: what the client itself chose. Were a nonsensical parameter enough to drop a row, an
adversary could leave the log by sending one; such a value becomes null and is counted. Nor what
was added to the request afterwards (network, country, duration): a row is worth more than
these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema import STATUSES
from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.coerce import Mask, coerce, coerce_values
from stillwatch.sources.instants import EARLIEST_US
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.messages import Messages

__all__ = ["ADDED", "CLIENT_CHOSEN", "admit", "status_of_code", "status_word"]

CLIENT_CHOSEN = frozenset(
    {
        "end_user_id",
        "conversation_id",
        "trace_id",
        "client",
        "user_agent",
        "origin",
        "stream",
        "temperature",
        "top_p",
        "max_tokens",
        "n",
        "seed",
        "top_logprobs",
        "reasoning_effort",
        "response_format",
        "tool_choice",
        "tools",
        "tool_schema",
        "messages",
        "ja4",
        "tags",
    }
)
ADDED = frozenset({"country", "asn", "latency_ms"})
_TOKENS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
_LIMITS = ("max_tokens", "n", "top_logprobs")
_KEEP_EMPTY = frozenset({"output_text", "reasoning_text"})

_STATUS_WORDS = {
    **{word: word for word in STATUSES},
    **dict.fromkeys(("success", "succeeded", "successful", "completed", "true"), "ok"),
    **dict.fromkeys(("refusal",), "refused"),
    **dict.fromkeys(("content_filter", "content_filtered", "blocked", "guardrail"), "filtered"),
    **dict.fromkeys(("ratelimited", "rate_limit", "throttled", "rate_limit_error"), "rate_limited"),
    **dict.fromkeys(("forbidden", "unauthorized", "permission_denied"), "denied"),
    **dict.fromkeys(("invalid_request", "bad_request", "invalid_request_error"), "client_error"),
    **dict.fromkeys(
        ("failure", "failed", "error", "false", "timeout", "internal_error"), "server_error"
    ),
}


def status_of_code(code: int) -> str | None:
    """Return the status of an HTTP status code, or None where it is no final one."""
    if 200 <= code < 400:
        return "ok"
    if code == 429:
        return "rate_limited"
    if code in (401, 403):
        return "denied"
    if 400 <= code < 500:
        return "client_error"
    return "server_error" if 500 <= code < 600 else None


def status_word(word: str) -> str | None:
    """Return the canonical status of a word or code that gateways use; None if unknown."""
    word = word.strip().lower().replace(" ", "_").replace("-", "_")
    if word.isdecimal() and len(word) == 3:
        return status_of_code(int(word))
    return _STATUS_WORDS.get(word)


class _Gate:
    """Which rows of one batch are still alive; each refused row has one reason, the first."""

    def __init__(
        self, lines: np.ndarray[Any, Any], where: str | Sequence[str], ledger: Ledger
    ) -> None:
        self.lines, self.where, self.ledger = lines, where, ledger
        self.alive = np.ones(len(lines), bool)

    def refuse(self, mask: Mask | None, reason: str, field: str) -> None:
        if mask is None:
            return
        fresh = mask & self.alive
        for row in np.flatnonzero(fresh):
            where = self.where if isinstance(self.where, str) else self.where[int(row)]
            self.ledger.reject(where, self.lines[row], reason, field)
        self.alive &= ~fresh


def admit(
    columns: Mapping[str, pa.Array | list[Any] | Messages],
    lines: np.ndarray[Any, Any],
    where: str | Sequence[str],
    ledger: Ledger,
) -> pa.RecordBatch:
    """Return the fit rows of a batch in canonical types; enter the others in the ledger.

    ``columns`` hold Arrow arrays of any type, lists of Python values, or messages, one a row, under
    the names of EXCHANGE; ``lines`` is each row's place in the file ``where``, of all rows or each.
    """
    gate = _Gate(lines, where, ledger)
    out: dict[str, pa.Array] = {}
    unfit: list[tuple[Mask | None, str]] = []
    for field in EXCHANGE:
        if field.name not in columns:
            continue
        raw = columns[field.name]
        array, bad = _converted(raw, field, ledger)
        out[field.name] = _without_empty(array, field.name)
        if bad is not None and field.name in CLIENT_CHOSEN | ADDED:
            ledger.coerced[f"{field.name}: unreadable, set to null"] += int(bad.sum())
        elif bad is not None:
            unfit.append((bad, field.name))
    _refuse_incomplete(out, gate)
    for bad, name in unfit:
        gate.refuse(bad, "wrong type", name)
    _refuse_negative(out, gate)
    _normalise_status(out, ledger)
    ledger.rows_read += len(lines)
    batch = pa.RecordBatch.from_arrays(
        list(out.values()), schema=pa.schema([EXCHANGE.field(name) for name in out])
    )
    if not gate.alive.all():
        batch = batch.filter(pa.array(gate.alive))
    ledger.rows_accepted += batch.num_rows
    return batch


def _converted(raw: Any, field: pa.Field, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    if isinstance(raw, Messages):
        return raw.array(), None
    convert = coerce_values if isinstance(raw, list) else coerce
    return convert(raw, field, ledger)


def _without_empty(array: pa.Array, name: str) -> pa.Array:
    """Return the strings with "" as null: an empty identifier must not join its carriers."""
    if not pa.types.is_string(array.type) or name in _KEEP_EMPTY:
        return array
    empty = pc.equal(array, "")
    return pc.if_else(empty, None, array) if pc.any(empty).as_py() else array


def _refuse_incomplete(out: dict[str, pa.Array], gate: _Gate) -> None:
    for name in REQUIRED_EXCHANGE_COLUMNS:
        array = out.get(name)
        if array is None:
            gate.refuse(np.ones(len(gate.lines), bool), "required column missing", name)
        elif array.null_count:
            reason = "no readable time" if name == "ts" else "required value missing"
            gate.refuse(array.is_null().to_numpy(zero_copy_only=False), reason, name)
    if "ts" not in out:
        return
    micros = out["ts"].cast(pa.int64()).fill_null(EARLIEST_US).to_numpy(zero_copy_only=False)
    gate.refuse(micros < EARLIEST_US, "time before 2015", "ts")
    if gate.ledger.latest_us is not None:
        gate.refuse(micros > gate.ledger.latest_us, "time in the future", "ts")


def _refuse_negative(out: dict[str, pa.Array], gate: _Gate) -> None:
    for name in _TOKENS:
        if name in out and pc.any(pc.less(out[name], 0)).as_py():
            negative = pc.less(out[name], 0).fill_null(False).to_numpy(zero_copy_only=False)
            gate.refuse(negative, "negative tokens", name)
    for name in _LIMITS:
        if name in out and pc.any(pc.less(out[name], 0)).as_py():
            negative = pc.less(out[name], 0)
            gate.ledger.coerced[f"{name}: negative, set to null"] += pc.sum(negative).as_py()
            out[name] = pc.if_else(negative, None, out[name])


def _normalise_status(out: dict[str, pa.Array], ledger: Ledger) -> None:
    """Write statuses in canonical words; take them from http_status where there is none."""
    codes = out.get("http_status")
    status = out.get("status")
    if status is not None:
        encoded = status.dictionary_encode()
        words = [status_word(word) for word in encoded.dictionary.to_pylist()]
        status = pa.array(words, pa.string()).take(encoded.indices)
        unknown = status.null_count - encoded.null_count
        if unknown:
            ledger.coerced["status: unknown word, set to null"] += unknown
    if codes is not None:
        encoded = codes.dictionary_encode()
        names = [status_of_code(code) for code in encoded.dictionary.to_pylist()]
        by_code = pa.array(names, pa.string()).take(encoded.indices)
        status = by_code if status is None else pc.coalesce(status, by_code)
    if status is not None:
        position = list(EXCHANGE.names)
        out["status"] = status
        ordered = sorted(out, key=position.index)
        for name in ordered:
            out[name] = out.pop(name)
