"""Identities out of bodies that are too long to be read: as a JSON parser finds them."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.guard.skim import Skim

PATHS = [("account_id",), ("request_data", "user")]
NAMES = st.sampled_from(("account_id", "request_data", "user", "messages", 'a"\\\u00e9', ""))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9)
    | st.sampled_from(("account_id", '{"account_id":"x"}', '\\"', "}],")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def found(data: bytes, step: int) -> dict:
    skim = Skim(PATHS)
    for at in range(0, len(data), step):
        skim.feed(data[at : at + step])
    return skim.value()


def parsed(value: dict) -> dict:
    """The oracle: the same texts, of a value that a parser read."""
    wanted = {}
    if isinstance(value.get("account_id"), str):
        wanted["account_id"] = value["account_id"]
    inner = value.get("request_data")
    if isinstance(inner, dict) and isinstance(inner.get("user"), str):
        wanted["request_data"] = {"user": inner["user"]}
    return wanted


@given(
    body=st.dictionaries(NAMES, VALUES, max_size=6), step=st.integers(1, 50),
    spaced=st.booleans(), ascii_only=st.booleans(),
)  # fmt: skip
def test_it_finds_what_a_parser_finds_in_pieces_of_any_size(body, step, spaced, ascii_only):
    text = json.dumps(body, ensure_ascii=ascii_only, indent=1 if spaced else None)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert found(data, step) == parsed(body)


@given(st.binary(max_size=80), st.integers(1, 9))
def test_bytes_of_any_kind_raise_nothing(data, step):
    found(data, step)


def test_a_text_that_looks_like_json_is_a_text():
    inner = '","account_id":"good","x":"'
    body = {"messages": [{"role": "user", "content": inner}], "account_id": "bad", "model": inner}
    assert found(json.dumps(body).encode(), 7) == {"account_id": "bad"}


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_body_that_does_not_end_says_nothing(cut):
    data = json.dumps({"account_id": "a", "messages": ["x" * 40]}).encode()
    assert found(data[:-cut], 11) == {}


def test_memory_does_not_grow_with_the_body():
    skim = Skim(PATHS)
    skim.feed(b'{"messages":[{"content":"')
    piece = b"y" * 65_536
    tracemalloc.start()
    for _ in range(500):
        skim.feed(piece)
    skim.feed(b'"}],"account_id":"')
    skim.feed(piece)
    skim.feed(b'","request_data":{"user":"u"}}')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert skim.value() == {"request_data": {"user": "u"}}  # an identifier of 64 KB is none
    assert peak < 1_000_000
