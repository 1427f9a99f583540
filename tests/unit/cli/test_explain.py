"""`stillwatch explain`: one account in sentences."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def test_accused_account_is_told_everything(stillwatch, run_dir):
    told = stillwatch("explain", "acct-a", "--run", run_dir)
    assert told.code == 0
    assert told.err == ""
    for sentence in (
        "acct-a: accused",
        "Campaign c-0123456789ab: accused",
        "4 accounts, 812 exchanges, seen 16–20 Nov 2026; methods: cot_exfiltration.",
        "Its e-value is 5,200; an accusation needs 2,400.",
        "The account is a core member, with probability 99.95 %; it is accused.",
        "94 % of its requests carry the campaign's template.",
        "Requests fell on the same account 3 times. (p = 1.0 × 10⁻⁹, e = 5,200)",
        "One template over 410 topics.",
        "No actor is named: a cluster is not an actor.",
        "would make it permitted",
        "A class of students? It would predict: Nights are quiet. Seen: No quiet nights.",
        "Not known: Who operates it? What would settle it: Matchable payment fingerprints.",
        "- Not tested: Equal volumes. Not enough data: fewer than eight.\n",
        "not calibrated on your traffic",
    ):
        assert sentence in told.out, sentence


def test_links_say_kind_company_weight_and_what_an_outsider_can_create(stillwatch, run_dir):
    lines = stillwatch("explain", "acct-a", "--run", run_dir).out.splitlines()
    links = [line for line in lines if " nats" in line]
    assert links == [
        "- same payment instrument (payment:00ff): with 2 other accounts, 1 of this campaign; "
        "9.2 nats, 9,900 times likelier under one operator than between strangers.",
        "- one took over from the other after its ban: with acct-b, of the same campaign, seen 3 "
        "times; 7.7 nats, 2,200 times likelier under one operator than between strangers.",
        "- same prompt template around other payloads (frame:aa11): with 2 other accounts, all of "
        "this campaign; 6.1 nats, 450 times likelier under one operator than between strangers.",
    ]
    assert (
        "- An outsider can bring about: same prompt template around other payloads. "
        in "\n".join(lines)
    )


def test_periphery_is_told_that_it_is_never_accused(stillwatch, run_dir):
    told = stillwatch("explain", "acct-edge", "--run", run_dir)
    assert "acct-edge: watch" in told.out
    assert "it is no accusation and nothing acts upon it" in told.out
    assert "Periphery is never accused" in told.out
    assert "would make it permitted" not in told.out


def test_clear_account_is_told_what_was_looked_at(stillwatch, run_dir):
    told = stillwatch("explain", "acct-clear", "--run", run_dir)
    assert told.code == 0
    assert "acct-clear: clear" in told.out
    assert "Nothing found here speaks against it." in told.out
    assert "Load balancing: 0.61 over 12 observations, p = 0.4." in told.out
    assert "1 of 2 signals could be evaluated: Load balancing." in told.out
    assert "Not evaluable, which is not clean: Retried (missing: http_status)." in told.out
    assert "31 cohorts were tested and 1 selected." in told.out
    assert "no evidence of anything" in told.out  # the ownership answer
    assert "Campaign" not in told.out


def test_clear_in_a_run_that_cannot_accuse_is_no_all_clear(stillwatch, run_dir, change):
    change(cannot_accuse=True)
    assert (
        "This run cannot accuse anyone" in stillwatch("explain", "acct-clear", "--run", run_dir).out
    )
    assert "cannot accuse anyone" not in stillwatch("explain", "acct-a", "--run", run_dir).out


def test_channel_is_told_its_end_users(stillwatch, run_dir):
    told = stillwatch("explain", "acct-other", "--run", run_dir)
    assert "judged by its end users: 3 end users, 2 clear, 1 watch." in told.out


def test_hidden_characters_are_shown_and_not_sent(stillwatch, run_dir, hostile):
    told = stillwatch("explain", hostile, "--run", run_dir)
    assert told.code == 0
    assert "acct-[red]⟨U+001B⟩[31m⟨U+202E⟩gnp⟨U+2066⟩⟨U+0007⟩: accused" in told.out
    assert not HIDDEN.search(told.out)
    of_another = stillwatch("explain", "acct-b", "--run", run_dir)
    assert not HIDDEN.search(of_another.out)


@pytest.mark.parametrize("name", ["nobody", "", "hostile!", "' OR 1=1 --", "acct-%"])
def test_unknown_account_is_an_error_that_does_not_repeat_it(stillwatch, run_dir, hostile, name):
    name = name.replace("hostile", hostile)
    told = stillwatch("explain", "--run", run_dir, "--", name)
    assert told.code == 1
    assert told.out == ""
    assert "accounts.parquet: this account is not among the 6 accounts of the run" in told.err
    assert "Next: spell it as the log does" in told.err
    assert not HIDDEN.search(told.err)
    assert not name or name not in told.err


def test_folder_that_is_no_run_is_unreadable_input(stillwatch, tmp_path):
    told = stillwatch("explain", "acct-a", "--run", tmp_path)
    assert told.code == 2
    assert "not a run directory: summary.json is missing" in told.err
    assert stillwatch("explain", "acct-a", "--run", tmp_path / "absent").code == 2


def test_run_without_links_or_signals_is_explained_all_the_same(stillwatch, run_dir):
    for name in ("links", "signals", "subjects"):
        (run_dir / f"{name}.parquet").unlink()
    told = stillwatch("explain", "acct-a", "--run", run_dir)
    assert told.code == 0
    assert "Its links" not in told.out


COHORT = {
    "cohorts": {"cohort": [7, 8], "found_by": [["frame"], ["exit_prefix"]],
                "subjects": [[1, 2, 3, 4, 5], [1, 9]]},
    "cohort_members": {"cohort": [7, 8], "sid": [1, 1], "how": ["text", "associated"]},
    "cohort_scores": {"cohort": [7, 8], "tested": [True, False],
                      "e_coordinated": [0.08, None], "e_extractive": [25_060.0, None]},
    "findings": {"cohort": [7, 7, 7], "signal": ["round_robin", "retry", "coverage"],
                 "claim": ["coordinated", "coordinated", "extractive"],
                 "e_value": [1e30, 0.1, 25_060.0], "evaluable": [True, True, True]},
    "subjects": {"sid": [1, 2], "account_id": ["acct-clear", "acct-other"]},
}  # fmt: skip


@pytest.fixture
def tested(run_dir):
    (run_dir / "stages").mkdir()
    for name, columns in COHORT.items():
        pq.write_table(pa.table(columns), run_dir / "stages" / f"{name}.parquet")
    return run_dir


def test_clear_account_of_a_tested_group_is_told_what_was_seen_and_why_it_is_not_enough(
    stillwatch, tested
):
    out = stillwatch("explain", "acct-clear", "--run", tested).out
    assert "Nothing found here speaks against it" not in out
    assert "Neither accused nor watched, and nothing acts upon it." in out
    assert "That is no accusation." in out
    assert (
        "- It is one of 5 accounts put together as a hypothesis (same prompt template around "
        "other payloads). That they act as one: e = 0.08. That their traffic harvests: e = 25,060. "
        "What they ask for looks like a harvest, but strangers who use one template may ask alike: "
        "without acts of at least two kinds, or one that may speak alone, strongly enough, it "
        "accuses nobody. These of their acts speak: "
        "Load balancing." in out
    )
    beside = "It is beside 2 accounts put together as a hypothesis (left from the same address "
    assert f"- {beside}prefix). They were not tested:" in out


def test_an_account_in_no_group_is_told_as_before(stillwatch, tested):
    out = stillwatch("explain", "acct-other", "--run", tested).out
    assert "Nothing found here speaks against it." in out
    assert "Groups that it was tested with" not in out


def test_a_reason_that_is_also_the_claims_note_is_told_once(stillwatch, run_dir):
    line = json.loads((run_dir / "campaigns.jsonl").read_text())
    line |= {"standing": "watch", "standing_reason": "One kind of act alone accuses nobody."}
    line["claims"]["coordinated"]["note"] = "One kind of act alone accuses nobody."
    (run_dir / "campaigns.jsonl").write_text(json.dumps(line))
    out = stillwatch("explain", "acct-edge", "--run", run_dir).out
    assert out.count("One kind of act alone accuses nobody.") == 1


def test_a_member_that_is_not_proven_is_not_called_linked(stillwatch, run_dir):
    line = json.loads((run_dir / "campaigns.jsonl").read_text())
    line["members"][3]["confidence"] = 0.97
    line |= {"standing": "watch", "standing_reason": "One kind of act alone accuses nobody."}
    line["claims"]["coordinated"]["note"] = "turns alone do not count"
    line["claims"]["coordinated"]["evidence"][0]["counts_for"] = "watch"
    (run_dir / "campaigns.jsonl").write_text(json.dumps(line))
    out = stillwatch("explain", "acct-edge", "--run", run_dir).out
    assert "does not prove that it belongs: periphery is never accused" in out
    assert "it is linked, not extractive" not in out
    assert "- Why it is not accused: One kind of act alone accuses nobody." in out
    assert "- Turns alone do not count." in out
    assert "Requests fell on the same account 3 times. (counts for watching alone)" in out
