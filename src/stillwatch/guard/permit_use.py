"""Permits inline: which one covers a request, and what of its day's tokens is left."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from stillwatch.guard.request import Request
from stillwatch.guard.seen import Record, Seen
from stillwatch.policy import Permit

__all__ = ["charge", "covering"]

_DAY_US: Final = 86_400_000_000
_MOST_TOKENS: Final = 1 << 40


def covering(seen: Seen, request: Request, campaign: int) -> Permit | None:
    """Return the first permit that covers a request and has some left; None where none does.

    ``campaign``: the one that is asked about, -1 for none; its methods must be allowed.
    """
    pursuit = seen.table.pursuits.get(campaign)
    methods = () if pursuit is None else pursuit.methods
    for permit in seen.table.permit(request.account_id, request.org_id, request.plan):
        if permit.covers(request.ts_us, request.model, methods) and _has_left(
            seen, permit, request.ts_us
        ):
            return permit
    return None


def charge(seen: Seen, request: Request, campaign: int, tokens: int) -> None:
    """Count tokens into the permit that deciding rests on. What is outside of every permit uses
    up none."""
    permit = covering(seen, request, campaign)
    if permit is not None and permit.max_output_tokens_per_day is not None:
        key, day = _permit_key(permit.permit_id), request.ts_us // _DAY_US
        count = min(tokens, _MOST_TOKENS)
        seen.use_permit((key, day), count)
        seen.tell(Record("permit", key, day, -1, count))


def _has_left(seen: Seen, permit: Permit, ts_us: int) -> bool:
    most = permit.max_output_tokens_per_day
    if most is None:
        return True
    place = (_permit_key(permit.permit_id), ts_us // _DAY_US)
    elsewhere = seen.permit_tokens_elsewhere.get(place, 0)
    return seen.permit_tokens.get(place, 0) + elsewhere < most


@lru_cache(maxsize=65_536)
def _permit_key(permit_id: str) -> int:
    """Return the 64-bit key of a permit, as journal and other nodes name it."""
    digest = hashlib.blake2b(permit_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
