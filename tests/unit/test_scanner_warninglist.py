"""Values that people found honest: read by the next scan, and no list can loosen the bound."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaigns.select import choose
from stillwatch.runners import LocalRunner
from stillwatch.scanner.warninglist import discounted, honest_values, spared_cohorts
from stillwatch.schema import LINKS, STAGES, Settings

E = st.floats(0, 1e6).map(lambda x: float(np.float32(x)))


@st.composite
def hypotheses(draw):
    """Return cohort scores, a list's cohorts, and hypotheses that others registered."""
    size = draw(st.integers(1, 12))
    rows = [
        {"cohort": k, "tested": draw(st.integers(0, 5)) > 0, "e_coordinated": draw(E),
         "e_extractive": draw(E), "e_acts_watch": draw(E), "e_source": draw(E),
         "e_extractive_watch": 0.0, "e_screen": draw(E), "w_coordinated": draw(st.floats(0.01, 3)),
         "w_extractive": draw(st.floats(0.01, 3))}
        for k in range(size)
    ]  # fmt: skip
    listed = draw(st.sets(st.integers(0, size - 1)))
    registered = {k: draw(E) for k in draw(st.sets(st.integers(0, size + 2), max_size=4))}
    return pa.Table.from_pylist(rows), listed, registered


@settings(max_examples=400, deadline=None)
@given(hypotheses(), st.sampled_from([0.01, 0.05, 0.5]), st.integers(1, 4))
def test_whoever_is_selected_with_a_list_is_selected_without_it(drawn, alpha, look):
    """The bound on false accusations is that of the selection without the list, or stricter."""
    scores, listed, registered = drawn
    options = {"alpha": alpha, "look": look, "largest": 1e6}
    without = choose(scores, **options, registered=registered)
    having = choose(
        discounted(scores, listed), **options,
        registered={k: 0.0 if k in listed else e for k, e in registered.items()},
    )  # fmt: skip
    assert having.selected <= without.selected - listed
    assert having.cohorts == without.cohorts  # as many hypotheses, at the same level
    for one, q, e in zip(having.cohorts, having.q, having.e, strict=True):
        place = without.cohorts.index(one)
        assert e <= without.e[place]
        assert q >= without.q[place] or math.isclose(q, without.q[place])


def test_an_empty_list_changes_nothing():
    row = {"cohort": 0, "tested": True, "e_coordinated": 5.0}
    table = pa.Table.from_pylist([row])
    assert discounted(table, frozenset()).equals(table)


@pytest.fixture
def desk(tmp_path):
    """Four cohorts of six: what joins them is in ``objects`` and ``direct``."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    members = [(c, 6 * c + k, "text") for c in range(5) for k in range(6)]
    members += [(0, 24, "associated")]
    runner.put("cohort_members", pa.table({
        "cohort": pa.array([c for c, _, _ in members], pa.int32()),
        "sid": pa.array([s for _, s, _ in members], pa.int32()),
        "how": [h for _, _, h in members],
    }))  # fmt: skip
    runner.put("cohort_scores", pa.table({
        "cohort": pa.array(range(5), pa.int32()), "tested": [True, True, True, True, False]
    }))  # fmt: skip
    held = [("frame", 0xA, sid) for sid in range(30)]  # the listed value: everyone has it
    held += [("payment", 0xB, sid) for sid in (6, 7, 8)]  # half of cohort 1 shares a card too
    held += [("payment", 0xC, sid) for sid in (12, 13)]  # a third of cohort 2
    held += [("payment", 0x100 + sid, sid) for sid in range(30)]  # a card of one's own ties nobody
    runner.put("objects", pa.table({
        "kind": [k for k, _, _ in held], "object": pa.array([o for _, o, _ in held], pa.uint64()),
        "sid": pa.array([s for _, _, s in held], pa.int32()),
    }))  # fmt: skip
    handed = [(18, 19), (20, 21), (0, 6)]  # four of cohort 3; and one between two cohorts
    runner.put("direct", pa.table({
        "a": pa.array([a for a, _ in handed], pa.int32()),
        "b": pa.array([b for _, b in handed], pa.int32()),
    }))  # fmt: skip
    yield runner
    runner.close()


def test_who_is_held_together_by_listed_values_alone_is_spared(desk):
    """Cohort 1 shares cards, 3 has direct evidence: a campaign that copies a listed template is
    judged as ever. 4 was not tested."""
    name = f"frame:{0xA:016x}"
    assert spared_cohorts(desk, {name}) == {0, 2}
    assert spared_cohorts(desk, {name, f"payment:{0xB:016x}"}) == {0, 1, 2}
    assert spared_cohorts(desk, {f"payment:{0xC:016x}"}) == frozenset()
    assert spared_cohorts(desk, ()) == frozenset()


@pytest.fixture
def run(tmp_path):
    """An earlier run with two tested cohorts of four, and what they share."""
    stages = tmp_path / STAGES
    stages.mkdir()
    pq.write_table(
        pa.table({"sid": list(range(8)), "account_id": [f"a{k}" for k in range(8)]}),
        stages / "subjects.parquet",
    )
    pq.write_table(
        pa.table({"cohort": [k // 4 for k in range(8)], "sid": list(range(8))}),
        stages / "cohort_members.parquet",
    )
    pq.write_table(
        pa.table({"cohort": [0, 1], "tested": [True, True], "score": [4.0, 3.0]}),
        stages / "cohort_scores.parquet",
    )
    links = [("frame:1", f"a{k}", "frame") for k in range(8)]
    links += [("client:2", "a0", "client"), ("client:2", "a1", "client")]
    links += [("payment:3", "a0", "payment"), ("a1", "a0", "handoff"), ("a1", "a2", "handoff")]
    pq.write_table(
        pa.table({"a": [a for a, _, _ in links], "b": [b for _, b, _ in links],
                  "kind": [k for _, _, k in links]}),
        tmp_path / LINKS,
    )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({}, set()),
        ({"a0": "false"}, set()),  # one account's appeal lists nothing
        ({"a0": "false", "a1": "false"}, {"frame:1", "client:2"}),
        ({"a0": "false", "a1": "false", "a3": "true"}, set()),
        ({"a4": "false", "a5": "false", "a6": "false"}, {"frame:1"}),
        ({f"a{k}": "true" for k in range(8)}, set()),
        ({f"a{k}": "unsure" for k in range(8)}, set()),
    ],
)
def test_the_list_is_what_half_of_an_honest_cohort_shares(run, labels, values):
    assert honest_values([run], labels) == values
