"""Arrow layouts: types, slices, nulls, missing columns, corrupt offsets."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pytest

from stillwatch import kernel
from stillwatch.errors import SchemaError

EXCHANGES: list[dict[str, Any]] = [
    {
        "messages": [{"role": "system", "content": f"rules {i}"}, {"role": "user", "content": t}],
        "tools": ["b", None, f"a{i}"],
        "tool_schema": None,
        "output_text": f"answer {t}",
        "reasoning_text": t,
        "reasoning_blob": t.encode(),
    }
    for i, t in enumerate(["alpha beta", "", "γάμμα δέλτα", "delta 4", "你好", "last one"])
]
EXPECTED = [kernel.one(exchange)._asdict() for exchange in EXCHANGES]


def table(
    text: pa.DataType | None = None, make_list: Any = pa.list_, blob: pa.DataType | None = None
) -> pa.RecordBatch:
    text = text or pa.string()
    message = pa.struct([("content", text), ("extra", pa.int32()), ("role", text)])
    types = {"messages": make_list(message), "tools": make_list(text)}
    return pa.record_batch(
        {
            name: pa.array(
                [e[name] for e in EXCHANGES],
                (blob or pa.binary()) if name == "reasoning_blob" else types.get(name, text),
            )
            for name in EXCHANGES[0]
        }
    )


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("make_list", [pa.list_, pa.large_list])
def test_string_and_list_variants(text: pa.DataType, make_list: Any) -> None:
    assert kernel.batch(table(text, make_list)).to_pylist() == EXPECTED


@pytest.mark.parametrize("blob", [pa.string(), pa.large_binary(), pa.binary_view()], ids=str)
def test_blob_variants(blob: pa.DataType) -> None:
    assert kernel.batch(table(blob=blob)).to_pylist() == EXPECTED


def test_dictionary_encoded_text() -> None:
    whole = table()
    index = whole.schema.get_field_index("output_text")
    encoded = whole.set_column(index, "output_text", whole["output_text"].dictionary_encode())
    assert kernel.batch(encoded).to_pylist() == EXPECTED


def test_every_slice() -> None:
    whole = table()
    for start in range(len(EXPECTED) + 1):
        for stop in range(start, len(EXPECTED) + 1):
            rows = kernel.batch(whole.slice(start, stop - start)).to_pylist()
            assert rows == EXPECTED[start:stop]


def test_children_with_offsets_of_their_own() -> None:
    text = pa.array(["x", "user", "system", "user"]).slice(1)
    content = pa.array(["skip", "skip", "one", "two", "three"]).slice(2)
    message = pa.StructArray.from_arrays([text, content], ["role", "content"])
    lists = pa.ListArray.from_arrays(pa.array([1, 1, 2], pa.int32()), message.slice(1))
    rows = kernel.batch(pa.record_batch({"messages": lists})).to_pylist()
    assert [row["user_bytes"] for row in rows] == [0, len("three")]


def test_null_structs_with_text_under_them_do_not_count() -> None:
    message = pa.StructArray.from_arrays(
        [pa.array(["user", "user"]), pa.array(["seen", "hidden"])],
        ["role", "content"],
        mask=pa.array([False, True]),
    )
    lists = pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), message)
    (row,) = kernel.batch(pa.record_batch({"messages": lists})).to_pylist()
    assert (row["n_messages"], row["user_bytes"]) == (1, 4)


def test_missing_and_null_columns_are_absent() -> None:
    absent = kernel.one({})._asdict()
    nothing = pa.record_batch({"account_id": ["a", "b"]})
    nulls = pa.record_batch({name: pa.nulls(2) for name in EXCHANGES[0]})
    empty_lists = pa.record_batch({"messages": pa.array([[], None], pa.list_(pa.null()))})
    for given in (nothing, nulls, empty_lists):
        assert kernel.batch(given).to_pylist() == [absent, absent]


def test_empty_batch_and_schema() -> None:
    result = kernel.batch(table().slice(0, 0))
    assert result.num_rows == 0
    assert result.schema.equals(kernel.FEATURES, check_metadata=True)
    assert result.schema.names == list(kernel.Features._fields)
    kernel.batch(table()).validate(full=True)


def test_row_is_at_most_512_bytes() -> None:
    assert kernel.batch(table()).nbytes <= 512 * len(EXPECTED)


@pytest.mark.parametrize(
    "column",
    [
        {"messages": pa.array(["text"])},
        {"messages": pa.array([["text"]])},
        {"tools": pa.array([[1]])},
        {"output_text": pa.array([1])},
    ],
)
def test_wrong_types_are_named(column: dict[str, pa.Array]) -> None:
    with pytest.raises(SchemaError, match=next(iter(column))):
        kernel.batch(pa.record_batch(column))


# pyarrow itself looks at the first and the last offset only: the bad one stands between.
@pytest.mark.parametrize("offset", [9, -1])
def test_corrupt_offsets_are_refused(offset: int) -> None:
    offsets = pa.array([0, offset, 5], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcde")])
    with pytest.raises(ValueError, match="offset"):
        kernel.batch(pa.record_batch({"output_text": text}))


@pytest.mark.parametrize("offset", [7, -1])
def test_corrupt_list_offsets_are_refused(offset: int) -> None:
    tools = pa.array([["a"]])
    offsets = pa.array([0, offset, 1], pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(tools.type, 2, [None, offsets], children=[tools.values])
    with pytest.raises(ValueError, match="offset"):
        kernel.batch(pa.record_batch({"tools": broken}))


def test_input_is_not_changed_and_threads_agree() -> None:
    whole = table()
    before = whole.serialize().to_pybytes()
    results: list[list[dict[str, Any]]] = []

    def work() -> None:
        results.extend(kernel.batch(whole).to_pylist() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(rows == EXPECTED for rows in results)
    assert len(results) == 80
    assert whole.serialize().to_pybytes() == before
