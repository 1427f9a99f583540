"""Earlier runs: cohorts of both kinds calibrate, after a drift nobody is accused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.campaigns.select import Choice
from stillwatch.errors import ConfigError
from stillwatch.runners import LocalRunner
from stillwatch.scanner.baseline import Baseline, Local, _one_view_each, read_baseline
from stillwatch.schema import Settings
from stillwatch.signals import shipped_references

SCORES = pa.schema(
    [("cohort", pa.int32()), ("tested", pa.bool_()), ("score", pa.float64()),
     ("w_coordinated", pa.float64()), ("w_extractive", pa.float64()),
     ("e_acts_watch", pa.float64()),
     ("e_screen", pa.float64()), ("e_acts", pa.float64()), ("e_source", pa.float64()),
     ("e_coordinated", pa.float64()), ("e_extractive", pa.float64())]
)  # fmt: skip
NOTHING = Local(np.zeros(0))


def rows(scores: np.ndarray, acts: float) -> list[dict[str, Any]]:
    return [
        {"cohort": k, "tested": True, "score": float(s), "e_screen": 0.1,
         "w_coordinated": 1.0, "w_extractive": 2.0, "e_acts_watch": acts, "e_acts": acts,
         "e_source": 5_000.0, "e_coordinated": 0.25 * acts + 0.75 * 5_000.0,
         "e_extractive": 9_000.0}
        for k, s in enumerate(scores)
    ]  # fmt: skip


def table(made: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([row | {"cohort": k} for k, row in enumerate(made)], schema=SCORES)


def run_of(folder: Path, made: pa.Table, needed: float | None = 1_000.0) -> Path:
    (folder / "stages").mkdir(parents=True)
    pq.write_table(made, folder / "stages" / "cohort_scores.parquet")
    summary = {"look": 2, "until": "2026-05-01T00:00:00Z", "needed_e": needed, "schema_version": 1}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "campaigns.jsonl").write_text("")
    return folder


def test_local_cohorts_without_topics_of_their_own_take_the_strength_of_the_claim() -> None:
    here = table(rows(np.array([4.0]), acts=6.0))
    strange = Local(np.sort(np.random.default_rng(1).normal(4.0, 0.5, 200)))
    for earlier, changed, kept in (
        (Baseline(1, NOTHING, strange, ("a",)), "e_coordinated", "e_extractive"),
        (Baseline(1, strange, NOTHING, ("a",)), "e_extractive", "e_coordinated"),
    ):
        found = earlier.calibrated(here, shipped_references()).to_pylist()[0]
        assert found[changed] < 3.0
        assert found[kept] == here.to_pylist()[0][kept]


def test_fewer_than_fifty_local_cohorts_change_nothing() -> None:
    here = table(rows(np.array([4.0]), acts=6.0))
    few = Local(np.full(49, 4.0))
    assert Baseline(1, few, few, ("a",)).calibrated(here, shipped_references()) == here


def test_earlier_cohorts_go_to_their_kind_and_selected_ones_to_none(tmp_path: Path) -> None:
    made = rows(np.array([1.0, 1.5]), 50.0) + rows(np.array([0.2, 0.4, 0.6]), 0.5)
    for row in made:
        row["e_extractive"] = 3.0
    made[0]["e_extractive"] = 9_000.0  # an earlier campaign
    earlier = read_baseline([run_of(tmp_path / "first", table(made))])
    assert earlier.together.untrimmed.tolist() == [1.5]
    assert earlier.apart.untrimmed.tolist() == [0.2, 0.4, 0.6]
    assert earlier.look == 2


def test_a_run_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    old = table(rows(np.array([1.0]), 50.0)).drop_columns(["e_acts_watch"])
    with pytest.raises(ConfigError, match="another version"):
        read_baseline([run_of(tmp_path / "old", old)])


def test_too_few_cohorts_to_tell_a_drift_say_how_many_there_are_and_how_many_it_takes(
    tmp_path: Path,
) -> None:
    nothing = Choice((), np.zeros(0), np.zeros(0), frozenset(), 1e3, 0.01, 25_000.0, {})
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    runner.put("cohort_members", pa.table({
        "cohort": pa.array(range(12), pa.int32()), "sid": pa.array(range(12), pa.int32()),
    }))  # fmt: skip
    said = []
    for together in (3, 12):
        alone = rows(np.full(12 - together, -9.0), 0.5)
        runner.put("cohort_scores", table(rows(np.full(together, -9.0), 50.0) + alone))
        told = Baseline(1, NOTHING, NOTHING, ()).drift(runner, nothing, shipped_references())
        assert told["alarm"] is False
        said.append(told["text"])
    runner.close()
    assert said[0] == (
        "not known: 3 benign cohorts acting together in this window, and a comparison needs 10"
    )
    assert said[1].startswith("the lower two thirds of 12 benign cohorts of this window score")


def test_where_cohorts_that_act_together_score_higher_nothing_is_accused(tmp_path: Path) -> None:
    nothing = Choice((), np.zeros(0), np.zeros(0), frozenset(), 1e3, 0.01, 25_000.0, {})
    known = shipped_references()
    for shift, alarm in ((0.0, False), (1.5, True)):
        runner = LocalRunner(tmp_path / f"stages-{shift}", Settings(), threads=1)
        rng = np.random.default_rng(5)
        made = rows(rng.choice(known.together.scores, 60) + shift, 50.0)
        runner.put("cohort_scores", table(made + rows(np.full(60, 9.0), 0.5)))
        runner.put("cohort_members", pa.table({
            "cohort": pa.array(range(120), pa.int32()), "sid": pa.array(range(120), pa.int32()),
        }))  # fmt: skip
        told = Baseline(1, NOTHING, NOTHING, ()).drift(runner, nothing, known)
        runner.close()
        assert told["alarm"] is alarm
        assert ("nothing is accused" in told["text"]) is alarm


def test_one_campaign_in_many_wordings_is_no_drift_and_as_many_strangers_are(
    tmp_path: Path,
) -> None:
    """Forty cohorts of a campaign, each of most of its accounts, among twenty benign ones."""
    nothing = Choice((), np.zeros(0), np.zeros(0), frozenset(), 1e3, 0.01, 25_000.0, {})
    known = shipped_references()
    rng = np.random.default_rng(6)
    scores = np.concatenate([rng.choice(known.together.scores, 20), np.full(40, 6.0)])
    for overlap, alarm in ((True, False), (False, True)):
        runner = LocalRunner(tmp_path / f"stages-{overlap}", Settings(), threads=1)
        members = [(k, 100 * k + i) for k in range(20) for i in range(20)]
        for k in range(20, 60):
            drawn = rng.choice(60, 30, replace=False) if overlap else range(30)
            members += [(k, int(10_000 + i + (0 if overlap else 100 * k))) for i in drawn]
        cohort, sid = zip(*rng.permutation(members).tolist(), strict=True)
        runner.put("cohort_scores", table(rows(scores, 50.0)))
        runner.put("cohort_members", pa.table({
            "cohort": pa.array(cohort, pa.int32()), "sid": pa.array(sid, pa.int32()),
        }))  # fmt: skip
        told = Baseline(1, NOTHING, NOTHING, ()).drift(runner, nothing, known)
        runner.close()
        assert told["alarm"] is alarm, told
        assert f"{21 if overlap else 60} benign cohorts" in told["text"]


def test_of_cohorts_that_overlap_the_larger_counts() -> None:
    def kept(*cohorts: tuple[float, range]) -> list[float]:
        size = [len(members) for _, members in cohorts]
        score = [float(s) for s, _ in cohorts]
        return _one_view_each(
            np.repeat(np.arange(len(cohorts)), size), np.repeat(score, size),
            np.concatenate([np.array(members) for _, members in cohorts]),
        ).tolist()  # fmt: skip

    assert kept((1.0, range(10)), (2.0, range(30))) == [2.0]
    assert kept((1.0, range(10)), (2.0, range(8, 38))) == [2.0]  # a fifth in common
    assert kept((1.0, range(10)), (2.0, range(9, 39))) == [2.0, 1.0]  # a tenth
    assert kept((1.0, range(10)), (2.0, range(10))) == [1.0]  # of one size the first
    assert _one_view_each(*(np.zeros(0) for _ in range(3))).tolist() == []
