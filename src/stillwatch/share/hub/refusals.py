"""What the hub answers instead of data: an HTTP status and a TAXII error message."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.errors import StillwatchError

__all__ = ["Refusal", "not_found"]

_TITLES: Final = {
    400: "ProcessingError",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "RequestTimeout",
    413: "RequestTooLarge",
    415: "UnsupportedMediaType",
    422: "ProcessingError",
    429: "TooManyRequests",
    500: "InternalError",
    503: "Unavailable",
}


class Refusal(StillwatchError):
    """An answer other than success; ``status`` is the HTTP status."""

    def __init__(self, status: int, description: str, *, headers: dict[str, str] | None = None):
        super().__init__(description)
        self.status = status
        self.headers = headers or {}

    def message_body(self) -> dict[str, Any]:
        """Return the error message of TAXII 2.1, section 3.6.1."""
        return {
            "title": _TITLES.get(self.status, "Error"),
            "description": self.message,
            "http_status": str(self.status),
        }


def not_found() -> Refusal:
    """Return the one answer for what is not there and for what this member may not see."""
    return Refusal(404, "There is no such resource, or you have no access to it.")
