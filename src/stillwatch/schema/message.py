"""Messages of every API dialect become text, one form for all sources and for the guard.

Text parts are joined by a newline. What is not text becomes ``[kind sha256:…]``, the first 16
hexadecimal digits of the digest of its payload, so that the same picture sent by two accounts is
still the same, and nothing of it is kept. A replayed reasoning blob in the history becomes
``[thinking sha256:…]`` of the blob's UTF-8 bytes as they stand in `reasoning_blob`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import orjson

__all__ = ["blob_of", "canonical", "content_text", "digest_mark", "message_text"]

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_MAX_DEPTH = 8
_CUT = "[base64_data truncated"
_TEXT_KINDS = frozenset({"text", "input_text", "output_text", "summary_text", "refusal"})
_IMAGE_KINDS = frozenset({"image_url", "input_image", "image"})
_FILE_KINDS = frozenset({"file", "input_file", "document"})
_AUDIO_KINDS = frozenset({"input_audio", "audio", "audio_url"})
_VIDEO_KINDS = frozenset({"video_url", "video", "input_video"})
_BLOB_KEYS = ("signature", "data", "encrypted_content", "thinking")


def digest_mark(kind: str, payload: str) -> str:
    """Return ``[kind sha256:…]`` for a payload that is not text.

    LiteLLM's loggers replace long base64 by its size; two pictures of one size are not the same
    picture, so what was cut has no digest.
    """
    name = kind if _KIND.match(kind) else "part"
    if _CUT in payload[:256]:
        return f"[{name} truncated]"
    return f"[{name} sha256:{hashlib.sha256(payload.encode('utf-8', 'replace')).hexdigest()[:16]}]"


def blob_of(block: Any) -> str | None:
    """Return the opaque string of a thinking block: its signature, data or encrypted content."""
    if isinstance(block, dict):
        for key in _BLOB_KEYS:
            value = block.get(key)
            if isinstance(value, str) and value:
                return value
    return None


def content_text(content: Any, depth: int = 0) -> str:
    """Return the text of a message's content: a string, a part, or a list of parts."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if depth > _MAX_DEPTH:
        return digest_mark("nested", canonical(content))
    if isinstance(content, list):
        return "\n".join(content_text(part, depth + 1) for part in content)
    if isinstance(content, dict):
        return _part_text(content, depth)
    return str(content)


def _part_text(part: dict[str, Any], depth: int) -> str:
    kind = part.get("type")
    if not isinstance(kind, str):
        text = part.get("text")
        return text if isinstance(text, str) else digest_mark("part", canonical(part))
    if kind in _TEXT_KINDS:
        text = part.get("text", part.get("refusal"))
        return text if isinstance(text, str) else ""
    for kinds, name in _MEDIA:
        if kind in kinds:
            return digest_mark(name, _media_payload(part))
    if kind in _CALLS:
        return _call_text(part)
    if kind in ("tool_result", "function_call_output"):
        return content_text(part.get("content", part.get("output")), depth + 1)
    if kind in ("thinking", "redacted_thinking", "reasoning"):
        return digest_mark("thinking", blob_of(part) or canonical(part))
    return digest_mark(kind, canonical(part))


_MEDIA: tuple[tuple[frozenset[str], str], ...] = (
    (_IMAGE_KINDS, "image"),
    (_FILE_KINDS, "file"),
    (_AUDIO_KINDS, "audio"),
    (_VIDEO_KINDS, "video"),
)
_CALLS = frozenset({"tool_use", "tool_call", "function_call", "function"})


def _media_payload(part: dict[str, Any]) -> str:
    """Return the url, base64 string or file id, wherever the dialect keeps it."""
    queue: list[Any] = [v for k, v in part.items() if k != "type"]
    for value in queue[:16]:
        if isinstance(value, dict):
            for key in ("url", "data", "file_data", "file_id"):
                if isinstance(value.get(key), str):
                    return str(value[key])
    for key in ("url", "image_url", "file_data", "file_id", "data"):
        if isinstance(part.get(key), str):
            return str(part[key])
    return canonical(part)


def _call_text(call: dict[str, Any]) -> str:
    inner = call.get("function")
    source = inner if isinstance(inner, dict) else call
    name = source.get("name")
    arguments = source.get("arguments", source.get("input"))
    payload = arguments if isinstance(arguments, str) else canonical(arguments)
    mark = digest_mark("tool_call", payload)
    return f"{mark[:-1]} {name}]" if isinstance(name, str) and len(name) <= 128 else mark


def message_text(message: dict[str, Any]) -> str:
    """Return the text of one message: content, then thinking blocks, then tool calls."""
    content = message.get("content")
    lines = [content_text(content)] if content not in (None, "", []) else []
    blocks = message.get("thinking_blocks")
    if isinstance(blocks, list) and not isinstance(content, list):
        lines += [digest_mark("thinking", blob_of(b) or canonical(b)) for b in blocks]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        lines += [_call_text(c) if isinstance(c, dict) else content_text(c) for c in calls]
    call = message.get("function_call")
    if isinstance(call, dict):
        lines.append(_call_text(call))
    if not lines and isinstance(message.get("type"), str):
        return _part_text(message, 0)
    return "\n".join(lines)


def canonical(value: Any) -> str:
    """Return compact JSON with sorted keys: equal values give equal text."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
    except (TypeError, ValueError, RecursionError):
        return "[unprintable]"
