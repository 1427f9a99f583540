"""A judgement as the tables and lines of the run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.collateral import acted_on, collateral_by_rung
from stillwatch.campaigns.judge import Campaign, Judgement, Shown, weaker_p
from stillwatch.campaigns.value import Assumptions, harvest_value
from stillwatch.policy import access_of
from stillwatch.schema import HARVEST_SUMS_SQL, Desk
from stillwatch.schema.arrow import ACCOUNT_RESULT, LINK, SIGNAL
from stillwatch.stats import round9

__all__ = ["account_rows", "campaign_lines", "link_table", "signal_table", "stamp", "tokens_of"]

_CHANNEL_SHARE = 0.8
_AT_ONCE: Final = 20_000


def stamp(moment: datetime | None) -> str | None:
    """Return ISO 8601 in UTC to the second."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def tokens_of(desk: Desk, groups: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Return counts, sums and the time span of the exchanges of each group of subjects."""
    pairs = [(k, sid) for k, sids in enumerate(groups) for sid in sorted(set(sids))]
    members = pa.table(
        {
            "number": pa.array([k for k, _ in pairs], pa.int64()),
            "sid": pa.array([sid for _, sid in pairs], pa.int32()),
        }
    )
    rows = desk.query(
        f"""SELECT g.range AS number, count(e.sid) AS exchanges, {HARVEST_SUMS_SQL},
                   min(e.ts) AS first, max(e.ts) AS last
            FROM range({len(groups)}) g LEFT JOIN members m ON m.number = g.range
            LEFT JOIN acts e ON e.sid = m.sid GROUP BY g.range ORDER BY g.range""",
        members=members,
    ).to_pylist()
    return [{k: v for k, v in row.items() if k != "number"} for row in rows]


def campaign_lines(
    desk: Desk, judgement: Judgement, needed: Callable[[int], float],
    shown: Mapping[str, dict[str, int]],
    basis: Mapping[str, dict[str, int]], assumptions: Assumptions, rng: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return one JSON-ready object per campaign, in the judgement's order.

    ``needed``: by cohort, the e-value that selection needed.
    ``shown``, ``basis``: by campaign, what its raster shows and what its coverage rests on.
    """
    rungs = collateral_by_rung(desk, judgement)
    people = judgement.crowd.subjects
    accounts = people["account_id"].to_pylist()
    users = people["end_user_id"].to_pylist()
    lines = []
    sides = [acted_on(campaign) for campaign in judgement.campaigns]
    for campaign, acted, sums in zip(
        judgement.campaigns, sides, tokens_of(desk, sides), strict=True
    ):
        verdict = "step_up" if campaign.standing == "accused" else "watch"
        ladder = rungs[campaign.campaign_id]
        lines.append(
            {
                "campaign_id": campaign.campaign_id,
                "standing": campaign.standing,
                "found_by": campaign.found_by,
                "first_seen": stamp(sums["first"]),
                "last_seen": stamp(sums["last"]),
                "accounts": len({accounts[s] for s in acted}),
                "core": len({accounts[s] for s in campaign.core}),
                "periphery": len({accounts[s] for s in set(campaign.members) - set(campaign.core)}),
                "exchanges": sums["exchanges"],
                "output_tokens": sums["output_tokens"],
                "revenue_usd": round(sums["cost_micro_usd"] / 1e6, 2),
                "methods": campaign.methods,
                "claims": campaign.claims,
                "e_value": campaign.e_value,
                "q_value": campaign.q_value,
                "needed_e": needed(campaign.cohort),
                "members": [
                    {
                        "account_id": accounts[s], "end_user_id": users[s], "role": m.role,
                        "standing": campaign.standings[s], "confidence": m.confidence,
                        "reasons": list(m.reasons),
                    }
                    for s, m in sorted(campaign.members.items())
                ],
                "recommended": {
                    "verdict": verdict,
                    "collateral": {k: v for k, v in ladder[verdict].items() if k != "text"},
                    "rungs": [{"verdict": name, **touched} for name, touched in ladder.items()],
                },
                "rivals": campaign.rivals,
                "not_known": campaign.not_known,
                "raster": shown.get(campaign.campaign_id, {}),
                "coverage": basis.get(campaign.campaign_id, {}),
                "value": {"harvest_usd": harvest_value(sums, assumptions, rng)},
            }
        )  # fmt: skip
    return lines


def account_rows(
    desk: Desk, judgement: Judgement, answers: Mapping[str, str]
) -> tuple[pa.Table, pa.Table]:
    """Return accounts.parquet (one row an account) and subjects.parquet (channel accounts' users).

    A channel account is accused only when at least 80 % of its traffic is that of accused end
    users; else it is watched when any of them is.
    """
    del desk
    people = judgement.crowd.subjects.select(
        ["sid", "account_id", "end_user_id", "org_id", "segment", "exchanges", "owner_entity_id"]
    )
    rows, users = [], []
    for some in _by_account(people):
        made, inside = _account_rows(judgement, some.to_pylist(), answers)
        rows.append(pa.Table.from_pylist(made, schema=ACCOUNT_RESULT))
        users.append(pa.Table.from_pylist(inside, schema=ACCOUNT_RESULT))
    none = ACCOUNT_RESULT.empty_table()
    return (
        pa.concat_tables([none, *rows]).combine_chunks(),
        pa.concat_tables([none, *users]).combine_chunks(),
    )


def _by_account(people: pa.Table) -> Iterator[pa.Table]:
    """Yield all people in the order of their accounts, some at a time, accounts kept whole."""
    people = people.take(
        pc.sort_indices(people, [("account_id", "ascending"), ("sid", "ascending")])
    )
    coded = people["account_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    begins = np.flatnonzero(np.diff(coded, prepend=-1))
    cuts = np.unique(
        begins[np.searchsorted(begins, np.arange(0, len(coded), _AT_ONCE), "right") - 1]
    )
    for low, high in pairwise([*cuts.tolist(), len(coded)]):
        yield people.slice(low, high - low)


def _account_rows(
    judgement: Judgement, people: list[dict[str, Any]], answers: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    users: list[dict[str, Any]] = []
    for account, group in groupby(people, key=lambda person: str(person["account_id"])):
        mine = list(group)
        described = [_row(judgement, p, answers) for p in mine]
        if mine[0]["end_user_id"] is None and len(mine) == 1:
            rows.append(described[0])
            continue
        users.extend(d | {"account_id": _both(p)} for d, p in zip(described, mine, strict=True))
        rows.append(_channel(account, mine, described))
    return rows, users


def _both(person: dict[str, Any]) -> str:
    return f"{person['account_id']} · {person['end_user_id']}"


def _row(
    judgement: Judgement, person: dict[str, Any], answers: Mapping[str, str]
) -> dict[str, Any]:
    sid = person["sid"]
    standing = judgement.standing.get(sid, "clear")
    place = judgement.campaign_of.get(sid)
    campaign: Campaign | None = None if place is None else judgement.campaigns[place]
    evidence = (
        []
        if campaign is None
        else [e for c in ("coordinated", "extractive") for e in campaign.claims[c]["evidence"]]
    )
    strongest = sorted(evidence, key=lambda e: (-e["e_value"], e["signal"]))[:3]
    return {
        "account_id": person["account_id"],
        "org_id": person["org_id"],
        "segment": person["segment"],
        "exchanges": person["exchanges"],
        "standing": standing,
        "access": access_of(person["owner_entity_id"], answers),
        "campaign_id": None if campaign is None else campaign.campaign_id,
        "role": None if campaign is None else campaign.members[sid].role,
        **_shown(judgement, sid, campaign),
        "top_signals": [e["signal"] for e in strongest],
    }


def _shown(judgement: Judgement, sid: int, campaign: Campaign | None) -> dict[str, float | None]:
    """Return the values of the campaign that a subject is linked to, else of its strongest cohort.

    Who only shares something wider with a campaign's members has no part in what is said of it.
    """
    if campaign is not None and campaign.members[sid].confidence > 0:
        evidence = [
            e | {"claim": c, "evaluable": True}
            for c in ("coordinated", "extractive")
            for e in campaign.claims[c]["evidence"]
        ]
        return Shown(weaker_p(evidence), campaign.e_value, campaign.q_value)._asdict()
    own = judgement.strongest.get(sid)
    return {"p_value": None, "e_value": None, "q_value": None} if own is None else own._asdict()


def _channel(
    account: str, people: list[dict[str, Any]], described: list[dict[str, Any]]
) -> dict[str, Any]:
    total = sum(p["exchanges"] for p in people)
    accused = sum(d["exchanges"] for d in described if d["standing"] == "accused")
    rank = {"accused": 0, "permitted": 1, "watch": 2, "clear": 3}
    worst = min(described, key=lambda d: rank[d["standing"]])
    if accused >= _CHANNEL_SHARE * total:
        standing = "accused"
    elif any(d["standing"] != "clear" for d in described):
        standing = "watch"
    else:
        standing = "clear"
    return worst | {
        "account_id": account,
        "exchanges": total,
        "standing": standing,
        "campaign_id": worst["campaign_id"] if standing != "clear" else None,
        "role": worst["role"] if standing == "accused" else None,
    }


def link_table(desk: Desk) -> pa.Table:
    """Return links.parquet: object → account, or account → account for direct evidence."""
    table = desk.query(
        """SELECT coalesce(p.account_id, w.kind || ':' || lower(printf('%016x', w.object))) AS a,
                  q.account_id AS b, w.kind, w.llr, w.count, w.first_seen
           FROM weights w JOIN people q ON q.sid = w.b LEFT JOIN people p ON p.sid = w.a
           ORDER BY w.kind, a, b, w.first_seen"""
    )
    table = table.set_column(3, "llr", pa.array(round9(table["llr"].to_numpy())))
    return table.cast(LINK)


def signal_table(desk: Desk, since: datetime | None, until: datetime | None) -> pa.Table:
    """Return signals.parquet: every test of every cohort, evaluable or not (then NaN)."""
    rows = desk.query("SELECT * FROM findings ORDER BY cohort, claim, signal").to_pylist()
    return pa.Table.from_pylist(
        [
            {
                "subject_kind": "cohort", "subject": f"cohort-{r['cohort']}",
                "window_start": since, "window_end": until, "signal": r["signal"],
                "statistic": r["statistic"], "p_value": r["p_value"], "null": r["null"],
                "n": r["n"],
            }
            for r in rows
        ],
        schema=SIGNAL,
    )  # fmt: skip
