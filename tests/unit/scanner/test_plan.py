"""The plan: what the fit says, from the runs that are kept, and nothing beyond them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stillwatch.cli.app import run
from stillwatch.errors import ConfigError
from stillwatch.scanner import plan

ROOT = Path(__file__).parents[3]
RUNS = json.loads((ROOT / "bench" / "results" / "plan-runs.json").read_text())
SHIPPED = json.loads((ROOT / "src" / "stillwatch" / "scanner" / "plan.json").read_text())


def test_the_shipped_fit_is_that_of_the_kept_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "perf"))
    import plan_fit

    found = plan_fit.fitted(RUNS)
    sys.modules.pop("plan_fit")
    assert found.keys() == SHIPPED.keys()
    for name, one in found["model"].items():
        assert one == pytest.approx(SHIPPED["model"][name], rel=1e-3, abs=2e-3), name
    assert {k: v for k, v in found.items() if k != "model"} == {
        k: v for k, v in SHIPPED.items() if k != "model"
    }


@pytest.mark.parametrize("measured", RUNS["runs"], ids=lambda measured: measured["name"])
def test_every_measured_run_lies_in_its_plan(measured: dict[str, float]) -> None:
    made = plan(measured["rows"], measured["accounts"])
    assert made.cpu_hours.low <= measured["cpu_s"] / 3600 <= made.cpu_hours.high
    assert made.memory_gb.low <= measured["peak_mb"] / 1e3 <= made.memory_gb.high
    assert made.disk_gb.low <= measured["disk_mb"] / 1e3 <= made.disk_gb.high
    assert made.left_gb.low <= measured["left_mb"] / 1e3 <= made.left_gb.high
    assert (made.beyond, made.unlike) == (1.0, False)


def test_the_largest_run_is_foreseen_without_it_within_a_quarter() -> None:
    assert all(0.75 <= one["largest"] <= 1.25 for one in SHIPPED["model"].values())


def test_days_count_as_rows_and_the_price_as_hours() -> None:
    week = plan(1e6, 2e5, days=7, price_per_hour=0.5)
    assert week.exchanges == plan(7e6, 2e5).exchanges == 7_000_000
    assert week.cost is not None
    assert week.cost.high == pytest.approx(week.hours.high * 0.5)
    assert week.hours.low < week.hours.expected < week.hours.high
    assert week.beyond == pytest.approx(7e6 / SHIPPED["most_exchanges"])
    assert plan(1e6, 1e6).unlike


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"engine": "spark"}, "--engine"),
        ({"engine": "sail"}, "--engine"),
        ({"rows_per_day": 5e9, "accounts": 3e8}, "--rows-per-day"),
        ({"rows_per_day": 0}, "--rows-per-day, --accounts"),
        ({"accounts": float("nan")}, "--rows-per-day, --accounts"),
    ],
)
def test_what_nothing_was_measured_of_is_refused(given: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(**{"rows_per_day": 1e6, "accounts": 4e4, **given})  # type: ignore[arg-type]
    assert caught.value.where == where


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "--rows-per-day", "5e6", "--accounts", "2e5", "--price", "0.1"]
    assert run(words) == 0
    told = capsys.readouterr().out
    assert "One scan of 5,000,000 exchanges of 200,000 accounts:" in told
    assert "times the largest measured run" in told
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == plan(5e6, 2e5, price_per_hour=0.1).as_dict()
    assert run([*words, "--engine", "yarn"]) == 1
