"""The overview's figures are the run's and the case database's, and the value code's own."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns import load_assumptions, value_at_risk
from stillwatch.console.links import tie
from stillwatch.report.appendix import ASSUMPTIONS

TOKENS = {
    "input_tokens": 3_000_000_000, "output_tokens": 900_000_000, "cost_micro_usd": 400_000_000,
    "unpriced_input_tokens": 2_000_000_000, "unpriced_output_tokens": 600_000_000,
}  # fmt: skip


def form_of(ranges):
    return {f"{name}-{end}": str(value) for name, triple in ranges.items()
            for end, value in zip(("low", "mid", "high"), triple, strict=True)}  # fmt: skip


def test_the_value_is_reckoned_by_the_scans_own_code(desk, inside):
    desk.index.__dict__["harvest"] = TOKENS  # this world kept no exchanges
    ranges = dict(load_assumptions().ranges) | {"exposed_usd_per_year": (1e6, 2e6, 3e6)}
    from stillwatch.campaigns import Assumptions

    mine = value_at_risk(TOKENS, Assumptions(ranges), np.random.default_rng(20261125))
    assert mine["revenue_scenario_usd"]["mid"] > 0
    who = inside("Vi")
    page = who.post("/overview/value", form_of(ranges)).text
    from stillwatch.report.numbers import usd

    for key in ("harvest_list_price_usd", "serving_loss_usd", "revenue_scenario_usd"):
        assert f'<td class="n">{usd(mine[key]["mid"])}</td>' in page
        assert f"{usd(mine[key]['low'])} to {usd(mine[key]['high'])}" in page
    whole = mine["harvest_list_price_usd"]
    part = f"({100 * 400 / whole['mid']:.0f} % at the log&#39;s own cost, the rest at list price)"
    assert page.count(f"Harvest {part}") == 2
    assert set(ASSUMPTIONS) == set(ranges)
    assert "not entered" not in page
    none = form_of(ranges | {"exposed_usd_per_year": (0, 0, 0)})
    again = who.post("/overview/value", none).text
    assert again.count('colspan="2">not entered</td>') == 1
    title = '<title id="value-ranges-t">'
    drawn = [text.split(title)[1].split("</title>")[0] for text in (page, again)]
    assert usd(mine["revenue_scenario_usd"]["high"]) in drawn[0]
    assert "revenue scenario, a year not entered" in drawn[1]


@pytest.mark.parametrize("bad", [("3", "2", "1"), ("x", "2", "3"), ("-1", "2", "3"),
                                 ("nan", "2", "3"), ("0", "1", "inf"), ("", "", "")])  # fmt: skip
def test_a_range_that_is_none_is_refused(desk, inside, bad):
    desk.index.__dict__["harvest"] = TOKENS
    form = form_of(load_assumptions().ranges)
    form |= dict(zip(("cost_share-low", "cost_share-mid", "cost_share-high"), bad, strict=True))
    answer = inside("Vi").post("/overview/value", form)
    assert answer.status_code == 422
    assert "cost of serving" in answer.text


def test_without_exchanges_nothing_is_reckoned(desk, inside):
    assert desk.index.harvest is None
    answer = inside("Vi").post("/overview/value", form_of(load_assumptions().ranges))
    assert answer.status_code == 422
    assert "kept no exchanges" in answer.text


def test_the_csv_has_every_case(desk, inside):
    rows = list(csv.DictReader(io.StringIO(inside("Vi").get("/overview.csv").text)))
    assert [r["case"] for r in rows] != []
    assert {r["case"] for r in rows} == {line.case_id for line in desk.lines()}
    for row in rows:
        line = desk.line(row["case"])
        assert int(row["accused"]) == line.accused
        assert int(row["exchanges"]) == desk.campaign_of(line)["exchanges"]


def pieces(edges, accounts):
    """The oracle: components by repeated merging of sets."""
    groups = [{a} for a in accounts]
    for a, b in edges:
        touched = [g for g in groups if a in g or b in g]
        joined = {a, b}.union(*touched)
        groups = [g for g in groups if g not in touched] + [joined]
    return [g & set(accounts) for g in groups if g & set(accounts)]


@given(
    edges=st.lists(
        st.tuples(st.sampled_from("pqrs"), st.sampled_from("abcdef"), st.sampled_from(("x", "y"))),
        max_size=14,
    ),
    without=st.sampled_from([frozenset(), frozenset({"x"}), frozenset({"x", "y"})]),
)
def test_what_remains_is_what_an_oracle_finds(edges, without):
    accounts = list("abcdef")
    table = pa.table(
        {"a": pa.array([e[0] for e in edges], pa.string()),
         "b": pa.array([e[1] for e in edges], pa.string()),
         "kind": pa.array([e[2] for e in edges], pa.string())}
    )  # fmt: skip
    kept = [(a, b) for a, b, k in edges if k not in without]
    sizes = [len(g) for g in pieces(kept, accounts)]
    found = tie(pa.chunked_array([accounts]), table).remains(without)
    assert found.links == len(kept)
    assert found.joined == max(sizes)
    assert found.alone == sizes.count(1)
    assert found.pieces == sum(s > 1 for s in sizes)
