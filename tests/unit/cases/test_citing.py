"""From ownership statements to a refusal, and from its id back to the chain, by commands."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import bods_fixtures
import pytest

from stillwatch.cli.app import run as command
from stillwatch.guard import (
    Capacity,
    Orders,
    Request,
    Service,
    Serving,
    read_snapshot,
    write_orders,
)
from stillwatch.guard.files import write_effects
from stillwatch.policy import example_rules, read_citations
from stillwatch.scanner import scan
from stillwatch.seal import public_key, read_private_key
from stillwatch.simulate import simulate

OWNERS = ("rec-acme-holdings-ltd", "rec-opaque-holdings-sa", "", "rec-nobody-knows")
NOON_US = 1_795_780_800_000_000
PRIVATE = ("jane", "acme", "f01-r1", "rec-", "75 %")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scan whose first four accounts have owners, and everything beside it."""
    made = tmp_path_factory.mktemp("owned")
    world = simulate("tiny", seed=5, out=made / "world")
    with world.accounts_csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["owner_entity_id"] = OWNERS[min(number, 3)]
    with (made / "accounts.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (made / "who.json").write_text(json.dumps([row["account_id"] for row in rows[:4]]))
    rules = example_rules()["ofac_50_percent"].read_text(encoding="utf-8")
    seeded = rules.replace("entities = []", 'entities = ["rec-jane-smith-1975"]')
    (made / "rules.toml").write_text(seeded, encoding="utf-8")
    given = []
    for name in ("01-direct-ownership", "11-anonymous-person"):
        (case,) = [c for c in bods_fixtures.list_cases() if c.endswith(name)]
        statements = bods_fixtures.load(case).statements
        (made / f"{name}.json").write_text(json.dumps(statements), encoding="utf-8")
        given += ["--statements", f"{made}/{name}.json"]
    said = ["ownership", "answer", *given, "--rules", f"{made}/rules.toml", "--at", "2026-11-26",
            "--accounts", f"{made}/accounts.csv", "--out", f"{made}/ownership.csv",
            "--citations", f"{made}/citations.jsonl"]  # fmt: skip
    assert command(said) == 0
    scan([world.out / "exchanges"], accounts=made / "accounts.csv",
         ownership=made / "ownership.csv", out=made / "run", threads=1)  # fmt: skip
    ladder = 'access_restricted = "deny"\nstep_up_url = "https://verify.example"\n'
    (made / "ladder.toml").write_text(ladder)
    assert command(["guard", "keygen", f"{made}/k.pem"]) == 0
    return made


def compiled(folder, out, *more):
    return command(["guard", "compile", "--run", f"{folder}/run", "--key", f"{folder}/k.pem",
                    "--out", str(out), "--ladder", f"{folder}/ladder.toml", *more])  # fmt: skip


def test_a_refusal_cites_its_rule_and_its_id_leads_the_analyst_to_the_chain(
    folder, tmp_path, capsys
):
    out, log = tmp_path / "s.json", tmp_path / "decisions.jsonl"
    assert compiled(folder, out, "--ownership", f"{folder}/ownership.csv") == 0
    assert "a citation says what they rest on" in capsys.readouterr().out
    assert "rec-" not in out.read_text()
    private = read_private_key(folder / "k.pem")
    write_orders(tmp_path / "o.json", Orders(version=1, mode="enforce"), private)
    serving = Serving(out, (public_key(private),), orders=tmp_path / "o.json", decision_log=log,
                      capacity=Capacity(100, 100, 100, 100))  # fmt: skip
    service = Service(serving)
    acme, opaque, none, unknown = json.loads((folder / "who.json").read_text())
    at = service.guard.table.snapshot.created_us
    held = {a: service.decide(Request(at, a), "decide") for a in (acme, opaque, none, unknown)}
    service.flush_log()
    refused = held[acme]
    assert (refused.verdict, refused.level) == ("deny", "access")
    words = " ".join(refused.reasons)
    assert "rule ofac-50-percent version " in words
    assert "as of 2026-11-26" in words
    assert not any(name in (words + log.read_text()).lower() for name in PRIVATE)
    assert held[none].citation == ""
    assert "no owner of the account is named" in held[none].reasons
    assert held[opaque].citation != held[unknown].citation != ""

    asked = ["guard", "explain", refused.decision_id, "--log", str(log)]
    assert command([*asked, "--citations", f"{folder}/citations.jsonl"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "rec-jane-smith-1975 holds 75 % of rec-acme-holdings-ltd; it is on the list" in told
    assert "held since" in told
    assert "guidance of 13 August 2014" in told
    assert command(asked) == 0
    told = capsys.readouterr().out
    assert refused.citation in told
    assert "jane" not in told
    assert command([*asked, "--citations", f"{folder}/citations.jsonl", "--notice"]) == 0
    notice = " ".join(capsys.readouterr().out.split())
    assert "stopped answering requests" in notice
    assert "rule ofac-50-percent, version" in notice
    assert f"Reference: {refused.decision_id}" in notice
    assert not any(name in notice.lower() for name in PRIVATE)


def test_a_refusal_is_entered_appealed_and_the_guard_obeys_the_outcome(folder, tmp_path, capsys):
    """By commands, from the log of a real guard to a snapshot and to a running one."""
    out, log, db = tmp_path / "s.json", tmp_path / "decisions.jsonl", f"{tmp_path}/cases.db"
    assert compiled(folder, out, "--ownership", f"{folder}/ownership.csv") == 0
    assert "tell nobody how to object: set appeal_to" in " ".join(capsys.readouterr().out.split())
    private = read_private_key(folder / "k.pem")
    write_orders(tmp_path / "o.json", Orders(version=1, mode="enforce"), private)
    effects = tmp_path / "live.json"
    write_effects(effects, {"actions": [], "let_go": [], "verdicts": [], "corrections": []},
                  private)  # fmt: skip
    serving = Serving(out, (public_key(private),), orders=tmp_path / "o.json", decision_log=log,
                      effects=effects, capacity=Capacity(100, 100, 100, 100))  # fmt: skip
    service = Service(serving)
    acme, opaque, *_ = json.loads((folder / "who.json").read_text())
    at = service.guard.table.snapshot.created_us
    for account in (acme, opaque, acme):
        service.decide(Request(at, account), "decide")
    service.flush_log()

    entering = ["case", "refusals", "--log", str(log), "--run", f"{folder}/run", "--db", db,
                "--snapshot", str(out), "--trust", f"{folder}/k.pem.pub",
                "--citations", f"{folder}/citations.jsonl"]  # fmt: skip
    assert command(entering) == 0
    assert "2 refusals entered" in capsys.readouterr().out
    assert command(entering) == 0
    assert "0 refusals entered" in capsys.readouterr().out
    reference = json.loads(log.read_text().splitlines()[0])["decision_id"]
    said = ["case", "appeal", reference, "--account", acme, "--by", "Erika M.", "--db", db]
    assert command(said) == 0
    assert command(["case", "list", "--db", db]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "ownership" in told
    appeal = told.split("Appeals that wait")[1].split()[1]
    assert command(["case", "resolve", appeal, "--outcome", "upheld", "--reason", "sold",
                    "--by", "Cy", "--db", db]) == 0  # fmt: skip
    held = f"{tmp_path}/effects.json"
    assert command(["case", "effects", "--db", db, "--out", held]) == 0

    write_effects(effects, json.loads((tmp_path / "effects.json").read_text()), private)
    assert service.reload()
    freed = service.decide(Request(at, acme), "decide")
    assert (freed.verdict, freed.would) == ("allow", "allow")
    assert service.decide(Request(at, opaque), "decide").verdict == "step_up"
    ownership = ["--ownership", f"{folder}/ownership.csv"]
    assert compiled(folder, out, *ownership, "--effects", held) == 0
    again = Service(replace(serving, effects=None))
    assert again.decide(Request(at, acme), "decide").verdict == "allow"
    assert again.decide(Request(at, opaque), "decide").verdict == "step_up"

    # The register says so anew the next day: that answer nobody has judged.
    ownership = ["--ownership", answered_anew(folder, tmp_path, "2026-11-27", share=75)]
    assert compiled(folder, out, *ownership, "--effects", held) == 0
    assert Service(replace(serving, effects=None)).decide(Request(at, acme), "decide").verdict == (
        "allow"
    )
    ownership = ["--ownership", answered_anew(folder, tmp_path, "2026-11-27", share=80)]
    assert compiled(folder, out, *ownership, "--effects", held) == 0
    last = Service(replace(serving, effects=None))
    assert last.decide(Request(at, acme), "decide").verdict == "deny"
    last.flush_log()
    capsys.readouterr()
    assert command(entering) == 0
    assert "1 refusals entered" in capsys.readouterr().out


def answered_anew(folder, tmp_path, day, *, share):
    """The answers of another day, where the owner of the first account holds so much of it."""
    text = (folder / "01-direct-ownership.json").read_text()
    assert '"exact": 75' in text
    files = [tmp_path / "direct.json", folder / "11-anonymous-person.json"]
    files[0].write_text(text.replace('"exact": 75', f'"exact": {share}'))
    given = [part for file in files for part in ("--statements", str(file))]
    out = str(tmp_path / f"ownership-{share}.csv")
    said = ["ownership", "answer", *given, "--rules", f"{folder}/rules.toml", "--at", day,
            "--accounts", f"{folder}/accounts.csv", "--out", out,
            "--citations", f"{tmp_path}/citations.jsonl"]  # fmt: skip
    assert command(said) == 0
    return out


def test_a_decision_that_no_log_has_and_a_notice_of_none_are_told(folder, tmp_path, capsys):
    log = tmp_path / "decisions.jsonl"
    log.write_text('{"decision_id": "cut')
    assert command(["guard", "explain", "n-1", "--log", str(log)]) == 1
    assert "what was allowed is in no log" in capsys.readouterr().err
    line = {"decision_id": "n-1", "ts_us": NOON_US, "route": "decide", "subject": "0",
            "verdict": "deny", "would": "deny", "mode": "enforce", "level": "member",
            "snapshot_version": 1, "snapshot_source": "f", "reasons": ["member of c-1"],
            "campaign_id": "c-1"}  # fmt: skip
    log.write_text('{"decision_id": "cut\n' + json.dumps(line) + "\n")
    asked = ["guard", "explain", "n-1", "--log", str(log)]
    assert command(asked) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "stillwatch explain c-1" in told
    assert "the scan accused the account" in told
    assert "guard undo --account ACCOUNT [--end-user ID] --by NAME" in told
    for cited in (["--citations", f"{folder}/citations.jsonl"], []):
        assert command([*asked, "--notice", *cited]) == 1
        assert "stillwatch case notice" in capsys.readouterr().err
    log.write_text(json.dumps({**line, "verdict": "watch", "level": "touched"}))
    assert command(asked) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "anybody can make true of it" in told
    assert "undo" not in told


def test_answers_that_the_scan_did_not_take_are_not_cited(folder, tmp_path, capsys):
    text = (folder / "ownership.csv").read_text(encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text(text.replace("acme-holdings-ltd,restricted", "acme-holdings-ltd,clear"))
    assert compiled(folder, tmp_path / "s.json", "--ownership", str(other)) == 1
    assert "scanned with other ownership answers" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_an_erased_account_leaves_no_chain_of_its_owner_and_no_name_of_a_person(
    folder, tmp_path, capsys
):
    """Owners of other accounts too stay cited; a person can be taken out of every chain by name."""
    acme, _, _, unknown = json.loads((folder / "who.json").read_text())
    cited, run = tmp_path / "citations.jsonl", tmp_path / "run"

    def begin():
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(folder / "run", run)
        shutil.copy(folder / "citations.jsonl", cited)
        return len(cited.read_text().splitlines())

    def erased(who):
        asked = ["erase", who, "--by", "Dee", "--citations", str(cited), "--run", str(run)]
        assert command(asked) == 0
        list(read_citations(cited))  # what is left still holds
        return cited.read_text(), " ".join(capsys.readouterr().out.split())

    before = begin()
    left, _ = erased(acme)
    assert len(left.splitlines()) == before - 1
    assert "jane" not in left
    assert "rec-acme" not in left
    begin()
    left, told = erased(unknown)  # nearly every account of this world has the same owner
    assert len(left.splitlines()) == before
    assert "1 owners have other accounts: what is cited of them stays" in told
    left, _ = erased("rec-jane-smith-1975")
    assert len(left.splitlines()) == before - 1
    assert "jane" not in left
    assert command(["erase", acme, "--by", "Dee"]) == 1
    assert "--citations" in capsys.readouterr().err


def test_a_table_of_another_origin_is_cited_as_such(folder, tmp_path):
    with (folder / "ownership.csv").open(encoding="utf-8") as file:
        rows = [f"{r['owner_entity_id']},{r['access']}\n" for r in csv.DictReader(file)]
    bare = tmp_path / "bare.csv"
    bare.write_text("owner_entity_id,access\n" + "".join(rows))
    out = tmp_path / "s.json"
    assert compiled(folder, out, "--ownership", str(bare)) == 0
    made = read_snapshot(out, [public_key(read_private_key(folder / "k.pem"))])
    assert {g.words for g in made.grounds} == {
        "an answer of the ownership table", "no owner of the account is named"
    }  # fmt: skip
    assert {g.citation for g in made.grounds} == {""}
