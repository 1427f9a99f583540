"""What became of a LiteLLM request: the status and HTTP code of a payload."""

from __future__ import annotations

from typing import Any

from stillwatch.sources.admit import status_of_code
from stillwatch.sources.error_codes import CODE_OF_CLASS

__all__ = ["outcome"]

_FILTER_CLASSES = frozenset(
    {
        "ContentPolicyViolationError",
        "GuardrailRaisedException",
        "GuardrailInterventionNormalStringError",
    }
)
_FILTER_WORDS = (
    "content_filter",
    "content filter",
    "content_policy",
    "content policy",
    "content management policy",
    "guardrail",
)


def outcome(
    payload: dict[str, Any], finish: str | None, refused: bool
) -> tuple[str | None, int | None]:
    """Return (status, http_status).

    1. Success: ``refused`` where the model declined, ``filtered`` where its answer was cut by a
       content filter, else ``ok``; code 200.
    2. Failure: by the error's code, else its class, else ``server_error`` without a code; a 400
       that names a content filter or a guardrail is ``filtered``.
    3. A payload without a status says nothing.
    """
    status = payload.get("status")
    if status == "success":
        if refused:
            return "refused", 200
        return ("filtered" if finish == "content_filter" else "ok"), 200
    if status != "failure":
        return None, None
    info = payload.get("error_information")
    info = info if isinstance(info, dict) else {}
    name = info.get("error_class")
    name = name if isinstance(name, str) else ""
    code = _code(info.get("error_code")) or CODE_OF_CLASS.get(name)
    if name in _FILTER_CLASSES or (code == 400 and _names_a_filter(payload, info)):
        return "filtered", code
    return (status_of_code(code) if code else None) or "server_error", code


def _code(value: Any) -> int | None:
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) == 3 else None


def _names_a_filter(payload: dict[str, Any], info: dict[str, Any]) -> bool:
    fields = payload.get("status_fields")
    if isinstance(fields, dict) and fields.get("guardrail_status") == "guardrail_intervened":
        return True
    message = info.get("error_message") or payload.get("error_str")
    text = message[:4096].lower() if isinstance(message, str) else ""
    return any(word in text for word in _FILTER_WORDS)
