"""Whatever is done to a real log: no traceback, and every row is yielded or entered, once."""

from __future__ import annotations

import copy
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Ledger
from stillwatch.sources.admit import admit
from stillwatch.sources.canonical_arrow import CanonicalArrow
from stillwatch.sources.canonical_csv import CanonicalCsv
from stillwatch.sources.canonical_parquet import CanonicalParquet
from stillwatch.sources.inputs import complete
from stillwatch.sources.json_split import Splitter
from stillwatch.sources.json_text import parsed
from stillwatch.sources.litellm import LiteLLM
from stillwatch.sources.source import Source

FIXTURES = Path(__file__).parents[1] / "fixtures" / "litellm"
LINES = (FIXTURES / "callbacks.jsonl").read_bytes().splitlines()
ARRAY = (FIXTURES / "json_array.json").read_bytes()
PAYLOADS = [json.loads(line) for line in LINES]

odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "None", "-1", "1e999", "\ud800", "redacted-by-litellm", 2**63, -1, []]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def run(source: Source, raw: bytes) -> tuple[int, Ledger]:
    ledger = Ledger()
    yielded = 0
    handle = io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]
    for batch in source.read(handle, "log", ledger):
        full = complete(batch)
        full.validate(full=True)
        assert not any(full.column(f.name).null_count for f in EXCHANGE if not f.nullable)
        yielded += batch.num_rows
    assert ledger.rows_accepted == yielded
    assert ledger.rows_read == yielded + ledger.rows_rejected
    return yielded, ledger


def read_or_refuse(source: Source, raw: bytes) -> None:
    """Read, or get an InputError that names the file; anything else fails the test."""
    refusal = ""
    try:
        run(source, raw)
    except InputError as error:
        refusal = error.where
    assert refusal in ("", "log") or refusal.startswith("log:")


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        if key != "model_map_information":
            found += spots(inner, (*path, key))
    return found


SPOTS = [spots(p) for p in PAYLOADS]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_field_of_a_payload_replaced(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(PAYLOADS) - 1))
    payload = copy.deepcopy(PAYLOADS[which])
    for path in data.draw(st.lists(st.sampled_from(SPOTS[which]), min_size=1, max_size=4)):
        holder = payload
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = data.draw(odd)
        except (KeyError, IndexError, TypeError):
            continue
    line = json.dumps(payload).encode()
    _, ledger = run(LiteLLM(), b"\n".join([LINES[0], line, LINES[1]]))
    assert ledger.rows_read == 3


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_of_json_lines_changed(data: st.DataObject) -> None:
    raw = bytearray(b"\n".join(LINES[12:16]))
    for _ in range(data.draw(st.integers(1, 6))):
        # a "[" at the start would make it an array, a "{" alone in its line one long object
        at = data.draw(st.integers(2, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    yielded, ledger = run(LiteLLM(), bytes(raw))
    assert yielded <= ledger.rows_read <= raw.count(b"\n") + 1


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bytes_of_an_array_changed(data: st.DataObject) -> None:
    raw = bytearray(ARRAY)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    run(LiteLLM(), bytes(raw))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.lists(st.integers(1, 30_000), max_size=6))
def test_arrays_split_anywhere_read_the_same(arrays: int, copies: int, cuts: list[int]) -> None:
    raw = b"[" + b",\n".join([ARRAY.strip(b"[]\n")] * copies) + b"]"
    whole = json.loads(raw) * arrays
    raw = b"\n".join([raw] * arrays)
    splitter = Splitter(opened=True)
    edges = [0, *sorted({c for c in cuts if c < len(raw)}), len(raw)]
    pieces = [v for a, b in itertools.pairwise(edges) for v in splitter.feed(raw[a:b])]
    assert [json.loads(p) if isinstance(p, bytes) else p for p in pieces] == whole
    assert len(whole) == 2 * copies * arrays
    assert splitter.depth == 0
    assert not splitter.rest


ODD = st.sampled_from(
    ["{", "}", "[", "]", '"', "\\", ":", ",", "\n", "\n{", '{"a":', "{{", "x", "1"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ODD, max_size=40), st.lists(st.integers(1, 400), max_size=6))
def test_lines_behind_one_that_breaks_are_found_however_it_is_cut(
    odd: list[str], cuts: list[int]
) -> None:
    rows = [{"id": n, "text": "t"} for n in range(6)]
    raw = ("".join(odd) + "\n" + "\n".join(map(json.dumps, rows)) + "\n").encode()

    def values(edges: list[int]) -> list[Any]:
        splitter = Splitter(opened=False)
        found = [v for a, b in itertools.pairwise(edges) for v in splitter.feed(raw[a:b])]
        found += splitter.end()
        assert splitter.depth == 0
        objects = [v if isinstance(v, dict) else parsed(v.decode()) for v in found]
        return [v for v in objects if isinstance(v, dict) and "id" in v]

    assert values([0, len(raw)]) == rows
    assert values([0, *sorted({c for c in cuts if c < len(raw)}), len(raw)]) == rows


def canonical_table() -> pa.Table:
    ledger = Ledger()
    handle = io.BufferedReader(io.BytesIO(b"\n".join(LINES)))  # type: ignore[arg-type]
    return pa.Table.from_batches(
        [complete(b) for b in LiteLLM().read(handle, "log", ledger)], EXCHANGE
    )


TABLE = canonical_table()


def parquet_bytes() -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out, compression="none")
    return out.getvalue()


def arrow_bytes() -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return out.getvalue()


PARQUET, ARROW = parquet_bytes(), arrow_bytes()


def test_the_untouched_log_reads_whole_in_every_format() -> None:
    assert run(CanonicalParquet(), PARQUET)[0] == run(CanonicalArrow(), ARROW)[0] == len(LINES)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bytes_of_parquet_changed(data: st.DataObject) -> None:
    raw = bytearray(PARQUET)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(CanonicalParquet(), bytes(raw))


CSV = (
    b"exchange_id,ts,account_id,model,messages,input_tokens,temperature,stream,tools,tags\n"
    + b'e1,2026-01-31T00:00:00Z,a,m,"[{""role"":""user"",""content"":""x""}]",3,0.5,true,"[""f""]",'
    + b'"{""k"":""v""}"\n'
) + b"e2,1769860800,b,m,plain text,4,1,false,,\n" * 3


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bytes_of_csv_changed(data: st.DataObject) -> None:
    head, body = CSV.split(b"\n", 1)
    raw = bytearray(body)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    read_or_refuse(CanonicalCsv(), head + b"\n" + bytes(raw))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([f for f in EXCHANGE.names if f not in ("exchange_id",)]),
    st.lists(odd, min_size=1, max_size=5),
)
def test_any_values_in_any_column(name: str, values: list[Any]) -> None:
    n = len(values)
    columns: dict[str, Any] = {
        "exchange_id": [f"e{i}" for i in range(n)],
        "ts": [1_769_860_800.0] * n,
        "account_id": ["a"] * n,
        "model": ["m"] * n,
    }
    columns[name] = values
    ledger = Ledger()
    batch = complete(admit(columns, np.arange(1, n + 1), "log", ledger))
    batch.validate(full=True)
    assert ledger.rows_read == n == batch.num_rows + ledger.rows_rejected
    assert set(batch["exchange_id"].to_pylist()) <= set(columns["exchange_id"])
