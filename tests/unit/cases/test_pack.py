"""Evidence packs: what each reader sees, and every way in which one can be damaged."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cases import add_note, appeal, decide, export_case, verify_pack
from stillwatch.cases.redaction import LEVELS
from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.seal import new_key, public_key

HIDDEN_FROM_PARTNERS = ("a1", "a2", "p1", "Ada", "203.0.113", "Ignore all", "12.5", "revenue",
                        "output_tokens", "case-0", "c-1", "c_1", "SECRET", "org_x")  # fmt: skip


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    return new_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture
def run(make_run, campaign):
    made = make_run(campaign("c-1", ["a1", "a2", "a3", "a4"], periphery=["p1"]))
    rows = [("203.0.113.0/24", "a1", "exit_prefix"), ("203.0.113.0/24", "p1", "exit_prefix"),
            ("a1", "a2", "handoff"), ("a1", "p1", "handoff"), ("z1", "z2", "handoff")]  # fmt: skip
    table = pa.table(
        {"a": [r[0] for r in rows], "b": [r[1] for r in rows], "kind": [r[2] for r in rows],
         "llr": [2.0] * 5, "count": [1] * 5}
    )  # fmt: skip
    pq.write_table(table, made.path / "links.parquet")
    return made


@pytest.fixture
def export(book, case, order, terms, noon, key, tmp_path, run):
    made = decide(book, order(accounts=("a1",), remark="SECRET remark"), terms=terms, now=noon)
    appeal(book, made.id, "a1", by="customer", terms=terms, now=noon)
    add_note(book, case, text="SECRET note", by="Ada", now=noon)

    def pack(level, name="pack"):
        out = tmp_path / name
        export_case(book, case, out, level=level, key=key, now=noon, run=run,
                    pseudonym_key=b"k" * 32)  # fmt: skip
        return out

    return pack


def all_text(folder):
    skipped = {"manifest.dsse.json", "key.pub"}
    return "\n".join(
        p.read_text(encoding="utf-8")
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in skipped
    )


@pytest.mark.parametrize("level", LEVELS)
def test_a_pack_of_every_level_verifies(export, key, level):
    done = verify_pack(export(level), public_key(key))
    assert done.level == level
    shows_history = level in ("internal", "counsel")
    assert (done.entries > 0) == (done.opened > 0) == shows_history


def test_internal_opens_every_entry_of_the_case(export, key):
    done = verify_pack(export("internal"), public_key(key))
    assert done.opened == done.entries == 6


def test_counsel_does_not_see_what_colleagues_remark(export, key):
    folder = export("counsel")
    text = all_text(folder)
    assert "SECRET" not in text
    assert "a1" in text
    assert "Ada" in text
    assert verify_pack(folder, public_key(key)).opened == 4


@pytest.mark.parametrize("level", ["partner", "public"])
def test_a_partner_and_the_public_see_no_customer_price_volume_or_name(export, level):
    text = all_text(export(level))
    for word in HIDDEN_FROM_PARTNERS:
        assert f'"{word}"' not in text, word
        if len(word) > 2:
            assert word not in text, word


def test_unknown_fields_do_not_reach_a_partner(book, bring, campaign, key, tmp_path, noon):
    more = {"org_x": "org_x", "methods": ["ok", "<script>"], "found_by": ["x" * 500, "frame"]}
    (seen,) = bring(campaign("c-7", ["b1", "b2"], **more))
    out = tmp_path / "p"
    export_case(book, seen.case_id, out, level="partner", key=key, now=noon)
    held = json.loads((out / "case.json").read_text())["campaign"]
    assert held["methods"] == ["ok"]
    assert held["found_by"] == ["frame"]
    assert set(held) == {"standing", "methods", "accounts", "first_seen", "last_seen", "claims",
                         "campaign", "exchanges", "found_by"}  # fmt: skip
    assert (held["accounts"], held["exchanges"]) == ("1-9", "10-99")
    assert "actor" not in held["claims"]


def test_a_partner_sees_how_accused_accounts_are_linked_under_pseudonyms(export):
    folder = export("partner")
    links = [json.loads(x) for x in (folder / "links.jsonl").read_text().splitlines()]
    members = [json.loads(x) for x in (folder / "members.jsonl").read_text().splitlines()]
    assert len(members) == 4
    names = {m["account"] for m in members}
    assert {(x["kind"], x["a"] in names, x["b"] in names) for x in links} == {
        ("exit_prefix", False, True),
        ("handoff", True, True),
    }


def test_pseudonyms_of_two_packs_have_nothing_in_common(book, case, key, tmp_path, noon, run):
    made = []
    for name in ("one", "two"):
        export_case(book, case, tmp_path / name, level="partner", key=key, now=noon, run=run)
        made.append(set((tmp_path / name / "members.jsonl").read_text().splitlines()))
    assert not made[0] & made[1]


def test_links_of_strangers_are_in_no_pack(export):
    assert '"z1"' not in all_text(export("internal"))


def test_the_public_sees_months_bands_and_no_lists(export):
    folder = export("public")
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.txt", "case.json", "key.pub", "manifest.dsse.json", "manifest.json",
    ]  # fmt: skip
    held = json.loads((folder / "case.json").read_text())
    assert held["campaign"]["first_seen"] == "2026-11"
    assert held["campaign"]["accounts"] == "1-9"
    assert set(held["campaign"]["claims"]["coordinated"]) == {"confidence"}


def test_another_key_does_not_verify(export, tmp_path):
    stranger = new_key(tmp_path / "stranger")
    with pytest.raises(EvidenceError, match="not signed"):
        verify_pack(export("counsel"), public_key(stranger))


@pytest.mark.parametrize("name", ["case.json", "members.jsonl", "links.jsonl", "history.jsonl",
                                  "openings.jsonl", "README.txt", "manifest.json"])  # fmt: skip
def test_a_changed_file_is_named(export, key, name):
    folder = export("counsel")
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(EvidenceError) as caught:
        verify_pack(folder, public_key(key))
    assert caught.value.where == name


def test_a_missing_added_or_linked_file_is_named(export, key, tmp_path):
    folder = export("counsel")
    for damage, where in (
        (lambda f: (f / "members.jsonl").unlink(), "members.jsonl"),
        (lambda f: (f / "more.txt").write_text("x"), "more.txt"),
        (lambda f: (f / "notices" / "more.txt").write_text("x"), "notices/more.txt"),
        (lambda f: ((f / "case.json").rename(tmp_path / "c.json"),
                    (f / "case.json").symlink_to(tmp_path / "c.json")), "case.json"),
    ):  # fmt: skip
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        damage(copy)
        with pytest.raises(EvidenceError) as caught:
            verify_pack(copy, public_key(key))
        assert caught.value.where == where
        shutil.rmtree(copy)


def test_a_pack_that_was_put_together_and_signed_anew_still_shows_a_changed_text(
    export, key, tmp_path
):
    """Whoever holds the signing key cannot change what was said without breaking a commitment."""
    from stillwatch.cases import pack as made
    from stillwatch.seal import append, canonical, digest, seal

    folder = export("counsel")
    file = folder / "openings.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"Ada"', b'"Eve"'))
    manifest = json.loads((folder / "manifest.json").read_text())
    chain = []
    for held in manifest["files"]:
        value = held["value"]
        data = (folder / value["name"]).read_bytes()
        value = {"name": value["name"], "bytes": len(data), "digest": digest(data)}
        chain.append(append(value, chain[-1] if chain else None))
    manifest["files"] = [made.asdict(link) for link in chain]
    (folder / "manifest.json").write_bytes(canonical(manifest))
    envelope = seal(canonical(manifest), made.KIND, [key])
    (folder / "manifest.dsse.json").write_text(json.dumps(envelope))
    with pytest.raises(EvidenceError, match="changed after it was written"):
        verify_pack(folder, public_key(key))


def test_a_pack_is_never_written_over_another(export):
    export("public")
    with pytest.raises(ConfigError, match="already"):
        export("public")


def test_what_is_no_pack_is_refused(tmp_path, key, book, case, noon):
    with pytest.raises(InputError):
        verify_pack(tmp_path, public_key(key))
    with pytest.raises(ConfigError, match="level"):
        export_case(book, case, tmp_path / "p", level="secret", key=key, now=noon)
    with pytest.raises(ConfigError, match="no such case"):
        export_case(book, "case-9", tmp_path / "p", level="public", key=key, now=noon)
