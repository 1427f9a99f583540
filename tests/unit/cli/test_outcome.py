"""The summary that `scan` and `demo` print."""

from __future__ import annotations

import json
import re

from stillwatch.cli.outcome import print_outcome
from stillwatch.store import open_run

HEADS = ["campaign", "standing", "accounts", "exchanges", "seen", "collateral"]
CAMPAIGN = "c-0123456789ab"


def told(run_dir, capsys):
    print_outcome(open_run(run_dir))
    return capsys.readouterr().out


def test_says_what_was_found_what_it_costs_and_where_to_read_on(run_dir, capsys):
    lines = told(run_dir, capsys).splitlines()
    assert lines[0] == (
        "One campaign: 3 of 6 accounts, 2.1 % of output tokens (detected); 1.8–3.0 % (corrected); "
        "up to 4.2 % cannot be excluded. Harvest at list price $41–44k."
    )
    assert re.split(" {2,}", lines[1]) == HEADS
    assert re.split(" {2,}", lines[2]) == [CAMPAIGN, "accused", "4", "812", "16–20 Nov 2026", "1"]
    assert lines[3].startswith("Not calibrated on your traffic.")
    assert lines[-2] == f"Report: {run_dir / 'report.html'}"
    assert lines[-1] == f"Why an account: stillwatch explain acct-a --run {run_dir}"
    assert 6 <= len(lines) <= 12


def test_a_run_that_cannot_accuse_says_so(run_dir, capsys, change):
    (run_dir / "campaigns.jsonl").write_text("")
    change(cannot_accuse=True, accused_accounts=0)
    out = told(run_dir, capsys)
    assert out.startswith("This run cannot accuse.")
    assert "That is not an all-clear." in out
    assert "Cannot accuse. The largest e-value" in out
    assert "stillwatch explain ACCOUNT --run" in out


def test_a_log_without_texts_is_told_what_it_lacks(run_dir, capsys, change):
    """No baseline mends that, so none is asked for."""
    (run_dir / "campaigns.jsonl").write_text("")
    blind = {"name": "harvest", "claim": "extractive", "evaluable": False, "missing": ["messages"]}
    change(cannot_accuse=True, accused_accounts=0, needed_e=None, signals=[blind])
    out = told(run_dir, capsys)
    assert "with this log nothing could have been" in out
    assert "The log lacks messages" in out
    assert "reference can give" not in out


def test_nothing_accused_and_calibrated(run_dir, capsys, change):
    (run_dir / "campaigns.jsonl").write_text("")
    change(calibrated_on_your_traffic=True)
    out = told(run_dir, capsys)
    assert out.startswith("Nothing was accused. 6 accounts and 998 exchanges were read")
    assert "calibrated" not in out


def test_many_campaigns_are_cut_and_counted(run_dir, capsys):
    one = json.loads((run_dir / "campaigns.jsonl").read_text())
    many = [json.dumps(one | {"campaign_id": f"c-{i:012d}"}) for i in range(30)]
    (run_dir / "campaigns.jsonl").write_text("\n".join(many))
    out = told(run_dir, capsys)
    assert out.count("c-0000") == 5
    assert "and 25 more campaigns in campaigns.jsonl." in out
    assert len(out.splitlines()) <= 12


def test_a_member_whose_name_cannot_be_typed_is_left_out_of_the_command(run_dir, capsys):
    one = json.loads((run_dir / "campaigns.jsonl").read_text())
    one["members"] = one["members"][2:3]
    (run_dir / "campaigns.jsonl").write_text(json.dumps(one))
    out = told(run_dir, capsys)
    assert f"stillwatch explain … --run {run_dir}" in out
    assert "\x1b" not in out
