"""Records of judgement (design section 4): what people decided, as other rooms see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = [
    "ADVERSE",
    "OWNERSHIP",
    "REASONS",
    "Appeal",
    "Case",
    "Decision",
    "NotedIndicator",
    "Sighting",
]

# Why the guard refused by who owns an account: no person gives it as a reason, and it is no
# accusation.
OWNERSHIP: Final = "ownership"
ADVERSE: Final = ("throttle", "step_up", "summarize", "deny")
# Why a decision was taken, as codes: a notice says their sentences and never an analyst's words.
REASONS: Final[dict[str, str]] = {
    "coordinated_extraction": "the account acted together with others to collect answers of our "
    "models for training another model, which the terms of service do not allow",
    "relay": "the account passed requests of many people through to our models, which the terms of "
    "service do not allow",
    "replayed_reasoning": "the account sent back protected reasoning data that another account had "
    "received",
    "evasion_after_ban": "the account carried on what an earlier account was closed for",
    "identity_needed": "we need to know who uses the account before it can go on as before",
    "permit_exceeded": "the use went beyond what was agreed with us",
}


@dataclass(frozen=True)
class Case:
    """A campaign under review; it keeps its id while the campaign grows, splits or merges.

    ``state``: open, merged or closed. ``kind`` *ownership*: refusals that rest on one ownership
    answer, and accuse nobody; else *campaign*.
    """

    id: str
    campaign_ids: tuple[str, ...]
    state: str
    opened: datetime
    merged_into: str | None
    assigned_to: str | None
    evidence_digest: str
    kind: str = "campaign"


@dataclass(frozen=True)
class Decision:
    """A verdict about a subject until ``expires``. ``scope``: account, or case (its accounts).

    ``approved_by`` is empty where no second person is needed; ``pending`` while one is missing.
    ``stands``: an appeal that is not decided in time does not relax it, since a rule of law may
    leave no choice. ``reference``: under what id the guard told the account of it first.
    """

    id: str
    case_id: str
    subject: str
    scope: str
    accounts: tuple[str, ...]
    verdict: str
    reason: str
    evidence_digest: str
    by: str
    at: datetime
    expires: datetime
    undoes: str | None
    approved_by: str | None
    pending: bool
    stands: bool = False
    reference: str | None = None


@dataclass(frozen=True)
class Appeal:
    """An appeal of one account against one decision; ``due``: when it relaxes by itself.

    ``state``: open, upheld, rejected or lapsed.
    """

    id: str
    decision: str
    account_id: str
    state: str
    by: str
    at: datetime
    due: datetime
    outcome: str | None
    resolved_by: str | None


@dataclass(frozen=True)
class NotedIndicator:
    """Something that was shared from a case. ``digest`` of its value; never the value."""

    id: str
    case_id: str
    kind: str
    digest: str
    at: datetime
    state: str


@dataclass(frozen=True)
class Sighting:
    """*Seen here too*, from the accounts of one case; ``state``: given or withdrawn."""

    id: str
    indicator: str
    case_id: str
    count_band: str
    at: datetime
    state: str
