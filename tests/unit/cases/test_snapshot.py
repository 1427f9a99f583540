"""A run becomes a snapshot: only the accused, only by name what a person ordered."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snapshots import SALT, accused_of, compiled

from stillwatch.cases.snapshot import _pursuit
from stillwatch.enrich import read_permits
from stillwatch.errors import EvidenceError
from stillwatch.guard import Guard, Request
from stillwatch.policy import Ladder, permits_from_rows
from stillwatch.schema.snapshot import Action, subject_key
from stillwatch.store import Run, open_run


def test_a_snapshot_accuses_whom_the_scan_accused_and_nobody_else(run):
    made = compiled(run).snapshot
    assert set(made.accused) == {subject_key(SALT, a, e) for a, e in accused_of(run)}
    assert len(made.accused) > 50
    assert not made.known & set(made.accused)


def test_the_same_run_gives_the_same_snapshot(run):
    assert compiled(run) == compiled(run)


def test_templates_and_marks_are_the_campaigns_own(run, world):
    """Of the honest accounts of the truth not one carries enough to join anything."""
    made = compiled(run).snapshot
    assert made.templates
    assert all(t.inside >= t.outside for t in made.templates)
    assert {m.kind for m in made.marks} >= {"near_text", "exit_prefix", "payment"}
    truth = pq.read_table(world / "world" / "truth.parquet").to_pylist()
    honest = {subject_key(SALT, r["account_id"]) for r in truth if r["role"] != "core"}
    assert not honest & set(made.accused)


def edged(run: Run, folder: Path, count: int) -> Run:
    """The run, had the scan left that many members of its largest campaign on watch at its edge."""
    shutil.copytree(run.path, folder)
    campaigns = [json.loads(x) for x in (folder / "campaigns.jsonl").read_text().splitlines()]
    largest = max(campaigns, key=lambda c: len(c["members"]))
    for member in [m for m in largest["members"] if m["role"] == "core"][:count]:
        member.update(role="periphery", standing="watch")
    text = "".join(json.dumps(c) + "\n" for c in campaigns)
    (folder / "campaigns.jsonl").write_text(text)
    return open_run(folder)


@pytest.mark.parametrize(
    ("days", "edge", "outside"), [(0, 0, 0), (36_500, 0, 0), (1, 0, 2), (0, 2, 2), (1, 2, 4)]
)
def test_a_few_at_a_campaigns_edge_who_are_too_new_to_be_judged_leave_its_template_its_own(
    run, tmp_path, days, edge, outside
):
    """Two carriers are on watch at its edge, and ``edge`` more are put there: one of twenty core
    carriers is let pass, so two; none whose account is older than the ladder asks."""
    made = compiled(edged(run, tmp_path / "run", edge), ladder=Ladder(established_days=days))
    template = max(made.snapshot.templates, key=lambda t: t.inside)
    assert (template.inside, template.outside) == (58 - edge, outside)


@pytest.mark.parametrize(
    ("edge", "moved", "elsewhere"), [(2, 0, 0), (2, 1, 1), (2, 2, 2), (4, 4, 2)]
)
def test_carriers_who_were_never_at_a_campaigns_addresses_are_told_apart_a_few_at_most(
    run, tmp_path, edge, moved, elsewhere
):
    """One of twenty core carriers: of 56, and of 54, two."""
    made = moved_away(run, edged(run, tmp_path / "run", edge), moved)
    snapshot = compiled(made, ladder=Ladder(established_days=1)).snapshot
    template = max(snapshot.templates, key=lambda t: t.inside)
    assert (template.inside, template.elsewhere) == (58 - edge, elsewhere)
    assert template.outside == 2 + edge


def moved_away(was: Run, edge: Run, count: int) -> Run:
    """The edged run, had that many of whom it put at the edge used addresses of their own."""
    roles = [
        {(c["campaign_id"], m["account_id"]): m["role"] for c in r.campaigns for m in c["members"]}
        for r in (was, edge)
    ]
    put = sorted(name for (c, name), role in roles[1].items() if roles[0][c, name] != role)
    file = edge.path / "stages" / "exchanges.parquet"
    table = pq.read_table(file)
    at = table.schema.get_field_index("h_prefix")
    own = {name: 1_000 + k for k, name in enumerate(put[:count])}
    prefixes = [
        own.get(name, prefix)
        for name, prefix in zip(
            table["account_id"].to_pylist(), table["h_prefix"].to_pylist(), strict=True
        )
    ]
    column = pa.array(prefixes, pa.uint64())
    pq.write_table(table.set_column(at, table.schema.field(at), column), file)
    return open_run(edge.path)


def test_what_came_after_as_of_is_not_known(run):
    early = compiled(run, as_of=datetime(2026, 11, 17, tzinfo=UTC)).snapshot
    late = compiled(run).snapshot
    assert set(early.accused) < set(late.accused)
    assert len(early.seeds) < len(late.seeds)


def test_the_usual_rate_is_over_a_day_at_least_so_that_a_busy_hour_makes_no_large_budget(run):
    """Found after some hours, a campaign's limit is of what it sent, as if that were its day."""
    campaigns = compiled(run).snapshot.campaigns
    assert len(campaigns) > 1
    for campaign in campaigns:
        sent = requests_of(run, campaign.campaign_id)
        span = max(24.0, (sent[-1] - sent[0]) / 3.6e9)
        assert campaign.rate_per_h == pytest.approx(len(sent) / span, abs=1e-5)
        early = sent[0] + 6 * 3_600_000_000
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=early)
        (found,) = compiled(run, as_of=moment, only=[campaign.campaign_id]).snapshot.campaigns
        assert found.rate_per_h == pytest.approx(sum(ts < early for ts in sent) / 24, abs=1e-5)


def requests_of(run, campaign_id):
    """The times of the requests of a campaign's accused core, in order."""
    (campaign,) = [c for c in run.campaigns if c["campaign_id"] == campaign_id]
    core = {(m["account_id"], m["end_user_id"]) for m in campaign["members"]
            if m["role"] == "core" and m["standing"] == "accused"}  # fmt: skip
    rows = run.query(
        "SELECT p.account_id, p.end_user_id, epoch_us(e.ts) AS us FROM exchanges e "
        "JOIN people p ON p.sid = e.sid"
    ).to_pylist()
    return sorted(r["us"] for r in rows if (r["account_id"], r["end_user_id"]) in core)


def test_only_campaigns_that_the_run_accuses_can_be_named(run):
    with pytest.raises(EvidenceError, match="accuses no campaign"):
        compiled(run, only=["c-nobody"])
    action = Action("deny", "R. Doe", 0, 1)
    with pytest.raises(EvidenceError, match="accuses no campaign"):
        compiled(run, actions={"c-nobody": action})
    first = compiled(run).snapshot.campaigns[0].campaign_id
    made = compiled(run, only=[first], actions={first: action}).snapshot
    assert [(c.campaign_id, c.action) for c in made.campaigns] == [(first, action)]


def test_a_snapshot_expires(run):
    made = compiled(run, valid=timedelta(hours=1)).snapshot
    assert made.expires_us - made.created_us == 3_600_000_000


def test_no_name_of_a_customer_stands_in_it(run, world):
    from stillwatch.schema.snapshot import snapshot_payload

    permits = permits_from_rows(read_permits(world / "world" / "permits.csv").to_pylist())
    text = json.dumps(snapshot_payload(compiled(run, permits=permits).snapshot))
    assert permits[0].permit_id in text
    assert not [p.org_id for p in permits if p.org_id in text]
    assert not [a for a, _ in accused_of(run) if a in text]


def test_shadow_is_the_default(run):
    made = compiled(run).snapshot
    deny = {made.campaigns[0].campaign_id: Action("deny", "R. Doe", 0, 1 << 60)}
    made = replace(compiled(run, actions=deny).snapshot, accused={subject_key(SALT, "x"): 0})
    decision = Guard(made).decide(Request(made.created_us, "x"))
    assert (decision.verdict, decision.would) == ("watch", "deny")


def test_permits_are_compared_with_what_exchanges_hint_at_and_not_with_what_a_template_asks_for():
    facts = SimpleNamespace(rates={}, begun={}, burst=lambda _: 1)
    line = {"campaign_id": "c-1", "methods": ["relay", "cot_exfiltration"]}
    assert _pursuit(line, facts, 0, {}).methods == ("relay", "cot_exfiltration")
    assert _pursuit(line | {"hinted_methods": ["relay"]}, facts, 0, {}).methods == ("relay",)
    assert _pursuit(line | {"hinted_methods": []}, facts, 0, {}).methods == ()
