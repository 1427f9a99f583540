"""The plan on an engine: what the fit says of kept runs, and how plainly what lies beyond them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import plan_fit
import pytest

from stillwatch.cli.app import run
from stillwatch.errors import ConfigError
from stillwatch.scanner import plan_on_engine

ROOT = Path(__file__).parents[3]
KEPT = json.loads((ROOT / "bench" / "results" / "engine-runs.json").read_text())
SHIPPED = json.loads(
    (ROOT / "src" / "stillwatch" / "scanner" / "plan_engines.json").read_text()
)  # fmt: skip
ASKED = {"rows_per_day": 5e9, "accounts": 3e8}


def test_the_shipped_fit_is_that_of_the_kept_runs() -> None:
    local = json.loads((ROOT / "bench" / "results" / "plan-runs.json").read_text())
    found = plan_fit.fitted_engines(KEPT, local)
    assert found["engines"].keys() == SHIPPED["engines"].keys() == {"sail", "spark"}
    for engine, made in found["engines"].items():
        held = SHIPPED["engines"][engine]
        assert made["model"].keys() == held["model"].keys()
        for name, one in made["model"].items():
            assert one == pytest.approx(held["model"][name], rel=1e-3, abs=2e-3), (engine, name)
        assert {k: v for k, v in made.items() if k != "model"} == {
            k: v for k, v in held.items() if k != "model"
        }


@pytest.mark.parametrize("kept", KEPT["runs"], ids=lambda kept: f"{kept['engine']} {kept['name']}")
def test_every_measured_run_lies_in_its_plan(kept: dict) -> None:
    made = plan_on_engine(kept["rows"], kept["accounts"], engine=kept["engine"], cores=2)
    assert made.node_cpu_hours.low <= kept["node_cpu_s"] / 3600 <= made.node_cpu_hours.high
    assert made.workers_cpu_hours.low <= kept["workers_cpu_s"] / 3600 <= made.workers_cpu_hours.high
    assert made.node_memory_gb.low <= kept["node_mb"] / 1e3 <= made.node_memory_gb.high
    assert made.disk_gb.low <= kept["disk_mb"] / 1e3 <= made.disk_gb.high
    assert 2 * made.worker_gb_per_core >= kept["workers_mb"] / 1e3
    if made.shuffle_gb is not None:
        assert made.shuffle_gb.low <= kept["shuffle_mb"] / 1e3 <= made.shuffle_gb.high
    assert (made.beyond, made.unlike) == (1.0, False)


@pytest.mark.parametrize("engine", ["spark", "sail"])
def test_a_scan_three_times_as_large_took_what_both_cores_busy_would_take(engine: str) -> None:
    """On an engine no fit has seen it: a million exchanges, two quiet cores, an older version."""
    took = json.loads((ROOT / "bench" / "results" / "engines.json").read_text())["seconds"]
    made = plan_on_engine(1_024_907, 40_235, engine=engine)
    cpu_s = 3600 * (made.node_cpu_hours.expected + made.workers_cpu_hours.expected)
    assert cpu_s / 2 == pytest.approx(min(took[engine]), rel=0.25)


def test_only_what_an_engine_tells_is_planned() -> None:
    assert plan_on_engine(1e6, 4e4, engine="spark").shuffle_gb is not None
    assert plan_on_engine(1e6, 4e4, engine="sail").shuffle_gb is None


@pytest.mark.parametrize("engine", ["spark", "sail"])
def test_a_range_widens_by_the_largest_error_for_each_tenfold(engine: str) -> None:
    held = SHIPPED["engines"][engine]
    near = plan_on_engine(held["most_exchanges"], held["most_accounts"], engine=engine)
    far = plan_on_engine(1e3 * held["most_exchanges"], 1e3 * held["most_accounts"], engine=engine)
    worst = held["model"]["node_cpu_s"]["worst"]
    assert (near.beyond, far.beyond) == (1, 1_000)
    assert near.node_cpu_hours.high / near.node_cpu_hours.expected == pytest.approx(worst)
    assert far.node_cpu_hours.high / far.node_cpu_hours.expected == pytest.approx(worst**4)


@pytest.mark.parametrize("engine", ["spark", "sail"])
def test_cores_are_as_many_as_are_of_use_and_shorten_the_workers_part_alone(engine: str) -> None:
    usual = plan_on_engine(**ASKED, engine=engine, price_per_hour=0.1)
    node_h = usual.node_cpu_hours.expected * 0.75
    assert usual.workers_cpu_hours.expected / usual.cores <= node_h
    assert usual.cores == 1 or usual.workers_cpu_hours.expected / (usual.cores - 1) > node_h
    more = plan_on_engine(**ASKED, engine=engine, cores=100 * usual.cores, price_per_hour=0.1)
    assert node_h < more.hours.expected < usual.hours.expected
    assert more.cost is not None
    assert more.cost.high == pytest.approx(more.hours.high * 0.1 * (more.cores + 2) / 2)
    assert usual.hours.low < usual.hours.expected < usual.hours.high


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"engine": "yarn"}, "--engine"),
        ({"engine": "spark://host:7077"}, "--engine"),
        ({"cores": 0}, "--cores"),
        ({"accounts": 0}, "--rows-per-day, --accounts"),
        ({"rows_per_day": math.inf}, "--rows-per-day, --accounts"),
        ({"rows_per_day": math.nan}, "--rows-per-day, --accounts"),
    ],
)
def test_what_nothing_can_be_said_of_is_refused(given: dict, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_on_engine(**{**ASKED, "engine": "spark", **given})
    assert caught.value.where == where


@pytest.mark.parametrize("engine", ["spark", "sail"])
def test_the_command_says_it_and_what_nobody_ran(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "--rows-per-day", "5e9", "--accounts", "3e8", "--engine", engine]
    assert run(words) == 0
    told = capsys.readouterr().out
    for word in ("cores", "hours", "CPU", "memory", "shuffle", "disk", "cost     give --price"):
        assert f"  {word}" in told
    assert "that more share the work evenly is assumed" in told
    held = SHIPPED["engines"][engine]
    times = ASKED["accounts"] / held["most_accounts"]
    assert times > ASKED["rows_per_day"] / held["most_exchanges"]
    assert (
        f"This is {times:,.1f} times what was measured, at most {held['most_exchanges']:,} "
        f"exchanges and {held['most_accounts']:,} accounts:\n"
    ) in told
    assert "Nothing near this size was run." in told
    assert run([*words, "--price", "0.1", "--json"]) == 0
    made = plan_on_engine(**ASKED, engine=engine, price_per_hour=0.1)
    assert json.loads(capsys.readouterr().out) == made.as_dict()
    assert run([*words[:-1], "local", "--cores", "4"]) == 1
