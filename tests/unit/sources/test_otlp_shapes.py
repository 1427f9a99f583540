"""Shapes of OTLP that are wrong, nested or no model call: entered, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from otlp_spans import (
    attribute,
    event,
    log,
    logs,
    read,
    reasons,
    span,
    traces,
)

from stillwatch.errors import InputError
from stillwatch.sources import open_inputs


def test_wrong_shapes_are_entered_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        traces(span(1)),
        {"resourceSpans": 7},
        {"resourceSpans": [7]},
        {"resourceSpans": [{"scopeSpans": {}}]},
        traces("text", span(2)),
        {"something": "else"},
        {"resourceMetrics": []},
        {**traces(), "resourceLogs": "x"},
    )
    rows, ledger = read(path)
    assert len(rows) == 2
    assert reasons(ledger) == [
        (2, "resourceSpans is no list", ""),
        (3, "resourceSpans holds what is no object", ""),
        (4, "scopeSpans is no list", ""),
        (5, "spans holds what is no object", ""),
        (6, "not an OTLP record", ""),
        (8, "resourceLogs is no list", ""),
    ]
    assert ledger.notes["OTLP metrics or profiles, not read"] == 1


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"startTimeUnixNano": "soon"}, "no readable time", "ts"),
        ({"startTimeUnixNano": None}, "no readable time", "ts"),
        ({"startTimeUnixNano": "0"}, "no readable time", "ts"),
        ({"startTimeUnixNano": "1769860800"}, "time before 2015", "ts"),
        ({"traceId": "0" * 32}, "required value missing", "exchange_id"),
        ({"spanId": None}, "required value missing", "exchange_id"),
        ({"attributes": "none"}, None, None),
    ],
)
def test_unfit_spans(
    tmp_path: Path, change: dict[str, Any], reason: str | None, field: str | None
) -> None:
    rows, ledger = read(log(tmp_path, traces({**span(1), **change}, span(2))))
    assert len(rows) == 1
    assert reasons(ledger) == ([(1, reason, field)] if reason else [])


def test_negative_tokens(tmp_path: Path) -> None:
    bad = span(1, gen_ai__usage__input_tokens={"intValue": "-5"})
    _, ledger = read(log(tmp_path, traces(bad, span(2))))
    assert reasons(ledger) == [(1, "negative tokens", "input_tokens")]


def test_attributes_that_are_none(tmp_path: Path) -> None:
    odd = span(1)
    odd["attributes"] += [7, {"value": {"stringValue": "x"}}, {"key": 5, "value": {"intValue": 1}}]
    odd["attributes"] += [{"key": "empty", "value": {}}, {"key": "bare", "value": "x"}]
    odd["attributes"] += [{"key": "later", "value": {"newValue": 1}}]
    rows, ledger = read(log(tmp_path, traces(odd)))
    assert rows[0]["account_id"] == "a"
    assert ledger.coerced["attribute without a name, left out"] == 3


def test_a_message_event_without_its_span(tmp_path: Path) -> None:
    path = log(tmp_path, logs(event(1, "gen_ai.user.message", body={"stringValue": "x"})))
    inputs = open_inputs([path])
    with pytest.raises(InputError, match="message event without its span") as caught:
        list(inputs.batches())
    assert "traces" in caught.value.hint


def test_other_log_records_are_noted(tmp_path: Path) -> None:
    other = {"observedTimeUnixNano": "1", "body": {"stringValue": "started"}}
    rows, ledger = read(
        log(tmp_path, logs(other, {**other, "eventName": "session.start"})),
        log(tmp_path, traces(span(1)), name="traces.jsonl"),
    )
    assert len(rows) == 1
    assert ledger.notes["log records that are no model request"] == 2


def test_tools_and_agents_are_no_exchanges(tmp_path: Path) -> None:
    rows, ledger = read(
        log(
            tmp_path,
            traces(
                span(1),
                span(2, gen_ai__operation__name="execute_tool"),
                span(3, gen_ai__operation__name="invoke_agent"),
                span(4, gen_ai__operation__name="a_new_one"),
                span(5, gen_ai__operation__name=None, gen_ai__request__model=None),
            ),
        )
    )
    assert [r["operation"] for r in rows] == ["chat", "a_new_one"]
    assert ledger.notes["spans that are no model request"] == 3


def test_span_events_of_the_first_convention(tmp_path: Path) -> None:
    one = span(1, gen_ai__prompt=None)
    one["events"] = [
        {"name": "gen_ai.content.prompt", "attributes": [attribute("gen_ai.prompt", "Hi")]},
        {"name": "gen_ai.content.completion", "attributes": [attribute("gen_ai.completion", "Yo")]},
        {"name": "exception"},
        7,
    ]
    two = span(2, gen_ai__prompt=None)
    said = {"content": "Hi", "role": "user"}
    two["events"] = [
        {
            "name": "gen_ai.user.message",
            "attributes": [attribute("gen_ai.event.content", json.dumps(said))],
        },
        {
            "name": "gen_ai.choice",
            "attributes": [
                attribute("gen_ai.event.content", json.dumps({"message": {"content": "Yo"}}))
            ],
        },
    ]
    rows, _ = read(log(tmp_path, traces(one, two)))
    for row in rows:
        assert row["messages"] == [{"role": "user", "content": "Hi"}]
        assert row["output_text"] == "Yo"


def test_content_nested_without_end_is_cut_not_lost(tmp_path: Path) -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    bad = span(1, gen_ai__input__messages=value)
    rows, _ = read(log(tmp_path, traces(bad, span(2))))
    assert len(rows) == 2
