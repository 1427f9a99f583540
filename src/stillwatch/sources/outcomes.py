"""What became of a call: its status and HTTP code, from code, error and answer."""

from __future__ import annotations

from typing import Any

from stillwatch.sources.admit import status_of_code
from stillwatch.sources.answers import Answer

__all__ = ["FILTER_WORDS", "code_of", "outcome_of"]

FILTER_WORDS = (
    "content_filter",
    "content filter",
    "content_policy",
    "content policy",
    "content management policy",
    "guardrail",
)
_FILTERED = frozenset(
    {
        "content_filter",  # OpenAI
        "content_filtered", "guardrail_intervened",  # Bedrock
        "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "RECITATION",  # Gemini
    }
)  # fmt: skip
_CODES = {
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,
    "AccessDeniedException": 403,
    "ValidationException": 400,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ModelStreamErrorException": 424,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
    "ModelNotReadyException": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "billing_error": 403,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "request_too_large": 413,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def code_of(value: Any) -> int | None:
    """Return an HTTP status code logged as a number or text, None where it is none."""
    if type(value) is int:
        return value if 100 <= value <= 599 else None
    text = value.strip() if type(value) is str else ""
    return int(text) if len(text) == 3 and text.isascii() and text.isdecimal() else None


def outcome_of(
    response: dict[str, Any], code: Any, error: Any, answer: Answer
) -> tuple[str | None, int | None]:
    """Return (status, http_status).

    1. An error, logged in the response or beside it, or a code from 400 on: by the code, else by
       the error's type or code; ``filtered`` where a 400 names a content filter or a guardrail;
       ``server_error`` where nothing is known.
    2. An answer: ``refused`` where the model declined, ``filtered`` where a content filter cut it,
       else ``ok``. The code is the logged one, never a guessed one.
    3. No response and no code says nothing.
    """
    number = None if code is None else code_of(code)
    found = (response.get("error") if response else None) or error
    if found or (number is not None and number >= 400):
        named = _number(found)
        number = number if number is not None and number >= 400 else named
        if number == 400 and _names_a_filter(found):
            return "filtered", number
        return (status_of_code(number) if number else None) or "server_error", number
    if not response and answer.text is None:
        return None, number
    if answer.refused:
        return "refused", number
    return ("filtered" if answer.finish in _FILTERED else "ok"), number


def _number(error: Any) -> int | None:
    """Return the HTTP code that an error's type or code stands for."""
    for value in (
        (error, *map(error.get, ("code", "type", "error"))) if type(error) is dict else (error,)
    ):
        if type(value) is dict and value is not error:
            return _number(value)
        if type(value) is str and value in _CODES:
            return _CODES[value]
        if (number := code_of(value)) is not None:
            return number
    return None


def _names_a_filter(error: Any) -> bool:
    text = str(error)[:4096].lower() if error else ""
    return any(word in text for word in FILTER_WORDS)
