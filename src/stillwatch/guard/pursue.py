"""What a campaign alone asks for a request: its rung, its budget, what stands in its way."""

from __future__ import annotations

from typing import NamedTuple

from stillwatch.guard.matching import named_kinds
from stillwatch.guard.permit_use import covering
from stillwatch.guard.request import Request
from stillwatch.guard.seen import Record, Seen
from stillwatch.guard.table import RANK

__all__ = ["Against", "Pursued", "pursue"]


class Against(NamedTuple):
    """What is known against who asks: the campaign (-1 for none), how, and by what evidence.

    ``subject`` and ``account`` are keys; they differ for end users alone.
    """

    subject: int
    account: int
    campaign: int
    level: str
    bits: int


class Pursued(NamedTuple):
    """What a campaign asks for, before ownership is asked."""

    verdict: str
    reasons: tuple[str, ...]
    campaign_id: str | None
    ttl_s: int
    level: str
    bits: int
    retry_after_s: int = 0


def pursue(seen: Seen, request: Request, against: Against, by_access: str) -> Pursued:
    """Return what the campaign asks for; a stricter ``by_access`` spends no budget.

    1. What was undone, a snapshot that has expired, a campaign that was undone, an account that an
       appeal restored: allow.
    2. A permit covers it: allow.
    3. What is asked for the campaign, up to what the level carries; who has verified is watched.
    4. *throttle*: *watch* while the campaign's budget lasts.
    """
    table, ts = seen.table, request.ts_us
    subject, account, campaign, level, bits = against
    ttl = table.ladder.decision_ttl_s
    why = _let_go(seen, request, against)  # 1
    if why:
        return Pursued("allow", (why,), None, ttl, "", 0)
    permit = covering(seen, request, campaign)  # 2
    if permit is not None:
        return Pursued(
            "allow", (f"permit {permit.permit_id} covers it",), None, 0, level, bits
        )  # fmt: skip
    if campaign < 0:
        return Pursued("allow", (), None, ttl, "", 0)
    name = table.pursuits[campaign].campaign_id
    asked, why_asked = table.action(campaign, subject, account, ts)  # 3
    verdict = min(asked, str(getattr(table.ladder, level)), key=RANK.__getitem__)
    reasons = [f"{level} of {name}" if level == "member" else f"{level}: {name}", why_asked]
    reasons.extend(f"evidence: {kind}" for kind in named_kinds(bits))
    retry_after = 0
    if verdict == "step_up" and seen.verified.get(subject, 0) > ts:
        verdict = "watch"
        reasons.append("has passed verification")
    if verdict == "throttle":  # 4
        budget = seen.budgets[campaign]
        if budget.is_spent(ts):
            retry_after = min(3600, budget.retry_after_s())
            reasons.append("the campaign's budget is spent")
        elif RANK[by_access] < RANK["throttle"]:
            budget.spend(ts)
            seen.tell(Record("spent", 0, 0, campaign, ts))
            verdict = "watch"
            reasons.append("within the campaign's budget")
    return Pursued(verdict, tuple(reasons), name, 0, level, bits, retry_after)


def _let_go(seen: Seen, request: Request, against: Against) -> str:
    """Return why no campaign says anything; an empty text where one may."""
    table = seen.table
    subject, account, campaign, _, _ = against
    if table.is_undone("account", request.account_id, request.end_user_id, subject, account):
        return "what was decided is taken back"
    if request.ts_us >= table.snapshot.expires_us:
        return "the snapshot has expired"
    if campaign in table.undone_campaigns:
        return "what was decided is taken back"
    if campaign >= 0 and table.is_restored(subject, account):
        return "an appeal restored the account"
    return ""
