"""What is proposed for an unknown log can be read at once, and tells no value of it."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import InputError
from stillwatch.sources import open_inputs, suggest_mapping
from stillwatch.sources.sample import survey

SECRET = "Tell nobody of the blue heron"
KONG = [
    {
        "started_at": 1_793_491_200_000 + i, "client_ip": f"203.0.113.{i % 200}",
        "request": {"id": f"r{i}", "uri": "/v1/chat/completions",
                    "headers": {"user-agent": "OpenAI/Python 3.57.0"}},
        "response": {"status": 200}, "consumer": {"id": f"c{i % 7}", "custom_id": f"acct-{i % 7}"},
        "ai": {"proxy": {"payload": {
            "request": json.dumps({"model": "gpt-5", "messages": [
                {"role": "user", "content": f"{SECRET} {i}"}]}),
            "response": json.dumps({"id": f"x{i}", "choices": [
                {"finish_reason": "stop", "message": {"content": "no"}}]})}}},
    }
    for i in range(40)
]  # fmt: skip
FLAT = [
    {"time": f"2026-11-01T00:00:{i:02}Z", "tenant": f"t{i % 5}", "modelName": "gpt-5",
     "prompt": f"{SECRET} {i}", "completion": "no", "tokensIn": str(i), "tokensOut": "3",
     "remoteAddr": "2001:db8::1", "status": "SUCCESS", "isStream": "true"}
    for i in range(40)
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.mark.parametrize(("name", "rows"), [("kong.jsonl", KONG), ("flat.csv", FLAT)])
def test_the_proposal_reads_the_log(tmp_path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    log = write(tmp_path / name, rows)
    proposal = suggest_mapping([log])
    assert proposal.missing == ()
    assert SECRET not in proposal.text
    (tmp_path / "m.toml").write_text(proposal.text, "utf-8")
    opened = open_inputs([log], format=str(tmp_path / "m.toml"), max_rejects=0.0)
    found = [row for batch in opened.batches() for row in batch.to_pylist()]
    assert len(found) == len(rows)
    assert found[7]["messages"] == [{"role": "user", "content": f"{SECRET} 7"}]
    assert (found[7]["model"], found[7]["status"], found[7]["output_text"]) == ("gpt-5", "ok", "no")
    assert found[7]["ip"] in ("203.0.113.7", "2001:db8::1")
    assert len({row["account_id"] for row in found}) in (5, 7)


def test_bodies_are_recognised_and_other_candidates_named(tmp_path: Path) -> None:
    text = suggest_mapping([write(tmp_path / "kong.jsonl", KONG)]).text
    made = tomllib.loads(text)
    assert made["bodies"] == {
        "request": "ai.proxy.payload.request", "response": "ai.proxy.payload.response"
    }  # fmt: skip
    assert made["columns"]["account_id"] == "consumer.custom_id"
    assert "or: consumer.id" in text
    assert "request.uri" in text  # among what is not used


def test_what_is_missing_is_said_and_the_file_is_still_toml(tmp_path: Path) -> None:
    log = write(tmp_path / "x.jsonl", [{"time": "2026-11-01T00:00:00Z", "level": "info"}])
    proposal = suggest_mapping([log])
    assert proposal.missing == ("account_id", "model")
    assert tomllib.loads(proposal.text)["columns"] == {"ts": "time"}
    assert "# account_id = ''  # REQUIRED" in proposal.text


def test_hostile_keys_stay_in_their_quotes(tmp_path: Path) -> None:
    key = "x'\"\n]\u202e = # client ip"
    row = {**FLAT[0], key: "203.0.113.9", "user\nid": "u"}
    del row["remoteAddr"]
    text = suggest_mapping([write(tmp_path / "x.jsonl", [row])]).text
    made = tomllib.loads(text)
    assert set(made) == {"columns"}
    assert json.loads(made["columns"]["ip"]) == key  # JMESPath quotes a name as JSON does
    assert "\u202e" not in text.split("[columns]")[0]


def test_no_rows_no_proposal(tmp_path: Path) -> None:
    log = tmp_path / "x.txt"
    for text, said in (
        ("", "no row that can be read Next"),
        ('{"a": ', "no row that can be read: JSON ends early"),
        ("a secret, of two\nwords, more\n", "names no columns Next: put the names"),
        ("x1,2026-11-13T08:00:00Z,secret\nx2,2026-11-13T08:00:01Z,y\n", "names no columns"),
        ("id,why is it secret?,user,time,model\na,b,c,d,e\n", "names no columns"),
        ("PK\x03\x04,secret\na,b\n", "not a log: a ZIP archive Next: unpack it"),
    ):
        log.write_text(text, "utf-8")
        with pytest.raises(InputError, match=said) as caught:
            suggest_mapping([log])
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "found"),
    [("ttft_ms", False), ("queue_ms", False), ("ms", True), ("latency_ms", True),
     ("upstream_latency_ms", True)],
)  # fmt: skip
def test_a_time_in_milliseconds_is_not_yet_the_latency(
    tmp_path: Path, name: str, found: bool
) -> None:
    log = write(tmp_path / "x.jsonl", [{**row, name: i} for i, row in enumerate(FLAT)])
    columns = tomllib.loads(suggest_mapping([log]).text)["columns"]
    assert columns.get("latency_ms") == (name if found else None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_surveyed(value: float) -> None:
    seen, rows = survey([{"account_id": value, "held": {"x": [value]}}])
    assert rows == 1
    assert {one.path: one.rows for one in seen} == {
        ("account_id",): 1, ("held",): 1, ("held", "x"): 1
    }  # fmt: skip
