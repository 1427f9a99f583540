"""The audit sample: every account has a known chance, and the intervals cover the truth."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cases import (
    draw_sample,
    estimate_rates,
    read_design,
    read_labels,
    sample_run,
)
from stillwatch.errors import ConfigError, InputError, SchemaError


def population(rng, size=2000):
    """Return account → standing and whether it distils, with errors of both kinds."""
    standing, truth = {}, {}
    for n in range(size):
        distils = rng.random() < 0.08
        accused = rng.random() < (0.7 if distils else 0.01)
        other = "watch" if rng.random() < (0.3 if distils else 0.02) else "clear"
        standing[f"a{n}"] = "accused" if accused else other
        truth[f"a{n}"] = distils
    return standing, truth


def true_rates(standing, truth):
    accused = [a for a, s in standing.items() if s == "accused"]
    honest_accused = sum(not truth[a] for a in accused)
    honest, guilty = sum(not t for t in truth.values()), sum(truth.values())
    missed = sum(truth[a] for a, s in standing.items() if s != "accused")
    return honest_accused / honest, honest_accused / len(accused), missed / guilty


def test_the_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    standing, truth = population(rng)
    wanted = true_rates(standing, truth)
    hits = Counter()
    for seed in range(200):
        design = draw_sample(standing, 150, seed=seed)
        found = estimate_rates(
            design, {a: "yes" if truth[a] else "no" for a in design.order}, level=0.9
        )
        for n, rate in enumerate((found.false_accusation, found.false_discovery, found.missed)):
            hits[n] += rate.low <= wanted[n] <= rate.high
    assert all(hits[n] >= 0.9 * 200 for n in range(3)), hits


def test_the_estimates_are_right_on_average():
    rng = np.random.default_rng(2)
    standing, truth = population(rng)
    wanted = true_rates(standing, truth)[1]
    found = []
    for seed in range(300):
        design = draw_sample(standing, 120, seed=seed)
        labels = {a: "yes" if truth[a] else "no" for a in design.order}
        found.append(estimate_rates(design, labels).false_discovery.estimate)
    assert np.mean(found) == pytest.approx(wanted, abs=0.02)


def test_every_account_is_drawn_as_often_as_its_chance_says():
    standing = {f"a{n}": "accused" if n < 10 else "clear" for n in range(40)}
    counts = Counter()
    for seed in range(2000):
        counts.update(draw_sample(standing, 12, seed=seed).order)
    for stratum in draw_sample(standing, 12, seed=0).strata:
        members = [a for a, s in standing.items() if s == stratum.standing]
        for account in members:
            share = counts[account] / 2000
            assert share == pytest.approx(stratum.inclusion_probability, abs=0.06)


def test_the_same_seed_draws_the_same_whatever_the_order_of_rows():
    standing = {f"a{n}": "clear" for n in range(50)}
    turned = dict(reversed(list(standing.items())))
    assert draw_sample(standing, 10, seed=3) == draw_sample(turned, 10, seed=3)
    assert draw_sample(standing, 10, seed=3) != draw_sample(standing, 10, seed=4)


def test_a_standing_without_enough_accounts_leaves_its_share_to_the_others():
    standing = {"x": "accused", **{f"a{n}": "clear" for n in range(50)}}
    design = draw_sample(standing, 20, seed=0)
    assert {s.standing: len(s.drawn) for s in design.strata} == {"accused": 1, "clear": 19}
    everyone = draw_sample(standing, 1000, seed=0)
    assert len(everyone.order) == 51


def test_a_census_gives_points():
    standing = {"a": "accused", "b": "accused", "c": "clear", "d": "clear"}
    design = draw_sample(standing, 4, seed=0)
    found = estimate_rates(design, {"a": "yes", "b": "no", "c": "yes", "d": "no"})
    for rate in (found.false_accusation, found.false_discovery, found.missed):
        assert (rate.estimate, rate.low, rate.high) == (0.5, 0.5, 0.5)


def test_unsure_and_missing_labels_widen_the_interval_both_ways():
    standing = {f"a{n}": "accused" for n in range(10)}
    design = draw_sample(standing, 10, seed=0)
    sure = estimate_rates(design, dict.fromkeys(standing, "no") | {"a0": "yes", "a1": "yes"})
    unsure = estimate_rates(design, dict.fromkeys(standing, "no") | {"a0": "yes", "a1": "unsure"})
    assert (sure.false_discovery.low, sure.false_discovery.high) == (0.8, 0.8)
    assert (unsure.false_discovery.low, unsure.false_discovery.high) == (0.8, 0.9)
    assert (unsure.labelled, unsure.unsure) == (9, 1)


def test_where_nothing_was_labelled_nothing_is_said():
    design = draw_sample({"a": "accused", "b": "clear"}, 2, seed=0)
    found = estimate_rates(design, {})
    assert math.isnan(found.missed.estimate)
    assert (found.missed.low, found.missed.high) == (0.0, 1.0)


def test_nobody_accused_says_nothing_about_the_accused():
    design = draw_sample({f"a{n}": "clear" for n in range(9)}, 3, seed=0)
    found = estimate_rates(design, dict.fromkeys(design.order, "no"))
    assert math.isnan(found.false_discovery.estimate)
    assert found.false_accusation.high == 0.0


@pytest.mark.parametrize("labels", [{"zz": "yes"}, {"a": "maybe"}])
def test_wrong_labels_are_refused(labels):
    design = draw_sample({"a": "accused"}, 1, seed=0)
    with pytest.raises(SchemaError):
        estimate_rates(design, labels)


def test_wrong_sizes_and_standings_are_refused():
    with pytest.raises(ConfigError):
        draw_sample({"a": "clear"}, 0, seed=0)
    with pytest.raises(SchemaError):
        draw_sample({"a": "guilty"}, 1, seed=0)


@pytest.fixture
def run(make_run):
    made = make_run()
    standing = ["accused"] * 4 + ["watch"] * 6 + ["clear"] * 90
    table = pa.table({"account_id": [f"a{n}" for n in range(100)], "standing": standing})
    pq.write_table(table, made.path / "accounts.parquet")
    return made


def test_whoever_labels_sees_accounts_and_nothing_else(run, tmp_path):
    design = sample_run(run, 20, tmp_path / "s", seed=5)
    text = (tmp_path / "s" / "sample.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "account_id,distils"
    for word in ("accused", "watch", "clear"):
        assert word not in text
    by_stratum = [a for s in design.strata for a in s.drawn]
    assert list(design.order) != by_stratum
    assert read_design(tmp_path / "s") == design
    held = json.loads((tmp_path / "s" / "design.json").read_text(encoding="utf-8"))
    for stratum in held["strata"]:
        assert stratum["inclusion_probability"] == len(stratum["drawn"]) / stratum["size"]
    with pytest.raises(ConfigError, match="already"):
        sample_run(run, 20, tmp_path / "s", seed=5)


def test_labels_come_back_in_the_same_file(run, tmp_path):
    sample_run(run, 3, tmp_path / "s", seed=5)
    file = tmp_path / "s" / "sample.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([lines[0], lines[1] + "Yes ", lines[2] + "no", lines[3]]))
    assert sorted(read_labels(file).values()) == ["no", "yes"]
    file.write_text("\n".join([lines[0], lines[1], lines[1]]))
    with pytest.raises(SchemaError, match="second time"):
        read_labels(file)
    file.write_text("account,label\na,yes\n")
    with pytest.raises(SchemaError, match="columns"):
        read_labels(file)
    with pytest.raises(InputError):
        read_labels(tmp_path / "absent.csv")
    with pytest.raises(InputError):
        read_design(tmp_path)
