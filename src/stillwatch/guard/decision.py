"""What the guard answers."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Decision"]


class Decision(NamedTuple):
    """``verdict`` is to be carried out; ``would`` is what it would be were the guard enforcing.

    ``mode``: off, shadow, canary (would enforce, this account is outside the canary) or enforce.
    ``ttl_s``: how long a caller may keep an *allow* for the same subject; 0 for all else, which an
    undo, the kill switch or a permit ends at once. ``evidence``: kinds that hold, ``level`` what
    they amount to. ``citation``: the id of what an ownership answer rests on, empty without one;
    the rule is in the reasons, the chain of ownership in the provider's file of citations alone.
    """

    verdict: str
    reasons: tuple[str, ...]
    campaign_id: str | None
    ttl_s: int
    decision_id: str
    mode: str
    would: str
    retry_after_s: int = 0
    level: str = ""
    evidence: tuple[str, ...] = ()
    subject: int = 0
    citation: str = ""
