"""Vertex's request-response log: bodies as Google's own types write them, rows as BigQuery's."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.report.facts import read_facts
from stillwatch.report.sentence import answer
from stillwatch.scanner import scan
from stillwatch.simulate import simulate
from stillwatch.sources import open_inputs
from stillwatch.store import open_run

GEMINI = Path(__file__).parents[2] / "fixtures" / "apis" / "gemini.jsonl"
CALLS = {r["tags"]["case"]: r for r in map(json.loads, GEMINI.read_text("utf-8").splitlines())}
ENDPOINT = "projects/p-1/locations/us-central1/endpoints/7"


def row(case: str, **more: Any) -> dict[str, Any]:
    call = CALLS[case]
    return {
        "endpoint": ENDPOINT, "deployed_model_id": "7",
        "logging_time": "2026-11-01 00:00:00.123456 UTC", "request_id": "123",
        "request_payload": [], "response_payload": [], "model": "publishers/google/models/gem-3",
        "model_version": "1", "api_method": "generateContent", "metadata": None, "otel_log": None,
        "full_request": json.dumps(call["request"]), "full_response": json.dumps(call["response"]),
    } | more  # fmt: skip


def read(folder: Path, *rows: dict[str, Any]) -> tuple[list[dict[str, Any]], Any]:
    file = folder / "log.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    opened = open_inputs([file], max_rejects=1.0)
    assert opened.formats == ("vertex",)
    return [r for b in opened.batches() for r in b.to_pylist()], opened.ledger


def test_a_call(tmp_path: Path) -> None:
    (got,), ledger = read(tmp_path, row("plain"))
    want = {
        "exchange_id": "123", "account_id": "p-1", "org_id": "p-1", "model": "gem-3",
        "provider": "gcp.vertex_ai", "output_text": "Hello!", "status": "ok", "stream": False,
        "input_tokens": 120, "output_tokens": 40, "reasoning_tokens": 32, "cached_tokens": 100,
        "temperature": 0.5, "max_tokens": 64, "operation": "chat", "ip": None,
    }  # fmt: skip
    assert {k: got[k] for k in want} == want
    assert got["ts"].isoformat() == "2026-11-01T00:00:00.123456+00:00"
    assert got["messages"][0] == {"role": "system", "content": "Be brief."}
    assert any("sampled log" in note for note in ledger.notes)


def test_labels_say_whose_a_call_is(tmp_path: Path) -> None:
    request = CALLS["plain"]["request"] | {"labels": {"tenant_id": "t-9", "team": "x"}}
    (got,), _ = read(tmp_path, row("plain", full_request=request))
    assert (got["account_id"], got["org_id"]) == ("t-9", "p-1")
    assert dict(got["tags"]) == {"tenant_id": "t-9", "team": "x"}


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("case", ["stream", "blocked", "tools", "thinking"])
def test_bodies_as_text_or_as_objects_and_in_payloads(
    tmp_path: Path, case: str, as_text: bool
) -> None:
    call = CALLS[case]
    pack = json.dumps if as_text else lambda value: value
    said = call["response"]
    payload = {
        "full_request": None, "full_response": None,
        "request_payload": [json.dumps(call["request"])],
        "response_payload": [json.dumps(x) for x in (said if isinstance(said, list) else [said])],
    }  # fmt: skip
    method = {"api_method": "streamGenerateContent"} if case == "stream" else {}
    plain, other = (
        row(case, full_request=pack(call["request"]), full_response=pack(said), **method),
        row(case, request_id="124", **payload, **method),
    )
    (one, two), _ = read(tmp_path, plain, other)
    assert {k: v for k, v in one.items() if k != "exchange_id"} == {
        k: v for k, v in two.items() if k != "exchange_id"
    }
    assert one["stream"] is (case == "stream")
    assert one["status"] == ("filtered" if case == "blocked" else "ok")


def test_a_partner_model_by_raw_predict(tmp_path: Path) -> None:
    request = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9,
               "messages": [{"role": "user", "content": "Hi"}]}  # fmt: skip
    response = {"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": "Hello"}],
                "usage": {"input_tokens": 5, "cache_read_input_tokens": 4,
                          "output_tokens": 2}}  # fmt: skip
    (got,), _ = read(
        tmp_path,
        row("plain", full_request=request, full_response=response, api_method="rawPredict",
            model="claude-5"),
    )  # fmt: skip
    assert (got["output_text"], got["input_tokens"], got["cached_tokens"]) == ("Hello", 9, 4)


def test_a_rounded_id_is_told_apart_by_its_time_and_counted(tmp_path: Path) -> None:
    rows = [row("plain", request_id=8.123456789012346e18, logging_time=f"2026-11-01 00:00:0{n} UTC")
            for n in (1, 2)]  # fmt: skip
    got, ledger = read(tmp_path, *rows, row("plain", request_id=17.0), row("plain", request_id=18))
    ids = [r["exchange_id"] for r in got]
    assert len(set(ids)) == 4
    assert ids[2:] == ["17", "18"]
    assert ledger.notes["request ids that the export rounded, told apart by their time"] == 2


def test_csv_as_bigquery_exports_it(tmp_path: Path) -> None:
    one = row("plain", request_payload="", response_payload="")
    with (tmp_path / "log.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, one)
        writer.writeheader()
        writer.writerow(one)
    opened = open_inputs([tmp_path / "log.csv"])
    (got,) = [r for b in opened.batches() for r in b.to_pylist()]
    assert (opened.formats, got["output_text"]) == (("vertex",), "Hello!")


# A sampled log


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1])
def test_a_rate_is_a_share(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ConfigError, match="--sampling-rate"):
        scan([GEMINI], out=tmp_path / "run", sampling_rate=rate)


@pytest.mark.slow
def test_amounts_are_scaled_and_nobody_is_cleared(tmp_path: Path) -> None:
    """The same rows as a tenth: the same accusations, ten times the value, and a warning."""
    world = simulate("small", seed=7, out=tmp_path / "world")
    runs = [
        scan([world.out / "exchanges"], accounts=world.accounts_csv, out=tmp_path / str(rate),
             sampling_rate=rate, threads=1).run_dir
        for rate in (1.0, 0.1)
    ]  # fmt: skip
    whole, tenth = map(open_run, runs)
    for name in ("accounts", "signals", "links"):
        one, ten = ((run / f"{name}.parquet").read_bytes() for run in runs)
        assert one == ten, name
    assert whole.summary["accused_accounts"] > 0
    one, ten = (r.summary["value_at_risk"]["harvest_list_price_usd"] for r in (whole, tenth))
    assert ten["mid"] == pytest.approx(10 * one["mid"], rel=0.02)
    assert "sampling_rate" not in whole.summary["parameters"]
    told = [answer(read_facts(run)).warnings for run in (whole, tenth)]
    assert [any(title == "This log is a sample" for title, _ in w) for w in told] == [False, True]
    assert "This log is a sample" in (runs[1] / "report.html").read_text("utf-8")
    assert pq.read_table(runs[0] / "accounts.parquet").num_rows > 0
