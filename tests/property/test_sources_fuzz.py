"""Real records of every format, mutated: no traceback, every row read or counted, none invented.

A few hundred in the ordinary run; `make fuzz` asks for 20,000 a format (STILLWATCH_FUZZ), prints
how many there were, and keeps that in bench/results/fuzz.json where nothing failed. A mutated
record keeps its place in a well-formed file, so the counts must come out exactly; damage to the
file itself is in test_sources_mutations.py.
"""

from __future__ import annotations

import copy
import csv
import fcntl
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine import commit, describe

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Ledger
from stillwatch.sources.batches import Batches
from stillwatch.sources.bedrock import Bedrock
from stillwatch.sources.canonical_arrow import CanonicalArrow
from stillwatch.sources.canonical_csv import CanonicalCsv
from stillwatch.sources.canonical_parquet import CanonicalParquet
from stillwatch.sources.envoy import Envoy
from stillwatch.sources.helicone import Helicone
from stillwatch.sources.inputs import complete
from stillwatch.sources.langfuse import Langfuse
from stillwatch.sources.litellm import LiteLLM
from stillwatch.sources.mapping import Mapping
from stillwatch.sources.otlp import Otlp
from stillwatch.sources.pairs import Pairs
from stillwatch.sources.registry import SOURCES
from stillwatch.sources.sample import survey
from stillwatch.sources.source import Source
from stillwatch.sources.spendlogs import SpendLogs
from stillwatch.sources.vertex import Vertex

FIXTURES = Path(__file__).parents[1] / "fixtures"
WANTED = int(os.environ.get("STILLWATCH_FUZZ", "0"))
EACH = 4
EXAMPLES = -(-WANTED // EACH) or 60
KEPT_FROM = 20_000
BEGAN_AT = commit() if WANTED >= KEPT_FROM else ""
RESULTS = Path(__file__).parents[2] / "bench" / "results" / "fuzz.json"
FORMATS = {source.name for source in SOURCES} | {"mapping"}
made: Counter[str] = Counter()

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Three tests mutate OTLP, four times as many records in each round of the three.
fuzz_otlp = settings(parent=fuzz, max_examples=-(-EXAMPLES // 4))

HOSTILE = [
    "", " ", "None", "null", "-1", "1e999", "NaN", "0x10", "\0", "\ud800", "\u202egnp.exe",
    "\x1b[31mred\x1b[0m", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "redacted-by-litellm",
    '[{"role":', '{"a":1}', "[[[[", "9" * 40, "x" * 70_000, "2026-02-31T25:61:00Z", "0" * 32,
]  # fmt: skip
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(HOSTILE)
)
odd = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module", autouse=True)
def _told(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if WANTED:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        assert capture
        with capture.global_and_fixture_disabled():
            failed = request.session.testsfailed
            end = f"{failed} tests failed" if failed else "no traceback, all accounted for"
            for name, count in sorted(made.items()):
                print(f"\n{name}: {count:,} mutated records, {end}")
            if WANTED >= KEPT_FROM and not failed:
                keep()


def keep() -> None:
    """Enter the formats of this run in the file; several runs may each do a part of them.

    One that a run was stopped in is left out: it has fewer records than were asked for.
    """
    with RESULTS.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        kept = json.loads(file.read() or '{"formats": {}}')
        kept["machine"] = describe()
        seconds = round(time.process_time())
        for name, count in made.items():
            if count < WANTED:
                continue
            kept["formats"][name] = {
                "asked": WANTED, "mutated": count, "failures": 0, "commit": BEGAN_AT,
                "cpu_seconds_of_the_run": seconds,
            }  # fmt: skip
        kept["formats"] = dict(sorted(kept["formats"].items()))
        file.truncate(0)
        file.write(json.dumps(kept, indent=1) + "\n")


def run(source: Source, raw: bytes, *more: bytes) -> tuple[list[str], Ledger]:
    """Read files as one run does; return the ids passed on."""
    ledger = Ledger()
    reader = source.for_run()
    ids: list[str] = []

    def take(batches: Iterator[pa.RecordBatch]) -> None:
        for batch in batches:
            full = complete(batch)
            full.validate(full=True)
            assert not any(full.column(f.name).null_count for f in EXCHANGE if not f.nullable)
            ids.extend(full["exchange_id"].to_pylist())

    files = [raw, *more]
    for file in files:
        reader.present(io.BufferedReader(io.BytesIO(file)), "log")  # type: ignore[arg-type]
    for file in files:
        handle = io.BufferedReader(io.BytesIO(file))  # type: ignore[arg-type]
        take(reader.read(handle, "log", ledger))
    take(reader.rest(ledger))
    assert ledger.rows_accepted == len(ids)
    assert ledger.rows_read == len(ids) + ledger.rows_rejected
    return ids, ledger


# JSON: any value of a record replaced, left out, doubled


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            if key not in ("model_map_information", "model_map_value"):
                yield from spots(value[key], (*path, key))
    elif isinstance(value, list):
        for key in range(len(value)):
            yield from spots(value[key], (*path, key))


def mutate(data: st.DataObject, record: Any, places: list[tuple[Any, ...]]) -> Any:
    record = copy.deepcopy(record)
    for path in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        holder = record
        try:
            for key in path[:-1]:
                holder = holder[key]
            how = data.draw(st.sampled_from(("replace", "drop", "double", "wrap")))
            if how == "replace":
                holder[path[-1]] = data.draw(odd)
            elif how == "drop":
                del holder[path[-1]]
            elif how == "double" and isinstance(holder, list):
                holder.append(copy.deepcopy(holder[path[-1]]))
            else:
                holder[path[-1]] = [{"value": holder[path[-1]]}]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took the place away
    return record


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def some_of(data: st.DataObject, records: list[Any], places: list[Any], name: str) -> list[Any]:
    out = []
    for _ in range(EACH):
        which = data.draw(st.integers(0, len(records) - 1))
        out.append(mutate(data, records[which], places[which]))
    made[name] += len(out)
    return out


LINES = (FIXTURES / "litellm" / "callbacks.jsonl").read_bytes().splitlines()
PAYLOADS = [json.loads(x) for x in LINES]
PAYLOAD_SPOTS = [list(spots(p)) for p in PAYLOADS]


@fuzz
@given(st.data())
def test_litellm(data: st.DataObject) -> None:
    records = some_of(data, PAYLOADS, PAYLOAD_SPOTS, "litellm")
    _, ledger = run(LiteLLM(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)


def lines_of(name: str) -> tuple[list[Any], list[Any]]:
    """Return the records of a fixture and the places of each."""
    records = [json.loads(x) for x in (FIXTURES / name).read_bytes().splitlines()]
    return records, [list(spots(r)) for r in records]


PAIRS = lines_of("apis/pairs.jsonl")
SPENDLOGS = lines_of("spendlogs/rows.jsonl")
BATCH = [
    lines_of(f"apis/batch/{path.name}") for path in sorted((FIXTURES / "apis/batch").iterdir())
]


@fuzz
@given(st.data())
def test_pairs(data: st.DataObject) -> None:
    records = some_of(data, *PAIRS, "pairs")
    ids, ledger = run(Pairs(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)
    assert len(ids) <= len(records)


@fuzz
@given(st.data())
def test_spendlogs(data: st.DataObject) -> None:
    records = some_of(data, *SPENDLOGS, "spendlogs")
    ids, ledger = run(SpendLogs(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)
    assert len(ids) <= len(records)


MAPPING = Mapping(
    {
        "columns": {
            "ts": "ts",
            "account_id": "account_id || org_id",
            "ip": "ip",
            "tags": "tags",
            "latency_ms": "scale(end_time, `0.001`)",
            "user_agent": 'headers."User-Agent"',
            "output_text": "json(response).choices[0].message.content",
        },
        "bodies": {"request": "request", "response": "response", "status": "status_code"},
        "rows": {"keep": "request", "zone": "Europe/Berlin"},
    },
    "mapping.toml",
)


BEDROCK = lines_of("bedrock/log.jsonl")
ENVOY = lines_of("envoy/access.jsonl")


@fuzz
@given(st.data())
def test_bedrock(data: st.DataObject) -> None:
    records = some_of(data, *BEDROCK, "bedrock")
    ids, ledger = run(Bedrock(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)
    assert len(ids) <= len(records)


LANGFUSE = [
    lines_of(f"langfuse/{name}.jsonl") for name in ("new", "old.observations", "old.traces")
]


@fuzz
@given(st.data())
def test_langfuse(data: st.DataObject) -> None:
    """New and old observations and traces mutated alike, beside some traces as they were."""
    wholes, places = ([x for one in LANGFUSE for x in one[k]] for k in (0, 1))
    records = some_of(data, wholes, places, "langfuse")
    total = [*records, *LANGFUSE[2][0]]
    ids, ledger = run(Langfuse(), b"\n".join(map(as_json, total)))
    assert ledger.rows_read + sum(ledger.notes.values()) >= len(total)
    assert len(ids) <= len(records)


@fuzz
@given(st.data())
def test_envoy(data: st.DataObject) -> None:
    records = some_of(data, *ENVOY, "envoy")
    _, ledger = run(Envoy(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read + sum(ledger.notes.values()) == len(records)


@fuzz
@given(st.data())
def test_helicone(data: st.DataObject) -> None:
    """Real bodies under Helicone's names, mutated with what holds them."""
    names = {"exchange_id": "request_id", "ts": "request_created_at", "request": "request_body",
             "response": "response_body", "status_code": "response_status",
             "tags": "request_properties", "account_id": "request_user_id"}  # fmt: skip
    whole = [{names.get(k, k): v for k, v in r.items()} for r in PAIRS[0]]
    records = some_of(data, whole, [list(spots(r)) for r in whole], "helicone")
    _, ledger = run(Helicone(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)


@fuzz
@given(st.data())
def test_vertex(data: st.DataObject) -> None:
    """Bodies as Google's types write them in rows of Vertex's table, as text and as objects."""
    whole: list[Any] = []
    for number, call in enumerate(lines_of("apis/gemini.jsonl")[0]):
        pack = json.dumps if number % 2 else (lambda value: value)
        whole.append({
            "endpoint": "projects/p/locations/l/endpoints/7", "request_id": str(number),
            "logging_time": "2026-11-01 00:00:00 UTC", "model": "gemini-3-pro",
            "api_method": "generateContent", "full_request": pack(call["request"]),
            "full_response": pack(call["response"]),
            "request_payload": [json.dumps(call["request"])], "response_payload": [],
        })  # fmt: skip
    records = some_of(data, whole, [list(spots(r)) for r in whole], "vertex")
    ids, ledger = run(Vertex(), b"\n".join(map(as_json, records)))
    assert ledger.rows_read == len(records)
    assert len(ids) <= len(records)


@fuzz
@given(st.data())
def test_mapping(data: st.DataObject) -> None:
    """The wrapper records once more, read through a mapping with every kind of expression."""
    records = some_of(data, *PAIRS, "mapping")
    ids, ledger = run(MAPPING, b"\n".join(map(as_json, records)))
    assert ledger.rows_read + sum(ledger.notes.values()) == len(records)
    assert len(ids) <= len(records)
    survey(records)


@fuzz
@given(st.data())
def test_batch_files(data: st.DataObject) -> None:
    """Requests, results and batch objects mutated alike, beside some that are as they were."""
    wholes, places = ([x for one in BATCH for x in one[k]] for k in (0, 1))
    records = some_of(data, wholes, places, "batch")
    total = [*records, *wholes]
    _, ledger = run(Batches(), b"\n".join(map(as_json, total)))
    assert ledger.rows_read + sum(ledger.notes.values()) == len(total)


def otlp_records(signal: str) -> list[Any]:
    """Return every span, or log record, that the instrumentations wrote."""
    scope, records = {"Spans": ("scopeSpans", "spans"), "Logs": ("scopeLogs", "logRecords")}[signal]
    found = []
    for path in sorted((FIXTURES / "otlp").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            for group in json.loads(line).get(f"resource{signal}", []):
                found += [record for one in group[scope] for record in one[records]]
    return found


SPANS, LOGS = otlp_records("Spans"), otlp_records("Logs")
SPAN_SPOTS, LOG_SPOTS = ([list(spots(r)) for r in some] for some in (SPANS, LOGS))
NOTED = (
    "spans that are no model request",
    "log records that are no model request",
    "events joined to their spans",
    "events that came twice",
    "spans and events of an exchange read already",
)


def test_every_format_is_mutated() -> None:
    """Each of them is counted by its own test; what is registered and not here fails."""
    text = Path(__file__).read_text("utf-8")
    for name in FORMATS:
        assert f'"{name}"' in text, name


def test_a_format_that_a_run_was_stopped_in_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "RESULTS", tmp_path / "fuzz.json")
    monkeypatch.setitem(globals(), "WANTED", 20_000)
    monkeypatch.setitem(globals(), "made", Counter(pairs=20_000, csv=19_999))
    keep()
    monkeypatch.setitem(globals(), "made", Counter(envoy=20_004))
    keep()
    kept = json.loads((tmp_path / "fuzz.json").read_text("utf-8"))["formats"]
    assert {name: one["mutated"] for name, one in kept.items()} == {
        "envoy": 20_004, "pairs": 20_000,
    }  # fmt: skip


def test_the_fixtures_hold_all_that_is_mutated() -> None:
    assert len(PAYLOADS) > 10
    assert len(SPANS) > 50
    assert len(LOGS) > 40


def envelope(signal: str, scope: str, name: str, records: list[Any]) -> bytes:
    return as_json({f"resource{signal}": [{"resource": {}, scope: [{name: records}]}]})


@fuzz_otlp
@given(st.data())
def test_otlp_spans(data: st.DataObject) -> None:
    spans = some_of(data, SPANS, SPAN_SPOTS, "otlp")
    ids, ledger = run(
        Otlp(), b"\n".join(envelope("Spans", "scopeSpans", "spans", [s]) for s in spans)
    )
    assert ledger.rows_read + sum(ledger.notes[n] for n in NOTED) == len(spans)
    assert len(ids) <= len(spans)


@fuzz_otlp
@given(st.data())
def test_otlp_events_and_their_spans(data: st.DataObject) -> None:
    """Half the events and half the spans mutated, and all joined where they still can be."""
    log = some_of(data, LOGS, LOG_SPOTS, "otlp")
    spans = some_of(data, SPANS, SPAN_SPOTS, "otlp")
    files = [
        envelope("Spans", "scopeSpans", "spans", [*spans, *SPANS[:20]]),
        envelope("Logs", "scopeLogs", "logRecords", [*log, *LOGS[:20]]),
    ]
    _, ledger = run(Otlp(), *(files if data.draw(st.booleans()) else files[::-1]))
    total = len(spans) + len(log) + 40
    assert ledger.rows_read + sum(ledger.notes[n] for n in NOTED) == total


@fuzz_otlp
@given(st.data())
def test_otlp_envelopes(data: st.DataObject) -> None:
    """What holds the records is mutated: never more rows than there were, and no traceback."""
    whole = json.loads(envelope("Spans", "scopeSpans", "spans", SPANS[:2]))
    place = [p for p in spots(whole) if len(p) < 6]
    requests = [mutate(data, whole, place) for _ in range(EACH)]
    made["otlp"] += len(requests)
    ids, _ = run(Otlp(), b"\n".join(map(as_json, requests)))
    assert len(ids) <= 8 * len(requests)


# tables: any column of any type, any cell


def real_table() -> pa.Table:
    raw = b"\n".join(map(as_json, PAYLOADS))
    handle = io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]
    batches = [complete(b) for b in LiteLLM().read(handle, "log", Ledger())]
    return pa.Table.from_batches(batches, EXCHANGE).slice(0, 12)


TABLE = real_table()
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.decimal128(20, 3), st.decimals(-(10**12), 10**12, places=3)),
    (pa.string(), st.text(max_size=9) | st.sampled_from([h for h in HOSTILE if h != "\ud800"])),
    (pa.large_string(), st.text(max_size=9)),
    (pa.binary(), st.binary(max_size=9)),
    (pa.binary(4), st.binary(min_size=4, max_size=4)),
    (pa.timestamp("s"), st.integers(-(2**62), 2**62)),
    (pa.timestamp("ns", "UTC"), st.integers(-(2**62), 2**62)),
    (pa.date32(), st.integers(-(2**30), 2**30)),
    (pa.duration("us"), st.integers(-(2**40), 2**40)),
    (pa.list_(pa.string()), st.lists(st.none() | st.text(max_size=4), max_size=3)),
    (pa.list_(pa.int32()), st.lists(st.none() | st.integers(-9, 9), max_size=3)),
    (
        pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
        st.lists(
            st.none()
            | st.fixed_dictionaries(
                {"role": st.none() | st.just("user"), "content": st.none() | st.text(max_size=5)}
            ),
            max_size=3,
        ),
    ),
    (
        pa.list_(pa.struct([("role", pa.int8()), ("content", pa.list_(pa.string()))])),
        st.lists(
            st.fixed_dictionaries(
                {"role": st.integers(0, 3), "content": st.lists(st.text(max_size=3), max_size=2)}
            ),
            max_size=2,
        ),
    ),
    (pa.struct([("a", pa.string())]), st.fixed_dictionaries({"a": st.text(max_size=3)})),
    (
        pa.map_(pa.string(), pa.string()),
        st.lists(st.tuples(st.text(max_size=3), st.none() | st.text(max_size=3)), max_size=2),
    ),
]  # fmt: skip


def mutated_table(data: st.DataObject, name: str) -> pa.Table:
    """Return real rows with one to three columns of another type or with other values."""
    table = TABLE.slice(data.draw(st.integers(0, TABLE.num_rows - EACH)), EACH)
    for column in data.draw(st.lists(st.sampled_from(EXCHANGE.names), min_size=1, max_size=3)):
        kind, values = data.draw(st.sampled_from(TYPES))
        if data.draw(st.booleans()) and pa.types.is_string(kind):
            kind = pa.dictionary(pa.int32(), kind)
        cells = data.draw(st.lists(st.none() | values, min_size=EACH, max_size=EACH))
        place = table.schema.get_field_index(column)
        if place < 0:
            continue
        if data.draw(st.integers(0, 9)) == 0:
            table = table.remove_column(place)
        else:
            table = table.set_column(place, column, pa.array(cells, kind))
    made[name] += EACH
    return table


def parquet_of(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def arrow_of(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def stream_of(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def check_table(source: Source, table: pa.Table, written: Callable[[pa.Table], bytes]) -> None:
    try:
        raw = written(table)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return  # no such file can be written
    ids, ledger = run(source, raw)
    assert ledger.rows_read == table.num_rows
    assert len(ids) <= table.num_rows


@fuzz
@given(st.data())
def test_parquet(data: st.DataObject) -> None:
    check_table(CanonicalParquet(), mutated_table(data, "parquet"), parquet_of)


@fuzz
@given(st.data())
def test_arrow(data: st.DataObject) -> None:
    written = arrow_of if data.draw(st.booleans()) else stream_of
    check_table(CanonicalArrow(), mutated_table(data, "arrow"), written)


def csv_cells() -> list[list[str]]:
    rows = []
    for row in TABLE.to_pylist():
        cells = []
        for name in EXCHANGE.names:
            value = row[name]
            if name == "tags" and value is not None:
                value = dict(value)
            if isinstance(value, bytes):
                value = value.decode("latin-1")
            cells.append(
                "" if value is None
                else json.dumps(value) if isinstance(value, (list, dict)) else str(value)
            )  # fmt: skip
        rows.append(cells)
    return rows


CELLS = csv_cells()
cell = st.text(max_size=9) | st.sampled_from(HOSTILE) | odd.map(json.dumps)


@fuzz
@given(st.data())
def test_csv(data: st.DataObject) -> None:
    """Cells of any text, quoted as CSV wants it: each record is one row, whatever is in it."""
    rows = []
    for _ in range(EACH):
        row = list(CELLS[data.draw(st.integers(0, len(CELLS) - 1))])
        for _ in range(data.draw(st.integers(1, 3))):
            row[data.draw(st.integers(0, len(row) - 1))] = data.draw(cell)
        rows.append(row)
    made["csv"] += len(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(EXCHANGE.names)
    writer.writerows(rows)
    ids, ledger = run(CanonicalCsv(), text.getvalue().encode("utf-8", "surrogatepass"))
    assert ledger.rows_read == len(rows)
    assert len(ids) <= len(rows)
