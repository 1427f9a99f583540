"""URL query parameters (TAXII 2.1, section 3.4); whatever is malformed is answered with 400."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stillwatch.share.hub.refusals import Refusal
from stillwatch.share.hub.times import parse_timestamp

__all__ = ["ENDPOINT_FIELDS", "Filter", "read_filter"]

# The match fields of each endpoint; others are ignored, as the standard allows.
ENDPOINT_FIELDS: Final = {
    "objects": ("id", "type", "version", "spec_version"),
    "manifest": ("id", "type", "version", "spec_version"),
    "object": ("version", "spec_version"),
    "versions": ("spec_version",),
    "delete": ("version", "spec_version"),
    "corrections": (),
}
_MOST_VALUES: Final = 500
_KEYWORDS: Final = ("all", "first", "last")
_SPEC: Final = re.compile(r"\d{1,4}\.\d{1,4}", re.ASCII)
_VALUE: Final = re.compile(r"[!-~]{1,300}", re.ASCII)
_LIMIT: Final = re.compile(r"\d{1,16}", re.ASCII)


@dataclass(frozen=True)
class Filter:
    """What a request asks for. Empty tuples: not asked.

    ``limit``: as the client gave it, None where it did not. ``versions``: instants in
    microseconds. ``keywords``: of all, first, last.
    """

    added_after: int | None = None
    limit: int | None = None
    next: str | None = None
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    spec_versions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()

    def bound(self) -> bytes:
        """Return a digest of all that must stay the same from page to page."""
        parts = (
            self.added_after,
            sorted(self.ids),
            sorted(self.types),
            sorted(self.spec_versions),
            sorted(self.keywords),
            sorted(self.versions),
        )
        return hashlib.sha256(repr(parts).encode()).digest()


def read_filter(pairs: Iterable[tuple[str, str]], endpoint: str) -> Filter:
    """Return the filter of a query string.

    Raises:
        Refusal: 400, a parameter occurs twice or has a value that its clause does not allow.
    """
    given = list(pairs)
    known = {"added_after", "limit", "next"} | {f"match[{f}]" for f in ENDPOINT_FIELDS[endpoint]}
    if endpoint == "delete":
        known -= {"added_after", "limit", "next"}
    counted = Counter(name for name, _ in given)
    for name in known:
        if counted[name] > 1:
            raise _malformed(f"{name} occurs more than once")
    values = {name: value for name, value in given if name in known}
    keywords, versions = _versions(_listed(values, "match[version]"))
    return Filter(
        added_after=_instant(values.get("added_after")),
        limit=_limit(values.get("limit")),
        next=values.get("next"),
        ids=_listed(values, "match[id]"),
        types=_listed(values, "match[type]"),
        spec_versions=_specs(_listed(values, "match[spec_version]")),
        keywords=keywords,
        versions=versions,
    )


def _malformed(what: str) -> Refusal:
    return Refusal(400, f"A filter parameter is malformed: {what}.")


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    at = parse_timestamp(text)
    if at is None:
        raise _malformed("added_after is not one timestamp YYYY-MM-DDTHH:MM:SS.ssssssZ")
    return at


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not _LIMIT.fullmatch(text) or int(text) < 1 or int(text) >= 2**53:
        raise _malformed("limit is not a whole number greater than zero")
    return int(text)


def _listed(values: dict[str, str], name: str) -> tuple[str, ...]:
    if name not in values:
        return ()
    parts = values[name].split(",")
    if len(parts) > _MOST_VALUES:
        raise _malformed(f"{name} has more than {_MOST_VALUES} values")
    if not all(_VALUE.fullmatch(part) for part in parts):
        raise _malformed(f"{name} has a value that is empty, too long or not printable ASCII")
    return tuple(parts)


def _specs(parts: Sequence[str]) -> tuple[str, ...]:
    if not all(_SPEC.fullmatch(part) for part in parts):
        raise _malformed("match[spec_version] is not of the form n.m")
    return tuple(parts)


def _versions(parts: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    keywords = tuple(part for part in parts if part in _KEYWORDS)
    instants = [parse_timestamp(part) for part in parts if part not in _KEYWORDS]
    known = tuple(at for at in instants if at is not None)
    if len(known) != len(instants):
        raise _malformed("match[version] is neither all, first, last nor a timestamp")
    if len(set(parts)) != len(parts):
        raise _malformed("match[version] names a version twice")
    if "all" in keywords and len(parts) > 1:
        raise _malformed("match[version]=all stands with another version")
    return keywords, known
