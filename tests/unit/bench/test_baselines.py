"""Each baseline finds what its paper says it finds, and leaves alone what it should."""

from __future__ import annotations

import copy
from dataclasses import fields

import numpy as np
import pytest

from stillwatch.bench.baselines import BASELINES
from stillwatch.bench.baselines.fraudar import Fraudar, densest_block
from stillwatch.bench.baselines.fused_networks import FusedNetworks, centrality, tfidf_cosine
from stillwatch.bench.baselines.hoda import Hoda, pearson_distance
from stillwatch.bench.baselines.honeypot import HoneypotLlm
from stillwatch.bench.baselines.isolation_forest import IsolationForest
from stillwatch.bench.baselines.prada import Prada, least_distances, normality
from stillwatch.bench.baselines.seat import Seat, near_pairs
from stillwatch.bench.baselines.synchrotrap import SynchroTrap, synchronous
from stillwatch.bench.baselines.volume_rules import VolumeRules
from stillwatch.bench.baselines.window_mmd import WindowMmd, fit_mmd, share_found

HOUR_US = 3_600_000_000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.facts.name)
def test_scores_every_account_twice_alike_and_changes_nothing(baseline, make_traffic):
    traffic = make_traffic([30, 2, 25, 1, 40, 22, 3, 60])
    before = copy.deepcopy(traffic)
    first, second = (baseline.judge(traffic, traffic, np.random.default_rng(1)) for _ in range(2))
    assert first.score.shape == (8,)
    assert np.isfinite(first.score).all()
    assert (first.score == second.score).all()
    for field in fields(traffic):
        assert np.array_equal(getattr(traffic, field.name), getattr(before, field.name))


def test_every_baseline_says_where_it_comes_from_and_what_differs():
    assert len({b.facts.name for b in BASELINES}) == len(BASELINES)
    for baseline in BASELINES:
        assert all(getattr(baseline.facts, f.name) for f in fields(baseline.facts))


def test_volume_rules_flag_sixty_requests_in_a_minute_and_not_sixty_in_a_day(make_traffic, rng):
    counts = [60, 60]
    times = np.concatenate([np.arange(60) * 900_000, np.arange(60) * HOUR_US // 3])
    made = VolumeRules().judge(t := make_traffic(counts, ts_us=times), t, rng)
    assert made.flagged.tolist() == [True, False]
    assert made.score[0] == pytest.approx(60 / 50)


def test_isolation_forest_puts_an_odd_account_first(make_traffic, rng):
    counts = [20] * 60
    prompt = np.full(1200, 200.0)
    prompt[:20] = 50_000.0
    output = np.full(1200, 300.0)
    output[:20] = 1.0
    traffic = make_traffic(counts, prompt_bytes=prompt, output_tokens=output)
    assert IsolationForest().judge(traffic, traffic, rng).score.argmax() == 0


def test_prada_calls_normal_distances_normal_and_steps_of_one_size_not(rng):
    assert normality(rng.normal(1, 0.1, 200)) > 0.98
    two_sizes = np.concatenate([np.full(150, 0.01), rng.normal(1, 0.05, 50)])
    assert normality(two_sizes) < 0.7


def test_prada_measures_the_nearest_earlier_query():
    vectors = np.eye(3)[[0, 1, 0, 2]]
    assert least_distances(vectors) == pytest.approx([2**0.5, 0.0, 2**0.5])


def test_prada_flags_an_account_that_perturbs_its_seeds_as_jacobian_augmentation_does(
    make_traffic, rng
):
    seeds = rng.normal(size=(40, 64))
    steps = np.repeat(seeds, 3, axis=0)[:80] + 0.001 * rng.normal(size=(80, 64))
    topic = np.concatenate([seeds, steps, rng.normal(size=(120, 64))])
    times = np.arange(240) * HOUR_US // 10
    flagged = Prada().judge(t := make_traffic([120, 120], topic=topic, ts_us=times), t, rng).flagged
    assert flagged.tolist() == [True, False]


def test_seat_counts_each_query_near_an_earlier_one_once():
    a, b = unit(np.array([[1.0, 0.0], [1.0, 0.02]]))
    assert near_pairs(np.array([a, b, a, [0.0, 1.0]]), 0.99) == 2


def test_seat_flags_an_account_that_walks_round_one_point(make_traffic, rng):
    walk = np.ones((1, 64)) + 0.01 * rng.normal(size=(80, 64))
    topic = np.concatenate([walk, rng.normal(size=(400, 64))])
    traffic = make_traffic([80, 80, 320], topic=topic)
    honest = traffic.of(np.array([False, True, True]))
    assert Seat().judge(traffic, honest, rng).flagged.tolist() == [True, False, False]


def test_hoda_flags_an_account_whose_answers_are_all_long(make_traffic, rng):
    output = rng.lognormal(5, 1, 700)
    output[:100] = 3_000.0
    traffic = make_traffic([100, 100, 500], output_tokens=output)
    honest = traffic.of(np.array([False, True, True]))
    assert Hoda().judge(traffic, honest, rng).flagged.tolist() == [True, False, False]


def test_pearson_distance_is_nought_for_the_same_and_two_for_the_opposite():
    a = np.array([0.1, 0.2, 0.7])
    assert pearson_distance(a, 5 * a) == pytest.approx(0.0)
    assert pearson_distance(a, 1 - a) == pytest.approx(2.0)


def test_window_mmd_keeps_its_level_and_finds_what_its_paper_finds_in_like_data(rng):
    """Benign windows at about 5 % or less, a tenth of a foreign cluster nearly always."""
    benign = unit(rng.normal(size=(4_000, 64)) + rng.normal(size=(1, 64)))
    attack = unit(rng.normal(size=(500, 64)) + 2.5 * rng.normal(size=(1, 64)))
    test = fit_mmd(benign[:2_000], 300, rng)
    quiet = share_found(test, benign[2_000:], attack, 0.0, 60, rng)
    mixed = share_found(test, benign[2_000:], attack, 0.25, 30, rng)
    assert quiet <= 0.25  # one reference sample: its own luck adds to the level
    assert mixed >= 0.9
    assert share_found(test, benign[2_000:], attack, 1.0, 10, rng) == 1.0


def test_mmd_statistic_is_the_textbook_sum(rng):
    benign = unit(rng.normal(size=(60, 64)))
    test = fit_mmd(benign, 20, rng)
    window = unit(rng.normal(size=(20, 64)))

    def kernel(a, b):
        square = ((a[:, None] - b[None]) ** 2).sum(-1)
        return sum(np.exp(-test.scale * 16 / f**2 * square) for f in (4, 2, 1, 0.5))

    def inside(a):
        return (kernel(a, a).sum() - 4 * len(a)) / (len(a) * (len(a) - 1))

    expected = inside(window) + inside(test.reference) - 2 * kernel(window, test.reference).mean()
    assert test.statistic(window) == pytest.approx(expected, abs=1e-5)


def test_window_mmd_scores_accounts_by_the_windows_they_are_in(make_traffic, rng):
    topic = np.concatenate([rng.normal(size=(600, 64)), rng.normal(size=(200, 64)) + 1.5])
    times = np.concatenate([np.arange(600), np.arange(600, 800)]) * 1_000_000
    traffic = make_traffic([600, 200], topic=topic, ts_us=times)
    honest = traffic.of(np.array([True, False]))
    score = WindowMmd().judge(traffic, honest, rng).score
    assert score[1] > score[0]


def test_synchrotrap_joins_accounts_that_move_together_and_no_others(make_traffic, rng):
    beat = np.arange(12) * 5 * HOUR_US
    together = np.concatenate([beat + k * 60_000_000 for k in range(6)])
    alone = rng.integers(0, 60 * HOUR_US, 72)
    objects = np.concatenate([np.zeros(72, dtype=np.int64), np.repeat(np.arange(1, 7), 12)])
    traffic = make_traffic([12] * 12, ts_us=np.concatenate([together, alone]), exit=objects)
    made = SynchroTrap().judge(traffic, traffic, rng)
    assert made.flagged.tolist() == [True] * 6 + [False] * 6
    assert len(set(made.group[:6].tolist())) == 1


def test_synchronous_is_jaccard_over_the_hours_that_two_share(make_traffic):
    times = np.array([0, 10, 20, 30, 0, 10, 100, 110]) * HOUR_US
    traffic = make_traffic([4, 4], ts_us=times, exit=np.zeros(8, dtype=np.int64))
    assert synchronous(traffic, traffic.exit)[0, 1] == pytest.approx(2 / 6)


def test_fused_networks_put_accounts_that_share_prompts_in_the_centre(make_traffic, rng):
    payload = np.arange(200)
    payload[:50] = np.tile(np.arange(10), 5) + 1_000
    traffic = make_traffic([10] * 20, payload=payload)
    score = FusedNetworks().judge(traffic, traffic, rng).score
    assert score[:5].min() > score[5:].max()


def test_an_object_that_everyone_has_weighs_nothing(make_traffic):
    traffic = make_traffic([5] * 4, client=np.zeros(20, dtype=np.int64))
    assert not tfidf_cosine(traffic, traffic.client).any()


def test_centrality_is_the_leading_eigenvector(rng):
    half = rng.random((12, 12))
    weights = half + half.T
    expected = np.linalg.eigh(weights)[1][:, -1]
    assert centrality(weights) == pytest.approx(np.abs(expected), abs=1e-4)


def test_fraudar_returns_its_authors_block_whole_in_spite_of_camouflage(rng):
    """A 20 × 20 block in a sparse graph, each of its rows also at 20 popular columns."""
    sparse = np.stack([rng.integers(20, 500, 2_500), rng.integers(20, 500, 2_500)], axis=1)
    block = np.array([(r, c) for r in range(20) for c in range(20)])
    hidden = np.stack([np.repeat(np.arange(20), 20), rng.integers(20, 120, 400)], axis=1)
    found = densest_block(np.unique(np.concatenate([sparse, block, hidden]), axis=0))
    assert found.rows.tolist() == list(range(20))


def test_fraudar_density_is_that_of_the_block_it_names():
    edges = np.array([(r, c) for r in range(4) for c in range(3)])
    assert densest_block(edges).density == pytest.approx(12 / np.log(4 + 5) / 7)


def test_fraudar_scores_a_pool_behind_three_addresses_above_strangers(make_traffic, rng):
    exits = np.repeat(np.arange(60), 10) + 100
    exits[:200] = np.tile([0, 1, 2, 3, 4], 40)
    frames = np.arange(600) + 1_000
    frames[:200] = np.tile([0, 1], 100)
    traffic = make_traffic([10] * 60, exit=exits, frame=frames)
    made = Fraudar().judge(traffic, traffic, rng)
    assert made.flagged.tolist() == [True] * 20 + [False] * 40


def test_honeypotllm_runs_in_event_time_and_gets_its_clock_back(make_traffic, rng):
    import time

    from honeypotllm import scoring

    fast, slow = np.arange(120) * 100_000, np.arange(120) * HOUR_US // 2
    traffic = make_traffic([120, 120], ts_us=np.concatenate([fast, slow]))
    made = HoneypotLlm().judge(traffic, traffic, rng)
    assert made.flagged.tolist() == [True, False]
    assert scoring.time is time
