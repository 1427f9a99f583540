"""C equals the reference on any text, and a row's features do not depend on its batch."""

from __future__ import annotations

import array
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch import kernel
from stillwatch.kernel import _kernel, intents, reference, shapes
from stillwatch.kernel.tokenizer import tokens

NASTY = st.sampled_from(
    [
        *"aZ09 _-\n\t\0é",
        *"ßΣςЖİ你好のカｶ한สγ٣१１Ａ⁂€",
        *"\u200b\u200d\u202e\u00ad\ufe0f\ufeff\u2028\U0001f44d\U000e0041𠀀𝐛\ufffd\uffff",
        "```", "<think>", "</think>", '"instruction"', "{", "}", "1. ", "score: 3",
        "step by step", "translate ", "一步一步", "abcdefgh", "x" * 70,
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=80), st.lists(NASTY, max_size=120).map("".join))
# Bytes near UTF-8: cut characters, stray continuation bytes, encoded surrogates, overlong forms.
BROKEN = st.lists(
    st.one_of(
        TEXTS.map(lambda t: t[:8].encode("utf-8", "surrogatepass")),
        st.binary(max_size=4),
        st.sampled_from(
            [
                b"\xed\xa0\x80",
                b"\xc0\x80",
                b"\xf4\x90\x80\x80",
                b"\xe4\xbd",
                b"\xf0\x9f\x98",
                b"\xff",
            ]
        ),
    ),
    max_size=30,
).map(b"".join)
CONTENT = st.one_of(st.none(), TEXTS.map(str.encode), BROKEN)
ROLE = st.sampled_from([b"system", b"developer", b"user", b"assistant", b"tool", b"x", b"", None])
MESSAGE = st.one_of(st.none(), st.fixed_dictionaries({"role": ROLE, "content": CONTENT}))
EXCHANGE = st.fixed_dictionaries(
    {
        "messages": st.one_of(st.none(), st.lists(MESSAGE, max_size=5)),
        "tools": st.one_of(st.none(), st.lists(CONTENT, max_size=4)),
        "tool_schema": CONTENT,
        "output_text": CONTENT,
        "reasoning_text": CONTENT,
        "reasoning_blob": CONTENT,
    }
)


@pytest.fixture(scope="module", params=_kernel.levels(), autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run every test with each set of instructions that this processor has."""
    _kernel.use(request.param)
    yield request.param
    _kernel.use(_kernel.levels()[-1])


def slow(exchange: dict[str, Any]) -> kernel.Features:
    return reference.featurize(exchange, intents.match_slowly(reference.scan_text(exchange)))


def as_batch(exchanges: list[dict[str, Any]], *, large: bool = False) -> pa.RecordBatch:
    text = pa.large_binary() if large else pa.binary()
    make_list = pa.large_list if large else pa.list_
    message = pa.struct([("role", text), ("content", text)])
    types = {"messages": make_list(message), "tools": make_list(text)}
    return pa.record_batch(
        {
            name: pa.array([e[name] for e in exchanges], types.get(name, text))
            for name in (
                "messages",
                "tools",
                "tool_schema",
                "output_text",
                "reasoning_text",
                "reasoning_blob",
            )
        }
    )


@given(st.one_of(TEXTS, BROKEN))
@example("a" * 64)
@example("a" * 63 + "\u200bb")
@example(" " * 63 + "x")
@example("\ud800 lone")
@settings(max_examples=400, deadline=None)
def test_tokens(text: bytes | str) -> None:
    hashes, kinds = _kernel.token_hashes(text)
    found = tokens(text)
    assert list(memoryview(hashes).cast("Q")) == [t.hash for t in found]
    assert list(kinds) == [t.kind for t in found]


@pytest.mark.parametrize("byte", ["a", "Q", "7", "é", "你"])
def test_tokens_of_every_length_at_every_place_of_a_block(byte: str) -> None:
    for length in (1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 33, 62, 63, 64, 65, 130):
        for place in range(66):
            text = " " * place + byte * length + " z9 2024 " + "b" * 20 + "."
            hashes, kinds = _kernel.token_hashes(text)
            found = tokens(text)
            assert list(memoryview(hashes).cast("Q")) == [t.hash for t in found]
            assert list(kinds) == [t.kind for t in found]


def test_a_level_that_is_not_here_is_refused() -> None:
    for name in ("sse9", "", 7, None):
        with pytest.raises(ValueError, match="no such level"):
            _kernel.use(name)
    assert _kernel.levels()[0] == "base"


@given(BROKEN)
@settings(max_examples=300, deadline=None)
def test_spans_point_at_their_tokens(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    of_bytes, of_text = tokens(data), tokens(text)
    assert [(t.text, t.char_start, t.char_end) for t in of_bytes] == [
        (t.text, t.char_start, t.char_end) for t in of_text
    ]
    for token in of_bytes:
        (again,) = tokens(data[token.byte_start : token.byte_end])
        assert (again.text, again.hash) == (token.text, token.hash)
        assert (
            text[token.char_start : token.char_end].encode()
            == (data[token.byte_start : token.byte_end])
        )


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_similarities(text: str) -> None:
    assert kernel.minhash(text) == reference.minhash(text)
    assert kernel.simhash(text) == reference.simhash(text)
    assert array.array("I").itemsize == 4


@given(st.one_of(TEXTS.map(str.encode), BROKEN))
@settings(max_examples=300, deadline=None)
def test_shapes(output: bytes) -> None:
    assert kernel.one({"output_text": output}).shapes == shapes.shapes_of(output)


@given(EXCHANGE)
@settings(max_examples=300, deadline=None)
def test_one(exchange: dict[str, Any]) -> None:
    assert kernel.one(exchange) == slow(exchange)


@given(st.lists(EXCHANGE, max_size=6), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_batch_and_any_slice_of_it(
    exchanges: list[dict[str, Any]], large: bool, data: st.DataObject
) -> None:
    whole = as_batch(exchanges, large=large)
    expected = [kernel.one(e)._asdict() for e in exchanges]
    assert kernel.batch(whole).to_pylist() == expected
    cut = data.draw(st.integers(0, len(exchanges)))
    parts = [whole.slice(0, cut), whole.slice(cut)]
    assert [row for part in parts for row in kernel.batch(part).to_pylist()] == expected


@pytest.mark.parametrize("unit", ["word and another1 ", "你好，世界。", "a\0\xff", "x"])
def test_ten_megabytes(unit: str) -> None:
    text = unit * (10_000_000 // len(unit.encode()))
    row = kernel.one({"messages": [{"role": "user", "content": text}], "output_text": text})
    of_one = len(tokens(unit))
    of_each_more = len(tokens(unit * 2)) - of_one
    assert row.last_user_bytes == len(text.encode())
    assert row.user_tokens == of_one + of_each_more * (text.count(unit) - 1)
    assert row.h_payload == row.h_output != 0
