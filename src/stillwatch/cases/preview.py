"""What a rung would touch, asked of the run before it is enforced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from stillwatch.cases.snapshot import usual_rate
from stillwatch.errors import EvidenceError
from stillwatch.policy import RUNGS, TOUCH_COUNTS, Ladder, limit_sql, touched_sql
from stillwatch.store import Run

__all__ = ["Preview", "RungPreview", "preview"]

_PEOPLE: Final = (
    "p.account_id = {t}.account_id AND coalesce(p.end_user_id, '') = coalesce({t}.end_user_id, '')"
)


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
    """One campaign: its accused, their traffic, the honest periphery, and the rungs.

    ``acted_…``: on whom a verdict would fall, the accused or, where nobody is, the core;
    ``exchanges``, ``output_tokens`` and ``revenue_usd`` are theirs. ``periphery_…``: members that
    are not accused, such as the honest customers of its proxy, and all that they did in the days
    asked for; who is no member and shares an address with it is not among them (see `rehearse` in
    ``stillwatch.cli``, which finds those too). Accounts, end users and organizations are of the
    whole run. ``budget``: requests that the accused together keep under *throttle* in
    ``budget_window_s``; None where the campaign is not accused.
    """

    campaign_id: str
    standing: str
    accused_accounts: int
    acted_accounts: int
    acted_end_users: int
    acted_organizations: int
    periphery_accounts: int
    periphery_end_users: int
    periphery_organizations: int
    periphery_exchanges: int
    days: int
    exchanges: int
    output_tokens: int
    revenue_usd: float
    recommended: str
    rungs: tuple[RungPreview, ...]
    budget: int | None
    budget_window_s: int


def preview(run: Run, campaign_id: str, *, days: int = 7, ladder: Ladder | None = None) -> Preview:
    """Return what acting on a campaign would touch, from the last ``days`` days of the run.

    What the rungs touch is counted as the scan counts it, in these days alone; only the limit of
    *throttle* is learnt from all of its window. ``ladder``: of the guard, for what the accused
    keep under *throttle*.

    Raises:
        EvidenceError: the run holds no such campaign.
    """
    campaign = next((c for c in run.campaigns if c["campaign_id"] == campaign_id), None)
    if campaign is None:
        raise EvidenceError(
            f"the run holds no campaign {campaign_id}", where=str(run.path),
            hint="campaigns.jsonl lists them",
        )  # fmt: skip
    held = ladder or Ladder()
    acted = _acted_on(campaign["members"])
    beside = [m for m in campaign["members"] if m not in acted]
    late = f"e.ts > (SELECT max(ts) FROM exchanges) - INTERVAL {int(days)} DAY"
    traffic, aside = _traffic(run, acted, late), _traffic(run, beside, late)
    return Preview(
        campaign_id=campaign_id,
        standing=str(campaign["standing"]),
        accused_accounts=len({m["account_id"] for m in acted if m["standing"] == "accused"}),
        acted_accounts=len({m["account_id"] for m in acted}),
        acted_end_users=sum(m["end_user_id"] is not None for m in acted),
        acted_organizations=_organizations(run, acted),
        periphery_accounts=len({m["account_id"] for m in beside}),
        periphery_end_users=sum(m["end_user_id"] is not None for m in beside),
        periphery_organizations=_organizations(run, beside),
        periphery_exchanges=int(aside["exchanges"] or 0),
        days=days,
        exchanges=int(traffic["exchanges"] or 0),
        output_tokens=int(traffic["output_tokens"] or 0),
        revenue_usd=round((traffic["micro_usd"] or 0) / 1e6, 2),
        recommended=str(campaign["recommended"]["verdict"]),
        rungs=_rungs(run, campaign["members"], acted, late),
        budget=_budget(run, campaign, held),
        budget_window_s=held.budget_window_s,
    )


def _budget(run: Run, campaign: dict[str, Any], ladder: Ladder) -> int | None:
    """Return the requests that *throttle* leaves the accused in a window; None of a campaign that
    is not accused."""
    accused = [m for m in campaign["members"] if (m["standing"], m["role"]) == ("accused", "core")]
    if campaign["standing"] != "accused" or not accused:
        return None
    seen = run.query(
        f"""SELECT count(*) AS n, (max(epoch_us(e.ts)) - min(epoch_us(e.ts))) / 3.6e9 AS hours
            FROM exchanges e JOIN people p ON p.sid = e.sid
            JOIN who w ON {_PEOPLE.format(t="w")}""",
        who=_table(accused),
    ).to_pylist()[0]
    return ladder.budget(usual_rate(seen["n"], seen["hours"] or 0.0))


def _acted_on(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the accused; of a campaign without any its core, or else all its linked members."""
    accused = [m for m in members if m["standing"] == "accused"]
    core = [m for m in members if m["role"] == "core"]
    return accused or core or [m for m in members if m["confidence"] > 0]


def _rungs(
    run: Run, members: list[dict[str, Any]], acted: list[dict[str, Any]], late: str
) -> tuple[RungPreview, ...]:
    reach = _table(members).append_column(
        "aside", pa.array([m not in acted for m in members], pa.bool_())
    )
    reach = reach.append_column(
        "permitted", pa.array([m["standing"] == "permitted" for m in members], pa.bool_())
    )
    sids = run.query(
        f"""SELECT 0::INTEGER AS campaign, p.sid, g.aside, g.permitted FROM people p
            JOIN given g ON {_PEOPLE.format(t="g")}""",
        given=reach,
    )
    limit = _limit(run)
    found = run.query(touched_sql(limit, late), reach=sids).to_pylist()
    row = found[0] if found else {}
    return tuple(
        RungPreview(
            verdict=rung,
            **{name: int(row.get(f"{rung}_{name}") or 0) for name in TOUCH_COUNTS},
            revenue_usd=round((row.get(f"{rung}_micro_usd") or 0) / 1e6, 2),
            text=text.format(limit=f"{limit:,}"),
        )
        for rung, (_, text) in RUNGS.items()
    )


def _limit(run: Run) -> int:
    """Return the requests an hour beyond which *throttle* makes wait, as the scan counted them."""
    given = _table([m for c in run.campaigns for m in c["members"]])
    members = run.query(
        f"SELECT DISTINCT p.sid FROM people p JOIN given g ON {_PEOPLE.format(t='g')}", given=given
    )
    count = run.query("SELECT count(*) AS n FROM people")["n"][0].as_py()
    return int(run.query(limit_sql(count), members=members)["top"][0].as_py() or 0)


def _organizations(run: Run, members: list[dict[str, Any]]) -> int:
    found = run.query(
        f"""SELECT count(DISTINCT p.org) AS n FROM people p JOIN who w
            ON {_PEOPLE.format(t="w")}""",
        who=_table(members),
    )
    return int(found["n"][0].as_py() or 0)


def _traffic(run: Run, members: list[dict[str, Any]], late: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = run.query(
        f"""SELECT count(*) AS exchanges,
                   CAST(sum(coalesce(e.output_tokens, 0)) AS BIGINT) AS output_tokens,
                   CAST(sum(coalesce(e.cost_micro_usd, 0)) AS BIGINT) AS micro_usd
            FROM exchanges e JOIN people p ON p.sid = e.sid
            JOIN who w ON {_PEOPLE.format(t="w")} WHERE {late}""",
        who=_table(members),
    ).to_pylist()
    return found[0]


def _table(members: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            "account_id": pa.array([m["account_id"] for m in members], pa.string()),
            "end_user_id": pa.array([m["end_user_id"] for m in members], pa.string()),
        }
    )
