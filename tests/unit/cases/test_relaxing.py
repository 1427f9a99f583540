"""An appeal that nobody decides in time relaxes in a guard too, with nobody running for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.cases import appeal, decide, effects, in_force, resolve
from stillwatch.guard import Guard, Orders, Request
from stillwatch.policy import Ladder
from stillwatch.schema import judgement_of, to_micros
from stillwatch.schema.snapshot import Pursuit, Snapshot, snapshot_from_payload, snapshot_payload
from stillwatch.schema.snapshot import subject_key as key_of

SALT = b"a salt of tests."


@pytest.fixture
def deciding(noon):
    """A guard that decides by effects: (effects, account, hours after noon) → verdicts of 40."""

    def make(held, compiled=False):
        start = to_micros(noon)
        judged = judgement_of(held, where="effects")
        ordered = {key_of(SALT, a): v for a, v in judged.verdicts.items()} if compiled else {}
        made = Snapshot(
            version=1, salt=SALT, created_us=start, expires_us=start + (1 << 60), source="f" * 64,
            campaigns=(Pursuit("c-1", (), 1.0),), ordered=ordered,
            accused={key_of(SALT, f"a{k}"): 0 for k in range(1, 5)},
            ladder=Ladder(mode="enforce").as_dict(),
        )  # fmt: skip
        made = snapshot_from_payload(snapshot_payload(made))
        guard = Guard(made, Orders(), judged=None if compiled else judged)

        def verdicts(account, hours):
            at = start + int(hours * 3.6e9)
            return {guard.decide(Request(at + k, account)).verdict for k in range(40)}

        return verdicts

    return make


@pytest.mark.parametrize("compiled", [False, True], ids=["fresh", "compiled"])
@pytest.mark.parametrize(
    ("relaxes_to", "second", "then"),
    [("watch", None, {"watch"}), ("allow", None, {"allow"}),
     ("watch", "throttle", {"watch", "throttle"}), ("allow", "throttle", {"watch", "throttle"})],
)  # fmt: skip
def test_effects_of_before_relax_when_the_appeal_is_due(
    book, order, terms, noon, later, deciding, relaxes_to, second, then, compiled
):
    """A throttle beside the appealed deny goes on; *watch* is what is within the budget."""
    terms = replace(terms, relaxes_to=relaxes_to)
    first = decide(book, order(accounts=("a1", "a2")), terms=terms, now=noon)
    if second:
        decide(book, order(second, accounts=("a1",)), terms=terms, now=noon)
    made = appeal(book, first.id, "a1", by="customer", terms=terms, now=later(hours=1))
    verdicts = deciding(effects(book, terms=terms, now=later(hours=2)), compiled)
    due = (made.due - noon).total_seconds() / 3600
    for hours, expected in ((2, {"deny"}), (due - 0.01, {"deny"}), (due, then), (due + 90, then)):
        assert verdicts("a1", hours) == expected
        standing = in_force(book, terms=terms, now=later(hours=hours)).get("a1")
        assert (standing.verdict if standing else "allow") in expected
        assert verdicts("a2", hours) == {"deny"}


def test_effects_of_after_let_go_what_relaxed_to_allow(book, order, terms, noon, later, deciding):
    """Without a row the guard would treat it as if nobody had decided, and throttle it."""
    terms = replace(terms, relaxes_to="allow")
    made = decide(book, order(accounts=("a1", "a2")), terms=terms, now=noon)
    appeal(book, made.id, "a1", by="customer", terms=terms, now=later(hours=1))
    verdicts = deciding(effects(book, terms=terms, now=later(hours=100)))
    assert verdicts("a1", 101) == {"allow"}
    assert verdicts("a2", 101) == {"deny"}


def test_a_rejected_appeal_relaxes_nothing(book, order, terms, noon, later, deciding):
    made = decide(book, order(accounts=("a1",)), terms=terms, now=noon)
    held = appeal(book, made.id, "a1", by="customer", terms=terms, now=later(hours=1))
    resolve(book, held.id, upheld=False, by="Bo", reason="the same", now=later(hours=2))
    assert deciding(effects(book, terms=terms, now=later(hours=3)))("a1", 100) == {"deny"}
