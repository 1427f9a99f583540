"""Value at risk: ordered ranges, honest unknowns, and errors that name the entry."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaigns import (
    Assumptions,
    harvest_value,
    load_assumptions,
    scaled,
    value_at_risk,
)
from stillwatch.errors import ConfigError

TOKENS = {
    "input_tokens": 2_000_000, "output_tokens": 1_000_000, "cost_micro_usd": 0,
    "unpriced_input_tokens": 2_000_000, "unpriced_output_tokens": 1_000_000,
}  # fmt: skip
PRICED = {"cost_micro_usd": 12_340_000, "unpriced_input_tokens": 0, "unpriced_output_tokens": 0}


def rng():
    return np.random.default_rng(1)


def packaged_text():
    from importlib import resources

    return resources.files("stillwatch.campaigns").joinpath("value.toml").read_text("utf-8")


def test_ranges_are_ordered_and_lie_between_the_extremes():
    found = harvest_value(TOKENS, load_assumptions(), rng())
    assert 2 * 1 + 5 <= found["low"] < found["mid"] < found["high"] <= 2 * 5 + 25


def test_the_logs_own_cost_is_taken_where_it_has_one():
    found = harvest_value(TOKENS | PRICED, load_assumptions(), rng())
    assert found == {"low": 12.34, "mid": 12.34, "high": 12.34, "logged": 12.34}


def test_a_log_with_some_costs_is_valued_at_them_and_the_rest_at_list_price():
    half = TOKENS | PRICED | {"unpriced_output_tokens": 500_000}
    listed = harvest_value(half | {"cost_micro_usd": 0}, load_assumptions(), rng())
    found = harvest_value(half, load_assumptions(), rng())
    assert listed["logged"] == 0
    assert found["logged"] == 12.34
    for end in ("low", "mid", "high"):
        assert found[end] == pytest.approx(listed[end] + 12.34, abs=0.011)
    whole = value_at_risk(half, load_assumptions(), rng())
    assert whole["harvest_list_price_usd"] == found
    assert "output_usd_per_mtok" in [m["assumption"] for m in whole["most_sensitive"]]


def test_a_sampled_log_scales_what_has_no_cost_too():
    assert scaled(TOKENS, 0.5) == {name: 2 * count for name, count in TOKENS.items()}


def test_nothing_harvested_is_worth_nothing():
    none = dict.fromkeys(TOKENS, 0)
    found = value_at_risk(none, load_assumptions(), rng())
    assert found["harvest_list_price_usd"] == {"low": 0.0, "mid": 0.0, "high": 0.0, "logged": 0.0}
    assert found["serving_loss_usd"] == {"low": 0.0, "mid": 0.0, "high": 0.0}


def test_the_views_are_apart_and_the_unknown_stays_unknown():
    found = value_at_risk(TOKENS, load_assumptions(), rng())
    assert found["training_spend_avoided_usd"] is None
    assert "total" not in " ".join(found)
    assert found["serving_loss_usd"]["high"] <= found["harvest_list_price_usd"]["high"]
    for view in ("harvest_list_price_usd", "serving_loss_usd", "revenue_scenario_usd"):
        assert found[view]["low"] <= found[view]["mid"] <= found[view]["high"]


def test_the_same_generator_gives_the_same_numbers():
    assert value_at_risk(TOKENS, load_assumptions(), rng()) == value_at_risk(
        TOKENS, load_assumptions(), rng()
    )


def test_the_assumption_that_moves_most_comes_first():
    ranges = load_assumptions().ranges | {"exposed_usd_per_year": (0.0, 1e9, 2e9)}
    found = value_at_risk(TOKENS, Assumptions(ranges), rng())
    assert found["most_sensitive"][0]["assumption"] in ("exposed_usd_per_year", "displaced_share")
    effects = [e["effect_usd"] for e in found["most_sensitive"]]
    assert effects == sorted(effects, reverse=True)


@pytest.mark.parametrize(
    "entry",
    ["[3.0, 1.0, 5.0]", "[1.0, 3.0]", "3.0", '["a", "b", "c"]', "[-1.0, 3.0, 5.0]",
     "[1.0, 3.0, nan]", "{}"],
)  # fmt: skip
def test_a_wrong_entry_is_named(tmp_path, entry):
    text = packaged_text().replace("[1.0, 3.0, 5.0]", entry)
    assert text != packaged_text()
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_assumptions(path)
    assert caught.value.where == "mine.toml: [prices] input_usd_per_mtok"


def test_an_endless_range_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(packaged_text().replace("[1.0, 3.0, 5.0]", "[1.0, 3.0, inf]"))
    with pytest.raises(ConfigError, match="input_usd_per_mtok"):
        load_assumptions(path)


def test_a_missing_entry_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(packaged_text().replace("paid_share", "payed_share"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: \[serving\] paid_share"):
        load_assumptions(path)


def test_a_file_that_is_not_toml_or_not_there_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_assumptions(path)
    path.write_text("[prices", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_assumptions(path)


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"# caf\xe9\n" + packaged_text().encode())
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_assumptions(path)
