"""The bound on false accusations, the coverage of prevalence and the ablation, by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from scipy import stats as sps

from stillwatch.bench.ablation import ablation_table
from stillwatch.bench.alpha import alpha_bound, benign_worlds, read_bound
from stillwatch.bench.ledger import append_look, commit_here
from stillwatch.bench.prevalence import coverage, mixed_world
from stillwatch.errors import ConfigError
from stillwatch.scanner import scan
from stillwatch.signals import TESTS
from stillwatch.simulate import CAMPAIGN_FAMILIES, simulate


def world(drift: str, accused: dict[str, int], cohorts: list | None = None) -> dict:
    return {
        "commit": "x", "drift": drift, "seed": 1, "base": "demo", "accounts": 100, "honest": 98,
        "families": {"chat": 98}, "accused": accused, "accused_users": 0, "any": bool(accused),
        "alarm": False, "tested": 2, "selected": 0, "cohorts": cohorts or [], "seconds": 1.0,
    }  # fmt: skip


def test_bound_is_a_binomial_one_by_drift_and_in_all():
    records = [world("none", {})] * 99 + [world("viral", {"template": 3})] * 4
    bound = alpha_bound(records)
    assert bound["all"]["with_accusation"] == 4
    exact = sps.binomtest(4, 103).proportion_ci(0.95, method="exact")
    assert bound["all"]["low"] == pytest.approx(exact.low)
    assert bound["all"]["high"] == pytest.approx(exact.high)
    assert bound["by_drift"]["viral"]["refuted"]
    assert not bound["by_drift"]["none"]["refuted"]
    assert bound["accused_accounts_by_family"] == {"template": 12}
    assert bound["all"]["p_value"] == pytest.approx(sps.binom.sf(3, 103, 0.01))


def test_a_family_whose_e_values_are_too_large_too_often_is_named():
    good = [world("none", {}, [["chat", 3.0, 0.5]] * 50)]
    bad = [world("none", {}, [["template", 500.0, 200.0]] * 10)]
    families = alpha_bound(good + bad)["by_family"]
    assert not any(level["refuted"] for level in families["chat"]["levels"].values())
    assert families["template"]["levels"]["0.01"]["passed"] == 10
    assert families["template"]["levels"]["0.01"]["refuted"]
    assert families["template"]["levels"]["0.001"]["passed"] == 0  # the smaller claim decides


@pytest.mark.slow
def test_small_benign_worlds_under_every_shift_of_the_mix_hold_no_accusation(tmp_path):
    assert benign_worlds(6, tmp_path, base="tiny") == 6
    bound = read_bound(tmp_path)
    assert len(bound["by_drift"]) == 6
    assert bound["all"]["with_accusation"] == 0
    assert not bound["accused_accounts_by_family"]


def test_worlds_that_are_there_are_not_judged_again(tmp_path):
    for number, drift in enumerate(("none", "template_boom")):
        path = tmp_path / f"tiny-{drift}-{700_000 + number}.json"
        path.write_text(json.dumps(world(drift, {})))
    assert benign_worlds(2, tmp_path, base="tiny") == 2
    assert read_bound(tmp_path)["all"]["worlds"] == 2


def unit(floor: float, truth: float, bound: float | None) -> dict:
    one = {"floor": floor, "truth": truth, "bound": bound}
    return {"units": dict.fromkeys(("requests", "output_tokens", "accounts"), one)}


def test_coverage_counts_a_floor_too_high_and_a_bound_too_low():
    told = coverage([unit(0.1, 0.2, 0.3), unit(0.3, 0.2, 0.4), unit(0.0, 0.2, 0.1)])["requests"]
    assert (told["floor_holds"], told["bound_holds"], told["both_hold"]) == (2, 2, 1)
    assert told["low"] < 1 / 3 < told["high"]


def test_a_bound_that_is_not_known_excludes_nothing():
    told = coverage([unit(0.0, 0.2, None), unit(0.1, 0.2, 0.3)])["requests"]
    assert (told["floor_holds"], told["bound_holds"], told["both_hold"]) == (2, 2, 2)
    assert told["mean_width"] == pytest.approx((1.0 + 0.2) / 2)


def test_mixed_worlds_range_from_no_campaign_to_many():
    held = [
        sum(bool(mixed_world(s).world.sizes()[f].total) for f in CAMPAIGN_FAMILIES)
        for s in range(60)
    ]
    assert min(held) == 0
    assert max(held) >= 5


def test_ablation_says_what_recall_each_signal_is_worth():
    outcomes = {
        "everything": {"campaigns": {"pool-0": [8, 10], "relay-0": [5, 5]}, "honest_accused": 0},
        "handoff": {"campaigns": {"pool-0": [8, 10], "relay-0": [0, 5]}, "honest_accused": 1},
    }
    rows = ablation_table([{"outcomes": outcomes}])["rows"]
    assert rows["everything"]["recall"] == 0.9
    assert rows["handoff"]["loses"] == 0.5
    assert rows["handoff"]["by_family"] == {"pool": 0.8, "relay": 0.0}
    assert rows["handoff"]["honest_accused"] == 1


def test_a_signal_that_is_switched_off_is_not_evaluable_and_is_named(tmp_path):
    made = simulate("tiny", seed=5, out=tmp_path / "world")

    def run(name: str, **options) -> object:
        return scan([made.out / "exchanges"], accounts=made.accounts_csv, threads=1,
                    out=tmp_path / name, **options)  # fmt: skip

    plain, without = run("a"), run("b", without=["shared_exits", "handoff"])
    assert plain.summary["parameters"]["without"] == []
    assert without.summary["parameters"]["without"] == ["handoff", "shared_exits"]
    off = {s["name"] for s in without.summary["signals"] if not s["evaluable"]}
    assert off - {s["name"] for s in plain.summary["signals"] if not s["evaluable"]} == {
        "handoff", "shared_exits",
    }  # fmt: skip
    assert not _made(without) & {"handoff", "shared_exits"}
    assert _made(plain) == _made(without) | {"handoff", "shared_exits"}


def _made(result) -> set[str]:
    """Return the signals with a p-value in any cohort."""
    rows = zip(*(result.signals[c].to_pylist() for c in ("signal", "p_value")), strict=True)
    return {name for name, p in rows if p is not None and p == p}


def test_no_campaign_is_accused_without_the_claim_extractive(tmp_path):
    made = simulate("tiny", seed=5, out=tmp_path / "world")
    asked = [t.name for t in TESTS if t.claim == "extractive"]
    assert asked
    result = scan([made.out / "exchanges"], accounts=made.accounts_csv, threads=1,
                  out=tmp_path / "run", without=asked)  # fmt: skip
    assert result.summary["cannot_accuse"]
    assert result.exit_code == 0


def test_a_signal_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="no such signal"):
        scan(["nothing"], without=["clairvoyance"])


RESULT = {
    "worlds": 1, "seeds": [1], "scenarios": ["tiny"], "detectors": [], "commits": ["abc1234"],
    "calibration": alpha_bound([world("none", {})]),
}  # fmt: skip


def test_looks_at_the_held_out_seeds_are_appended_and_counted(tmp_path):
    ledger = tmp_path / "deep" / "heldout.jsonl"
    now = datetime(2026, 11, 27, 0, 30, tzinfo=UTC)
    assert append_look(ledger, "smoke", RESULT, now) == 1
    assert append_look(ledger, "smoke", RESULT, now) == 2
    first, second = (json.loads(line) for line in ledger.read_text().splitlines())
    assert first == second
    assert first["at"] == "2026-11-27T00:30:00Z"
    assert first["commit"] == commit_here()
    assert first["records_of"] == ["abc1234"]
    assert first["alpha"]["worlds"] == 1
