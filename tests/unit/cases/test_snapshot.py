"""A run becomes a snapshot: only the accused, only by name what a person ordered."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cases import Judgement, compile_snapshot, preview, read_judgement
from stillwatch.cases.snapshot import _pursuit
from stillwatch.cli.app import run as command
from stillwatch.cli.following import Following, follow_runs
from stillwatch.cli.previewing import preview_text
from stillwatch.cli.rehearsal import rehearse
from stillwatch.enrich import read_permits
from stillwatch.errors import EvidenceError, InputError, SchemaError
from stillwatch.guard import Guard, Request, read_orders, read_snapshot
from stillwatch.guard.journal import Journal, erase_from_state
from stillwatch.guard.seen import Record
from stillwatch.policy import Ladder, permits_from_rows
from stillwatch.scanner import scan
from stillwatch.schema.snapshot import Action, org_key, subject_key
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


def accused_account(run: Run) -> str:
    """An account that is accused as a whole."""
    return min(account for account, user in accused_of(run) if user is None)


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


def test_following_runs_compiles_the_newest_once_and_never_undoes_a_roll_back(run, tmp_path):
    runs, key, out = tmp_path / "runs", tmp_path / "k.pem", tmp_path / "s.json"
    shutil.copytree(run.path, runs / "one")
    assert command(["guard", "keygen", str(key)]) == 0
    effects = tmp_path / "effects.json"
    keys = [read_public_key(tmp_path / "k.pem.pub")]

    def looked(what=None) -> list[str]:
        return list(follow_runs(what or Following(runs, key, out), 0))

    def version() -> int:
        return read_snapshot(out, keys).version

    assert "from one" in looked()[0]
    assert (looked(), version()) == ([], 1)
    (runs / "unfinished").mkdir()
    later = runs / "two"
    shutil.copytree(run.path, later)
    (later / "summary.json").write_text(json.dumps({**run.summary, "look": 9}))
    handle = os.open(later, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # as a scan that writes holds it
    assert looked() == []
    os.close(handle)
    assert "from two" in looked()[0]
    assert version() == 2
    assert command(["guard", "rollback", str(out)]) == 0
    assert (looked(), version()) == ([], 1)
    with_effects = Following(runs, key, out, effects=effects)
    (later / "summary.json").write_text(json.dumps({**run.summary, "look": 10}))
    with pytest.raises(InputError):
        looked(with_effects)
    assert version() == 1
    effects.write_text(json.dumps({"verdicts": [], "let_go": [], "actions": [], "corrections": []}))
    assert "from two" in looked(with_effects)[0]
    with pytest.raises(InputError, match="no run that a scan has ended"):
        looked(Following(runs / "unfinished", key, out))


def test_following_goes_on_after_what_fails_and_says_it_once(run, tmp_path, monkeypatch):
    key, out, runs = tmp_path / "k.pem", tmp_path / "s.json", tmp_path / "runs"
    runs.mkdir()
    assert command(["guard", "keygen", str(key)]) == 0
    looks = []

    def sleep(_):
        looks.append(1)
        if len(looks) == 3:
            shutil.copytree(run.path, runs / "one")
        if len(looks) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr("stillwatch.cli.again.time.sleep", sleep)
    going = follow_runs(Following(runs, key, out), 1.0)
    assert "ended" in next(going)
    assert "from one" in next(going)
    with pytest.raises(KeyboardInterrupt):
        next(going)
    assert read_snapshot(out, [read_public_key(tmp_path / "k.pem.pub")]).version == 1


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


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("compile", "--out", "new.json", "--valid-hours", "0"), 1, "--valid-hours"),
        (("compile", "--out", "new.json", "--valid-hours", "nan"), 1, "--valid-hours"),
        (("compile", "--out", "new.json", "--valid-hours", "1e18"), 1, "--valid-hours"),
        (("compile", "--out", "new.json", "--order", "c-1:deny", "--by", "R.", "--action-hours",
          "-3"), 1, "--action-hours"),
        (("preview", "c-1", "--days", "0"), 1, "--days"),
        (("undo", "--account", "", "--by", "R. Doe"), 1, "names nothing"),
        (("undo", "--account", "a", "--by", " "), 1, "--by"),
        (("undo", "--since", "2999-01-01T00:00:00Z", "--by", "R. Doe"), 1, "lies ahead"),
        (("pull", "no-depot", "--to", "live"), 2, "nothing was published there"),
    ],
)  # fmt: skip
def test_a_slip_of_the_hand_is_said_and_changes_nothing(
    words, code, says, world, tmp_path, capsys, monkeypatch
):
    """What would be an expired snapshot, an undo of nobody, an empty folder to serve from."""
    monkeypatch.chdir(tmp_path)
    command(["guard", "keygen", "k.pem"])
    run_of, key = ["--run", str(world / "run")], ["--key", "k.pem"]
    more = {"compile": [*run_of, *key], "preview": run_of, "pull": ["--trust", "k.pem.pub"],
            "undo": ["--orders", "o.json", *key]}[words[0]]  # fmt: skip
    capsys.readouterr()
    assert command(["guard", *words, *more]) == code
    assert says in capsys.readouterr().err
    assert not any(Path(name).exists() for name in ("new.json", "o.json", "live/snapshot.json"))


def test_permits_that_have_ended_are_told(world, tmp_path, capsys):
    permits = tmp_path / "permits.csv"
    permits.write_text(
        "permit_id,org_id,methods,valid_from,valid_until,granted_by,reference\n"
        "p-1,o-1,synthetic_data,2020-01-01T00:00:00Z,2020-02-01T00:00:00Z,sales,r\n"
        "p-2,o-2,synthetic_data,2020-01-01T00:00:00Z,,sales,r\n"
    )
    command(["guard", "keygen", str(tmp_path / "k.pem")])
    base = ["guard", "compile", "--run", str(world / "run"), "--key", str(tmp_path / "k.pem")]
    assert command([*base, "--out", str(tmp_path / "s"), "--permits", str(permits)]) == 0
    assert "Of 2 permits 1 have ended" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("words", ["effects --out e.json", "list", "show case-0", "check"])
def test_a_case_database_that_is_not_there_is_not_made(words, tmp_path, capsys, monkeypatch):
    """Of an empty one the effects say that nobody was ever restored."""
    monkeypatch.chdir(tmp_path)
    assert command(["case", *words.split(), "--db", "mistyped.db"]) == 2
    assert "mistyped.db: no such case database" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_erasing_an_account_reaches_what_the_guard_left_on_the_disk(
    run, world, tmp_path, capsys, monkeypatch
):
    """effects.json, the snapshot before this one, the decision log and the state folder."""
    monkeypatch.chdir(tmp_path)
    who = members_of(run.campaigns[0])[0]
    base = ["guard", "compile", "--run", str(world / "run"), "--key", "k", "--out", "s.json"]
    assert command(["guard", "keygen", "k"]) == 0
    assert command(base) == command(base) == 0
    salt = read_snapshot(Path("s.json"), [read_public_key(Path("k.pub"))]).salt
    keys = [f"{subject_key(salt, a):016x}" for a in (who, "someone")]
    lines = [json.dumps({"subject": key}) + "\n" for key in keys]
    Path("d.jsonl").write_text("".join(lines), encoding="utf-8")
    held = {"verdicts": [row(who, "deny", "Ada")], "at_us": 1}
    Path("e.json").write_text(json.dumps(held), encoding="utf-8")
    journal = Journal(Path("state"))
    mine, theirs = (subject_key(salt, a) for a in (who, "someone"))
    kept = [Record("evidence", theirs, 7, 0, 1), Record("spent", 0, 0, 0, 2),
            Record("verified", theirs, 0, 0, 3), Record("handoff", mine, 5, 0, 4)]  # fmt: skip
    gone = [Record("evidence", mine, 7, 0, 5), Record("verified", mine, 0, 0, 6),
            Record("handoff", 9, org_key(salt, who, None), 0, 7)]  # fmt: skip
    for record in (*gone, *kept):
        journal.note(record)
    journal.flush({"c-1": 0})
    erase = ["erase", who, "--by", "Dee", "--effects", "e.json", "--decisions", "d.jsonl",
             "--state", "state"]  # fmt: skip
    assert command(erase) == 1
    assert "--snapshot" in capsys.readouterr().err
    assert command([*erase, "--snapshot", "s.json", "--trust", "k.pub"]) == 0
    assert Path("d.jsonl").read_text() == lines[1]
    assert who not in Path("e.json").read_text()
    assert not Path("s.json.previous").exists()
    left: list[Record] = []
    reader = SimpleNamespace(numbers={}, apply=left.append)
    assert Journal(Path("state")).restore(reader) == len(kept)
    assert left == kept


def test_erasing_leaves_what_a_running_guard_appends_to_its_state(tmp_path, monkeypatch):
    """Half a record at the end, completed by the guard while the file is rewritten."""
    journal = Journal(tmp_path)
    for record in (Record("evidence", 1, 0, 0, 1), Record("evidence", 2, 0, 0, 2)):
        journal.note(record)
    journal.flush({})
    file = next(tmp_path.iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    read = Path.read_bytes

    def first(path):
        data = read(path)
        file.write_bytes(whole)
        return data

    monkeypatch.setattr(Path, "read_bytes", first)
    assert erase_from_state(tmp_path, {1}, 0) == 1
    monkeypatch.undo()
    left: list[Record] = []
    Journal(tmp_path).restore(SimpleNamespace(numbers={}, apply=left.append))
    assert left == [Record("evidence", 2, 0, 0, 2)]


def test_the_data_map_names_every_file_that_the_guard_leaves():
    text = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text("utf-8")
    for name in ("effects.json", "snapshot.json.previous", "decision log", "state folder",
                 "orders", "Redis", "OCSF", "depot"):  # fmt: skip
        assert name in text.split("## Times")[0], name


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


def members_of(campaign) -> list[str]:
    return [m["account_id"] for m in campaign["members"] if m["standing"] == "accused"]


def freed(accounts, until: int = 1 << 60) -> dict[str, Action]:
    return {a: Action("allow", "Bo", 0, until) for a in accounts}


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


def test_permits_are_compared_with_what_exchanges_hint_at_and_not_with_what_a_template_asks_for():
    facts = SimpleNamespace(rates={}, begun={}, burst=lambda _: 1)
    line = {"campaign_id": "c-1", "methods": ["relay", "cot_exfiltration"]}
    assert _pursuit(line, facts, 0, {}).methods == ("relay", "cot_exfiltration")
    assert _pursuit(line | {"hinted_methods": ["relay"]}, facts, 0, {}).methods == ("relay",)
    assert _pursuit(line | {"hinted_methods": []}, facts, 0, {}).methods == ()
