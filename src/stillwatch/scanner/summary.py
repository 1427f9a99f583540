"""summary.json: one page of numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

import stillwatch
from stillwatch.campaigns import (
    Assumptions,
    Choice,
    Judgement,
    measure_prevalence,
    scaled,
    stamp,
    tokens_of,
    value_at_risk,
)
from stillwatch.kernel import KERNEL_VERSION
from stillwatch.policy import Permit, PermitUse
from stillwatch.profiles import in_window
from stillwatch.runners import LocalRunner
from stillwatch.scanner.baseline import Baseline, promised
from stillwatch.scanner.described import described
from stillwatch.scanner.feed import Feed
from stillwatch.scanner.permits import permits_read
from stillwatch.signals import RUNGS, TESTS, lacking, shipped_references

__all__ = ["summarize"]

SCHEMA_VERSION: Final = 1


def _signals(columns: frozenset[str], without: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for test in TESTS:
        absent = lacking(test, columns)
        rows.append(
            {
                "name": test.name, "title": test.title, "claim": test.claim,
                "evaluable": not absent and test.name not in without,
                "missing": list(absent), "null": test.null, "needs": list(test.needs),
            }
        )  # fmt: skip
    return rows


def _events(runner: LocalRunner, judgement: Judgement) -> list[dict[str, Any]]:
    """Return model first-seens after the first day, and days on which members were banned."""
    models = runner.query(
        """SELECT model, min(ts) AS ts FROM exchanges GROUP BY model
           HAVING min(ts) > (SELECT min(ts) FROM exchanges) + INTERVAL 1 DAY ORDER BY ts, model"""
    ).to_pylist()
    events = [
        {"ts": stamp(m["ts"]), "kind": "model_first_seen", "label": m["model"]} for m in models
    ]
    campaigns = judgement.campaigns
    bans = runner.query(
        """SELECT m.campaign, date_trunc('hour', s.closed_at) AS ts, count(*) AS n
           FROM members m JOIN subjects s ON s.sid = m.sid
           WHERE s.closed_at BETWEEN (SELECT min(ts) FROM exchanges) AND
                                     (SELECT max(ts) FROM exchanges)
           GROUP BY ALL HAVING count(*) >= 2 ORDER BY m.campaign, ts""",
        members=pa.table(
            {
                "campaign": pa.array(
                    [k for k, c in enumerate(campaigns) for _ in c.members], pa.int32()
                ),
                "sid": pa.array([s for c in campaigns for s in c.members], pa.int32()),
            }
        ),
    ).to_pylist()
    events.extend(
        {
            "ts": stamp(b["ts"]), "kind": "ban", "label": f"{b['n']} accounts banned",
            "campaign_id": campaigns[b["campaign"]].campaign_id,
        }
        for b in bans
    )  # fmt: skip
    return sorted(events, key=lambda e: (str(e["ts"]), str(e["kind"]), str(e["label"])))


def summarize(
    runner: LocalRunner, judgement: Judgement, choice: Choice, accounts: pa.Table,
    lines: list[dict[str, Any]], feed: Feed, assumptions: Assumptions, earlier: Baseline,
    drift: dict[str, Any], rng: np.random.Generator, permits: Sequence[Permit] = (),
    spared: Collection[int] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the content of summary.json. ``spared``: cohorts that honest values alone join."""
    totals, senders, given = _counted(runner)
    standings = accounts["standing"].to_pylist()
    accused = [s for c in judgement.campaigns for s in c.accused]
    unable = choice.cannot_accuse or not _harvest_evaluable(runner.columns, runner.settings.without)
    needed = choice.usual_asked if np.isfinite(choice.usual) else None
    settings = runner.settings
    return {
        "versions": {
            "stillwatch": stillwatch.__version__, "kernel_spec": KERNEL_VERSION,
            "schema": SCHEMA_VERSION,
        },
        "inputs": {
            "rows_digest": f"{int(totals['digest'] or 0):016x}",
            "formats": list(feed.formats),
            **({"tables": feed.tables} if feed.tables else {}),
        },
        "parameters": settings.as_dict(),
        "rows_in": feed.ledger.rows_read,
        "rows_kept": totals["n"],
        "rejected": feed.ledger.rows_rejected,
        "duplicates": given - totals["n"],
        "zone_less_times": feed.ledger.zoneless_times,
        "accounts": senders["accounts"],
        "described": described(runner),
        "subjects": senders["subjects"],
        "organizations": senders["organizations"],
        "since": stamp(totals["low"]),
        "until": stamp(totals["high"]),
        "look": settings.look,
        "alpha": settings.alpha,
        "alpha_spent": choice.alpha,
        "calibrated_on_your_traffic": earlier.calibrates,
        "reference": {
            **_reference(earlier, _least_score(runner, choice)), "spared_cohorts": len(spared),
        },
        "cannot_accuse": unable,
        "cohorts_tested": len(choice.cohorts),
        "cohorts_selected": len(choice.selected),
        "needed_e": needed,
        "drift": drift,
        "signals": _signals(runner.columns, settings.without),
        "campaigns": [
            {
                k: line[k]
                for k in ("campaign_id", "standing", "accounts", "core", "exchanges",
                          "output_tokens", "first_seen", "last_seen")
            }
            for line in lines
        ],
        "accused_accounts": standings.count("accused"),
        "watch_accounts": standings.count("watch"),
        "permitted_accounts": standings.count("permitted"),
        "prevalence": measure_prevalence(
            runner, judgement, choice.usual if needed else choice.largest, RUNGS, rng,
            {line["campaign_id"]: line["methods"] for line in lines}, able=not unable,
        ),
        "value_at_risk": value_at_risk(
            scaled(tokens_of(runner, [accused])[0], settings.sampling_rate), assumptions, rng
        ),
        "permits": [_used(use) for use in judgement.permit_uses],
        "permits_read": permits_read(runner, permits, judgement.permit_uses),
        "events": _events(runner, judgement),
    }  # fmt: skip


def _counted(runner: LocalRunner) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return what is kept of the log, who sent it, and its rows in the window with the repeats."""
    totals = runner.query(
        """SELECT count(*) AS n, min(ts) AS low, max(ts) AS high,
                  CAST(sum(CAST(xor(digest, md5_number_lower(exchange_id)) AS HUGEINT))
                       % 18446744073709551616 AS VARCHAR) AS digest
           FROM exchanges"""
    ).to_pylist()[0]
    # Who sent anything is in `people`, once; of an id that comes again one exchange stays.
    senders = runner.query(
        """SELECT count(*) AS subjects, count(DISTINCT account_id) AS accounts,
                  count(DISTINCT coalesce(org_id, account_id)) AS organizations FROM people"""
    ).to_pylist()[0]
    given = runner.query("SELECT count(*) AS n FROM features " + in_window(runner.settings))
    return totals, senders, int(given["n"][0].as_py())


def _reference(earlier: Baseline, least_score: float) -> dict[str, Any]:
    """Return what stands for chance: the shipped reference, and what the baseline adds to it."""
    reference = shipped_references().together
    return {
        "name": reference.name, "cohorts": len(reference.scores), "worlds": reference.worlds,
        "largest_e": reference.largest_e, "limits": reference.limits,
        "tail_check": reference.check, "local_cohorts": len(earlier.together.scores),
        "baseline": list(earlier.names),
        "labelled_honest_cohorts": len(earlier.labelled.honest),
        "labelled_distilling_cohorts": earlier.labelled.distilling,
        "warninglist_values": len(earlier.values),
        "contamination": earlier.sensitivity(least_score) if earlier.calibrates else [],
        "achieved": [*promised(reference), *earlier.achieved(reference)],
    }  # fmt: skip


def _used(use: PermitUse) -> dict[str, Any]:
    """Return what was sent under a permit, inside it or in excess."""
    return {
        "permit_id": use.permit_id, "kind": "excess" if use.exceeded else "inside",
        "accounts": len(use.accounts), "exchanges": use.inside + use.outside,
        "text": f"{use.inside:,} exchanges inside the permit, {use.outside:,} outside, "
        f"{use.over_limit_days} days over its limit",
    }  # fmt: skip


def _harvest_evaluable(columns: frozenset[str], without: Sequence[str]) -> bool:
    return not any(
        lacking(t, columns) or t.name in without for t in TESTS if t.claim == "extractive"
    )


def _least_score(runner: LocalRunner, choice: Choice) -> float:
    rows = runner.query("SELECT cohort, score FROM cohort_scores WHERE tested").to_pylist()
    chosen = [r["score"] for r in rows if r["cohort"] in choice.selected]
    return float(min(chosen)) if chosen else float("inf")
