"""Content negotiation (TAXII 2.1, section 1.6.8; RFC 9110, section 12.5.1)."""

from __future__ import annotations

from typing import Final

__all__ = ["STIX_MEDIA", "TAXII", "accepts", "is_taxii"]

TAXII: Final = "application/taxii+json;version=2.1"
STIX_MEDIA: Final = "application/stix+json;version="
_TYPE: Final = "application/taxii+json"


def accepts(header: str | None) -> bool:
    """Return whether an Accept header lets the hub answer in TAXII 2.1.

    A request without the header takes anything (RFC 9110). A range that names TAXII without a
    version means the latest the server has; another version, or q=0, does not.

    >>> accepts("application/taxii+json;version=2.0"), accepts("text/html, */*;q=0.1")
    (False, True)
    """
    if header is None or not header.strip():
        return True
    return any(_wanted(part) for part in header.split(","))


def _wanted(part: str) -> bool:
    media, parameters = _parsed(part)
    if media not in {_TYPE, "application/*", "*/*"}:
        return False
    if media == _TYPE and parameters.get("version", "2.1") != "2.1":
        return False
    try:
        return float(parameters.get("q", "1")) > 0
    except ValueError:
        return False


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
