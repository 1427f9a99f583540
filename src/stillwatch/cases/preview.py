"""What a rung would touch, asked of the run before it is enforced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stillwatch.errors import EvidenceError
from stillwatch.schema import VERDICTS
from stillwatch.store import Run

__all__ = ["Preview", "RungPreview", "preview"]

_COUNTS: Final = ("accounts", "end_users", "organizations", "exchanges", "output_tokens",
                  "permitted_exchanges")  # fmt: skip


@dataclass(frozen=True)
class RungPreview:
    """Beside the accused: whom and what one verdict touches, in the days asked for.

    ``exchanges``, ``output_tokens`` and ``revenue_usd`` are those of the requests with which the
    rung interferes; ``permitted_exchanges`` those of them that a permit covers.
    """

    verdict: str
    accounts: int
    end_users: int
    organizations: int
    exchanges: int
    output_tokens: int
    permitted_exchanges: int
    revenue_usd: float
    text: str


@dataclass(frozen=True)
class Preview:
    """One campaign: its accused, their traffic, the honest periphery, and the rungs."""

    campaign_id: str
    standing: str
    accused_accounts: int
    accused_organizations: int
    periphery_accounts: int
    days: int
    exchanges: int
    output_tokens: int
    revenue_usd: float
    recommended: str
    rungs: tuple[RungPreview, ...]


def preview(run: Run, campaign_id: str, *, days: int = 7) -> Preview:
    """Return what acting on a campaign would touch, from the last ``days`` days of the run.

    The rungs' collateral is the scan's own and covers its whole window.

    Raises:
        EvidenceError: the run holds no such campaign.
    """
    campaign = next((c for c in run.campaigns if c["campaign_id"] == campaign_id), None)
    if campaign is None:
        raise EvidenceError(
            f"the run holds no campaign {campaign_id}", where=str(run.path),
            hint="campaigns.jsonl lists them",
        )  # fmt: skip
    accused = [m for m in campaign["members"] if m["standing"] == "accused"]
    traffic = _traffic(run, accused, days)
    return Preview(
        campaign_id=campaign_id,
        standing=str(campaign["standing"]),
        accused_accounts=len({m["account_id"] for m in accused}),
        accused_organizations=int(traffic["organizations"] or 0),
        periphery_accounts=sum(m["role"] == "periphery" for m in campaign["members"]),
        days=days,
        exchanges=int(traffic["exchanges"] or 0),
        output_tokens=int(traffic["output_tokens"] or 0),
        revenue_usd=round((traffic["micro_usd"] or 0) / 1e6, 2),
        recommended=str(campaign["recommended"]["verdict"]),
        rungs=tuple(
            RungPreview(
                verdict=r["verdict"],
                **{name: int(r[name]) for name in _COUNTS},
                revenue_usd=float(r["revenue_usd"]),
                text=str(r["text"]),
            )
            for r in sorted(
                campaign["recommended"]["rungs"], key=lambda r: VERDICTS.index(r["verdict"])
            )
        ),
    )


def _traffic(run: Run, accused: list[dict[str, Any]], days: int) -> dict[str, Any]:
    import pyarrow as pa

    who = pa.table(
        {
            "account_id": pa.array([m["account_id"] for m in accused], pa.string()),
            "end_user_id": pa.array([m["end_user_id"] for m in accused], pa.string()),
        }
    )
    found: list[dict[str, Any]] = run.query(
        f"""SELECT count(*) AS exchanges, count(DISTINCT e.org) AS organizations,
                   CAST(sum(coalesce(e.output_tokens, 0)) AS BIGINT) AS output_tokens,
                   CAST(sum(coalesce(e.cost_micro_usd, 0)) AS BIGINT) AS micro_usd
            FROM exchanges e JOIN people p ON p.sid = e.sid
            JOIN who w ON w.account_id = p.account_id
             AND coalesce(w.end_user_id, '') = coalesce(p.end_user_id, '')
            WHERE e.ts > (SELECT max(ts) FROM exchanges) - INTERVAL {int(days)} DAY""",
        who=who,
    ).to_pylist()
    return found[0]
