"""Files of the batch APIs: requests and results in any order, joined once, by batch."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import InputError
from stillwatch.sources import Inputs, open_inputs
from stillwatch.sources.batches import Batches, _Lines
from stillwatch.sources.json_rows import Records
from stillwatch.sources.waiting import Waiting

BATCH = Path(__file__).parents[2] / "fixtures" / "apis" / "batch"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(BATCH, tmp_path / "batch")
    return tmp_path / "batch"


def read(*paths: Path, max_rejects: float = 1.0) -> tuple[dict[str, dict[str, Any]], Inputs]:
    opened = open_inputs(paths, now=NOW, max_rejects=max_rejects)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    return {row["exchange_id"]: row for row in rows}, opened


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def put(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")


def test_requests_and_results_are_one_exchange(folder: Path) -> None:
    rows, opened = read(folder)
    assert opened.formats == ("batch",)
    assert len(rows) == 18
    row = rows["batch_req_chat"]
    assert row["messages"] == [{"role": "user", "content": "Say hello"}]
    assert (row["account_id"], row["org_id"]) == ("acct-1", "org-1")
    assert (row["output_text"], row["input_tokens"], row["seed"]) == ("Hello!", 120, 7)
    assert (row["channel"], row["operation"]) == ("batch", "chat")
    assert row["ts"] == datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC)
    other = rows["msgbatch_1/messages"]
    assert (other["account_id"], other["input_tokens"]) == ("acct-2", 150)
    assert other["ts"] == datetime(2026, 11, 1, tzinfo=UTC)  # the batch's: a message has no time


def test_every_line_is_an_exchange_or_counted(folder: Path) -> None:
    _, opened = read(folder)
    ledger = opened.ledger
    total = sum(len(lines(path)) for path in folder.iterdir())
    assert ledger.rows_read + sum(ledger.notes.values()) == total
    assert [(r.reason, r.field) for r in ledger.rejected] == [
        ("required value missing", "model")
    ] * 2  # results that expired, of requests that are in no file


@pytest.mark.parametrize(
    ("which", "status"),
    [
        ("batch_req_chat_limited", "rate_limited"),
        ("batch_req_chat_filtered", "filtered"),
        ("batch_req_chat_denied", "denied"),
        ("msgbatch_1/messages_busy", "server_error"),
        ("msgbatch_1/messages_refused", "refused"),
    ],
)
def test_errors(folder: Path, which: str, status: str) -> None:
    assert read(folder)[0][which]["status"] == status


def test_neither_order_nor_file_names_of_a_lone_batch_matter(folder: Path) -> None:
    want, _ = read(folder)
    for path in list(folder.glob("msgbatch*")):
        path.unlink()
    put(folder / "zz.jsonl", lines(folder / "batches.jsonl")[:1])
    (folder / "batches.jsonl").unlink()
    for name in ("in", "out", "err"):
        kept = lines(folder / f"file-{name}.jsonl")[::-1]
        (folder / f"file-{name}.jsonl").unlink()
        put(folder / f"{name}.jsonl", kept)
    got, _ = read(folder)
    assert got == {k: v for k, v in want.items() if k.startswith("batch_req")}


def test_a_request_without_result_is_kept_and_a_result_without_request_too(folder: Path) -> None:
    put(folder / "file-in.jsonl", lines(folder / "file-in.jsonl")[:1])
    put(folder / "file-err.jsonl", [])
    put(folder / "file-out.jsonl", lines(folder / "file-out.jsonl")[:1])
    for path in folder.glob("msgbatch*"):
        path.unlink()
    rows, _ = read(folder)
    lone = rows["batch_1/chat"]
    assert (lone["status"], lone["output_text"], lone["model"]) == (None, None, "gpt-5.1")
    assert lone["ts"] == datetime(2026, 11, 1, tzinfo=UTC)
    (answered,) = [row for row in rows.values() if row is not lone]
    assert answered["messages"] is None
    assert answered["status"] == "ok"


def test_two_batches_never_lend_each_other_a_result(folder: Path) -> None:
    """Both name their first request "chat"; their files lie in one folder, then in two."""
    want, _ = read(folder)
    second = folder.parent / "second"
    shutil.copytree(folder, second)
    rows, _ = read(folder, second)
    assert rows.keys() >= want.keys()
    (one, *_) = lines(folder / "batches.jsonl")
    twin = {**one, "id": "batch_2", "input_file_id": "file-i2", "output_file_id": "file-o2",
            "error_file_id": None, "account_id": "acct-9"}  # fmt: skip
    put(folder / "batches.jsonl", [*lines(folder / "batches.jsonl"), twin])
    body = {"model": "gpt-5.1", "messages": [{"role": "user", "content": "Other"}]}
    asked = {"custom_id": "chat", "method": "POST", "url": "/v1/chat/completions", "body": body}
    put(folder / "file-i2.jsonl", [asked])
    answer = next(r for r in lines(folder / "file-out.jsonl") if r["custom_id"] == "chat")
    put(folder / "file-o2.jsonl", [{**answer, "id": "batch_req_twin"}])
    rows, _ = read(folder)
    assert rows["batch_req_twin"]["messages"][0]["content"] == "Other"
    assert rows["batch_req_twin"]["account_id"] == "acct-9"
    assert rows["batch_req_chat"] == want["batch_req_chat"]


def test_without_batch_objects_the_error_says_what_to_give(folder: Path) -> None:
    (folder / "batches.jsonl").unlink()
    with pytest.raises(InputError, match="rows cannot be read") as caught:
        read(folder, max_rejects=0.01)
    assert "batch objects" in caught.value.hint


def test_results_without_their_requests_say_what_to_give(folder: Path) -> None:
    with pytest.raises(InputError, match="missing \\(model\\)") as caught:
        read(folder, max_rejects=0.01)
    assert "requests" in caught.value.hint


def test_repeated_deliveries_of_a_result_are_repeats(folder: Path) -> None:
    found = lines(folder / "file-out.jsonl")
    put(folder / "file-out.jsonl", [*found, found[0]])
    rows, opened = read(folder)
    assert len(rows) == 18
    assert opened.ledger.rows_accepted == 19  # the repeat of an id is dropped where repeats are


def test_a_run_leaves_nothing_for_the_next() -> None:
    source = Batches()
    assert source.for_run() is not source
    assert read(BATCH)[0] == read(BATCH)[0]


@pytest.mark.parametrize(("limit", "part"), [(0, 1 << 30), (3_000, 1 << 30), (3_000, 0)])
def test_what_waits_on_disk_is_read_as_what_waits_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: int, part: int
) -> None:
    """The same rows, duplicates and lines of two batches with one id included."""
    shutil.copytree(folder, folder / "again")

    def found() -> list[str]:
        opened = open_inputs([folder], now=NOW, max_rejects=1.0)
        rows = [row for batch in opened.batches() for row in batch.to_pylist()]
        assert opened.ledger.notes == notes
        return sorted(map(repr, rows))

    notes = read(folder)[1].ledger.notes
    kept = found()
    spilled: list[int] = []
    spill = Waiting._spill

    def counted(waiting: Waiting) -> None:
        spilled.append(len(waiting._held))
        spill(waiting)

    monkeypatch.setattr(Waiting, "_spill", counted)
    monkeypatch.setattr("stillwatch.sources.waiting.MEMORY_BYTES", limit)
    monkeypatch.setattr("stillwatch.sources.waiting._PART_BYTES", part)
    assert found() == kept
    assert sum(spilled) >= len(kept) == 36


def test_lines_taken_as_they_stand_are_as_if_parsed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those which end early, name other keys in prompts, or hold what is no UTF-8."""
    first, *more = (folder / "file-in.jsonl").read_bytes().splitlines()
    body = b'"body": {"model": "m", "custom_id": "x", "response": {}, "account_id": "a2"}'
    (folder / "file-in.jsonl").write_bytes(b"\r\n".join([
        first, *more, first[:-9], b'{"custom_id": "nested", "method": "POST", %s}' % body,
        b'{"custom_id": "last", "body": {"model": "m"}, "account_id": "a3"}',
        b'{"custom_id": "late", "body": {"model": "m"}, "response": null}',
        b'{"custom_id": "\xff", "body": {"model": "m\xff"}}',
    ]))  # fmt: skip

    def found() -> tuple[Any, ...]:
        rows, opened = read(folder)
        return rows, opened.ledger.rejected, opened.ledger.notes, opened.ledger.coerced

    taken = found()
    assert ("batch_1/last" in taken[0], "batch_1/late" in taken[0]) == (True, True)
    assert [r.reason for r in taken[1]].count("JSON ends early") == 1
    monkeypatch.setattr(_Lines, "take", Records.take)
    parsed = found()
    assert (parsed[0], set(parsed[1]), *parsed[2:]) == (taken[0], set(taken[1]), *taken[2:])
