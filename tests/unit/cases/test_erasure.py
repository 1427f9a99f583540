"""Erasing an account: no byte of it is left, and what was said still verifies."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cases import (
    add_note,
    appeal,
    decide,
    effects,
    end_users_of,
    erase_from_book,
    erase_from_effects,
    erase_from_run,
    erase_subjects,
    export_case,
    owners_of,
    read_case,
    read_evidence,
    read_members,
    resolve,
    verify_book,
    verify_pack,
)
from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.guard.decision import Decision
from stillwatch.guard.records import Noted, ocsf_event
from stillwatch.seal import digest, new_key, public_key
from stillwatch.store import open_run

WHO = "acct_9f3c"


@pytest.fixture
def case(bring, campaign):
    held = campaign("c-1", [WHO, "acct_9f3c7", "a3"], note=f"sentence about {WHO}, and {WHO}-b")
    (seen,) = bring(held)
    return seen.case_id


@pytest.fixture
def lived(book, case, order, terms, noon):
    """A decision on the account, an upheld appeal, and a note that names it."""
    made = decide(book, order(accounts=(WHO,)), terms=terms, now=noon)
    held = appeal(book, made.id, WHO, by="Erika Mustermann", terms=terms, now=noon)
    resolve(book, held.id, upheld=True, by="Cy", reason=f"{WHO} is a class", now=noon)
    add_note(book, case, text=f"spoke with {WHO}", by="Ada", now=noon)
    return case


def left_in(folder, word):
    return [p.name for p in folder.rglob("*") if p.is_file() and word.encode() in p.read_bytes()]


def test_no_byte_of_the_account_stays_in_the_database(book, lived, tmp_path, noon, terms):
    assert erase_from_book(book, WHO, by="Dee", now=noon) > 0
    book.close()
    files = [p for p in tmp_path.iterdir() if p.name.startswith("cases.db")]
    for file in files:
        data = file.read_bytes().replace(b"acct_9f3c7", b"").replace(b"acct_9f3c-b", b"")
        assert WHO.encode() not in data, file.name
        assert b"Erika" not in data, file.name


def test_the_history_still_verifies_and_says_that_something_was_erased(book, lived, noon):
    before = verify_book(book)
    changed = erase_from_book(book, WHO, by="Dee", now=noon)
    after = verify_book(book)
    assert after.entries == before.entries + 1
    assert after.erased == changed
    assert after.opened == after.entries - changed


def test_other_accounts_stay_even_those_with_a_longer_name(book, lived, noon):
    erase_from_book(book, WHO, by="Dee", now=noon)
    names = {m[0] for m in read_members(book, lived)}
    assert {"acct_9f3c7", "a3"} < names
    assert len(names) == 3
    held = read_evidence(book, lived)
    assert "acct_9f3c-b" in held["note"]
    assert digest(held) == read_case(book, lived).evidence_digest


def test_the_erased_account_is_in_no_effect(book, lived, noon, terms):
    erase_from_book(book, WHO, by="Dee", now=noon)
    told = json.dumps(dict(effects(book, terms=terms, now=noon)))
    assert f'"{WHO}"' not in told


def test_salts_of_rewritten_texts_are_destroyed_so_that_no_guess_can_be_checked(book, lived, noon):
    from stillwatch.cases.tables import bodies

    def salts():
        with book.reading() as connection:
            rows = connection.execute(bodies.select().order_by(bodies.c.number)).all()
        return {row.number: row.salt for row in rows}, json.loads(rows[-1].body)

    before, _ = salts()
    erase_from_book(book, WHO, by="Dee", now=noon)
    after, erasure = salts()
    assert {n for n in before if before[n] != after[n]} == {int(n) for n in erasure["rewritten"]}


def test_an_account_can_be_erased_after_another(book, lived, noon):
    erase_from_book(book, WHO, by="Dee", now=noon)
    erase_from_book(book, "a3", by="Dee", now=noon)
    assert {m[0] for m in read_members(book, lived)} >= {"acct_9f3c7"}
    assert not {WHO, "a3"} & {m[0] for m in read_members(book, lived)}
    verify_book(book)


def test_a_text_changed_without_an_erasure_entry_is_still_found(book, lived, noon):
    erase_from_book(book, WHO, by="Dee", now=noon)
    from stillwatch.cases.tables import bodies

    with book.engine.begin() as connection:
        connection.execute(
            bodies.update().where(bodies.c.number == 1).values(body='{"case_id": "x"}')
        )
    with pytest.raises(EvidenceError, match="changed after"):
        verify_book(book)


def test_a_pack_made_afterwards_verifies_and_holds_nothing_of_it(book, lived, noon, tmp_path):
    erase_from_book(book, WHO, by="Dee", now=noon)
    key = new_key(tmp_path / "key")
    export_case(book, lived, tmp_path / "pack", level="internal", key=key, now=noon)
    done = verify_pack(tmp_path / "pack", public_key(key))
    assert 0 < done.opened < done.entries
    for file in (tmp_path / "pack").rglob("*.json*"):
        assert f'"{WHO}"' not in file.read_text(encoding="utf-8")


def test_erasing_a_stranger_writes_nothing(book, lived, noon):
    before = verify_book(book)
    assert erase_from_book(book, "acct_none", by="Dee", now=noon) == 0
    assert verify_book(book) == before
    for wrong in ({"account_id": ""}, {"by": " "}):
        with pytest.raises(ConfigError):
            erase_from_book(book, **{"account_id": WHO, "by": "Dee", "now": noon, **wrong})


def test_a_run_directory_holds_nothing_of_it_any_more(make_run, campaign):
    run = make_run(campaign("c-1", [WHO, "a2"], note=f"about {WHO}"))
    (run.path / "stages").mkdir()
    tables = {
        "accounts.parquet": {"account_id": [WHO, "a2"], "standing": ["accused", "clear"]},
        "links.parquet": {"a": [WHO, "a2", "o"], "b": ["a2", "a3", "a3"], "kind": ["x"] * 3},
        "subjects.parquet": {"account_id": [WHO, "a2"], "n": [1, 2]},
        "stages/raster.parquet": {"subject": [f"{WHO} · user", "a2", None], "row": [1, 2, 3]},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), run.path / name)
    frames = run.path / "stages" / "frames.jsonl"
    frames.write_text(json.dumps({"campaign_id": "c-1", "first_account": WHO}) + "\n")
    shared = run.path / "shared.jsonl"
    shared.write_text(
        "".join(json.dumps({"account_id": a, "weight": 0.3}) + "\n" for a in (WHO, "a2"))
    )
    done = erase_from_run(run, WHO)
    assert (done.rows, done.files) == (4, 7)
    assert left_in(run.path, WHO) == []
    assert '"a2"' in shared.read_text()
    assert pq.read_table(run.path / "links.parquet").num_rows == 2
    (line,) = (run.path / "campaigns.jsonl").read_text().splitlines()
    assert [m["account_id"] for m in json.loads(line)["members"]] == ["a2"]
    assert erase_from_run(run, WHO) == type(done)(0, 0)


def test_effects_lose_the_accounts_rows_and_keep_the_others(
    book, case, order, terms, noon, tmp_path
):
    decide(book, order(accounts=(WHO,)), terms=terms, now=noon)
    decide(book, order(accounts=("a3",)), terms=terms, now=noon)
    file = tmp_path / "effects.json"
    file.write_text(json.dumps(dict(effects(book, terms=terms, now=noon))))
    held = json.loads(file.read_text())
    held["let_go_campaigns"] = [{"campaign_id": "c-2", "core": [WHO, "a3"]}]
    file.write_text(json.dumps(held))
    assert erase_from_effects(file, WHO) == 1
    assert f'"{WHO}"' not in file.read_text()
    new = json.loads(file.read_text())
    assert [v["account_id"] for v in new["verdicts"]] == ["a3"]
    assert new["let_go_campaigns"][0]["core"] == ["a3"]
    assert new["at_us"] == held["at_us"]


def test_a_decision_log_loses_the_lines_of_the_account_and_its_end_users(tmp_path):
    log = tmp_path / "decisions.jsonl"
    lines = [json.dumps({"subject": f"{k:016x}", "verdict": "deny"}) for k in (1, 2, 3, 1)]
    event = ocsf_event(Noted(0, Decision("deny", (), None, 0, "n-1", "enforce", "deny", subject=2),
                             "decide", SimpleNamespace(version=1, source="f" * 64)))  # fmt: skip
    ocsf = json.dumps(event)
    log.write_text("\n".join([*lines, ocsf, "cut by a kill {", ""]))
    assert erase_subjects(log, [1, 2]) == 4
    assert log.read_text() == lines[2] + "\ncut by a kill {\n"
    assert erase_subjects(log, [1, 2]) == 0
    with pytest.raises(InputError):
        erase_subjects(tmp_path / "absent", [1])


def test_what_a_run_knows_of_end_users_and_owners_is_found_by_account(tmp_path):
    people = {"account_id": ["shop", "shop", "a1", "a2", "a3"],
              "end_user_id": ["u2", "u1", None, None, None],
              "owner_entity_id": ["e-1", "e-1", "e-2", "e-2", None]}  # fmt: skip
    (tmp_path / "stages").mkdir()
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "campaigns.jsonl").write_text("")
    run = open_run(tmp_path)
    with pytest.raises(InputError):
        end_users_of(run, "shop")
    pq.write_table(pa.table(people), tmp_path / "stages" / "subjects.parquet")
    assert end_users_of(run, "shop") == ["u1", "u2"]
    assert end_users_of(run, "a1") == []
    assert owners_of(run, "shop") == ({"e-1"}, set())
    assert owners_of(run, "a1") == (set(), {"e-2"})
    assert owners_of(run, "a3") == (set(), set())
