"""What is worked out column by column is what the JMESPath library says, record by record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sources.expressions import _OPTIONS, Expression, Fields
from stillwatch.sources.shipped import SHIPPED, shipped_mapping

leaves = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, width=16)
    | st.sampled_from(["", "x", "AbC", "7", '{"a": {"b": 1}}', "[1]", "{", "a:b", "0"])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=5,
)
records = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), values), max_size=6)
paths = st.sampled_from(["a", "b", "a.b", "a.b.c", "c.a"])
literals = st.sampled_from(["`0`", "`null`", "`1.5`", '`"x"`', "'x'", "`false`"])
plain = st.recursive(
    paths | literals,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["||", "&&", ">", ">=", "<", "<="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda e: f"json({e})"),
        inner.map(lambda e: f"json({e}).a.b"),
        inner.map(lambda e: f"lower({e})"),
        inner.map(lambda e: f"scale({e}, `1000`)"),
        inner.map(lambda e: f'regex({e}, `"^(.):"`)'),
        inner.map(lambda e: f"regex({e}, '[A-Z0-9]+')"),
    ),
    max_leaves=5,
)


def said(one: Expression, row: dict[str, Any]) -> str | None:
    """Return what the library says; None where it cannot order a text and a number."""
    try:
        return repr(one._compiled.search(row, _OPTIONS))
    except TypeError:
        return None


@settings(max_examples=600, deadline=None)
@given(plain, records)
def test_columns_are_what_the_library_says(text: str, rows: list[dict[str, Any]]) -> None:
    one = Expression(text, "here")
    assert one._column is not None
    found, failed = one.values(Fields(rows))
    assert len(found) == len(rows)
    for value, want in zip(found, (said(one, row) for row in rows), strict=True):
        assert want in (repr(value), None)
    assert failed == 0


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("json(a).b", {"c": {"d": 1}}), ("json(a).b.c", {"d": 1}), ("json(a).b.c.d", 1),
        ("json(a).b.c.d.e", None), ("(x || json(a)).b.c.d", 1), ("lower(json(a).b.c)", None),
    ],
)  # fmt: skip
def test_fields_below_a_function(text: str, want: Any) -> None:
    """However many: the library has them all in one node."""
    one = Expression(text, "here")
    assert one._column is not None
    row = {"a": '{"b": {"c": {"d": 1}}}'}
    assert one.values(Fields([row])) == ([want], 0) == one._searched([row])


def test_a_text_and_a_number_have_no_order() -> None:
    """…which is null in the language, and not a failure of all around it."""
    rows = [{"a": "3", "b": 2}, {"a": 3, "b": 2}]
    found = Expression("a > b && 'more' || 'less'", "here").values(Fields(rows))
    assert found == (["less", "more"], 0)


@pytest.mark.parametrize(
    "text", ["a == 'x'", "a[0]", "a[].b", "length(a)", "a | b", "{x: a}", "regex(a, b)",
             "regex(a, '(')", "scale(a, 'x')", "json(a)[0]", "!a"],
)  # fmt: skip
def test_all_else_is_the_librarys(text: str) -> None:
    assert Expression(text, "here")._column is None


def test_a_number_too_large_for_a_float_is_null() -> None:
    assert Expression("scale(a, `1000`)", "here").values(Fields([{"a": 10**400}])) == ([None], 0)


def test_what_two_expressions_share_is_worked_out_once() -> None:
    fields = Fields([{"a": '{"b": {"c": 1}}'}])
    first = Expression("json(a)", "here").values(fields)[0]
    assert Expression("json(a).b || a", "here").values(fields)[0] == [{"c": 1}]
    assert Expression("json(a)", "there").values(fields)[0][0] is first[0]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_mappings_that_come_along_are_read_by_the_column(name: str) -> None:
    """What only the library can work out is read at half the speed."""
    mapping = shipped_mapping(name)
    for expression in (*mapping._columns.values(), *mapping._bodies.values()):
        assert expression._column is not None, expression.text
