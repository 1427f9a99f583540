"""Snapshots on the command line: following runs, slips of the hand, what is left on the disk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from snapshots import members_of, row

from stillwatch.cli.app import run as command
from stillwatch.cli.following import Following, follow_runs
from stillwatch.errors import InputError
from stillwatch.guard import Guard, Request, read_orders, read_snapshot
from stillwatch.guard.journal import Journal, erase_from_state
from stillwatch.guard.seen import Record
from stillwatch.schema.snapshot import org_key, subject_key
from stillwatch.seal import read_public_key


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
