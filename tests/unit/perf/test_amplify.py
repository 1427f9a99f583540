"""Copies of a world share no template, no moment of creation and nothing that names an account."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from amplify import EARLIER_HOURS, SHIFT_MINUTES, amplify
from salt import MOST_COPIES, SaltedTexts

from stillwatch import kernel
from stillwatch.simulate import simulate

COPIES = 3
FRAMES = [f"{end}_{n}" for end in ("head", "tail") for n in (3, 4, 5, 6, 8, 10, 12, 16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("amplify")
    simulate("tiny", seed=3, out=base / "tiny")
    amplify(base / "tiny", COPIES, base / "copies", workers=1)
    return base


def read(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(p) for p in sorted((folder / "exchanges").iterdir())])


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_first_copy_is_the_world_itself(folder):
    original = {r["exchange_id"]: r for r in read(folder / "tiny").to_pylist()}
    copies = read(folder / "copies").to_pylist()
    assert len(copies) == COPIES * len(original)
    found = [r for r in copies if r["exchange_id"] in original]
    assert len(found) == len(original)
    assert all(original[r["exchange_id"]] == r for r in found)


def test_no_template_is_shared_by_copies_in_any_script(folder):
    """Frames of three tokens and more differ between copies, CJK and spaced scripts alike.

    But those of numbers alone, which any two strangers share: numbers are masked.
    """
    table = read(folder / "copies")
    numbers = kernel.one({"messages": [{"role": "user", "content": "7 " * 16}]})
    seen: dict[tuple[str, int], set[int]] = {}
    for batch in table.to_batches():
        features = kernel.batch(batch)
        copy = [
            int(a.rpartition("-")[2]) if "-" in a else 0 for a in batch["account_id"].to_pylist()
        ]
        for name in FRAMES:
            for value, k in zip(features[name].to_pylist(), copy, strict=True):
                if value and value != getattr(numbers, name):
                    seen.setdefault((name, value), set()).add(k)
    shared = [key for key, copies in seen.items() if len(copies) > 1]
    assert len(seen) > 1000
    assert shared == []


def test_templates_hold_within_a_copy(folder):
    """As many distinct frames in every copy as in the world itself."""
    distinct: dict[int, set[int]] = {}
    for batch in read(folder / "copies").to_batches():
        heads = kernel.batch(batch)["head_8"].to_pylist()
        for account, head in zip(batch["account_id"].to_pylist(), heads, strict=True):
            k = int(account.rpartition("-")[2]) if "-" in account else 0
            distinct.setdefault(k, set()).add(head)
    assert len(distinct[0]) > 100
    assert len(distinct[1]) == pytest.approx(len(distinct[0]), rel=0.01)
    assert len(distinct[2]) == pytest.approx(len(distinct[0]), rel=0.01)


def test_accounts_are_created_and_closed_at_other_times(folder):
    truth = {
        t["account_id"]: t["campaign"] is None
        for t in pq.read_table(folder / "tiny" / "truth.parquet").to_pylist()
    }
    original = {r["account_id"]: r for r in rows_of(folder / "tiny", "accounts.csv")}
    closed = 0
    for row in rows_of(folder / "copies", "accounts.csv"):
        name, _, k = row["account_id"].partition("-")
        later = timedelta(minutes=SHIFT_MINUTES * int(k or 0))
        earlier = timedelta(hours=EARLIER_HOURS * int(k or 0)) if truth[name] else timedelta()
        for column, moved in (("created_at", later - earlier), ("closed_at", later)):
            before = original[name][column]
            assert (before == "") == (row[column] == "")
            if before:
                closed += column == "closed_at"
                gap = datetime.fromisoformat(row[column]) - datetime.fromisoformat(before)
                assert gap == moved, (row["account_id"], column)
    assert closed > 0


def test_requests_and_permits_move_alike(folder):
    when = {r["exchange_id"]: r["ts"] for r in read(folder / "copies").to_pylist()}
    for name, ts in when.items():
        first, _, k = name.partition("-")
        assert ts - when[first] == timedelta(minutes=SHIFT_MINUTES * int(k or 0))
    permits = rows_of(folder / "copies", "permits.csv")
    assert len({p["valid_from"] for p in permits}) >= COPIES


def test_a_salt_is_a_bijection_of_every_copy():
    """All Han and kana of a row, and 26 letters, stay distinct; lengths and nulls stay."""
    text = "".join(map(chr, (*range(0x3041, 0x30FF), *range(0x4E00, 0x4F00))))
    words = " ".join(f"{a}{b}x" for a in "abcz" for b in "abcz")
    given = pa.array(["", None, text, words, "<think> größer élan 42 -17</think>"])
    salted = SaltedTexts(given)
    seen = set()
    for k in range(MOST_COPIES):
        _, none, cjk, latin, mixed = salted.copy(k).to_pylist()
        assert none is None
        assert len(set(cjk)) == len(text)
        assert len(set(latin.split())) == 16
        assert mixed.startswith("<think> ")
        assert " 42 -17</think>" in mixed
        seen |= {cjk, latin}
    assert len(seen) == 2 * MOST_COPIES
    with pytest.raises(ValueError, match="copies 0 to"):
        salted.copy(MOST_COPIES)


def test_a_slice_of_texts_is_salted_as_the_whole():
    whole = pa.array(["uno dos", "eins zwei", "你好 世界", "ein"])
    assert (
        SaltedTexts(whole.slice(1, 2)).copy(5).to_pylist()
        == (SaltedTexts(whole).copy(5).to_pylist()[1:3])
    )


def test_more_copies_than_can_be_salted_are_refused(tmp_path):
    with pytest.raises(ValueError, match="choose 1 to"):
        amplify(tmp_path, MOST_COPIES + 1, tmp_path / "out")
