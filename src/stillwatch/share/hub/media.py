"""Content negotiation (TAXII 2.1, section 1.6.8; RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["STIX_MEDIA", "TAXII", "accepts", "is_taxii"]

TAXII: Final = "application/taxii+json;version=2.1"
STIX_MEDIA: Final = "application/stix+json;version="
_TYPE: Final = "application/taxii+json"


def accepts(headers: Sequence[str]) -> bool:
    """Return whether the Accept headers of a request let the hub answer in TAXII 2.1.

    A request without one takes anything (RFC 9110); several are one list. A range that names TAXII
    without a version means the latest the server has; another version does not. Of the ranges that
    cover TAXII 2.1 the most specific decides, and with q=0 it says no.

    >>> accepts(["application/taxii+json;version=2.0"]), accepts(["text/html", "*/*;q=0.1"])
    (False, True)
    >>> accepts(["*/*, application/taxii+json;q=0"]), accepts([])
    (False, True)
    """
    parts = [part for header in headers for part in header.split(",") if part.strip()]
    ranges = [found for part in parts if (found := _covering(part)) is not None]
    if not parts or not ranges:
        return not parts
    closest = max(specific for specific, _ in ranges)
    return max(quality for specific, quality in ranges if specific == closest) > 0


def _covering(part: str) -> tuple[int, float] | None:
    """Return how specific a range is and its quality; None: it does not cover TAXII 2.1."""
    media, parameters = _parsed(part)
    specific = {"*/*": 0, "application/*": 1, _TYPE: 2}.get(media)
    if specific is None:
        return None
    version = parameters.get("version") if media == _TYPE else None
    if version not in {None, "2.1"}:
        return None
    try:
        return specific + (version is not None), float(parameters.get("q", "1"))
    except ValueError:
        return None


def is_taxii(header: str | None) -> bool:
    """Return whether a Content-Type is TAXII JSON of version 2.1, or of none.

    >>> is_taxii('application/taxii+json; version="2.1"'), is_taxii("application/json")
    (True, False)
    """
    media, parameters = _parsed(header or "")
    charset = parameters.get("charset", "utf-8").lower()
    return media == _TYPE and parameters.get("version", "2.1") == "2.1" and charset == "utf-8"


def _parsed(part: str) -> tuple[str, dict[str, str]]:
    media, *parameters = part.split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return media.strip().lower(), {
        name.strip().lower(): value.strip().strip('"') for name, _, value in pairs
    }
