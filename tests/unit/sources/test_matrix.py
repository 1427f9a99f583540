"""One simulated world written in every format reads back as the same canonical rows.

Compared is every column that a format can carry; what it cannot is named here with the reason. And
a scan of it accuses the accounts that a scan of the canonical table accuses, which then lacks the
columns that the format cannot carry.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import api_rows
import orjson
import otlp_rows
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anthropic.types import Message
from google.protobuf import json_format
from openai.types import Batch
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stillwatch import scan
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.simulate import SimulatedWorld, simulate
from stillwatch.simulate.litellm import payload
from stillwatch.sources import Ledger
from stillwatch.sources.inputs import complete
from stillwatch.sources.mapping import Mapping
from stillwatch.sources.registry import SOURCES, choose_source
from stillwatch.sources.source import Source

FIXTURES = Path(__file__).parents[2] / "fixtures"


Rows = list[dict[str, Any]]
Files = dict[str, bytes]
DIALECTS = api_rows.DIALECTS

ROWS = 600
TYPES: dict[str, Any] = {"chat": ChatCompletion, "responses": Response, "messages": Message}
NOT_IN_ANY_BODY = {
    "tool_schema": "each dialect wraps a function in an envelope of its own",
    "finish_reason": "each dialect has its own words",
}
NOT_CARRIED = {
    "chat": {"reasoning_blob": "no field in chat completions"},
    "responses": {"n": "no parameter", "seed": "no parameter"},
    "messages": {
        "n": "no parameter", "seed": "no parameter", "top_logprobs": "no parameter",
        "response_format": "no parameter of this form",
        "tool_choice": "an object, not a word",
    },
}  # fmt: skip
OF_THE_ANSWER = (
    "output_text", "reasoning_blob", "input_tokens", "output_tokens", "reasoning_tokens",
    "cached_tokens",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("small", seed=7, out=tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def world(whole: SimulatedWorld) -> list[dict[str, Any]]:
    return pq.read_table(whole.out / "exchanges").slice(0, ROWS).to_pylist()


def expected(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a body can say of the row: an error has no usage, JSON no bytes."""
    row = dict(row)
    if row["status"] not in ("ok", "refused", "filtered"):
        row |= dict.fromkeys(OF_THE_ANSWER)
    if row["status"] == "refused":
        row["output_text"] = api_rows.REFUSAL
    if row["reasoning_blob"]:
        row["reasoning_blob"] = base64.b64encode(row["reasoning_blob"])
    return row


def read(files: Files, format: str) -> list[dict[str, Any]]:
    """Return the rows of files that are told apart by their content alone, by exchange_id."""
    ledger, batches = Ledger(), []
    mapping: Source = Mapping(tomllib.loads(api_rows.MAPPING), "mapping.toml")
    sources = tuple(source.for_run() for source in SOURCES)
    reader = mapping
    for name, raw in files.items():  # as `open_inputs` does: all are looked at, then read
        if format != "mapping":
            reader = choose_source(raw[: 256 << 10], name, "auto", sources)
        assert reader.name == format
        reader.present(io.BufferedReader(io.BytesIO(raw)), name)  # type: ignore[arg-type]
    for name, raw in files.items():
        handle = io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]
        batches += list(reader.read(handle, name, ledger))
    batches += list(reader.rest(ledger))
    assert not ledger.rejected
    rows = [row for batch in batches for row in complete(batch).to_pylist()]
    return sorted(rows, key=lambda row: row["exchange_id"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_makers_types_take_the_bodies(world: list[dict[str, Any]], dialect: str) -> None:
    """…and write them back as they were."""
    done = 0
    for row in world:
        record = api_rows.pair(row, dialect)
        if record["status_code"] == 200:
            made = TYPES[dialect].model_validate(record["response"])
            assert made.model_dump(mode="json", exclude_unset=True) == record["response"]
            done += 1
    assert done > ROWS * 0.8


def test_the_makers_type_takes_the_batch_objects(world: list[dict[str, Any]]) -> None:
    for line in batch(world)["batches.jsonl"].splitlines():
        made = json.loads(line)
        assert Batch.model_validate(made).model_dump(mode="json", exclude_unset=True) == made


def in_base64(value: Any) -> Any:
    """Return OTLP JSON as protobuf's own mapping has it: ids in base64, not in hexadecimal."""
    if isinstance(value, list):
        return [in_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(held)).decode()
        if key in ("traceId", "spanId", "parentSpanId") else in_base64(held)
        for key, held in value.items()
    }  # fmt: skip


@pytest.mark.parametrize("form", otlp_rows.FORMS)
def test_opentelemetrys_messages_take_the_lines(world: list[dict[str, Any]], form: str) -> None:
    """…and know every field in them."""
    for signal, line in otlp_rows.otlp_lines(world, form):
        kind = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}[signal]
        assert json_format.ParseDict(in_base64(json.loads(line)), kind()).ByteSize() > 10_000


# How each format is written


def lines_of(write: Callable[[dict[str, Any]], Any]) -> Callable[[Rows], Files]:
    """Return what writes JSON lines, a line a row."""
    return lambda rows: {"log.jsonl": b"\n".join(orjson.dumps(write(row)) for row in rows)}


def parquet(rows: Rows) -> Files:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, EXCHANGE), out)
    return {"log.parquet": out.getvalue()}


def arrow(rows: Rows) -> Files:
    out = io.BytesIO()
    with pa.ipc.new_file(out, EXCHANGE) as writer:
        writer.write_table(pa.Table.from_pylist(rows, EXCHANGE))
    return {"log.arrow": out.getvalue()}


def comma_separated(rows: Rows) -> Files:
    out = io.StringIO()
    writer = csv.DictWriter(out, EXCHANGE.names)
    writer.writeheader()
    for row in rows:
        cells = {k: orjson.dumps(v).decode() if isinstance(v, list) else v for k, v in row.items()}
        cells["tags"] = orjson.dumps(dict(row["tags"])).decode() if row["tags"] else None
        blob = row["reasoning_blob"]
        writer.writerow(
            cells | {"reasoning_blob": base64.b64encode(blob).decode() if blob else None}
        )
    return {"log.csv": out.getvalue().encode()}


def otlp(form: str) -> Callable[[Rows], Files]:
    def write(rows: Rows) -> Files:
        files: dict[str, list[bytes]] = {}
        for signal, line in otlp_rows.otlp_lines(rows, form):
            files.setdefault(f"{signal}.jsonl", []).append(line)
        return {name: b"\n".join(some) for name, some in files.items()}

    return write


def batch(rows: Rows) -> Files:
    """Return requests and results of a batch for each account, and the batch objects."""
    files: dict[str, list[bytes]] = {"batches": []}
    for account in sorted({row["account_id"] for row in rows}):
        mine = [row for row in rows if row["account_id"] == account]
        files["batches"].append(orjson.dumps({
            "object": "batch", "id": f"b-{account}", "account_id": account, "status": "completed",
            "input_file_id": f"in-{account}", "output_file_id": f"out-{account}",
            "created_at": int(mine[0]["ts"].timestamp()), "completion_window": "24h",
            "endpoint": "/v1/chat/completions",
            "request_counts": {"total": len(mine), "completed": len(mine), "failed": 0},
        }))  # fmt: skip
        for row in mine:
            made, key = api_rows.pair(row, "chat"), row["exchange_id"]
            files.setdefault(f"in-{account}", []).append(
                orjson.dumps(
                    {
                        "custom_id": key,
                        "method": "POST",
                        "url": made["url"],
                        "body": made["request"],
                    }
                )
            )
            response = {"status_code": row["http_status"], "body": made["response"]}
            files.setdefault(f"out-{account}", []).append(orjson.dumps(
                {"id": key, "custom_id": key, "response": response}))  # fmt: skip
    return {f"{name}.jsonl": b"\n".join(some) for name, some in files.items()}


# What each format cannot carry, and why


BODY = set(NOT_IN_ANY_BODY)


@dataclass(frozen=True)
class Cell:
    """A format's row of the matrix: who writes it, which columns it lacks, and what they say."""

    format: str
    write: Callable[[Rows], Files]
    without: frozenset[str] | set[str] = frozenset()
    want: Callable[[dict[str, Any]], dict[str, Any]] = expected


def as_is(row: dict[str, Any]) -> dict[str, Any]:
    return row


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a text format says: bytes are base64."""
    blob = row["reasoning_blob"]
    return row | {"reasoning_blob": base64.b64encode(blob) if blob else blob}


def of_span(row: dict[str, Any]) -> dict[str, Any]:
    """A span always has a trace; where the row has none, it is one of its own."""
    made = as_text(row)
    trace = hashlib.sha256(row["exchange_id"].encode()).hexdigest()[:32]
    return made | {"trace_id": row["trace_id"] or trace}


def of_litellm(row: dict[str, Any]) -> dict[str, Any]:
    """A payload always has a trace, and counts for requests that failed too."""
    said = api_rows.REFUSAL if row["status"] == "refused" else row["output_text"]
    return row | {"trace_id": row["trace_id"] or row["exchange_id"], "output_text": said}


def without_filter(row: dict[str, Any]) -> dict[str, Any]:
    made = expected(row)
    return made | {"status": "ok"} if made["status"] == "filtered" else made


def of_batch(row: dict[str, Any]) -> dict[str, Any]:
    """The time is the response's, to the second; `wanted` mends that of what failed."""
    said = row["ts"].replace(microsecond=0) + timedelta(seconds=1)
    return expected(row) | {"channel": "batch", "ts": said}


def of_gemini(row: dict[str, Any]) -> dict[str, Any]:
    """A refusal is an answer like another; one format of JSON; system prompts are joined."""
    made = expected(row)
    form = made["response_format"]
    return made | {
        "status": "ok" if made["status"] == "refused" else made["status"],
        "response_format": "json_object" if form else form,
        "org_id": row["org_id"] or "own",
    }


NOT_IN = {
    "litellm": {
        "origin", "country", "asn",  # no field
        "channel",  # "gateway" by tag alone
        "client",  # what the user agent says
        "tool_schema",  # in its own envelope
        "tags",  # a list of words
        "reasoning_blob",  # the simulator's log has none
        "finish_reason",  # chat completions' own words
    },
    "spendlogs": {
        "origin", "country", "asn", "ja4", "trace_id",  # no column
        "channel",  # no column; "gateway" by tag alone
        "client",  # what the user agent says; the world's own words are elsewhere
        "reasoning_blob",  # the bodies are chat completions here
    },
    "mapping": {
        "workspace_id", "trace_id", "channel", "client", "origin", "country", "asn", "tags",
    },
    "bedrock": {
        "end_user_id", "stream",  # a body within InvokeModel names neither who nor whether
        "provider", "workspace_id", "key_id", "conversation_id", "trace_id", "channel", "client",
        "user_agent", "origin", "http_status", "latency_ms", "cost_usd", "ip", "country", "asn",
        "ja4", "tags",
    },
    "vertex": {
        "provider",  # Vertex itself
        "end_user_id", "workspace_id", "key_id", "conversation_id", "trace_id", "channel", "client",
        "user_agent", "origin", "http_status", "latency_ms", "cost_usd", "ip", "country", "asn",
        "ja4", "tags", "reasoning_effort", "tool_choice", "reasoning_blob", "operation",
    },
    "helicone": {
        "org_id", "workspace_id", "key_id", "conversation_id", "trace_id", "channel", "client",
        "user_agent", "origin", "ip", "asn", "ja4", "tags",
    },
    "langfuse": {
        "org_id", "workspace_id", "key_id", "channel", "client", "user_agent", "origin", "ip",
        "asn", "ja4", "tags", "provider", "country", "end_user_id", "http_status",
    },
    "batch": {
        "provider", "org_id", "workspace_id", "key_id", "conversation_id", "trace_id", "client",
        "user_agent", "origin", "latency_ms", "cost_usd", "ip", "country", "asn", "ja4", "tags",
        "stream",
    },
}  # fmt: skip
OF_ENVOY = {
    "exchange_id", "ts", "account_id", "org_id", "model", "provider", "operation",
    "user_agent", "http_status", "input_tokens", "output_tokens", "latency_ms", "ip", "ja4",
}  # fmt: skip
CHAT, MESSAGES = BODY | set(NOT_CARRIED["chat"]), BODY | set(NOT_CARRIED["messages"])

MATRIX: dict[str, Cell] = {
    "parquet": Cell("parquet", parquet, want=as_is),
    "arrow": Cell("arrow", arrow, want=as_is),
    "csv": Cell("csv", comma_separated, want=as_text),
    "litellm": Cell("litellm", lines_of(payload), NOT_IN["litellm"], of_litellm),
    "spendlogs": Cell("spendlogs", lines_of(api_rows.spendlog), BODY | NOT_IN["spendlogs"]),
    **{
        f"otlp-{form}": Cell("otlp", otlp(form), want=of_span)
        for form in otlp_rows.FORMS
    },
    **{
        f"pairs-{dialect}": Cell(
            "pairs", lines_of(partial(api_rows.pair, dialect=dialect)),
            BODY | set(NOT_CARRIED[dialect]),
        )
        for dialect in DIALECTS
    },
    "batch": Cell("batch", batch, CHAT | NOT_IN["batch"], of_batch),
    "bedrock": Cell("bedrock", lines_of(api_rows.bedrock), MESSAGES | NOT_IN["bedrock"],
                    without_filter),
    "vertex": Cell("vertex", lines_of(api_rows.vertex), BODY | NOT_IN["vertex"], of_gemini),
    "helicone": Cell("helicone", lines_of(api_rows.helicone), CHAT | NOT_IN["helicone"]),
    "langfuse": Cell("langfuse", lines_of(api_rows.langfuse), CHAT | NOT_IN["langfuse"],
                     without_filter),
    "envoy": Cell("envoy", lines_of(api_rows.envoy), set(EXCHANGE.names) - OF_ENVOY),
    "mapping": Cell("mapping", lines_of(api_rows.foreign), CHAT | NOT_IN["mapping"]),
}  # fmt: skip


def wanted(name: str, rows: Rows) -> Rows:
    """Return the rows as the format can say them. What failed in a batch has the batch's time."""
    made = [MATRIX[name].want(row) for row in rows]
    if name == "batch":
        began: dict[str, Any] = {}
        for row, one in zip(rows, made, strict=True):
            first = began.setdefault(row["account_id"], row["ts"].replace(microsecond=0))
            if row["status"] not in ("ok", "refused", "filtered"):
                one["ts"] = first
    return made


@pytest.mark.parametrize("name", MATRIX)
def test_the_world_reads_back_as_it_was(world: Rows, name: str) -> None:
    cell = MATRIX[name]
    got = read(cell.write(world), cell.format)
    want = sorted(wanted(name, world), key=lambda row: row["exchange_id"])
    assert len(got) == len(want)
    for column in EXCHANGE.names:
        if column not in cell.without:
            assert [row[column] for row in got] == [row[column] for row in want], column


def test_every_format_has_its_row() -> None:
    """A format that is registered is written and read back here, or this fails."""
    assert {cell.format for cell in MATRIX.values()} == {source.name for source in SOURCES} | {
        "mapping"
    }


def test_no_row_is_empty() -> None:
    """What a format lacks is what it cannot carry: who, when and which model it always can."""
    for cell in MATRIX.values():
        assert cell.without <= set(EXCHANGE.names)
        assert cell.without.isdisjoint({"exchange_id", "account_id", "model", "status"} - (
            {"status"} if cell.format == "envoy" else set()))  # fmt: skip


def test_spendlogs_have_the_columns_of_the_real_table(world: Rows) -> None:
    logged = FIXTURES / "spendlogs" / "rows.jsonl"
    real = json.loads(logged.read_text("utf-8").splitlines()[0])
    assert set(api_rows.spendlog(world[0])) == set(real)


# Whom a scan accuses


def accused(whole: SimulatedWorld, log: Path, out: Path, format: str = "auto") -> set[str]:
    run = scan([log], accounts=whole.accounts_csv, out=out, format=format, threads=1).run_dir
    found = pq.read_table(run / "accounts.parquet", columns=["account_id", "standing"]).to_pylist()
    return {row["account_id"] for row in found if row["standing"] == "accused"}


@pytest.fixture(scope="module")
def rows(whole: SimulatedWorld) -> Rows:
    return pq.read_table(whole.out / "exchanges").to_pylist()


@pytest.fixture(scope="module")
def everybody(whole: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return whom a scan of the canonical table with all its columns accuses."""
    found = accused(whole, whole.out / "exchanges", tmp_path_factory.mktemp("all") / "run")
    assert len(found) > 100, "a world without accusations would prove nothing"
    return found


NEEDED = {"messages", "ip", "user_agent", "ja4", "org_id", "end_user_id", "output_text"}
EVERYTHING = [name for name, cell in MATRIX.items() if cell.without.isdisjoint(NEEDED)]
LESS = [name for name in MATRIX if name not in (*EVERYTHING, "envoy")]


def written(rows: Rows, name: str, folder: Path) -> tuple[Path, str]:
    """Write the world; return its folder, and the mapping file that it needs, if any."""
    log = folder / name
    log.mkdir()
    for file, raw in MATRIX[name].write(rows).items():
        (log / file).write_bytes(raw)
    if MATRIX[name].format != "mapping":
        return log, "auto"
    (folder / "m.toml").write_text(api_rows.MAPPING, "utf-8")
    return log, str(folder / "m.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_scan_accuses_the_same_accounts(
    whole: SimulatedWorld, rows: Rows, everybody: set[str], tmp_path: Path, name: str
) -> None:
    """…where the format carries all columns that an accusation of this world rests on."""
    log, format = written(rows, name, tmp_path)
    assert accused(whole, log, tmp_path / "run", format) == everybody


@pytest.mark.slow
@pytest.mark.parametrize("name", LESS)
def test_a_scan_accuses_whom_the_table_without_those_columns_accuses(
    whole: SimulatedWorld, rows: Rows, tmp_path: Path, name: str
) -> None:
    without = dict.fromkeys(MATRIX[name].without)
    table = pa.Table.from_pylist([row | without for row in wanted(name, rows)], EXCHANGE)
    pq.write_table(table, tmp_path / "table.parquet")
    log, format = written(rows, name, tmp_path)
    found = accused(whole, log, tmp_path / "run", format)
    assert len(found) > 20
    assert found == accused(whole, tmp_path / "table.parquet", tmp_path / "reference")


@pytest.mark.slow
def test_a_log_without_texts_accuses_nobody(
    whole: SimulatedWorld, rows: Rows, tmp_path: Path
) -> None:
    log, _ = written(rows, "envoy", tmp_path)
    assert accused(whole, log, tmp_path / "run") == set()
    told = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    assert told["cannot_accuse"] is True
