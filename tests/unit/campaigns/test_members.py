"""What is known of the members of a cohort: bursts they were made in, and how much else they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns import members
from stillwatch.campaigns.members import Belonging, read_belonging
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings

DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalRunner]:
    """Four members of cohort 0, made a day apart, who sent 4, 4, 4 and 1 of its prompts of 4."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    sids = pa.array(range(4), pa.int32())
    cohort = pa.array([0] * 4, pa.int32())
    runner.put("cohort_members", pa.table({"cohort": cohort, "sid": sids, "how": ["text"] * 4}))
    runner.put("subjects", pa.table({
        "sid": sids, "org": ["a", "b", "c", "d"], "exchanges": pa.array([4] * 4, pa.int64()),
        "created_at": pa.array([DAY + timedelta(days=k) for k in range(4)],
                               pa.timestamp("us", tz="UTC")),
    }))  # fmt: skip
    runner.put("objects", pa.table({
        "kind": pa.array([], pa.string()), "object": pa.array([], pa.uint64()),
        "sid": pa.array([], pa.int32()), "carriers": pa.array([], pa.int64()),
    }))  # fmt: skip
    runner.put("direct", pa.table({
        "a": pa.array([], pa.int32()), "b": pa.array([], pa.int32()),
        "kind": pa.array([], pa.string()), "part": pa.array([], pa.string()),
    }))  # fmt: skip
    runner.put("cohorts", pa.table({"cohort": pa.array([0], pa.int32()), "by_text": [True]}))
    told = [(sid, item) for sid in range(3) for item in range(4)] + [(3, 0)]
    runner.put("spoken", pa.table({
        "cohort": pa.array([0] * len(told), pa.int32()),
        "sid": pa.array([sid for sid, _ in told], pa.int32()),
        "h_payload": pa.array([100 * (1 + sid) + item if sid < 3 else 100 for sid, item in told],
                              pa.uint64()),
        "fresh": [True] * len(told), "answered": [True] * len(told),
        "user_tokens": pa.array([12] * len(told), pa.uint32()),
        "template": pa.array([7 if sid < 3 else 8 for sid, _ in told], pa.uint64()),
    }))  # fmt: skip
    yield runner
    runner.close()


def test_share_is_how_much_of_what_one_sends_speaks_for_the_cohort(desk: LocalRunner) -> None:
    found = read_belonging(desk, {0: []}, {0: []})[0]
    assert found.share == {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.25}
    assert found.repeating == {0, 3}  # each sent the one prompt that the other sent too
    assert found.once == {3}


def test_every_burst_names_its_own_accounts(desk: LocalRunner) -> None:
    hours = [(DAY + timedelta(days=k)).timestamp() for k in (0, 2)]
    bursts = {0: [[start - 60, start + 60] for start in hours]}
    shown = read_belonging(desk, bursts, {0: [1]})[0].shown
    assert {sid for sid, kinds in shown.items() if "signup_burst" in kinds} == {0, 2}
    assert {sid for sid, kinds in shown.items() if "turns" in kinds} == {1}


def test_who_seems_to_go_on_with_others_as_often_as_anybody_shows_nothing(
    desk: LocalRunner,
) -> None:
    """Four members follow each other; strangers' conversations coincide now and then."""
    for elsewhere, often, shows in ((0, 1, True), (5, 1, False), (5, 4, True)):
        sent = pa.array([4, 4, 20, 20, 1_000], pa.int64())
        desk.put("subjects", pa.table({
            "sid": pa.array(range(5), pa.int32()), "org": list("abcde"), "exchanges": sent,
            "created_at": pa.array([DAY] * 5, pa.timestamp("us", tz="UTC")),
        }))  # fmt: skip
        moves = [(0, 1)] * 2 + [(1, 0)] * 2 + [(2, 3)] * often + [(4, 4)] * elsewhere
        desk.put("direct", pa.table({
            "a": pa.array([a for a, _ in moves], pa.int32()),
            "b": pa.array([b for _, b in moves], pa.int32()),
            "kind": ["handoff"] * len(moves), "part": ["B"] * len(moves),
        }))  # fmt: skip
        shown = read_belonging(desk, {0: []}, {0: []})[0].shown
        with_it = {sid for sid, kinds in shown.items() if "handoff" in kinds}
        assert with_it == ({0, 1, 3} if shows else {0, 1}), (elsewhere, often)


@pytest.fixture
def roles(monkeypatch):
    """Return the roles of members who all behave as the campaign does, by share and topics."""
    size = 12

    def told(
        share: float,
        topic: float,
        how: str = "text",
        *,
        acted: bool = True,
        by_topics: bool = True,
        once: bool = False,
        shown: Sequence[set[str]] = ({"exit_prefix"},) * size,
    ) -> set[object]:
        monkeypatch.setattr(members, "topics_against", lambda *_: np.full(size, topic))
        monkeypatch.setattr(members, "log_likelihood_ratios", lambda *_: np.full((size, 1), 20.0))
        crowd = SimpleNamespace(
            segment=np.zeros(size, dtype=np.int64), traits=np.zeros((size, 1), dtype=np.int64),
            trait_counts=SimpleNamespace(outside=lambda *_: np.ones((1, 1))),
            created_us=np.full(size, np.nan),
        )  # fmt: skip
        sids = np.arange(size)
        known = Belonging(
            sids, [how] * size, dict(enumerate(shown)), frozenset(),
            dict.fromkeys(range(size), share), frozenset(range(size) if once else ()), [],
        )  # fmt: skip
        desk = SimpleNamespace(settings=Settings())
        none = np.zeros(0, dtype=np.int64)
        made = members.name_members(desk, crowd, 0, known, none, acted=acted, by_topics=by_topics)
        return {(m.role, m.proven) for m in made}

    return told


def test_a_core_account_sends_a_third_of_its_requests_with_the_campaigns_templates(roles) -> None:
    assert roles(0.34, 1.5) == {("core", True)}
    assert roles(0.32, 1.5) == {("periphery", False)}


def test_one_request_and_a_subject_prove_nobody(roles) -> None:
    """An opening that many use, sent once in the days of the campaign's sign-ups."""
    assert roles(1.0, 1.5, once=True) == {("core", False)}
    assert roles(1.0, 1.5) == {("core", True)}


def test_users_of_a_prompt_that_a_campaign_borrows_are_not_proven_by_its_subject(roles) -> None:
    """Most members pass conversations on; the others have its template, client and topics."""
    both = {("core", True), ("core", False)}
    mixed = [{"handoff", "client"}] * 6 + [{"client"}] * 6
    assert roles(1.0, 1.5, shown=mixed) == both
    assert roles(1.0, 2.5, shown=mixed) == {("core", True)}, "its topics alone would do"
    fewer = [{"handoff", "client"}] * 5 + [{"client"}] * 7
    assert roles(1.0, 1.5, shown=fewer) == {("core", True)}, "most show no more than these"


def test_where_part_a_showed_no_acts_it_sends_half_of_them(roles) -> None:
    assert roles(0.51, 1.5, acted=False) == {("core", True)}
    assert roles(0.49, 1.5, acted=False) == {("periphery", False)}


def test_without_a_template_more_of_the_queue_has_to_be_shown(roles) -> None:
    assert roles(1.0, 0.5) == {("core", True)}
    assert roles(1.0, 0.5, "found") == {("core", False)}
    assert roles(1.0, 1.5, "found") == {("core", False)}
    assert roles(1.0, 2.5, "found") == {("core", True)}


def test_where_topics_tell_nobody_apart_only_who_sends_the_template_is_proven(roles) -> None:
    """A proxy's honest customers have its accounts' cards and exits, and no topics either."""
    shown = [{"exit_prefix", "payment"}] * 12
    assert roles(1.0, 2.5, "found", shown=shown) == {("core", True)}
    assert roles(1.0, 2.5, "found", shown=shown, by_topics=False) == {("core", False)}
    assert roles(1.0, 2.5, "text", shown=shown, by_topics=False) == {("core", True)}
    relayed = [{"exit_prefix", "handoff"}] * 12
    assert roles(1.0, 2.5, "found", shown=relayed, by_topics=False) == {("core", True)}
