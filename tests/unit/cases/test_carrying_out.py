"""Decisions on cases and their ends in the snapshot, down to the accounts they name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from snapshots import SALT, compiled, freed, members_of, row

from stillwatch.cases import Judgement, read_judgement
from stillwatch.cli.app import run as command
from stillwatch.errors import EvidenceError, SchemaError
from stillwatch.guard import Guard, Request, read_snapshot
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import Action, subject_key
from stillwatch.seal import read_public_key


def test_who_was_restored_is_in_no_new_snapshot_and_nothing_acts_on_them(run):
    freed, other = [m["account_id"] for m in run.campaigns[0]["members"]
                    if m["standing"] == "accused"][:2]  # fmt: skip
    judged = Judgement(
        verdicts={a: Action("deny", "Ada", 0, 1 << 60) for a in (freed, other)},
        restored=frozenset({freed}),
    )
    made = compiled(run, judged=judged, ladder=Ladder(mode="enforce")).snapshot
    key = subject_key(SALT, freed)
    assert key not in made.accused
    assert key not in made.ordered
    assert key in made.restored
    core = Guard(made)
    assert core.decide(Request(made.created_us, other)).verdict == "deny"
    # Not even a card and a template of the campaign bring them back.
    template = made.templates[0]
    frames = [0] * 11
    for slot, value, _ in template.nodes:
        frames[slot] = value
    asked = Request(made.created_us, freed, frames=tuple(frames))
    assert core.decide(asked).verdict == "allow"


def test_a_decision_on_a_case_denies_those_it_names_and_nobody_who_came_later(run):
    campaign = run.campaigns[0]
    named, later = [m["account_id"] for m in campaign["members"]
                    if m["standing"] == "accused"][:2]  # fmt: skip
    deny = Action("deny", "Ada", 0, 1 << 60)
    judged = Judgement(
        actions={campaign["campaign_id"]: deny, "c-of-an-earlier-scan": deny},
        verdicts={named: deny},
    )
    core = Guard(compiled(run, judged=judged, ladder=Ladder(mode="enforce")).snapshot)
    at = core.table.snapshot.created_us
    assert core.decide(Request(at, named)).would == "deny"
    told = [core.decide(Request(at, later)).would for _ in range(2_000)]
    assert set(told) == {"watch", "throttle"}


def test_a_campaign_that_was_let_go_leaves_nothing_in_the_snapshot(run):
    """Neither its accused nor its frames, bands, addresses, cards, conversations or budget."""
    campaign = run.campaigns[0]
    name, accounts = campaign["campaign_id"], members_of(campaign)
    before, until = compiled(run).snapshot, 1 << 60
    assert before.accused
    judged = Judgement(verdicts=freed(accounts), let_go={name: (until, tuple(accounts))})
    made = compiled(run, judged=judged, ladder=Ladder(mode="enforce"))
    rest = made.snapshot
    assert made.let_go == (name,)
    assert name not in {c.campaign_id for c in rest.campaigns}
    gone = next(k for k, c in enumerate(before.campaigns) if c.campaign_id == name)
    others = {v for k, v in before.accused.items() if v != gone}
    assert len(rest.accused) == sum(v in others for v in before.accused.values())
    core = Guard(rest)
    for template in (t for t in before.templates if t.campaign == gone):
        frames = [0] * 11
        for slot, value, _ in template.nodes:
            frames[slot] = value
        seed = next(s for s in before.seeds if s.campaign == gone)
        blob = seed.value if seed.kind == "blob_replay" else 0
        for account in (accounts[0], "a late joiner"):
            asked = Request(rest.created_us, account, frames=tuple(frames), h_blob=blob)
            assert core.decide(asked).verdict == "allow"
    with pytest.raises(EvidenceError, match="let campaign"):
        compiled(run, judged=judged, actions={name: Action("deny", "Ada", 0, 1)})
    ended = Judgement(let_go={name: (1, tuple(accounts))})
    assert compiled(run, judged=ended).snapshot.accused == before.accused


def test_a_campaign_that_grew_since_it_was_let_go_is_let_go_with_whom_joined(run):
    """Its id is another; most of its core is not. What stands on it by name is carried out."""
    campaign = run.campaigns[0]
    accounts = members_of(campaign)
    early = tuple(accounts[: len(accounts) // 2])
    judged = Judgement(verdicts=freed(early), let_go={"c-of-an-earlier-scan": (None, early)})
    made = compiled(run, judged=judged)
    assert made.let_go == (campaign["campaign_id"],)
    assert not {subject_key(SALT, a) for a in accounts} & set(made.snapshot.accused)
    stands = replace(judged, actions={campaign["campaign_id"]: Action("deny", "Ada", 0, 1 << 60)})
    assert compiled(run, judged=stands).let_go == ()
    strangers = Judgement(let_go={"c-other": (None, ("x", "y"))})
    assert compiled(run, judged=strangers).let_go == ()


def test_whose_decision_was_undone_lends_the_campaign_nothing_and_joins_nothing(run):
    campaign = max(run.campaigns, key=lambda c: len(members_of(c)))
    name, accounts = campaign["campaign_id"], members_of(campaign)
    lone, before = accounts[:3], compiled(run).snapshot
    made = compiled(run, judged=Judgement(verdicts=freed(lone)),
                    ladder=Ladder(mode="enforce")).snapshot  # fmt: skip
    keys = {subject_key(SALT, a) for a in lone}
    assert not keys & set(made.accused)
    assert {made.ordered[k].verdict for k in keys} == {"allow"}
    place = {c.campaign_id: k for k, c in enumerate(made.campaigns)}[name]
    was = {c.campaign_id: k for k, c in enumerate(before.campaigns)}[name]
    assert made.campaigns[place].rate_per_h < before.campaigns[was].rate_per_h
    for kind in ("marks", "seeds"):
        left = [x for x in getattr(made, kind) if x.campaign == place]
        assert len(left) < len([x for x in getattr(before, kind) if x.campaign == was])
    frames = [0] * 11
    for slot, value, _ in next(t for t in made.templates if t.campaign == place).nodes:
        frames[slot] = value
    exits = next(m.value for m in made.marks if m.campaign == place and m.kind == "exit_prefix")
    core = Guard(made)
    said = [core.decide(Request(made.created_us + k, lone[0], frames=tuple(frames),
                                h_prefix=exits)).would for k in range(2_000)]  # fmt: skip
    assert set(said) <= {"allow", "watch"}
    assert subject_key(SALT, accounts[-1]) in made.accused


def test_what_of_the_cases_is_not_carried_out_is_counted(run):
    deny = Action("deny", "Ada", 0, 1 << 60)
    named = members_of(run.campaigns[0])[0]
    judged = Judgement(
        actions={"c-old": deny, run.campaigns[0]["campaign_id"]: deny},
        verdicts={named: deny, "not-here": deny, **freed(["gone"])},
    )
    made = compiled(run, judged=judged)
    assert (made.unmatched_actions, made.unmatched_accounts) == (("c-old",), 1)


def test_a_verdict_on_an_account_ends_and_a_rule_names_no_person(run, tmp_path):
    held = {"actions": [], "corrections": [],
            "verdicts": [row("a", "deny", "rule:r"), row("b", "watch", "Ada")],
            "let_go": [{k: v for k, v in row("c", "", "B").items() if k != "verdict"}]}  # fmt: skip
    file = tmp_path / "effects.json"
    file.write_text(json.dumps(held), encoding="utf-8")
    judged = read_judgement(file)
    assert judged.verdicts["a"] == Action("deny", None, 1, 2)
    assert judged.verdicts["b"] == Action("watch", "Ada", 1, 2)
    assert judged.verdicts["c"] == Action("allow", "B", 1, 2)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(SchemaError, match="case effects"):
        read_judgement(file)


def test_case_effects_feed_guard_compile(world, tmp_path, monkeypatch, capsys):
    """From `case open` to a snapshot, by the commands alone."""
    monkeypatch.chdir(tmp_path)
    run = str(world / "run")
    decide = ["case", "decide", "case-0", "--verdict", "deny", "--reason", "relay", "--by", "Ada"]
    for words in (
        ["guard", "keygen", "k"],
        ["case", "open", "--run", run, "--db", "c.db"],
        [*decide, "--db", "c.db"],
        ["case", "effects", "--db", "c.db", "--out", "e.json"],
        ["guard", "compile", "--run", run, "--key", "k", "--out", "s.json", "--effects", "e.json"],
    ):
        assert command(words) == 0, capsys.readouterr().err
    made = read_snapshot(Path("s.json"), [read_public_key(Path("k.pub"))])
    held = json.loads(Path("e.json").read_text(encoding="utf-8"))
    wanted = {subject_key(made.salt, v["account_id"]) for v in held["verdicts"]}
    assert wanted
    assert set(made.ordered) == wanted
    assert wanted <= set(made.accused)
    assert {a.verdict for a in made.ordered.values()} == {"deny"}
    assert "written 0.0 h ago" in capsys.readouterr().out
    assert command(["case", "undo", "--case", "case-0", "--by", "Bo", "--db", "c.db"]) == 0
    assert command(["case", "effects", "--db", "c.db", "--out", "e.json"]) == 0
    held = json.loads(Path("e.json").read_text(encoding="utf-8"))
    assert {subject_key(made.salt, v["account_id"]) for v in held["let_go"]} == wanted
    assert held["verdicts"] == []
    (gone,) = held["let_go_campaigns"]
    assert command(["guard", "compile", "--run", run, "--key", "k", "--out", "s.json",
                    "--effects", "e.json"]) == 0  # fmt: skip
    assert f"Let go by a person, and not in it: {gone['campaign_id']}" in capsys.readouterr().out
    after = read_snapshot(Path("s.json"), [read_public_key(Path("k.pub"))])
    assert gone["campaign_id"] in {c.campaign_id for c in made.campaigns}
    assert gone["campaign_id"] not in {c.campaign_id for c in after.campaigns}


def test_compile_tells_old_effects_and_decisions_without_a_match(world, tmp_path, capsys):
    key, out, effects = (str(tmp_path / n) for n in ("k", "s.json", "e.json"))
    held = {"at_us": 1_790_000_000_000_000, "corrections": [], "let_go": [],
            "actions": [{"campaign_id": "c-gone", **row("", "deny", "Ada")}],
            "verdicts": [row(f"nobody-{k}", "deny", "Ada") for k in range(2)]}  # fmt: skip
    Path(effects).write_text(json.dumps(held), encoding="utf-8")
    assert command(["guard", "keygen", key]) == 0
    assert command(["guard", "compile", "--run", str(world / "run"), "--key", key, "--out", out,
                    "--effects", effects]) == 0  # fmt: skip
    told = " ".join(capsys.readouterr().out.split())
    assert "may miss who was let go or restored since" in told
    assert "decisions on campaigns (c-gone) and on 2 accounts" in told


def test_case_open_says_that_nothing_was_accused(tmp_path, make_run, capsys):
    empty = make_run()
    assert command(["case", "open", "--run", str(empty.path), "--db", str(tmp_path / "c.db")]) == 0
    assert "nothing was opened" in capsys.readouterr().out
