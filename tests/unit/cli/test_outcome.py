"""The summary that `scan` and `demo` print."""

from __future__ import annotations

import json
import re

from stillwatch.cli.outcome import print_outcome
from stillwatch.store import open_run

HEADS = ["campaign", "standing", "accounts", "exchanges", "seen", "collateral"]
NUMBERS = ("value", "low", "high")
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


def test_where_nothing_was_tested_it_says_so_and_bounds_nothing(run_dir, capsys, change):
    (run_dir / "campaigns.jsonl").write_text("")
    nothing, unknown = dict.fromkeys(NUMBERS, 0.0), dict.fromkeys(NUMBERS)
    tokens = {"total": 9, "detected": nothing, "corrected": unknown, "not_excluded": unknown}
    change(cohorts_tested=0, accused_accounts=0, prevalence={"output_tokens": tokens})
    out = " ".join(told(run_dir, capsys).split())
    assert out.startswith("Nothing was accused, and nothing was tested. 6 accounts and 998")
    assert "That is not an all-clear. How much was missed is not known." in out
    assert "excluded" not in out


def test_nothing_accused_and_calibrated(run_dir, capsys, change):
    (run_dir / "campaigns.jsonl").write_text("")
    change(calibrated_on_your_traffic=True)
    out = told(run_dir, capsys)
    assert out.startswith("Nothing was accused. 6 accounts and 998 exchanges were read")
    assert "calibrated" not in out


def put(run_dir, *more):
    """Let the run hold its campaign once for each of ``more``, changed by it."""
    one = json.loads((run_dir / "campaigns.jsonl").read_text())
    lines = [json.dumps(one | {"campaign_id": f"c-{i:012d}"} | m) for i, m in enumerate(more)]
    (run_dir / "campaigns.jsonl").write_text("\n".join(lines))


def test_many_campaigns_are_cut_and_counted(run_dir, capsys):
    put(run_dir, *({} for _ in range(30)))
    out = told(run_dir, capsys)
    assert out.count("c-0000") == 20
    assert "and 10 more accused in campaigns.jsonl." in out


def test_all_accused_are_listed_before_a_few_that_are_watched(run_dir, capsys):
    watched = {"standing": "watch", "output_tokens": 9_999_999, "standing_reason": "One kind."}
    put(run_dir, *(watched for _ in range(6)), *({} for _ in range(7)))
    out = told(run_dir, capsys)
    shown = re.findall(r"^c-0*(\d+) +(accused|watch)", out, re.MULTILINE)
    assert [standing for _, standing in shown] == ["accused"] * 7 + ["watch"] * 4
    assert "and 2 more on watch in campaigns.jsonl." in out
    assert "On watch and not accused, 6 campaigns: One kind." in out
    assert "nothing acts on them" in out


def test_accused_and_watched_that_are_left_out_are_counted_apart(run_dir, capsys):
    put(run_dir, *({} for _ in range(23)), *({"standing": "watch"} for _ in range(3)))
    assert "and 3 more accused, 3 on watch in campaigns.jsonl." in told(run_dir, capsys)


def test_permits_are_told_even_where_none_was_needed(run_dir, capsys, change):
    assert "were read:" not in told(run_dir, capsys)
    change(permits_read={"read": 7, "named": 5, "used": 0, "exceeded": 0, "not_used": []})
    out = told(run_dir, capsys)
    assert "7 permits were read: 5 name an account seen here, and none was needed" in out
    change(permits_read={"read": 7, "named": 0, "used": 0, "exceeded": 0, "not_used": []})
    assert "7 permits were read: none names an account seen here." in told(run_dir, capsys)
    change(permits_read={"read": 2, "named": 2, "used": 2, "exceeded": 1, "not_used": []})
    assert "all name an account seen here, 2 were used, 1 exceeded." in told(run_dir, capsys)


def test_a_member_whose_name_cannot_be_typed_is_left_out_of_the_command(run_dir, capsys):
    one = json.loads((run_dir / "campaigns.jsonl").read_text())
    one["members"] = one["members"][2:3]
    (run_dir / "campaigns.jsonl").write_text(json.dumps(one))
    out = told(run_dir, capsys)
    assert f"stillwatch explain … --run {run_dir}" in out
    assert "\x1b" not in out
