"""A harvest says at which prices it is; what is counted as unpriced has no cost above 0."""

from __future__ import annotations

import duckdb
import pytest

from stillwatch.schema import HARVEST_SUMS_SQL, pricing

RANGE = {"low": 90.0, "mid": 100.0, "high": 110.0}
MIXED = "({} % at the log's own cost, the rest at list price)"


@pytest.mark.parametrize(
    ("harvest", "told"),
    [
        (RANGE | {"logged": 0.0}, "at list price"),
        (dict.fromkeys(RANGE, 7.0) | {"logged": 0.0}, "at list price"),  # a range without width
        (dict.fromkeys(RANGE, 7.0) | {"logged": 7.0}, "at the log's own cost"),
        (dict.fromkeys(RANGE, 0.0) | {"logged": 0.0}, "at list price"),
        (RANGE | {"logged": 29.4}, MIXED.format(29)),
        (RANGE | {"logged": 0.2}, MIXED.format("under 1")),
        (RANGE | {"logged": 99.8}, MIXED.format("over 99")),
        (RANGE, "at list price"),  # runs that do not say `logged`
        (dict.fromkeys(RANGE, 7.0), "(at the log's own cost or at list price)"),
    ],
)
def test_the_prices_are_named(harvest, told):
    assert pricing(harvest) == told


def test_tokens_are_unpriced_where_the_log_has_no_cost_above_0():
    rows = "(VALUES (1, 10, NULL), (2, 20, 0), (4, NULL, 9), (8, 80, 5))"
    found = duckdb.sql(
        f"SELECT {HARVEST_SUMS_SQL} FROM {rows} e(input_tokens, output_tokens, cost_micro_usd)"
    ).fetchall()
    assert found == [(15, 110, 14, 3, 30)]
    nothing = duckdb.sql(
        f"SELECT {HARVEST_SUMS_SQL} FROM {rows} e(input_tokens, output_tokens, cost_micro_usd) "
        "WHERE input_tokens > 9"
    ).fetchall()
    assert nothing == [(0, 0, 0, 0, 0)]
