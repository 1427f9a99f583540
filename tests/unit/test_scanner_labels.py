"""What people found out calibrates the next scan, and can only make accusing harder."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.cases import effects as case_effects
from stillwatch.cases import label, open_book, open_cases, read_lines, read_members, read_terms
from stillwatch.enrich import read_labels
from stillwatch.errors import SchemaError
from stillwatch.scanner import job, scan
from stillwatch.scanner.baseline import Baseline, Local
from stillwatch.scanner.labels import Labelled, _tested, labelled_cohorts, widened
from stillwatch.schema import STAGES
from stillwatch.signals import shipped_references
from stillwatch.simulate import simulate
from stillwatch.store import open_run

SCORES = st.lists(st.floats(-8, 8), max_size=80)


def baseline(local: list[float], honest: list[float], distilling: int = 0) -> Baseline:
    scores = Local(np.sort(np.array(local, dtype=float)))
    labelled = Labelled(np.sort(np.array(honest, dtype=float)), distilling)
    return Baseline(1, scores, scores, ("run",), "", labelled)


def e_values(earlier: Baseline, scores: list[float]) -> list[tuple[float, float]]:
    """Return the e-values of both claims, by score."""
    known = shipped_references()
    size = len(scores)
    table = pa.table({
        "score": pa.array(scores, pa.float64()), "tested": [True] * size,
        "e_screen": [0.1] * size, "e_acts": [6.0] * size,
        "e_source": [known.apart.e_value(s) for s in scores],
        "e_coordinated": [0.0] * size,
        "e_extractive": [known.together.e_value(s) for s in scores],
    })  # fmt: skip
    found = earlier.calibrated(table, known)
    return list(zip(*(found[c].to_pylist() for c in ("e_coordinated", "e_extractive")),
                    strict=True))  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(local=SCORES, honest=SCORES, asked=st.lists(st.floats(-8, 9), min_size=1, max_size=20),
       distilling=st.integers(0, 50))  # fmt: skip
def test_no_label_raises_an_e_value(local, honest, asked, distilling):
    """Whatever was labelled, and whether or not there is a local reference."""
    without = e_values(baseline(local, []), asked)
    labelled = e_values(baseline(local, honest, distilling), asked)
    for before, after, s in zip(without, labelled, asked, strict=True):
        assert all(b <= a for a, b in zip(before, after, strict=True))
        assert after[1] <= shipped_references().together.e_value(s)


@settings(max_examples=50, deadline=None)
@given(local=SCORES, honest=SCORES)
def test_drift_and_calibration_are_judged_without_labels(local, honest):
    """More high scores in what drift expects would silence its alarm, and so accuse."""
    plain, labelled = baseline(local, []), baseline(local, honest)
    assert np.array_equal(plain.together.scores, labelled.together.scores)
    assert plain.calibrates == labelled.calibrates
    assert plain.achieved(shipped_references().together) == labelled.achieved(
        shipped_references().together
    )


def test_what_was_labelled_true_changes_no_e_value():
    asked = [3.0, 4.0, 5.0]
    assert e_values(baseline([], [], 40), asked) == e_values(baseline([], []), asked)


def test_a_cohort_that_was_found_honest_takes_its_like_out_of_reach():
    """One honest cohort at a score is worth more than any fitted tail below it."""
    before, after = (e_values(baseline([], h), [4.5])[0] for h in ([], [4.9]))
    assert min(before) > 1_000
    assert max(after) < 130
    assert widened(shipped_references().together, np.array([4.9])).p_value(4.5) > 1e-3


@pytest.fixture
def run(tmp_path):
    """An earlier run with three tested cohorts and one that was not."""
    stages = tmp_path / STAGES
    stages.mkdir()
    accounts = [f"a{k}" for k in range(12)]
    pq.write_table(
        pa.table({"sid": list(range(12)), "account_id": accounts}), stages / "subjects.parquet"
    )
    pairs = [(c, 3 * c + k) for c in range(4) for k in range(3)] + [(1, 0)]
    pq.write_table(
        pa.table({"cohort": [c for c, _ in pairs], "sid": [s for _, s in pairs]}),
        stages / "cohort_members.parquet",
    )
    pq.write_table(
        pa.table({"cohort": [0, 1, 2, 3], "tested": [True, True, True, False],
                  "score": [4.0, 3.0, 2.0, 9.0]}),
        stages / "cohort_scores.parquet",
    )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(
    ("labels", "honest", "distilling"),
    [
        ({}, [], 0),
        ({"a0": "false"}, [], 0),  # one of three: the appeal of one account
        ({"a0": "false", "a1": "false"}, [4.0], 0),
        ({"a0": "false", "a1": "false", "a2": "true"}, [], 0),
        ({"a0": "false", "a1": "false", "a3": "false"}, [3.0, 4.0], 0),  # a0 is in both
        ({"a6": "true", "a7": "true"}, [], 1),
        ({"a9": "false", "a10": "false", "a11": "false"}, [], 0),  # never tested
        ({"a0": "unsure", "a1": "unsure", "a2": "unsure"}, [], 0),
    ],
)
def test_half_of_a_cohorts_accounts_make_it_what_they_were_found_to_be(
    run, labels, honest, distilling
):
    found = labelled_cohorts([run], labels)
    assert (found.honest.tolist(), found.distilling) == (honest, distilling)


def test_labels_are_read_and_two_cases_that_disagree_are_unsure(tmp_path):
    file = tmp_path / "effects.json"
    rows = [("a", "false"), ("b", "true"), ("c", "false"), ("c", "true"), ("d", "unsure")]
    held = {"labels": [{"account_id": a, "case_id": f"case-{k}", "label": v}
                       for k, (a, v) in enumerate(rows)]}  # fmt: skip
    file.write_text(json.dumps(held))
    assert read_labels(file) == {"a": "false", "b": "true", "c": "unsure", "d": "unsure"}
    file.write_text(json.dumps({"corrections": []}))
    assert read_labels(file) == {}
    for wrong in ({"labels": 3}, {"labels": [{"account_id": "a", "label": "maybe"}]}, []):
        file.write_text(json.dumps(wrong))
        with pytest.raises(SchemaError):
            read_labels(file)


@pytest.mark.slow
def test_a_campaign_that_was_found_honest_is_not_accused_in_the_next_window(tmp_path: Path):
    """From two scans: what the first accused, people labelled; the second asks for more."""
    world = simulate("small", seed=1, out=tmp_path / "world")
    exchanges = world.out / "exchanges"
    table = pq.read_table(exchanges, columns=["ts"])["ts"].to_pylist()
    middle = sorted(table)[len(table) // 2].astimezone(UTC)
    first = scan([exchanges], accounts=world.accounts_csv, out=tmp_path / "one", until=middle)
    effects = tmp_path / "effects.json"
    now = datetime(2026, 12, 1, tzinfo=UTC)
    with closing(open_book(tmp_path / "cases.db")) as book:  # an analyst labels who was accused
        open_cases(book, open_run(first.run_dir), now=now, standings=("accused",))
        found = [(line.case_id, m[0]) for line in read_lines(book, now=now)
                 for m in read_members(book, line.case_id) if m[2] == "accused"]  # fmt: skip
        assert found
        for case_id, account in found:
            label(book, case_id, account, verdict="false", reason="a class", by="Ana", now=now)
        told = case_effects(book, terms=read_terms(), now=now)
    effects.write_text(json.dumps(told))
    given = {"accounts": world.accounts_csv, "since": middle, "baseline": [first.run_dir]}
    plain = scan([exchanges], out=tmp_path / "plain", **given)
    labelled = scan([exchanges], out=tmp_path / "two", corrections=effects, **given)
    before, after = (
        {a["account_id"] for a in rows(r.run_dir) if a["standing"] == "accused"}
        for r in (plain, labelled)
    )
    assert before
    assert after < before
    told = json.loads((labelled.run_dir / "summary.json").read_text())["reference"]
    assert told["labelled_honest_cohorts"] >= 1
    assert told["warninglist_values"] >= 1
    unlisted = json.loads((plain.run_dir / "summary.json").read_text())["reference"]
    assert (unlisted["warninglist_values"], unlisted["spared_cohorts"]) == (0, 0)


@pytest.mark.slow
def test_who_was_not_accused_without_the_labels_is_not_accused_with_them(tmp_path, monkeypatch):
    """A cohort that is taken away no longer keeps others out: here all of them were kept out."""
    world = simulate("small", seed=1, out=tmp_path / "world")
    exchanges = world.out / "exchanges"
    table = pq.read_table(exchanges, columns=["ts"])["ts"].to_pylist()
    middle = sorted(table)[len(table) // 2].astimezone(UTC)
    first = scan([exchanges], accounts=world.accounts_csv, out=tmp_path / "one", until=middle)
    accused = {a["account_id"] for a in rows(first.run_dir) if a["standing"] == "accused"}
    _, honest = min((score, sorted(who)) for score, who in _tested(first.run_dir)
                    if not who & accused)  # fmt: skip
    labels = [{"account_id": a, "case_id": "c", "label": "false"} for a in honest]
    effects = tmp_path / "effects.json"
    effects.write_text(json.dumps({"corrections": [], "labels": labels}))
    given = {"accounts": world.accounts_csv, "since": middle, "baseline": [first.run_dir],
             "corrections": effects}  # fmt: skip
    corrected = scan([exchanges], out=tmp_path / "two", **given)
    assert any(a["standing"] == "accused" for a in rows(corrected.run_dir))
    real, levels = job.choose, []

    def choose(scores, *, alpha, **options):
        levels.append(alpha)
        return real(scores, alpha=alpha if len(levels) == 1 else 1e-12, **options)

    monkeypatch.setattr(job, "choose", choose)
    kept = scan([exchanges], out=tmp_path / "three", **given)
    assert len(levels) == 2  # with what people found, and without
    assert not any(a["standing"] == "accused" for a in rows(kept.run_dir))
    assert kept.summary["cohorts_selected"] > 0


def rows(run: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = pq.read_table(run / "accounts.parquet").to_pylist()
    return found


def test_labels_change_what_a_resumed_run_was_asked_for():
    one, two = baseline([1.0], []), baseline([1.0], [3.0])
    assert one.digest != two.digest
    assert replace(one).digest == one.digest
