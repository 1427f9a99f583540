"""What a guard knows survives kills, restarts and reloads, however much honest traffic there is."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stillwatch.guard import Guard, Orders
from stillwatch.guard.budgets import BUCKETS, Budget
from stillwatch.guard.journal import Journal, erase_from_state
from stillwatch.guard.seen import Record
from stillwatch.schema.snapshot import EVIDENCE, Pursuit, subject_key

from .conftest import HOUR, SALT, SMALL, T0, framed, guard, request, snapshot

NEW = subject_key(SALT, "new")


def begun(folder, most=500_000):
    """A guard with its state restored, and its journal."""
    decider, journal = guard(), Journal(folder, most)
    journal.restore(decider)
    decider.on_record = journal.note
    return decider, journal


def busy(folder, most=500_000):
    """A guard that has spent 30 of a budget, verified one account and seen one join."""
    decider, journal = begun(folder, most)
    decider.verify("bad-2", None, T0)
    for k in range(30):
        decider.decide(request("bad-1", T0 + k))
    decider.decide(framed("new", T0 + 50, links={"payment": "card-1"}))
    flush(decider, journal)
    return decider, journal


def flush(decider, journal) -> None:
    journal.flush(decider.numbers)
    if journal.foldable:
        journal.fold()


def known(decider) -> tuple[object, ...]:
    suspects = {
        (who, campaign): (held.seen, held.exclusive, held.requests)
        for who, campaign, held in decider.suspects.items()
    }
    return decider.budgets[0].spent(T0), decider.verified, decider.joined, suspects


def test_nothing_is_lost_over_many_restarts(tmp_path):
    first, _ = busy(tmp_path)
    held = known(first)
    assert (held[0], len(first.verified), list(first.joined)) == (30, 1, [NEW])
    for restart in range(8):
        decider, journal = begun(tmp_path)
        assert known(decider) == held
        decider.observe(request("someone", T0 + restart), prefix_full=1_000 + restart)
        decider.verify("bad-2", None, T0)  # of each run something is written
        flush(decider, journal)
    assert len(list(tmp_path.glob("state-*.log"))) <= 2


def test_nothing_is_lost_over_reloads_that_bring_campaigns(tmp_path):
    decider, journal = busy(tmp_path)
    held = known(decider)
    for version in range(2, 9):
        more = Pursuit(f"c-v{version}", (), 1.0)
        made = replace(snapshot(), version=version, campaigns=(*snapshot().campaigns, more))
        decider.load(made, Orders())
        decider.observe(request("someone", T0 + version), prefix_full=1_000 + version)
        decider.verify("bad-2", None, T0)
        flush(decider, journal)
    assert known(begun(tmp_path)[0]) == held


def test_honest_conversations_push_out_neither_budgets_nor_verifications(tmp_path):
    decider, journal = busy(tmp_path, 50)
    held = known(decider)
    for k in range(3_000):
        decider.observe(request(f"honest-{k}", T0 + k), prefix_full=10_000 + k)
        if k % 10 == 0:
            flush(decider, journal)
    flush(decider, journal)
    again = begun(tmp_path, 50)[0]
    assert known(again) == held
    assert 12_999 in again.conversations
    assert 10_001 not in again.conversations
    kept = sum(p.stat().st_size // 29 for p in tmp_path.glob("talk-*.log"))
    assert 200 <= kept <= 320


def test_restarts_that_saw_little_push_out_no_conversations(tmp_path):
    for restart in range(12):
        decider, journal = begun(tmp_path)
        decider.observe(request("bad-1", T0 + restart), prefix_full=70 + restart)
        flush(decider, journal)
    decider, _ = begun(tmp_path)
    assert all(70 + k in decider.conversations for k in range(12))


def test_what_is_folded_stays_bounded_and_keeps_the_newest(tmp_path):
    decider, journal = begun(tmp_path, 10)
    for k in range(200):
        decider.verify(f"a{k}", None, T0 + k)
        flush(decider, journal)
    assert len(list(tmp_path.glob("state-*.log"))) <= 2
    again = begun(tmp_path, 10)[0]
    assert subject_key(SALT, "a199") in again.verified
    assert len(again.verified) <= 20


@pytest.mark.parametrize("cut", ["aside", "replaced"])
def test_a_kill_in_the_middle_of_folding_counts_nothing_twice(tmp_path, cut, monkeypatch):
    decider, journal = busy(tmp_path)
    held = known(decider)
    journal = Journal(tmp_path)
    decider.on_record = journal.note
    decider.verify("bad-2", None, T0)
    journal.flush(decider.numbers)  # a second file: the first is to be folded
    journal = Journal(tmp_path)
    journal.note(Record("verified", subject_key(SALT, "bad-2"), 0, 0, 1))
    journal.flush(decider.numbers)

    def killed(*_, **__):
        raise KeyboardInterrupt

    target = "os.fsync" if cut == "aside" else "pathlib.Path.unlink"
    with monkeypatch.context() as patch:
        patch.setattr(target, killed)
        with pytest.raises(KeyboardInterrupt):
            journal.fold()
    assert known(begun(tmp_path)[0]) == held
    assert journal.foldable
    journal.fold()
    assert known(begun(tmp_path)[0]) == held
    assert len(list(tmp_path.glob("state-*.log"))) == 2


def test_what_is_folded_is_what_was_written(tmp_path):
    """Random evidence of few accounts and campaigns: the same after one file or after many."""
    rng = random.Random(7)
    records = [
        Record("evidence", rng.randrange(1, 9), rng.randrange(4) << 16 | 1 << rng.randrange(11),
               rng.randrange(2), T0 + k * 1_000_000)
        if rng.random() < 0.7 else
        Record("spent", 0, 0, rng.randrange(2), T0 + k * 1_000_000)
        for k in range(400)
    ]  # fmt: skip
    plain = guard()
    for record in records:
        plain.apply(record)
    for at in range(0, 400, 40):
        journal = Journal(tmp_path)  # begins a file each time
        for record in records[at : at + 40]:
            journal.note(record)
        journal.flush(plain.numbers)
        journal.fold()
    assert len(list(tmp_path.glob("state-*.log"))) == 2
    again = begun(tmp_path)[0]
    assert known(again) == known(plain)
    assert again.budgets[1].spent(T0) == plain.budgets[1].spent(T0) > 0


def test_tokens_used_of_permits_are_summed_by_permit_and_day(tmp_path):
    for day in (7, 7, 8):
        journal = Journal(tmp_path)
        for tokens in (10, 20):
            journal.note(Record("permit", 5, day, -1, tokens))
        journal.flush({})
        journal.fold()
    journal = Journal(tmp_path)
    journal.note(Record("verified", 1, 0, 0, 1))
    journal.flush({})
    journal.fold()
    left: list[Record] = []
    Journal(tmp_path).restore(SimpleNamespace(numbers={}, apply=left.append))
    assert left == [Record("permit", 5, 7, -1, 60), Record("permit", 5, 8, -1, 30),
                    Record("verified", 1, 0, 0, 1)]  # fmt: skip
    assert erase_from_state(tmp_path, {2}, 7) == 0  # a day is nobody's organization


def test_a_budget_of_a_campaign_that_the_snapshot_lacks_comes_back_with_it(tmp_path):
    busy(tmp_path)
    other = replace(snapshot(), version=2, campaigns=(Pursuit("c-9", (), 1.0),), accused={},
                    templates=(), marks=())  # fmt: skip
    decider = Guard(other, capacity=SMALL)
    Journal(tmp_path).restore(decider)
    decider.load(replace(snapshot(), version=3), Orders())
    assert decider.budgets[decider.numbers["c-1"]].spent(T0) == 30


def test_erasing_reaches_folded_files_conversations_and_what_was_left_aside(tmp_path):
    decider, journal = busy(tmp_path)
    for _ in range(2):
        decider.verify("new", None, T0)
        decider.observe(request("new", T0), prefix_full=77)
        flush(decider, journal)
        journal = Journal(tmp_path)
        decider.on_record = journal.note
    flush(decider, journal)
    (tmp_path / "state-00000001.log.part").write_bytes(b"cut")
    org = decider.table.org("new", None)
    assert erase_from_state(tmp_path, {NEW}, org) >= 3
    again = begun(tmp_path)[0]
    assert NEW not in again.verified
    assert NEW not in again.joined
    assert all(who != NEW for who, _, _ in again.suspects.items())
    assert 77 not in again.conversations
    assert again.budgets[0].spent(T0) == 30
    assert not list(tmp_path.glob("*.part"))


def test_a_clock_that_jumped_ahead_frees_its_budget_again():
    budget = Budget(5, BUCKETS * 60)
    minute = 60_000_000
    budget.spend(T0, 5)
    assert budget.spent(T0 + 900 * HOUR) == 0
    budget.spend(T0 + 900 * HOUR, 5)
    for k in range(23):
        assert budget.spent(T0 + k) == 5
    assert budget.spent(T0 + 24) == 5  # nothing is freed by turning back
    assert budget.spent(T0 + 70 * minute) == 5
    assert budget.spent(T0 + 73 * minute) == 0


def test_a_few_late_requests_turn_no_budget_back():
    budget = Budget(5, BUCKETS * 60)
    budget.spend(T0, 5)
    for k in range(100):
        budget.spent(T0 - 900 * HOUR if k % 2 else T0)
    assert budget.own() == {T0 // 60_000_000: 5}
    budget.others = {T0 // 60_000_000 + 900 * 60: 7, T0 // 60_000_000 - 1: 2}
    assert budget.spent(T0) == 7  # another node's clock that jumped ahead is not believed


def test_evidence_fits_into_its_bits():
    assert max(EVIDENCE.values()) < 1 << 16
