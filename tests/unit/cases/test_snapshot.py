"""A run becomes a snapshot: only the accused, only by name what a person ordered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.cases import Judgement, compile_snapshot, preview, read_judgement
from stillwatch.cli.app import run as command
from stillwatch.enrich import read_permits
from stillwatch.errors import EvidenceError, SchemaError
from stillwatch.guard import Guard, Request, read_orders, read_snapshot
from stillwatch.policy import Ladder, permits_from_rows
from stillwatch.scanner import scan
from stillwatch.schema.snapshot import Action, subject_key
from stillwatch.seal import read_public_key
from stillwatch.simulate import simulate
from stillwatch.store import Run, open_run

SALT = b"unit"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("small")
    made = simulate("small", seed=3, out=folder / "world")
    scan(
        [folder / "world" / "exchanges"], accounts=made.accounts_csv, permits=made.permits_csv,
        out=folder / "run", threads=1,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def run(world: Path) -> Run:
    return open_run(world / "run")


def compiled(run: Run, **more):
    given = {"now": NOW, "salt": SALT, "version": 1, "ladder": Ladder(), **more}
    return compile_snapshot(run, **given)


def accused_of(run: Run) -> set[tuple[str, str | None]]:
    return {
        (m["account_id"], m["end_user_id"])
        for c in run.campaigns
        for m in c["members"]
        if m["standing"] == "accused"
    }


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


def test_what_came_after_as_of_is_not_known(run):
    early = compiled(run, as_of=datetime(2026, 11, 17, tzinfo=UTC)).snapshot
    late = compiled(run).snapshot
    assert set(early.accused) < set(late.accused)
    assert len(early.seeds) < len(late.seeds)


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


def test_a_preview_counts_the_accused_and_the_rungs(run):
    campaign = next(c for c in run.campaigns if c["standing"] == "accused")
    found = preview(run, campaign["campaign_id"])
    assert found.accused_accounts == campaign["accounts"]
    assert found.exchanges == campaign["exchanges"]
    assert [r.verdict for r in found.rungs] == ["watch", "throttle", "step_up", "summarize", "deny"]
    assert found.rungs[0].exchanges == 0
    assert preview(run, campaign["campaign_id"], days=1).exchanges < found.exchanges
    with pytest.raises(EvidenceError, match="no campaign"):
        preview(run, "c-nobody")


def test_from_the_command_line_to_a_denied_request(run, world, tmp_path, capsys):
    """keygen, compile, order, undo, rollback: each as it is written in docs/guard.md."""
    key, out, orders = tmp_path / "k.pem", tmp_path / "s.json", tmp_path / "o.json"

    def told(*words) -> str:
        assert command(["guard", *map(str, words)]) == 0
        return str(capsys.readouterr().out)

    told("keygen", key)
    base = ("compile", "--run", world / "run", "--key", key, "--out", out)
    assert "mode shadow" in told(*base, "--permits", world / "world" / "permits.csv")
    trusted = [read_public_key(tmp_path / "k.pem.pub")]
    first = read_snapshot(out, trusted)
    assert first.permits
    campaign = first.campaigns[0].campaign_id
    told(*base, "--order", f"{campaign}:deny", "--by", "R. Doe")
    second = read_snapshot(out, trusted)
    assert second.version == first.version + 1
    assert second.campaigns[0].action.by == "R. Doe"
    told("mode", "enforce", "--orders", orders, "--key", key)
    account = next(
        m["account_id"] for c in run.campaigns if c["campaign_id"] == campaign
        for m in c["members"] if m["standing"] == "accused" and m["end_user_id"] is None
    )  # fmt: skip
    asked = Request(second.created_us, account)
    guard = Guard(second, read_orders(orders, trusted))
    assert guard.decide(asked).verdict == "deny"
    told("undo", "--account", account, "--by", "R. Doe", "--orders", orders, "--key", key)
    guard.load(second, read_orders(orders, trusted))
    assert guard.decide(asked).verdict == "allow"
    told("rollback", out)
    assert read_snapshot(out, trusted).version == first.version
    assert json.loads(told("preview", campaign, "--run", world / "run", "--json"))["rungs"]
    assert command(["guard", "compile", "--run", str(world / "run"), "--key", str(key), "--out",
                    str(out), "--order", f"{campaign}:deny"]) == 1  # fmt: skip
    assert "--by" in capsys.readouterr().err


def test_shadow_is_the_default(run):
    made = compiled(run).snapshot
    deny = {made.campaigns[0].campaign_id: Action("deny", "R. Doe", 0, 1 << 60)}
    made = replace(compiled(run, actions=deny).snapshot, accused={subject_key(SALT, "x"): 0})
    decision = Guard(made).decide(Request(made.created_us, "x"))
    assert (decision.verdict, decision.would) == ("watch", "deny")


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


def row(account: str, verdict: str, by: str) -> dict[str, object]:
    return {"account_id": account, "verdict": verdict, "by": by, "at_us": 1, "expires_us": 2}


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
    assert command(["case", "undo", "--case", "case-0", "--by", "Bo", "--db", "c.db"]) == 0
    assert command(["case", "effects", "--db", "c.db", "--out", "e.json"]) == 0
    held = json.loads(Path("e.json").read_text(encoding="utf-8"))
    assert {subject_key(made.salt, v["account_id"]) for v in held["let_go"]} == wanted
    assert held["verdicts"] == []
