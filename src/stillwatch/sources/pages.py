"""Lists in an envelope: what an API answers, page by page, instead of the records themselves.

    {"data": [{…}, {…}], "meta": {"page": 1}}

Langfuse, Helicone, LiteLLM and OpenAI list under ``data``, `aws logs` under ``events``, a
subscription of CloudWatch Logs under ``logEvents``, AWS deliveries under ``Records``, the body that
makes a batch of Anthropic's under ``requests``, and exports of one's own under ``items``, ``logs``,
``records``, ``results`` or ``rows``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["items_of", "names_within"]

_LISTS = ("data", "events", "logEvents", "requests")
_OWN_LISTS = ("Records", "items", "logs", "records", "results", "rows")
_BESIDE = frozenset(
    {
        *_LISTS, "object", "meta", "error", "has_more", "first_id", "last_id", "total", "count",
        "page", "page_size", "limit", "offset", "total_pages", "pagination", "cursor",
        "next_cursor", "searchedLogStreams", "nextToken", "nextForwardToken", "nextBackwardToken",
        "messageType", "owner", "logGroup", "logStream", "subscriptionFilters",
    }
)  # fmt: skip
_EITHER_LISTS = (*_LISTS, *_OWN_LISTS)
_EITHER_BESIDE = _BESIDE | {*_OWN_LISTS}


def items_of(value: dict[str, Any], *, own: bool) -> list[Any] | None:
    """Return the records on a page; None where the object is a record of its own.

    ``own``: lists under names of anybody's own count as well. They are names that a record may
    have, so that only the first object of a file tells.

    >>> items_of({"data": [{"id": 1}], "meta": {}}, own=False)
    [{'id': 1}]
    >>> items_of({"data": [{"embedding": []}], "model": "m"}, own=True) is None
    True
    """
    beside = _EITHER_BESIDE if own else _BESIDE
    if next(iter(value), None) not in beside:
        return None
    for name in _EITHER_LISTS if own else _LISTS:
        if name in value and type(value[name]) is list and value.keys() <= beside:
            return list(value[name])
    return None


def names_within(names: Iterable[str]) -> frozenset[str]:
    """Return the names of a page's records, of the outline of a page; else the names as they are.

    >>> sorted(names_within({"data", "data[].id", "data[].usage", "meta"}))
    ['id', 'usage']
    """
    names = frozenset(names)
    outer = {name.partition("[]")[0].partition(".")[0] for name in names}
    if outer <= _EITHER_BESIDE:
        for name in _EITHER_LISTS:
            below = {n.removeprefix(f"{name}[].") for n in names if n.startswith(f"{name}[].")}
            if below:
                return frozenset(below)
    return names
