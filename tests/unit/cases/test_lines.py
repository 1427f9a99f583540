"""The queue is kept between two looks, and is at every one what reading all anew would give."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

import pytest

from stillwatch.cases import (
    Lines,
    Order,
    Refused,
    add_note,
    appeal,
    approve,
    assign,
    attach,
    close_case,
    decide,
    enter_refusals,
    erase_from_book,
    label,
    lines,
    purge_book,
    read_appeals,
    read_decisions,
    read_lines,
    read_retention,
    resolve,
    settle,
    undo,
)
from stillwatch.errors import StillwatchError
from stillwatch.schema import to_micros

from .conftest import NOON, campaign

HOUR = timedelta(hours=1)


class Office:
    """People who do at random what people do; what a rule forbids is not done."""

    def __init__(self, book, bring, terms, seed):
        self.book, self.bring, self.terms = book, bring, terms
        self.rng, self.now = random.Random(seed), NOON
        self.sizes = {f"c-{k}": k + 3 for k in range(5)}
        self.scan()

    def step(self):
        self.now += timedelta(minutes=self.rng.choice((1, 20, 60 * 26, 60 * 24 * 6)))
        acts = (self.scan, self.decide, self.decide, self.approve, self.undo, self.appeal,
                self.appeal, self.resolve, self.settle, self.note, self.assign, self.close,
                self.attach, self.label, self.refuse, self.rest, self.erase,
                self.purge)  # fmt: skip
        weights = [1 if act in (self.close, self.erase, self.purge) else 4 for act in acts]
        with suppress(StillwatchError, IndexError):  # nothing there to do it to, or not allowed
            self.rng.choices(acts, weights)[0]()

    def case(self):
        return self.rng.choice(read_lines(self.book, now=self.now)).case_id

    def decision(self):
        return self.rng.choice([d for d in read_decisions(self.book) if not d.undoes])

    def scan(self):
        name = self.rng.choice(sorted(self.sizes))
        self.sizes[name] += self.rng.choice((0, 1, 30))
        self.bring(*(campaign(n, [f"{n}-{k}" for k in range(size)])
                     for n, size in self.sizes.items()), now=self.now)  # fmt: skip

    def decide(self):
        verdict = self.rng.choice(("deny", "throttle", "watch", "allow"))
        order = Order(self.case(), None, verdict, "relay", self.rng.choice(("Ada", "Bo")))
        decide(self.book, order, terms=self.terms, now=self.now)

    def approve(self):
        waits = [d for d in read_decisions(self.book) if d.pending]
        approve(self.book, waits[0].id, by="Cy", terms=self.terms, now=self.now)

    def undo(self):
        undo(self.book, [self.decision().id], by="Bo", remark="why", now=self.now)

    def appeal(self):
        held = self.decision()
        appeal(self.book, held.id, self.rng.choice(held.accounts), by="Erika M.", terms=self.terms,
               now=self.now)  # fmt: skip

    def resolve(self):
        held = self.rng.choice([a for a in read_appeals(self.book) if a.state == "open"])
        resolve(self.book, held.id, upheld=self.rng.random() < 0.5, by="Dee", reason="x",
                now=self.now)  # fmt: skip

    def settle(self):
        settle(self.book, now=self.now)

    def note(self):
        text = 'x","case_id":"case-999","appeal_id":"appeal-1'
        add_note(self.book, self.case(), text=text, by="Ada", now=self.now)

    def assign(self):
        assign(self.book, self.case(), to="Bo", by="Ada", now=self.now)

    def close(self):
        close_case(self.book, self.case(), reason="x", by="Ada", now=self.now)

    def attach(self):
        attach(self.book, self.case(), name="a", data=self.rng.randbytes(4), by="A", now=self.now)

    def label(self):
        label(self.book, self.case(), "c-1-0", verdict="false", reason="x", by="A", now=self.now)

    def refuse(self):
        one = Refused(to_micros(self.now), 1, f"n-{self.now}", "deny", "restricted", "", "c1",
                      self.rng.choice(("p1", "p2")))  # fmt: skip
        enter_refusals(self.book, [one], {1: "o-1"}, {}, terms=self.terms, now=self.now)

    def rest(self):
        self.now += timedelta(days=40)

    def erase(self):
        erase_from_book(self.book, "c-2-1", by="Dee", now=self.now)

    def purge(self):
        purge_book(self.book, read_retention(), terms=self.terms, now=self.now)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_reading_all_anew_gives(book, bring, terms, seed):
    office, kept, why = Office(book, bring, terms, seed), Lines(book), set()
    for _ in range(60):
        office.step()
        if office.rng.random() < 0.7:  # sometimes several things happen between two looks
            held = kept.at(office.now)
            assert held == read_lines(book, now=office.now)
            why |= {line.why for line in held}
    back = office.now - timedelta(days=20)
    assert kept.at(back) == read_lines(book, now=back), "a clock that was set back"
    assert len(why) >= 5, why


@pytest.fixture
def read(monkeypatch):
    """Which cases were read (None: all), and of which of them the members were not counted."""
    seen, cases = [], lines._cases

    def noted(connection, only, sizes):
        seen.append((only, set(sizes)))
        return cases(connection, only, sizes)

    monkeypatch.setattr(lines, "_cases", noted)
    return seen


def test_after_an_entry_only_its_case_is_read_and_after_time_alone_nothing(
    book, bring, terms, read
):
    bring(*(campaign(f"c-{k}", [f"{k}-{n}" for n in range(4)]) for k in range(30)))
    kept = Lines(book)
    every = kept.at(NOON)
    assert read == [(None, set())]
    one = every[7].case_id
    add_note(book, one, text="x", by="Ada", now=NOON)
    kept.at(NOON)
    made = decide(book, Order(one, None, "throttle", "relay", "Ada"), terms=terms, now=NOON)
    assert next(line.verdict for line in kept.at(NOON) if line.case_id == one) == "throttle"
    assert read[1:] == [({one}, {one})] * 2, "and its members are not counted again"
    late = made.expires - HOUR
    assert next(line.why for line in kept.at(late) if line.case_id == one) == "lapses"
    assert len(read) == 3


def test_a_decision_on_many_accounts_is_found_although_its_entry_begins_with_all_of_them(
    book, bring, terms, read
):
    bring(campaign("c-1", [f"account-{n:04d}" for n in range(400)]), campaign("c-2", ["a", "b"]))
    kept = Lines(book)
    one = max(kept.at(NOON), key=lambda line: line.accused).case_id
    made = decide(book, Order(one, None, "deny", "relay", "Ada"), terms=terms, now=NOON)
    assert next(line.pending for line in kept.at(NOON) if line.case_id == one) == 1
    approve(book, made.id, by="Bo", terms=terms, now=NOON)
    assert next(line.verdict for line in kept.at(NOON) if line.case_id == one) == "deny"
    undo(book, [made.id], by="Bo", remark="why", now=NOON)
    assert next(line.verdict for line in kept.at(NOON) if line.case_id == one) is None
    assert read[1:] == [({one}, {one})] * 3
