"""Access logs as a real Envoy wrote them: who and when, never what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import InputError
from stillwatch.sources import Inputs, open_inputs

LOG = Path(__file__).parents[2] / "fixtures" / "envoy" / "access.jsonl"
RECORDS = [json.loads(line) for line in LOG.read_text("utf-8").splitlines()]


def read(path: Path) -> tuple[list[dict[str, Any]], Inputs]:
    opened = open_inputs([path], max_rejects=0.0)
    return [row for batch in opened.batches() for row in batch.to_pylist()], opened


def changed(tmp_path: Path, **more: Any) -> dict[str, Any]:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({**RECORDS[1], **more}), "utf-8")
    (row,) = read(path)[0]
    return row


def test_requests_to_models_are_exchanges_and_others_are_noted() -> None:
    rows, opened = read(LOG)
    assert opened.formats == ("envoy",)
    assert opened.ledger.notes["requests that name no model"] == 1
    assert [(r["operation"], r["status"], r["http_status"]) for r in rows] == [
        ("chat", "ok", 200), ("chat", "ok", 200), ("embedding", "ok", 200),
        ("chat", "rate_limited", 429),
    ]  # fmt: skip
    row = rows[0]
    assert row["exchange_id"] == RECORDS[1]["x-request-id"]
    assert (row["account_id"], row["model"], row["provider"]) == ("acct-1", "gpt-5.1", "openai")
    assert (row["input_tokens"], row["output_tokens"], row["latency_ms"]) == (120, 40, 0.0)
    assert (row["client"], row["ts"].isoformat()[:10]) == ("openai", RECORDS[1]["start_time"][:10])
    assert rows[3]["input_tokens"] is None


def test_texts_are_not_promised() -> None:
    columns = open_inputs([LOG]).columns
    assert not columns & {"messages", "output_text", "tools"}
    assert {"ip", "ts", "input_tokens"} <= columns


def test_an_address_that_the_client_wrote_is_not_its_own(tmp_path: Path) -> None:
    forged = "198.51.100.77, 203.0.114.9"
    for peer, forwarded, want in (
        ("203.0.114.8:4711", forged, "203.0.114.8"),  # it connects itself
        ("10.0.0.1:0", forged, "203.0.114.9"),  # the nearest hop that is not private
        ("[2a00:1450::1]:443", None, "2a00:1450::1"),
        ("10.0.0.1:0", "-", "10.0.0.1"),
        ("-", "nonsense", None),
    ):
        row = changed(tmp_path, **{"downstream_remote_address": peer, "x-forwarded-for": forwarded})
        assert row["ip"] == want


def test_a_dash_is_nothing(tmp_path: Path) -> None:
    row = changed(tmp_path, **{"user-agent": "-", "gen_ai.usage.input_tokens": "-"})
    assert (row["user_agent"], row["client"], row["input_tokens"]) == (None, None, None)


def test_without_an_account_the_error_says_what_to_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({**RECORDS[1], "account_id": None}), "utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert "%REQ(X-ACCOUNT-ID)%" in caught.value.hint
