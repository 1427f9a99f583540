"""LiteLLM's table of spend logs, as `psql` exports it: JSON lines, or CSV with a header.

Read as of LiteLLM 1.106 (`litellm/proxy/schema.prisma`, `spend_tracking_utils.py`). A row says
the same as the payload that LiteLLM gives its callbacks, under other names; it becomes that
payload, and is read as one. Prompts are in ``proxy_server_request``, and only where
``store_prompts_in_spend_logs`` is on. The database keeps of a long text its first 716 and last
1,331 characters and says so between them; that remark becomes ``[cut]``, for it would be the
same in every long prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.any_rows import read_rows
from stillwatch.sources.bodies import body_messages, body_parameters
from stillwatch.sources.csv_rows import csv_header
from stillwatch.sources.json_rows import Records
from stillwatch.sources.json_text import dict_of, parsed
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.litellm import LiteLLM
from stillwatch.sources.outline import outline
from stillwatch.sources.parts import END_TIME, Part, admitted
from stillwatch.sources.source import Source

__all__ = ["SpendLogs"]

_JSON = ("metadata", "request_tags", "messages", "response", "proxy_server_request")
_CUT = (
    r"\.\.\. \(litellm_truncated skipped [0-9]+ chars\. .{0,400}?"
    r"`MAX_STRING_LENGTH_PROMPT_IN_DB` in your env\.\) \.\.\."
)
_MARK = "litellm_truncated skipped"
_SIGNS = frozenset({"request_id", "call_type", "startTime", "api_key"})


class SpendLogs(Source):
    """Reads rows of ``LiteLLM_SpendLogs``; the account is the user, else the team, else the key."""

    name = "spendlogs"
    reads_tables = True
    columns = frozenset(EXCHANGE.names) - {"origin", "country", "asn", "ja4", "trace_id"}

    def __init__(self, account: tuple[str, ...] = ("user", "team", "key")) -> None:
        self._payloads = LiteLLM(account)

    def sniff(self, head: bytes, name: str) -> bool:
        return outline(head) >= _SIGNS or set(csv_header(head)) >= _SIGNS

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return self.columns

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        def convert(records: Records) -> Part:
            if not records.objects:
                return Part({}, [], where, records.size)
            payloads = [_payload(row) for row in records.objects]
            columns = self._payloads.columns_of(payloads)
            bodies = [dict_of(p["body"]) for p in payloads]
            columns |= {k: v for k, v in body_parameters(bodies).items() if k != "end_user_id"}
            columns |= _took(records.objects)
            return Part(columns, records.lines, where, records.size)

        for batch in admitted(map(convert, read_rows(handle, where, ledger)), ledger):
            yield _uncut(batch, ledger)


def _payload(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row as LiteLLM's StandardLoggingPayload, with the request's ``body`` beside."""
    held = {name: parsed(row.get(name)) for name in _JSON}
    meta = dict_of(held["metadata"])
    body = held["proxy_server_request"]
    usage = meta.get("usage_object") or meta.get("additional_usage_values")
    status = row.get("status") or meta.get("status")
    return {
        **row,
        "id": row.get("request_id"),
        "status": status,
        "end_user": row.get("end_user"),
        "prompt_tokens": _number(row.get("prompt_tokens")),
        "completion_tokens": _number(row.get("completion_tokens")),
        "response_cost": row.get("spend"),
        "stream": dict_of(body).get("stream"),
        "request_tags": held["request_tags"],
        "messages": held["messages"] or body_messages(dict_of(body)),
        "response": held["response"],
        "error_information": meta.get("error_information"),
        "body": body,
        "metadata": {
            **meta,
            "usage_object": usage,
            "user_api_key_user_id": row.get("user") or meta.get("user_api_key_user_id"),
            "user_api_key_team_id": row.get("team_id") or meta.get("user_api_key_team_id"),
            "user_api_key_org_id": row.get("organization_id") or meta.get("user_api_key_org_id"),
            "user_api_key_hash": row.get("api_key"),
        },
    }


def _number(value: Any) -> Any:
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return value


def _took(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    told = [row.get("request_duration_ms") for row in rows]
    if None not in told:
        return {"latency_ms": told, END_TIME: [None] * len(rows)}
    return {"latency_ms": told, END_TIME: [row.get("endTime") for row in rows]}


def _uncut(batch: pa.RecordBatch, ledger: Ledger) -> pa.RecordBatch:
    """Return the batch with the database's remark on cut texts as ``[cut]``, counted by text."""
    for name in ("messages", "output_text", "reasoning_text"):
        place = batch.schema.get_field_index(name)
        if place < 0:
            continue
        column = batch.column(place)
        nested = name == "messages"
        texts = pc.struct_field(column.flatten(), "content") if nested else column
        cut = pc.sum(pc.match_substring(texts, _MARK)).as_py()
        if not cut:
            continue
        ledger.coerced["text cut by LiteLLM's database (2,048 characters)"] += cut
        texts = pc.replace_substring_regex(texts, _CUT, "[cut]")
        batch = batch.set_column(
            place, batch.schema.field(place), _rebuilt(column, texts) if nested else texts
        )
    return batch


def _rebuilt(messages: pa.Array, contents: pa.Array) -> pa.Array:
    kind = messages.type.value_type
    flat = pa.StructArray.from_arrays(
        [pc.struct_field(messages.flatten(), "role"), contents], fields=list(kind)
    )
    lengths = pc.fill_null(pc.list_value_length(messages), 0)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, flat, type=messages.type, mask=messages.is_null())
