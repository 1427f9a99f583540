"""What sharing is worth: how worlds are divided, counted, and that the exchange is the real one."""

from __future__ import annotations

import csv
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.bench import sharing
from stillwatch.bench.exchange import divide, found, private_values
from stillwatch.bench.sharing import results, run_sharing
from stillwatch.bench.truth import read_truth
from stillwatch.simulate import WORLDS, simulate


def scanned(caught: dict[str, int], core: int = 18, false: int = 0, **more: Any) -> dict[str, Any]:
    return {"accounts": 500, "tested": 9, "needed_e": 1e3, "caught": sum(caught.values()),
            "campaigns": caught, "false": false, "honest": 480, "core": core, **more}  # fmt: skip


def record(alone: list[dict[str, int]], together: list[dict[str, int]]) -> dict[str, Any]:
    wire = {"bytes": 10, "identifiers": 5, "identifiers_found": 0, "texts": 3,
            "texts_with_passages_found": 0, "events": {}}  # fmt: skip
    made: dict[str, Any] = {str(k): scanned(c, corroborated=1) for k, c in enumerate(together)}
    return {
        "commit": "abc", "seed": 1, "accounts": 1_000, "slices": {"a": 4, "b": 6},
        "alone": {str(k): scanned(c) for k, c in enumerate(alone)},
        "together": {"2 members": {**made, "wire": wire}},
    }  # fmt: skip


def test_results_compare_the_same_members_alone_and_together(tmp_path):
    one = record([{"b": 6}, {}], [{"a": 4, "b": 6}, {"a": 4}])
    (tmp_path / "1.json").write_text(json.dumps(one))
    told = results(tmp_path)["by_exchange"]["2 members"]
    assert told["alone"]["accounts_accused"] == 6
    assert told["together"]["accounts_accused"] == 14
    assert told["alone"]["accounts"] == told["together"]["accounts"] == 36
    assert told["by_accounts_a_slice"] == {
        "4": {"slices": 2, "alone": 0, "together": 2},
        "6": {"slices": 2, "alone": 1, "together": 1},
    }
    assert (told["campaigns"], told["nobody_alone_all_together"]) == (2, 1)
    assert results(tmp_path / "none")["worlds"] == 0


def test_identifiers_are_found_as_they_are_hidden():
    wire = b'{"a": "acct_12345678", "b": "b3JnXzk4NzY1NDMy"}'
    assert found(["acct_12345678", "org_98765432", "key_55555555"], wire) == [
        "acct_12345678", "org_98765432",
    ]  # fmt: skip


@pytest.mark.slow
def test_everybody_is_the_customer_of_one_provider_and_slices_are_thin(tmp_path):
    from dataclasses import replace

    from stillwatch.simulate import Size

    honest = WORLDS["demo"].without_campaigns().scale(0.1, requests=0.2, name="x")
    made = simulate(replace(honest, load_balanced=Size(2, 12, 20)), seed=3, out=tmp_path / "world")
    truth = read_truth(made.truth_parquet)
    owner = divide(made, truth, tmp_path, 3, (2, ((0, 1, 2, 3), (1,), (0, 3))))
    seen: dict[str, int] = {}
    for k in range(3):
        log = pq.read_table(tmp_path / f"provider{k}" / "exchanges", columns=["account_id"])
        with (tmp_path / f"provider{k}" / "accounts.csv").open(newline="") as file:
            mine = {row["account_id"] for row in csv.DictReader(file)}
        assert set(log["account_id"].to_pylist()) <= mine
        assert not mine & set(seen)
        seen |= dict.fromkeys(mine, k)
    assert seen == owner
    core = [truth[a].campaign for a in owner if truth[a].core]
    assert sorted(core.count(name) for name in set(core)) == [6, 7], "2 at each, and 4, 1 and 2"
    second = sorted(a for a, w in truth.items() if w.core and w.campaign == max(core))
    assert [a for a in second if owner.get(a) == 1] == [second[4]], "the second dealt to it"
    values, texts = private_values(
        tmp_path / "provider0" / "exchanges", tmp_path / "provider0" / "accounts.csv",
        {a for a in owner if truth[a].core},
    )  # fmt: skip
    assert texts
    assert {a for a, k in owner.items() if k == 0 and a in values}
    nobody = private_values(
        tmp_path / "provider0" / "exchanges", tmp_path / "provider0" / "accounts.csv", set()
    )
    assert nobody == (values, set())


@pytest.mark.slow
def test_a_world_end_to_end_with_real_processes(tmp_path, monkeypatch):
    """Three providers, a hub and a witness: what goes over the wire holds no customer."""
    monkeypatch.setitem(sharing.SUITES, "test", sharing.Suite(1, 0.12, 3, (8,), (3,)))
    said: list[str] = []
    run_sharing("test", tmp_path, tell=said.append)
    (file,) = tmp_path.glob("*.json")
    before = file.read_bytes()
    run_sharing("test", tmp_path)
    assert file.read_bytes() == before, "what is there is not made again"
    one = json.loads(before)
    assert set(one["together"]) == {"3 members", "3 members, 2 liars"}
    for name, told in one["together"].items():
        wire = told["wire"]
        assert wire["bytes"] > 1_000
        assert wire["identifiers"] > 1_000
        assert wire["texts"] > 100
        assert (wire["identifiers_found"], wire["texts_with_passages_found"]) == (0, 0), name
        events = wire["events"]
        assert events["propose"] >= 3
        assert events["evaluate"] >= 3
        assert sum(told[str(k)]["false"] for k in range(3)) == 0
    # liars vote for everything, and everything that two of them know is corroborated
    asked = [one["templates"][str(k)][1] for k in range(3)]
    lied = [one["together"]["3 members, 2 liars"][str(k)]["corroborated"] for k in range(3)]
    assert lied == asked
    told = results(tmp_path)["by_exchange"]["3 members"]
    assert told["alone"]["accounts"] == 24
    assert len(said) == 3
