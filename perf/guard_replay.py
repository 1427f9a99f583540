"""Replays campaigns against the guard: what share of their remaining output does it stop?

    python perf/guard_replay.py [--seeds 21 22] [--found 0.05] [--work DIR] [--out FILE.json]
                                [--adaptive 1]

For each seed the demo world is simulated and scanned, and for each of ``--adaptive`` the world
rung5, whose campaigns read this project's source. For each campaign that the scan accused, the
guard's snapshot is compiled from what had been seen when the campaign had had ``--found`` of its
exchanges: the accused that were active by then, the values they had shared by then. Then all
traffic after that moment is replayed, honest and hostile. What is assumed, and said in the result:
that the campaign is found at that moment (the scan of so short a prefix alone would not accuse);
that nobody changes behaviour when throttled. A request counts as stopped when its verdict is
throttle or deny. Honest are all exchanges of accounts that the world's truth does not call hostile.
A campaign that the scan did not accuse is not stopped at all: it counts into
``stopped_share_of_all_tokens`` and is listed by itself.

``throttle`` and ``deny`` keep the one snapshot to the end. ``daily`` throttles too, and at each
midnight scans what was logged so far (the days before, with nothing that the account table only
came to know later) and uses the new run's snapshot, as `guard follow` does, from the first that
accuses the campaign on. What the guard stopped is in those logs as if it had been answered, and
conversations of before an account was accused stay nobody's.
``as_if_found`` is for the campaigns that the scan did not accuse: the world's truth takes the
scan's place, so that it says what the guard would do about them and not that they are found.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from machine import commit, describe

from stillwatch.cases import compile_snapshot, logged_rows
from stillwatch.cli.rehearsal import request_of_row
from stillwatch.guard import Decision, Guard, Orders, Request
from stillwatch.policy import Ladder
from stillwatch.scanner import scan
from stillwatch.schema.snapshot import EVIDENCE, Action, Snapshot
from stillwatch.simulate import SimulatedWorld, simulate
from stillwatch.store import Run, open_run

SALT = b"guard replay"
TOLD = "c-told"  # the id of a campaign that the truth names
EPOCH = datetime.fromtimestamp(0, UTC)


class Row(NamedTuple):
    """One exchange: the request that it was, how it ended, and what the world's truth says."""

    request: Request
    status: str
    output_tokens: int
    prefix_full: int
    h_blob: int
    campaign: str | None
    role: str | None


def rows_of(run: Run, truth: Path) -> list[Row]:
    """Return the run's exchanges in time order, each with its account's links and its truth."""
    told = {
        (r["account_id"], r["end_user_id"]): (r["campaign"], r["role"])
        for r in pq.read_table(truth).to_pylist()
    }
    rows = []
    for row in logged_rows(run):
        who = (row["account_id"], row["end_user_id"])
        true = told.get(who) or told.get((row["account_id"], None)) or (None, None)
        rows.append(
            Row(request_of_row(row), row["status"], row["output_tokens"], row["prefix_full"],
                row["h_blob"], *true)
        )  # fmt: skip
    return rows


def replay(
    snapshot: Snapshot, rows: list[Row], name: str, start_us: int,
    later: tuple[tuple[int, Snapshot], ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return what the guard did to the traffic after a moment; ``name`` is the true campaign.

    ``later``: other snapshots and from when on they are used, in order.
    """
    guard = Guard(snapshot)
    waiting = list(later)
    tokens: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    honest = affected = watched = elsewhere = 0
    levels: Counter[str] = Counter()
    for row in rows:
        request = row.request
        while waiting and request.ts_us >= waiting[0][0]:
            guard.load(waiting.pop(0)[1], Orders())
        stopped = False
        if request.ts_us > start_us:
            decision = guard.decide(request)
            stopped = decision.verdict in ("throttle", "step_up", "deny")
            if row.role == "core" and row.campaign == name:
                tokens["all"] += row.output_tokens
                tokens["stopped"] += row.output_tokens * stopped
                levels[decision.level or "unseen"] += 1
                if not stopped:
                    missed[why_missed(guard, request, decision)] += row.output_tokens
            elif row.role != "core":
                honest += 1
                affected += stopped
                watched += decision.verdict == "watch"
            else:
                elsewhere += stopped
        if not stopped:
            guard.observe(request, status=row.status, prefix_full=row.prefix_full,
                          h_blob=row.h_blob)  # fmt: skip
    return {
        "remaining_tokens": tokens["all"],
        "stopped_share": round(tokens["stopped"] / max(tokens["all"], 1), 4),
        "missed_share": {
            why: round(n / max(tokens["all"], 1), 4) for why, n in sorted(missed.items())
        },
        "levels": dict(sorted(levels.items())),
        "honest": honest, "honest_affected": affected, "honest_watched": watched,
        "other_campaigns_affected": elsewhere,
    }  # fmt: skip


def why_missed(guard: Guard, request: Request, decision: Decision) -> str:
    """Return why a request of the campaign's was answered.

    ``budget``: the campaign had not spent it. ``known``: a scan had judged the account clear.
    ``established``: it carries template and address, and is too old to tell it from one whom a
    campaign copies. ``address``: it carries the template, from an address that is not the
    campaign's. ``template``: none of its templates. ``nothing``: nothing of the campaign's.
    """
    if decision.level in ("member", "joined", "joining"):
        return "budget"
    if guard.table.subject(request.account_id, request.end_user_id) in guard.table.known:
        return "known"
    campaign, bits = max(guard.matches(request).items(), default=(0, 0), key=itemgetter(1))
    if not bits:
        return "nothing"
    if not bits & EVIDENCE["frame"]:
        return "template"
    return "established" if guard.table.is_established(campaign, request.created_us) else "address"


def world(name: str, seed: int, found: float, work: Path) -> list[dict[str, Any]]:
    """Simulate, scan and replay one seed of a world."""
    folder, run_dir = work / f"world-{name}-{seed}", work / f"run-{name}-{seed}"
    made = simulate(name, seed=seed, out=folder)
    scan([folder / "exchanges"], accounts=made.accounts_csv, permits=made.permits_csv,
         out=run_dir, threads=1)  # fmt: skip
    run = open_run(run_dir)
    rows = rows_of(run, folder / "truth.parquet")
    print(json.dumps({"world": name, "seed": seed, "rows": len(rows)}), file=sys.stderr, flush=True)
    truly: dict[str, str] = {r.request.account_id: r.campaign or "" for r in rows
                             if r.role == "core"}  # fmt: skip
    parts = accused_as(run, truly)
    days = daily_runs(made, folder, work / f"days-{name}-{seed}") if parts else []
    accused_daily = [(at, day, accused_as(day, truly)) for at, day in days]
    results = []
    for true_name in sorted(set(truly.values())):
        if true_name in parts:
            line = of_campaign(run, rows, true_name, parts[true_name], found)
            daily = [(at, day, p[true_name]) for at, day, p in accused_daily if true_name in p]
            line["daily"] = of_days(line.pop("snapshot"), rows, true_name, line["found_us"], daily)
        else:
            line = of_campaign(
                told(run, folder / "truth.parquet", true_name), rows, true_name, [TOLD], found
            )
            line["as_if_found"] = line.pop("throttle")
            del line["deny"], line["snapshot"]
            line["found_as"] = 0
        results.append({"world": name, "seed": seed, "commit": commit(), **line})
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def accused_as(run: Run, truly: dict[str, str]) -> dict[str, list[str]]:
    """Return true campaign → the accused campaigns of a run most of whose accused are its."""
    parts: dict[str, list[str]] = {}
    for campaign in [c for c in run.campaigns if c["standing"] == "accused"]:
        core = {m["account_id"] for m in campaign["members"] if m["standing"] == "accused"}
        true = Counter(truly[a] for a in sorted(core) if a in truly).most_common(1)
        parts.setdefault(true[0][0] if true else "", []).append(campaign["campaign_id"])
    return parts


def daily_runs(made: SimulatedWorld, folder: Path, out: Path) -> list[tuple[int, Run]]:
    """Return (midnight in microseconds, run of all days before it); the last day ends the log."""
    days = sorted((folder / "exchanges").glob("*.parquet"))
    found = []
    for k in range(1, len(days)):
        midnight = datetime.fromisoformat(days[k].stem).replace(tzinfo=UTC)
        accounts = out / f"accounts-{k}.csv"
        out.mkdir(exist_ok=True)
        known_by(midnight, made.accounts_csv, accounts)
        scan(days[:k], accounts=accounts, permits=made.permits_csv, out=out / f"run-{k}",
             threads=1)  # fmt: skip
        found.append(((midnight - EPOCH) // timedelta(microseconds=1), open_run(out / f"run-{k}")))
    return found


def known_by(moment: datetime, accounts: Path, out: Path) -> None:
    """Write the account table as it was: without accounts and closures that came later."""
    until = f"{moment:%Y-%m-%dT%H:%M:%SZ}"  # as the table writes times: texts order as times do
    with accounts.open(newline="") as read, out.open("w", newline="") as file:
        reader = csv.DictReader(read)
        writer = csv.DictWriter(file, reader.fieldnames or [])
        writer.writeheader()
        for row in reader:
            if row["closed_at"] >= until:
                row["closed_at"] = row["closed_reason"] = ""
            if row["created_at"] < until:
                writer.writerow(row)


def told(run: Run, truth: Path, name: str) -> Run:
    """Return the run as if it had accused one campaign: the accounts that truly are its core."""
    members = [
        {"account_id": r["account_id"], "end_user_id": r["end_user_id"], "role": "core",
         "standing": "accused"}
        for r in pq.read_table(truth).to_pylist()
        if r["campaign"] == name and r["role"] == "core"
    ]  # fmt: skip
    made = Run(run.path)
    made.campaigns = [
        {"campaign_id": TOLD, "standing": "accused", "methods": (), "members": members}
    ]
    return made


def snapshot_of(run: Run, at: int, names: list[str]) -> Snapshot:
    """Return what a guard would be given of some campaigns of a run at a time, microseconds."""
    moment = EPOCH + timedelta(microseconds=at)
    return compile_snapshot(
        run, now=moment, salt=SALT, version=1, ladder=Ladder(mode="enforce"),
        valid=timedelta(days=60), only=names, as_of=moment + timedelta(microseconds=1),
    ).snapshot  # fmt: skip


def of_campaign(
    run: Run, rows: list[Row], name: str, found_as: list[str], found: float
) -> dict[str, Any]:
    """Return the line of one true campaign, which a run accuses as these, and its snapshot."""
    mine = [r for r in rows if r.campaign == name and r.role == "core"]
    at = mine[max(0, int(found * len(mine)) - 1)].request.ts_us
    snapshot = snapshot_of(run, at, found_as)
    action = Action("deny", "replay", at, at + 60 * 86_400_000_000)
    ordered = tuple(replace(c, action=action) for c in snapshot.campaigns)
    return {
        "campaign": name, "found_as": len(found_as), "exchanges": len(mine),
        "accounts": len({r.request.account_id for r in mine}), "found_us": at,
        "remaining_tokens": sum(r.output_tokens for r in mine if r.request.ts_us > at),
        "accused_then": len(snapshot.accused), "snapshot": snapshot,
        "throttle": replay(snapshot, rows, name, at),
        "deny": replay(replace(snapshot, campaigns=ordered), rows, name, at),
    }  # fmt: skip


def of_days(
    first: Snapshot, rows: list[Row], name: str, at: int, days: list[tuple[int, Run, list[str]]]
) -> dict[str, Any]:
    """Return what a guard did that took each day's snapshot where that day's run accuses it."""
    later = tuple((us, snapshot_of(run, us, names)) for us, run, names in days if us > at)
    return {**replay(first, rows, name, at, later), "snapshots": 1 + len(later)}


def kept(name: str, seed: int, found: float, work: Path) -> list[dict[str, Any]]:
    """Return the lines of a seed; what the work folder holds of it already is not done again."""
    file = work / f"replay-{name}-{seed}-{found:g}.json"
    if not file.exists():
        lines = world(name, seed, found, work)
        file.write_text(json.dumps(lines), encoding="utf-8")
        shutil.rmtree(work / f"world-{name}-{seed}")
        shutil.rmtree(work / f"run-{name}-{seed}")
        shutil.rmtree(work / f"days-{name}-{seed}", ignore_errors=True)
    done: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return done


def summed(every: list[dict[str, Any]], ladder: str) -> dict[str, Any]:
    """Return the figures of all campaigns so replayed, and of each family the share stopped."""
    lines = [line for line in every if ladder in line]
    results = [line[ladder] for line in lines]
    tokens = sum(r["remaining_tokens"] for r in results)
    stopped = sum(r["stopped_share"] * r["remaining_tokens"] for r in results)
    # Every campaign of a seed is replayed beside the same honest traffic.
    seeds = {line["seed"] for line in lines}
    honest = sum(max(x[ladder]["honest"] for x in lines if x["seed"] == s) for s in seeds)
    affected = sum(r["honest_affected"] for r in results)
    families: dict[str, list[float]] = {}
    for line in lines:
        family = line["campaign"].rpartition("-")[0] or line["campaign"]
        families.setdefault(family, []).append(line[ladder]["stopped_share"])
    return {
        "campaigns": len(every),
        "replayed": len(lines),
        "stopped_share_of_tokens": round(stopped / tokens, 4) if tokens else None,
        "stopped_share_of_all_tokens": round(
            stopped / sum(line["remaining_tokens"] for line in every), 4
        )
        if ladder != "as_if_found" else None,
        "stopped_share_mean": round(sum(r["stopped_share"] for r in results) / len(results), 4)
        if results else None,
        "stopped_share_by_family": {
            f: round(sum(v) / len(v), 4) for f, v in sorted(families.items())
        },
        "honest_requests_distinct": honest,
        "honest_requests_replayed": sum(r["honest"] for r in results),
        "honest_affected": affected,
        "honest_affected_upper_95": round(3 / honest, 9) if honest and not affected else None,
        "honest_watched": sum(r["honest_watched"] for r in results),
        "missed_share_of_tokens": _missed(results, tokens),
    }  # fmt: skip


def _missed(results: list[dict[str, Any]], tokens: int) -> dict[str, float]:
    """Return reason → share of the remaining tokens of found campaigns that it let pass."""
    total: Counter[str] = Counter()
    for result in results:
        for why, share in result["missed_share"].items():
            total[why] += share * result["remaining_tokens"]
    return {why: round(n / max(tokens, 1), 4) for why, n in sorted(total.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[7, 8, 9, 10, 11, 12, 13, 14])
    parser.add_argument("--adaptive", type=int, nargs="*", default=[1])
    parser.add_argument("--found", type=float, default=0.05)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines: dict[str, list[dict[str, Any]]] = {"demo": [], "rung5": []}
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        for name, seeds in (("demo", given.seeds), ("rung5", given.adaptive)):
            for seed in seeds:
                lines[name] += kept(name, seed, given.found, work)
    summary = {
        name: {
            ladder: summed(every, ladder)
            for ladder in ("throttle", "deny", "daily", "as_if_found")
            if any(ladder in line for line in every)
        }
        for name, every in lines.items() if every
    }  # fmt: skip
    every = [line for name in lines for line in lines[name]]
    result = {
        "what": " ".join(__doc__.split("\n\n", 2)[2].split()),
        "found_at": given.found, "seeds": {"demo": given.seeds, "rung5": given.adaptive},
        "summary": summary, "campaigns": [line for line in every if line["found_as"]],
        "not_found_by_the_scan": [line for line in every if not line["found_as"]],
        "commit": commit(), "machine": describe(),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
