"""Files of a case: chained, checked, handed on, and gone without a byte left."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from stillwatch.cases import (
    attach,
    attachments,
    close_case,
    erase_from_book,
    export_case,
    purge_book,
    read_attachment,
    read_attachments,
    read_retention,
    remove_attachment,
    unsearched,
    verify_book,
    verify_pack,
)
from stillwatch.cases import tables as t
from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.seal import new_key, public_key

WHO = "acct_9f3c"


@pytest.fixture
def case(bring, campaign):
    (seen,) = bring(campaign("c-1", [WHO, "a2", "a3"]))
    return seen.case_id


@pytest.fixture
def put(book, case, noon):
    def make(data, name="a.txt", **more):
        return attach(book, case, name=name, data=data, by="Ada", now=noon, **more)

    return make


def files_of(tmp_path, word):
    found = [p for p in tmp_path.iterdir() if p.name.startswith("cases.db")]
    return [p.name for p in found if word in p.read_bytes()]


@pytest.mark.parametrize("do", ["UPDATE contents SET data = x'00'", "DELETE FROM contents"])
def test_bytes_that_were_changed_or_taken_are_found(book, put, do):
    held = put(b"evidence")
    verify_book(book)
    with book.engine.begin() as connection:
        connection.execute(sa.text(do))
    with pytest.raises(EvidenceError, match="bytes"):
        verify_book(book)
    with pytest.raises(EvidenceError, match="bytes"):
        read_attachment(book, held.id)


def test_bytes_beside_the_entries_are_found(book, put):
    put(b"evidence")
    with book.engine.begin() as connection:
        connection.execute(t.contents.insert().values(id="attachment-999", data=b"planted"))
    with pytest.raises(EvidenceError, match="no entry"):
        verify_book(book)


def test_a_case_holds_so_much_and_removing_makes_room(book, case, put, noon, monkeypatch):
    monkeypatch.setattr(attachments, "MOST_OF_A_CASE", 10)
    first = put(b"12345678")
    with pytest.raises(ConfigError, match="at most"):
        put(b"abc")
    remove_attachment(book, first.id, reason="too much", by="Cy", now=noon)
    put(b"abc")
    put(b"1234567")
    assert [bool(a.gone) for a in read_attachments(book, case)] == [True, False, False]


def test_what_was_removed_leaves_the_file(book, put, noon, tmp_path):
    held = put(b"a secret of somebody")
    assert files_of(tmp_path, b"a secret of somebody")
    remove_attachment(book, held.id, reason="not ours", by="Cy", now=noon)
    assert files_of(tmp_path, b"a secret of somebody") == []
    with pytest.raises(ConfigError, match="it is gone"):
        remove_attachment(book, held.id, reason="again", by="Cy", now=noon)
    verify_book(book)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_erasing_an_account_takes_the_texts_that_name_it(book, put, noon, tmp_path, encoding):
    text = f"Dear Sir, I am {WHO}. Sincerely".encode(encoding)
    mine, other = put(text, name=f"{WHO}.txt"), put(f"about {WHO}7 and {WHO}-b".encode())
    picture = put(b"\x89PNG\r\n\x00\xff" + WHO.encode(), name="scan.png")
    erase_from_book(book, WHO, by="Dee", now=noon)
    verify_book(book)
    held = {a.id: a for a in read_attachments(book, mine.case_id)}
    assert (held[mine.id].gone, held[other.id].gone) == ("erased", "")
    assert WHO not in held[mine.id].name
    assert held[mine.id].digest != mine.digest, "it could confirm a guess"
    assert files_of(tmp_path, text) == []
    assert files_of(tmp_path, mine.digest.encode()) == []
    assert [a.id for a in unsearched(book)] == [picture.id]
    assert read_attachment(book, other.id)[0].digest == other.digest


def test_a_closed_case_takes_its_files_with_it(book, case, put, noon, terms, tmp_path):
    put(b"what was attached")
    close_case(book, case, reason="a class", by="Ada", now=noon)
    assert files_of(tmp_path, b"what was attached")
    assert purge_book(book, read_retention(), terms=terms, now=noon + timedelta(days=400)) > 0
    assert files_of(tmp_path, b"what was attached") == []
    assert read_attachments(book, case) == []
    verify_book(book)
    with book.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.contents)) == 0


@pytest.mark.parametrize("level", ["internal", "counsel", "partner", "public"])
def test_a_pack_of_the_house_holds_the_files_and_shows_a_changed_one(
    book, case, put, noon, tmp_path, level
):
    held, gone = put(b"<b>evidence</b>", name="page.html"), put(b"a slip")
    remove_attachment(book, gone.id, reason="a slip", by="Cy", now=noon)
    key = new_key(tmp_path / "signing.key")
    pack = export_case(book, case, tmp_path / "pack", level=level, key=key, now=noon)
    verify_pack(pack.folder, public_key(key))
    file = pack.folder / "attachments" / f"{held.id}-page.html.attached"
    names = [p.name for p in pack.folder.rglob("*") if p.name.startswith("attachment-")]
    assert names == ([file.name] if level in ("internal", "counsel") else [])
    if names:
        assert file.read_bytes() == b"<b>evidence</b>"
        _pack_anew(pack.folder, file, key)
        with pytest.raises(EvidenceError, match="as it was attached"):
            verify_pack(pack.folder, public_key(key))


def _pack_anew(folder, file, key):
    """Change a file and sign the manifest anew, as whoever holds the key could."""
    from stillwatch.seal import append, canonical, digest, seal

    file.write_bytes(b"<b>other evidence</b>")
    manifest, chain = json.loads((folder / "manifest.json").read_text()), []
    for link in manifest["files"]:
        data = (folder / link["value"]["name"]).read_bytes()
        value = {"name": link["value"]["name"], "bytes": len(data), "digest": digest(data)}
        chain.append(append(value, chain[-1] if chain else None))
    manifest["files"] = [{"number": c.number, "value": c.value, "before": c.before, "own": c.own}
                         for c in chain]  # fmt: skip
    (folder / "manifest.json").write_bytes(canonical(manifest))
    envelope = seal(canonical(manifest), "evidence-pack", [key])
    (folder / "manifest.dsse.json").write_text(json.dumps(envelope))
