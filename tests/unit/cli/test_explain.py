"""`stillwatch explain`: one account in sentences."""

from __future__ import annotations

import re

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
