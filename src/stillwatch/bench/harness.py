"""Run a suite: worlds, all detectors on each, looks, benign worlds; resumable at every file."""

from __future__ import annotations

import shutil
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.bench import ours
from stillwatch.bench.alpha import judge_benign
from stillwatch.bench.baselines import BASELINES
from stillwatch.bench.ledger import commit_here
from stillwatch.bench.looks import look_again
from stillwatch.bench.records import once, write_record
from stillwatch.bench.scenarios import Scenario
from stillwatch.bench.scores import summary_of
from stillwatch.bench.suites import FIRST_SEED, HELD_OUT_SEED, Suite
from stillwatch.bench.traffic import Traffic, read_traffic
from stillwatch.bench.truth import Who, read_truth
from stillwatch.bench.verdict import nearest_cohorts, scanned
from stillwatch.errors import ConfigError
from stillwatch.simulate import SimulatedWorld

__all__ = ["run_alone", "run_suite", "run_trial"]

_DETECTORS = (ours.FACTS.name, *(b.facts.name for b in BASELINES))


def run_suite(
    suite: Suite, out: Path, *, held_out: bool = False, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Make every record of a suite under ``out`` that is not there yet.

    ``held_out``: the same worlds of seeds that nothing else reads.

    Raises:
        ConfigError: the folder holds another suite's records, or those of other seeds or texts:
            results are pooled over all of a folder.
    """
    corpora = any(t.scenario.corpora for t in suite.trials)
    _claim(out, {"suite": suite.name, "held_out": held_out, "corpora": corpora})
    first = HELD_OUT_SEED if held_out else FIRST_SEED
    for scenario, seeds, looks in suite.trials:
        for k in range(seeds):
            tell(f"{scenario.name}, seed {first + k}")
            run_trial(scenario, first + k, out, look_from=suite.look_requests if k < looks else 0)
    for k in range(suite.benign):
        drift, seed = suite.drifts[k % len(suite.drifts)], first + 50_000 + k
        tell(f"benign, {drift}, seed {seed}")
        once(
            out / "benign" / f"{drift}-{seed}.json",
            lambda drift=drift, seed=seed: judge_benign(  # type: ignore[misc]
                drift, seed, out / "work", suite.base
            ),
        )


def _claim(out: Path, asked: dict[str, Any]) -> None:
    held = once(out / "suite.json", lambda: asked)
    if held != asked:
        words = ", ".join(f"{name} {value}" for name, value in held.items())
        raise ConfigError(
            f"the folder holds another run ({words})",
            where=str(out),
            hint="give a folder of its own to every suite, and to held-out seeds",
        )


def run_alone(suite: Suite, seeds: int, out: Path) -> None:
    """Let stillwatch alone judge the first seeds of each world of a suite: after a change of it."""
    for scenario, _, _ in suite.trials:
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            run_trial(scenario, seed, out, detectors=(ours.FACTS.name,))


def run_trial(
    scenario: Scenario, seed: int, out: Path, *, look_from: int = 0,
    detectors: Sequence[str] = _DETECTORS,
) -> None:  # fmt: skip
    """Let ``detectors`` judge one world; a world is made again only where a record is missing.

    ``look_from``: campaigns with so many requests and more are looked at in time; 0 for none.
    """
    records = out / "trials"
    stem = f"{scenario.name}-{seed}"
    missing = [d for d in detectors if not (records / f"{stem}-{d}.json").is_file()]
    look_file = out / "looks" / f"{stem}.json"
    if not missing and (not look_from or look_file.is_file()):
        return
    work = out / "work" / stem
    shutil.rmtree(work, ignore_errors=True)
    made = scenario.make(seed, work / "world")
    truth = read_truth(made.truth_parquet)
    traffic = read_traffic(made.out / "exchanges")
    who = [truth[name] for name in traffic.names]
    world = _world(scenario, seed, traffic, who)
    for name in missing:
        began = time.perf_counter()
        outcome = _judge(name, made, traffic, who, seed, work)
        seconds = round(time.perf_counter() - began, 3)
        record = {"detector": name, "seconds": seconds, **world, **summary_of(outcome, who)}
        if name == ours.FACTS.name:
            record["nearest"] = nearest_cohorts(work / "run", truth)
        write_record(records / f"{stem}-{name}.json", record)
    if look_from and not look_file.is_file():
        campaigns = _large(traffic, who, look_from)
        found = [look_again(made, traffic, truth, c, work) for c in campaigns]
        write_record(look_file, {"scenario": scenario.name, "seed": seed, "campaigns": found})
    shutil.rmtree(work)


def _judge(
    name: str, made: SimulatedWorld, traffic: Traffic, who: list[Who], seed: int, work: Path
) -> Any:
    if name == ours.FACTS.name:
        return ours.outcome_of(scanned(made, work / "run"), traffic.names)
    baseline = next(b for b in BASELINES if b.facts.name == name)
    reference = traffic.of(np.array([w.honest for w in who]))
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return baseline.judge(traffic, reference, rng)


def _large(traffic: Traffic, who: list[Who], requests: int) -> list[str]:
    counts: Counter[str] = Counter()
    for number, person in enumerate(who):
        if person.core:
            counts[str(person.campaign)] += int(traffic.volume[number])
    return sorted(name for name, n in counts.items() if n >= requests)


def _world(scenario: Scenario, seed: int, traffic: Traffic, who: list[Who]) -> dict[str, Any]:
    share: dict[str, float] = {}
    for number, person in enumerate(who):
        if person.core:
            name = str(person.campaign)
            share[name] = share.get(name, 0.0) + float(traffic.volume[number]) / traffic.rows
    return {
        "commit": commit_here(), "scenario": scenario.name, "drift": scenario.drift, "seed": seed,
        "exchanges": traffic.rows, "accounts": traffic.accounts,
        "traffic_share": {k: round(v, 6) for k, v in share.items()},
    }  # fmt: skip
