"""What a snapshot would do, told before it is used: the accused, the rungs, the spared."""

from __future__ import annotations

import json
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
from snapshots import accused_account, accused_of, compiled

from stillwatch.cases import preview
from stillwatch.cli.app import run as command
from stillwatch.cli.previewing import preview_text
from stillwatch.cli.rehearsal import rehearse
from stillwatch.errors import EvidenceError
from stillwatch.guard import Guard
from stillwatch.policy import Ladder
from stillwatch.store import Run


def test_a_preview_counts_the_accused_and_the_rungs(run):
    campaign = next(c for c in run.campaigns if c["standing"] == "accused")
    found = preview(run, campaign["campaign_id"])
    assert found.accused_accounts == campaign["accounts"]
    assert found.exchanges == campaign["exchanges"]
    assert [r.verdict for r in found.rungs] == ["watch", "throttle", "step_up", "summarize", "deny"]
    assert found.rungs[0].exchanges == 0
    last = preview(run, campaign["campaign_id"], days=1)
    assert last.exchanges < found.exchanges
    assert last.periphery_exchanges <= found.periphery_exchanges
    with pytest.raises(EvidenceError, match="no campaign"):
        preview(run, "c-nobody")


def test_a_preview_says_what_the_guard_leaves_a_throttled_campaign(run):
    for ladder in (Ladder(), Ladder(budget_share=0.5, budget_window_s=3_600)):
        decider = Guard(compiled(run, ladder=ladder).snapshot)
        assert decider.table.pursuits
        for number, pursuit in decider.table.pursuits.items():
            found = preview(run, pursuit.campaign_id, ladder=ladder)
            assert found.budget == decider.budgets[number].limit
            assert found.budget_window_s == ladder.budget_window_s


def test_a_campaign_that_is_not_accused_is_told_as_such(run):
    (campaign,) = [c for c in run.campaigns if c["standing"] == "watch"]
    found = preview(run, campaign["campaign_id"])
    assert (found.accused_accounts, found.budget) == (0, None)
    assert found.acted_accounts == sum(m["role"] == "core" for m in campaign["members"]) > 0
    assert found.acted_accounts >= found.acted_organizations > 0
    first, *_, last = _told(run, campaign["campaign_id"])
    assert "not accused, so that no guard acts on it" in first
    assert last.startswith("deny:")


def _told(run: Run, campaign_id: str, **more) -> list[str]:
    given = {"ladder": None, "permits": None, "effects": None, "as_json": False, **more}
    return list(preview_text(run.path, campaign_id, 7, **given))


def test_a_preview_plays_the_traffic_through_a_guard(run, world):
    """What it does to whom no scan accused is counted by doing it: nobody honest waits."""
    truth = pq.read_table(world / "world" / "truth.parquet").to_pylist()
    core = {r["account_id"] for r in truth if r["role"] == "core"}
    largest = max(run.campaigns, key=lambda c: len(c["members"]))
    name, members = largest["campaign_id"], len(largest["members"])
    found = rehearse(run, name, days=7, ladder=Ladder())
    assert found == rehearse(run, name, days=7, ladder=Ladder(), everybody=True)
    assert found.accused_exchanges == preview(run, name).exchanges
    assert 0.9 < found.accused.exchanges / found.accused_exchanges < 1
    assert found.throttled_accounts
    assert set(found.throttled_accounts) < core - {a for a, _ in accused_of(run)}
    assert found.watched.accounts > 10 > members - found.accused.accounts  # most are no members
    loose = rehearse(run, name, days=7, ladder=Ladder(budget_share=1.0))
    assert loose.accused.exchanges < found.accused.exchanges / 2
    beside = found.watched.exchanges + found.throttled.exchanges  # who is accused is not among them
    assert loose.watched.exchanges <= beside
    (watch,) = [c["campaign_id"] for c in run.campaigns if c["standing"] == "watch"]
    with pytest.raises(EvidenceError, match="accuses no campaign"):
        rehearse(run, watch, days=7, ladder=Ladder())


def test_a_preview_counts_what_permits_and_people_let_pass(run, tmp_path):
    """Without them it would show a guard that nobody runs."""
    account = accused_account(run)
    (campaign,) = [c for c in run.campaigns if account in {m["account_id"] for m in c["members"]}]
    mine = {m["account_id"] for m in campaign["members"] if m["standing"] == "accused"} - {account}
    freed = max(mine)
    permits, effects = tmp_path / "permits.csv", tmp_path / "effects.json"
    permits.write_text(f"permit_id,account_id\np-1,{account}\n")
    effects.write_text(json.dumps({
        "verdicts": [], "actions": [], "corrections": [],
        "let_go": [{"account_id": freed, "by": "Bo", "at_us": 1, "expires_us": 1 << 60}],
    }))  # fmt: skip
    told = _told(run, campaign["campaign_id"], permits=permits, effects=effects, as_json=True)
    played = json.loads(told[0])["rehearsal"]
    assert played["permitted_exchanges"] > 0
    assert played["accused"]["accounts"] == campaign["accounts"] - 2
    assert not {account, freed} & set(played["throttled_accounts"])


def test_a_compile_says_what_the_one_before_held_and_it_does_not(run, world, tmp_path, capsys):
    command(["guard", "keygen", f"{tmp_path}/k.pem"])
    (tmp_path / "ladder.toml").write_text('appeal_to = "appeals@provider.example"\n')
    (tmp_path / "effects.json").write_text(json.dumps({
        "actions": [], "let_go": [{"account_id": accused_account(run), "by": "Bo", "at_us": 1,
                                   "expires_us": 1 << 60}],
        "verdicts": [], "corrections": [],
    }))  # fmt: skip
    said = ["guard", "compile", "--run", f"{world}/run", "--key", f"{tmp_path}/k.pem", "--out",
            f"{tmp_path}/s.json"]  # fmt: skip
    whole = [*said, "--permits", f"{world}/world/permits.csv", "--ladder",
             f"{tmp_path}/ladder.toml", "--effects", f"{tmp_path}/effects.json"]  # fmt: skip
    capsys.readouterr()
    assert command(whole) == 0
    assert command(whole) == 0
    assert "the one before" not in capsys.readouterr().out.lower()
    assert command(said) == 0
    told = " ".join(capsys.readouterr().out.split())
    for held in ("permits, this one none: --permits", "knew 1 outcomes of decisions",
                 "differ from the one before: appeal_to"):  # fmt: skip
        assert held in told
    (tmp_path / "s.json").write_text("half of i")
    assert command(said) != 0
    assert "move it aside and compile again" in capsys.readouterr().err


def test_a_preview_of_all_days_touches_what_the_scan_said_and_of_one_day_less(run):
    """Over every campaign: rungs, end users and permitted requests included."""
    sums = {1: 0, 10_000: 0}
    for campaign in run.campaigns:
        whole = preview(run, campaign["campaign_id"], days=10_000)
        said = {r["verdict"]: r for r in campaign["recommended"]["rungs"]}
        assert {r.verdict: asdict(r) for r in whole.rungs} == said
        assert whole.periphery_accounts >= max(r.accounts for r in whole.rungs)
        for days in sums:
            sums[days] += preview(run, campaign["campaign_id"], days=days).rungs[-1].exchanges
    assert 0 < sums[1] < sums[10_000]
