"""Statements are hostile: whatever stands in a file, it is read or refused by place."""

from __future__ import annotations

import json
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import SchemaError
from stillwatch.policy.owners import read_statements
from stillwatch.policy.owners.graph import build_graph
from stillwatch.policy.owners.holdings import UNIT
from stillwatch.policy.owners.shares import from_bods, from_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                 max_size=3),
    max_leaves=8,
)  # fmt: skip
ID = st.sampled_from(["a", "b", "c"])
SHARE = st.dictionaries(
    st.sampled_from(["exact", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    st.integers(-5, 120) | st.floats(-1, 101) | JSON,
    max_size=3,
)
INTEREST = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["shareholding", "votingRights", "nominee", "nominator"]) | JSON,
        "directOrIndirect": st.sampled_from(["direct", "indirect", "unknown"]) | JSON,
        "share": SHARE | JSON,
        "startDate": st.sampled_from(["2020", "2020-02-31", "2026-12", ""]) | JSON,
        "endDate": st.sampled_from(["2020", "2030-01-01"]) | JSON,
    },
)
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "subject": ID | JSON, "interestedParty": ID | JSON,
        "interests": st.lists(INTEREST | JSON, max_size=3) | JSON,
        "componentRecords": JSON, "entityType": JSON, "jurisdiction": JSON, "name": JSON,
    },
)  # fmt: skip
STATEMENT = st.fixed_dictionaries(
    {"recordType": st.sampled_from(["person", "entity", "relationship"]) | JSON},
    optional={
        "statementId": ID | JSON, "recordId": ID | JSON, "recordDetails": DETAILS | JSON,
        "recordStatus": st.sampled_from(["new", "updated", "closed"]) | JSON,
        "statementDate": st.sampled_from(["2026-01-01", "2099"]) | JSON,
    },
)  # fmt: skip
PROPERTIES = st.dictionaries(
    st.sampled_from(["owner", "asset", "percentage", "startDate", "endDate", "status", "role",
                     "jurisdiction", "name"]),
    st.lists(ID | st.text(max_size=6), max_size=3) | JSON,
    max_size=5,
)  # fmt: skip
FTM = st.fixed_dictionaries(
    {"schema": st.sampled_from(["Company", "Person", "Ownership", "Trust"]) | JSON},
    optional={"id": ID | JSON, "properties": PROPERTIES | JSON},
)


@settings(max_examples=300)
@given(rows=st.lists(STATEMENT, max_size=4) | st.lists(FTM, max_size=4))
def test_any_statements_are_read_or_refused(rows, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "fuzz.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    register = refused = None
    try:
        register = read_statements([file], date(2026, 11, 26))
    except SchemaError as error:
        refused = error
    if register is None:
        assert refused is not None
        assert "fuzz.json" in refused.where
        return
    for unknown in (True, False):
        for kind in ("shareholding", "votingRights"):
            for owned in build_graph(register, kind, remainder_unknown=unknown).owned.values():
                assert sum(h.low for h in owned.holdings) + owned.unknown_low <= UNIT
                for holding in owned.holdings:
                    assert 0 <= holding.low <= holding.high <= UNIT
                assert 0 <= owned.unknown_low <= owned.unknown_high <= UNIT


@given(share=SHARE | JSON)
def test_a_share_is_an_interval_inside_the_whole(share):
    bounds = from_bods(share)
    assert 0 <= bounds.low <= bounds.high <= UNIT


@given(
    text=st.text(max_size=30)
    | st.from_regex(r"[<>=]{0,2} ?\d{1,4}([.,]\d{1,12})?( ?- ?\d{1,3})?%?")
)
def test_a_text_is_an_interval_inside_the_whole(text):
    bounds = from_text(text)
    assert 0 <= bounds.low <= bounds.high <= UNIT
