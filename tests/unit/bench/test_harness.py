"""One tiny world through every detector: records, resumption, tables and pictures."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from stillwatch.bench import results_of, suite, write_pages
from stillwatch.bench.baselines import BASELINES
from stillwatch.bench.harness import run_suite, run_trial
from stillwatch.bench.scenarios import EVENT_DRIFTS, MIX_DRIFTS, benign, scenario
from stillwatch.bench.suites import SUITES, Suite, Trials
from stillwatch.bench.table import SHARE_EDGES
from stillwatch.errors import ConfigError
from stillwatch.simulate import WORLDS

NAMES = {"stillwatch", *(b.facts.name for b in BASELINES)}


def test_every_detector_leaves_one_record_and_the_world_is_gone(tiny_records):
    files = {p.name for p in (tiny_records / "trials").iterdir()}
    assert files == {f"tiny-3-{name}.json" for name in NAMES}
    assert not list((tiny_records / "work").iterdir())


def test_all_detectors_are_judged_on_the_same_accounts(tiny_records):
    records = [json.loads(p.read_text()) for p in (tiny_records / "trials").iterdir()]
    assert len({(r["honest"], r["accounts"], r["exchanges"]) for r in records}) == 1
    sizes = {json.dumps({k: len(c["scores"]) for k, c in r["campaigns"].items()}) for r in records}
    assert len(sizes) == 1
    assert sum(records[0]["traffic_share"].values()) < 1


def test_what_is_there_is_not_made_again(tiny_records):
    folder = tiny_records / "trials"
    lost = folder / "tiny-3-prada.json"
    before = {p.name: (p.stat().st_mtime_ns, p.read_text()) for p in folder.iterdir()}
    lost.unlink()
    run_trial(scenario("tiny"), 3, tiny_records)
    after = {p.name: (p.stat().st_mtime_ns, p.read_text()) for p in folder.iterdir()}
    assert {n for n in before if before[n][0] != after[n][0]} == {lost.name}
    again, first = (json.loads(v[lost.name][1]) for v in (after, before))
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_results_hold_every_detector_and_its_numbers_agree(tiny_records):
    result = results_of(tiny_records)
    assert {d["name"] for d in result["detectors"]} == NAMES
    assert result["worlds"] == 1
    for detector in result["detectors"]:
        for rate in detector["rates"].values():
            assert rate["honest_above"] <= float(rate["rate"]) * rate["honest"]
            found = rate["accounts"]
            assert found["low"] <= found["found"] / found["of"] <= found["high"]
    missed = {(m["family"], m["rung"]) for m in result["misses"]}
    record = json.loads((tiny_records / "trials" / "tiny-3-stillwatch.json").read_text())
    assert missed == {(c["family"], c["rung"] or 0) for c in record["campaigns"].values()}


def test_pages_are_written_and_show_every_detector(tiny_records, tmp_path):
    write_pages(results_of(tiny_records), tmp_path)
    page = (tmp_path / "benchmark.html").read_text()
    table = (tmp_path / "table.md").read_text()
    for baseline in BASELINES:
        assert baseline.facts.title in page
        assert baseline.facts.title in table
    for name in ("recall-by-rung.svg", "recall-by-share.svg"):
        root = ElementTree.fromstring((tmp_path / name).read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(root.findall(".//{http://www.w3.org/2000/svg}circle"))
    assert not re.search(r"(src|href)=", page)
    assert not list(tmp_path.glob("*.part"))


def test_the_same_records_give_the_same_bytes(tiny_records, tmp_path):
    for name in ("a", "b"):
        write_pages(results_of(tiny_records), tmp_path / name)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.slow
def test_looks_and_benign_worlds_of_a_suite(tmp_path):
    small = Suite("mine", (Trials(scenario("tiny"), 1, 1),), 57, 1, ("class_season",), "tiny")
    run_suite(small, tmp_path)
    result = results_of(tmp_path)
    (looks,) = [json.loads(p.read_text()) for p in (tmp_path / "looks").iterdir()]
    for one in looks["campaigns"]:
        shares = [look["share"] for look in one["looks"]]
        assert shares == sorted(shares)
        assert one["looks"][-1]["requests"] <= one["total"]
        assert one["found_at"] in (None, shares[-1])
        assert (one["found_at"] is None) == (shares[-1] == 1.0 and not _found(one["looks"][-1]))
    assert result["calibration"]["by_drift"]["class_season"]["worlds"] == 1


def _found(look):
    return 2 * look["accused"] >= look["active"]


def test_suites_read_no_held_out_seed_and_no_held_out_tactic():
    for name in SUITES:
        open_, hidden = suite(name), suite(name, held_out=True)
        assert "tactics" not in [t.scenario.name for t in open_.trials]
        assert max(t.seeds for t in open_.trials) < 50_000
        assert set(open_.drifts) <= {*MIX_DRIFTS, *EVENT_DRIFTS}
        if name != "smoke":
            assert "tactics" in [t.scenario.name for t in hidden.trials]
    with pytest.raises(ConfigError, match="no suite named"):
        suite("enormous")


def test_a_shift_of_the_mix_keeps_the_size_of_the_world():
    plain = sum(s.total for s in WORLDS["demo-benign"].sizes().values())
    for drift in MIX_DRIFTS:
        world = benign(drift).world
        total = sum(s.total for s in world.sizes().values())
        assert abs(total - plain) <= 0.02 * plain, drift
        assert not any(world.sizes()[f].total for f in ("stealth", "proxy_pool", "relay"))
    with pytest.raises(ConfigError, match="no drift named"):
        benign("earthquake")


def test_event_drifts_hold_no_campaign():
    for drift in EVENT_DRIFTS:
        assert not benign(drift).world.campaign


def test_texts_come_from_the_split_that_a_run_may_read(tmp_path):
    for held_out, split in ((False, "development"), (True, "held_out")):
        made = suite("standard", held_out=held_out, corpora=tmp_path)
        planned = [t.scenario for t in made.trials if t.scenario.name.endswith("-texts")]
        assert {s.world.corpora for s in planned} == {split}
        assert {s.corpora for s in planned} == {tmp_path}
        assert [t.scenario.name for t in made.trials if t.scenario not in planned] == ["demo"]
    plain = suite("standard")
    assert all(t.scenario.corpora is None for t in plain.trials)


def test_share_edges_ascend():
    assert list(SHARE_EDGES) == sorted(set(SHARE_EDGES))
