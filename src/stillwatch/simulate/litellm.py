"""LiteLLM's StandardLoggingPayload from canonical rows, one JSON object a line.

Source: LiteLLM 1.109.1 ``litellm/types/utils.py`` (key names and units; times are float
Unix seconds).
"""

from __future__ import annotations

import gzip
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import orjson
import pyarrow as pa
import zstandard

from stillwatch.errors import ConfigError
from stillwatch.schema import to_micros

__all__ = ["LitellmWriter", "payload"]

_CALLS = {"chat": "acompletion", "completion": "atext_completion", "embedding": "aembedding"}
_ERRORS = {
    "rate_limited": ("RateLimitError", "429: too many requests"),
    "denied": ("PermissionDeniedError", "403: this account may not use the model"),
    "client_error": ("BadRequestError", "400: the request is not valid"),
    "server_error": ("InternalServerError", "500: the model is not available"),
}


def payload(row: dict[str, Any]) -> dict[str, Any]:
    """Return the logging payload of one canonical exchange."""
    begin = to_micros(row["ts"]) / 1e6
    took = (row["latency_ms"] or 0.0) / 1e3
    failed = row["status"] in _ERRORS
    usage = _usage(row)
    return {
        "id": row["exchange_id"],
        "trace_id": row["trace_id"] or row["exchange_id"],
        "session_id": row["conversation_id"],
        "litellm_call_id": row["exchange_id"],
        "call_type": _CALLS.get(row["operation"], "acompletion"),
        "stream": row["stream"],
        "startTime": begin,
        "endTime": begin + took,
        "completionStartTime": begin + took * 0.2,
        "response_time": took,
        "status": "failure" if failed else "success",
        "error_str": _ERRORS[row["status"]][1] if failed else None,
        "error_information": _error(row) if failed else None,
        "prompt_tokens": row["input_tokens"],
        "completion_tokens": row["output_tokens"],
        "total_tokens": row["input_tokens"] + row["output_tokens"],
        "response_cost": row["cost_usd"],
        "model": row["model"],
        "model_group": row["model"],
        "custom_llm_provider": row["provider"],
        "model_parameters": _parameters(row),
        "metadata": _metadata(row, usage),
        "requester_ip_address": row["ip"],
        "user_agent": row["user_agent"],
        "end_user": row["end_user_id"],
        "request_tags": [f"{k}:{v}" for k, v in row["tags"] or []],
        "cache_hit": False,
        "messages": row["messages"],
        "response": None if failed else _completion(row, usage),
    }


def _usage(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt_tokens": row["input_tokens"],
        "completion_tokens": row["output_tokens"],
        "total_tokens": row["input_tokens"] + row["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": row["cached_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": row["reasoning_tokens"]},
    }


def _error(row: dict[str, Any]) -> dict[str, Any]:
    name, text = _ERRORS[row["status"]]
    return {
        "error_code": str(row["http_status"]),
        "error_class": name,
        "llm_provider": row["provider"],
        "error_message": text,
        "traceback": "",
    }


def _parameters(row: dict[str, Any]) -> dict[str, Any]:
    names = ("temperature", "top_p", "max_tokens", "n", "seed", "top_logprobs", "reasoning_effort")
    found = {k: row[k] for k in (*names, "tool_choice", "stream") if row[k] is not None}
    if row["response_format"]:
        found["response_format"] = {"type": row["response_format"]}
    if row["tool_schema"]:
        found["tools"] = [
            {"type": "function", "function": f} for f in orjson.loads(row["tool_schema"])
        ]
    return found


def _metadata(row: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_api_key_hash": row["key_id"],
        "user_api_key_alias": None,
        "user_api_key_user_id": row["account_id"],
        "user_api_key_team_id": row["workspace_id"],
        "user_api_key_org_id": row["org_id"],
        "user_api_key_end_user_id": row["end_user_id"],
        "requester_ip_address": row["ip"],
        "user_agent": row["user_agent"],
        "requester_custom_headers": {"x-ja4": row["ja4"]},
        "usage_object": usage,
    }


def _completion(row: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": row["output_text"]}
    if row["status"] == "refused":
        message["refusal"] = "I can't help with that."
    reason = {"tool_use": "tool_calls", "stop": "stop"}.get(row["finish_reason"] or "", "stop")
    return {
        "id": "chatcmpl-" + row["exchange_id"][3:],
        "object": "chat.completion",
        "created": to_micros(row["ts"]) // 1_000_000,
        "model": row["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "content_filter" if row["status"] == "filtered" else reason,
                "message": message,
            }
        ],
        "usage": usage,
    }


class LitellmWriter:
    """Writes payloads to ``path`` (plain, .gz or .zst), aside first, then renamed."""

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".jsonl", ".gz", ".zst"):
            raise ConfigError(
                f"cannot write {path.suffix}",
                where=path.name,
                hint="use .jsonl, .jsonl.gz or .jsonl.zst",
            )
        self.path = path
        self._aside = path.with_name(path.name + ".part")
        self._raw: IO[bytes] = self._aside.open("wb")
        if path.suffix == ".gz":
            self._file = cast(IO[bytes], gzip.GzipFile("", "wb", 6, self._raw, mtime=0))
        elif path.suffix == ".zst":
            self._file = cast(IO[bytes], zstandard.ZstdCompressor(6).stream_writer(self._raw))
        else:
            self._file = self._raw

    def write(self, table: pa.Table) -> None:
        for batch in table.to_batches(max_chunksize=2000):
            lines = [orjson.dumps(payload(row)) for row in batch.to_pylist()]
            self._file.write(b"\n".join(lines) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._file.close()
        self._raw.close()
        if kind is None:
            self._aside.rename(self.path)
