"""What the guard sees of a request: who, when, and hashes; never text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from stillwatch.kernel import Features, client_hash, one, prefix_hash
from stillwatch.schema import template_column
from stillwatch.schema.snapshot import SLOTS

__all__ = [
    "NEAR_TOKENS",
    "NO_BANDS",
    "NO_FRAMES",
    "Origin",
    "Request",
    "request_of",
    "request_of_text",
    "response_hash",
]

NO_FRAMES: tuple[int, ...] = (0,) * len(SLOTS)
NO_BANDS: tuple[int, ...] = (0,) * 8
_LONGEST_RESPONSE_ID = 512
NEAR_TOKENS = 12  # a shorter text has too few shingles for its bands to mean likeness
_FRAME_FIELDS = tuple(Features._fields.index(template_column(side, n)) for side, n in SLOTS)
_FIRST_BAND = Features._fields.index("band_0")


class Origin(NamedTuple):
    """Who asks, and from where.

    ``links``: kind → the provider's hash of a payment, device …; ``created_us``: when the account
    was made, 0 where that is not said.
    """

    ts_us: int
    account_id: str
    end_user_id: str | None = None
    org_id: str | None = None
    model: str = ""
    plan: str | None = None
    ip: str | None = None
    ja4: str | None = None
    user_agent: str | None = None
    links: Mapping[str, str] = {}
    created_us: int = 0


class Request(NamedTuple):
    """One request as ``Guard.decide`` takes it; a hash of 0 is *absent*.

    ``frames`` in the order of ``SLOTS``; ``bands`` only for texts of twelve tokens and more.
    ``h_previous``: of the response that it says it goes on from (OpenAI's previous_response_id).
    """

    ts_us: int
    account_id: str
    end_user_id: str | None = None
    org_id: str | None = None
    model: str = ""
    plan: str | None = None
    frames: tuple[int, ...] = NO_FRAMES
    bands: tuple[int, ...] = NO_BANDS
    h_prefix: int = 0
    h_client: int = 0
    h_payload: int = 0
    user_tokens: int = 0
    prefix_before: int = 0
    h_blob: int = 0
    links: Mapping[str, str] = {}
    created_us: int = 0
    h_previous: int = 0


def request_of(origin: Origin, features: Features) -> Request:
    """Return a request from the kernel's features of its text."""
    values: Any = features
    return Request(
        origin.ts_us,
        origin.account_id,
        origin.end_user_id,
        origin.org_id,
        origin.model,
        origin.plan,
        tuple(values[i] for i in _FRAME_FIELDS),
        values[_FIRST_BAND : _FIRST_BAND + 8] if features.user_tokens >= NEAR_TOKENS else NO_BANDS,
        prefix_hash(origin.ip),
        client_hash(origin.ja4, origin.user_agent),
        features.h_payload,
        features.user_tokens,
        features.prefix_before_last_user,
        features.h_blob,
        origin.links,
        origin.created_us,
    )


def request_of_text(origin: Origin, exchange: Mapping[str, Any]) -> Request:
    """Return a request from its text in canonical columns (messages, tools, reasoning_blob …), and
    what the call says beside them (previous_response_id)."""
    made = request_of(origin, one(exchange, with_intents=False))
    previous = exchange.get("previous_response_id")
    return made._replace(h_previous=response_hash(previous)) if previous else made


def response_hash(name: object) -> int:
    """Return what a response's id is known by; 0 where there is none, or one of over 512
    characters, the longest that any identifier may be.

    It is looked up among conversations, whose hashes are as long: of a million, another one's is
    met with a chance of 1 in 10¹³.
    """
    if type(name) is not str or not 0 < len(name) <= _LONGEST_RESPONSE_ID:
        return 0
    data = name.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") or 1
