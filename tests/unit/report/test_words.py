"""Numbers, hostile text, and the writer that escapes itself."""

from __future__ import annotations

import html
import math
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.report.numbers import (
    compact,
    count,
    day_range,
    duration,
    plain,
    share,
    share_range,
    usd_range,
)
from stillwatch.report.pictures.layout import place_nodes, push_apart
from stillwatch.report.pictures.nulls import null_drawing
from stillwatch.report.svg import el, nice_ticks, time_ticks
from stillwatch.report.visible import _PLAIN, _escaped, shorten, visible

NB = "\u00a0"
HIDDEN = (0x202E, 0x2066, 0x200B, 0x200D, 0xAD, 0xFEFF, 0, 0x1B, 0x2028, 0xD800, 0xFE0F, 0x3164)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, "0"),
        (0.021, "2.1"),
        (0.0304, "3.0"),
        (0.12, "12"),
        (0.123, "12.3"),
        (1, "100"),
        (0.00043, "0.043"),
        (0.9999, "99.99"),
        (0.99999, "100"),
        (0.5, "50"),
    ],
)
def test_share(value, wanted):
    assert share(value) == f"{wanted}{NB}%"


def test_unknown_is_never_zero():
    for value in (None, math.nan, math.inf, "12", True, []):
        assert count(value) == share(value) == plain(value) == "not known"
    assert share_range(0.1, None) == usd_range(None, 3) == "not known"


def test_ranges():
    assert share_range(0.018, 0.030) == f"1.8–3.0{NB}%"
    assert usd_range(41_000, 44_200) == "$41–44k"
    assert usd_range(900_000, 1_200_000) == "$900k–1.2M"
    assert usd_range(41_000, 41_020) == "$41k"
    assert compact(519_897_600) == "520M"
    assert duration(37 * 3_600_000_000) == f"37{NB}h"


def test_plain():
    assert plain(5200) == "5,200"
    assert plain(1e-9) == f"1.0{NB}×{NB}10⁻⁹"
    assert plain(0.61) == "0.61"
    assert plain(-3.25) == "-3.25"


def test_day_range_is_as_short_as_it_can_be():
    a, b = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 24, tzinfo=UTC)
    assert day_range(a, b) == f"3–24{NB}Mar{NB}2026"
    assert day_range(a, a) == f"3{NB}Mar{NB}2026"
    assert day_range(a, datetime(2027, 1, 2, tzinfo=UTC)).startswith(f"3{NB}Mar{NB}2026 – ")


@pytest.mark.parametrize("code", HIDDEN)
def test_hidden_characters_are_shown(code):
    assert visible(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


def test_honest_text_in_any_script_stays():
    for words in ("plain", "naïve café", "日本語のテキスト", "עברית", "हिन्दी", "a\u00a0b – “c”"):
        assert visible(words) == words


def test_what_is_not_looked_at_one_by_one_is_what_would_be_left_as_it_is():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    plain = "".join(_PLAIN.findall(every))
    assert len(plain) > 20_000
    assert _escaped(plain, lines=False) == plain


def test_combining_marks_cannot_pile_up():
    assert visible("e" + "\u0301" * 8).count("⟨U+0301⟩") == 5


def test_long_text_is_cut_and_counted():
    assert visible("x" * 20_500).endswith("… (500 characters not shown)")


def test_shorten_keeps_both_ends():
    assert shorten("acct-0123456789abcdef9c2d", 12) == "acct-01…9c2d"
    assert shorten("short") == "short"


@given(st.text())
def test_no_text_becomes_markup(words):
    markup = str(el("text", words, data=words))
    inner = markup.removeprefix('<text data="').removesuffix("</text>")
    attribute, _, content = inner.partition('">')
    assert "<" not in inner
    assert '"' not in attribute
    assert html.unescape(content) == visible(words)
    markup.encode("utf-8")


@given(st.floats(1e-9, 1e12))
def test_ticks_cover_their_value(high):
    ticks = nice_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * 0.999
    assert len(ticks) <= 8


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_time_ticks_lie_inside(low, span):
    ticks = time_ticks(low, low + span)
    assert all(low <= t <= low + span for t, _ in ticks)


def test_layout_repeats_and_stays_in_the_square():
    edges = [(0, i, 1.0) for i in range(1, 40)]
    one, two = place_nodes(40, edges, [1.0] * 40), place_nodes(40, edges, [1.0] * 40)
    assert np.array_equal(one, two)
    assert np.isfinite(one).all()
    assert one.min() >= 0
    assert one.max() <= 1
    assert len({(round(float(x), 3), round(float(y), 3)) for x, y in one}) == 40
    assert place_nodes(0, [], []).shape == (0, 2)
    assert place_nodes(1, [], [1.0]).shape == (1, 2)


def test_an_edge_draws_its_ends_together_whichever_is_named_first():
    at = place_nodes(12, [(0, 11, 9.0)], [1.0] * 12)
    near = np.hypot(*(at[0] - at[11]))
    assert near < np.hypot(*(at[0] - at[1:11]).T).min()
    assert np.allclose(place_nodes(12, [(11, 0, 9.0)], [1.0] * 12), at)


def test_circles_are_pushed_apart_inside_the_room():
    at = np.array([[5.0, 5.0], [5.5, 5.0], [5.0, 6.0], [90.0, 20.0]])
    moved = push_apart(at, [4.0, 4.0, 4.0, 9.0], (100, 50))
    gaps = np.hypot(*(moved[:, None] - moved[None]).T)[np.triu_indices(4, 1)]
    assert (gaps > [7.9, 7.9, 12.9, 7.9, 12.9, 12.9]).all()
    assert (moved >= 4).all()
    assert (moved[:, 1] <= 46).all()
    assert moved[3].tolist() == [90.0, 20.0]  # nothing is near it


def test_evidence_without_a_null_is_not_drawn():
    assert null_drawing({"statistic": 3.0, "null": None}, "x", "t") is None
    assert null_drawing({"statistic": None, "null": {"expected": 1.0}}, "x", "t") is None
    null = {"expected": 1.0, "low": 1.0, "high": 1.0, "draws": [1.0] * 41}
    flat = str(null_drawing({"statistic": 1.0, "null": null}, "x", "t"))
    assert "nan" not in flat.lower()
