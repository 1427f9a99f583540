"""Texts and inner workings: the log's columns, the middleware's example, the journal."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from stillwatch.guard import Guard, Record, write_snapshot
from stillwatch.guard.bodies import columns_of_call
from stillwatch.guard.budgets import Budget
from stillwatch.guard.journal import Journal
from stillwatch.kernel import address_prefix, client_hash, one, prefix_hash
from stillwatch.seal import new_key
from stillwatch.sources import open_inputs

from .conftest import HOUR, SMALL, T0, framed, guard, ordered, request, snapshot

EXAMPLE = Path(__file__).parents[3] / "examples" / "guard" / "asgi_app.py"


def test_a_call_and_its_log_have_the_same_hashes(tmp_path):
    """The guard reads the call, the scan reads LiteLLM's log of it: frames must agree."""
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    messages = [
        {"role": "system", "content": "You help with the tides of the northern sea, in short."},
        {"role": "user", "content": [
            {"type": "text", "text": "Look at this picture of the harbour wall and say when."},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "seven"},
        {"role": "user", "content": "And when does it turn again after that, in the afternoon?"},
    ]  # fmt: skip
    log = {
        "id": "x-1", "startTime": 1_790_000_000.0, "endTime": 1_790_000_001.0, "model": "m-1",
        "call_type": "acompletion", "status": "success", "messages": messages,
        "model_parameters": {"tools": tools}, "response": {},
        "metadata": {"user_api_key_user_id": "u-1"},
    }  # fmt: skip
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(log) + "\n")
    (logged,) = [row for b in open_inputs([str(path)]).batches() for row in b.to_pylist()]
    called = columns_of_call({"messages": messages, "tools": tools})
    of_call, of_log = (one(x, with_intents=False)._asdict() for x in (called, logged))
    assert of_call["h_tools"]
    assert of_call["prefix_before_last_user"]
    assert of_call == of_log


def test_addresses_and_clients_hash_as_in_the_log():
    import pyarrow as pa

    from stillwatch.kernel import ENVELOPE, envelope
    from stillwatch.schema.arrow import EXCHANGE

    row = {"exchange_id": "1", "account_id": "a", "model": "m", "ip": "192.0.2.7", "ja4": "t13d",
           "user_agent": "openai/1.2", "ts": 0}  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=EXCHANGE)
    columns = dict(zip(ENVELOPE.names, envelope(batch), strict=True))
    assert columns["h_prefix"][0].as_py() == prefix_hash("192.0.2.7")
    assert columns["h_client"][0].as_py() == client_hash("t13d", "openai/1.2")
    assert address_prefix("::ffff:192.0.2.7") == "192.0.2.0/24"
    assert prefix_hash("no address") == 0
    assert prefix_hash(None) == 0


@pytest.fixture
def app(tmp_path, monkeypatch):
    key = new_key(tmp_path / "key.pem")
    write_snapshot(tmp_path / "s.json", ordered("deny", hours=10**6), key)
    monkeypatch.setenv("SNAPSHOT", str(tmp_path / "s.json"))
    monkeypatch.setenv("TRUST", str(tmp_path / "key.pem.pub"))
    spec = importlib.util.spec_from_file_location("asgi_app", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.service.clock_us = lambda: T0 + HOUR
    yield module.app
    sys.modules.pop("asgi_app", None)


def ask(app, key: str, parts: list[bytes]):
    """One call through the example's application, its body in parts."""
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "client": None,
             "headers": [(b"authorization", f"Bearer {key}".encode())]}  # fmt: skip
    waiting, sent = list(parts), []

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_the_middleware_passes_whole_bodies_on_and_refuses_the_accused(app):
    body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": "hello"}]}).encode()
    status, answer = ask(app, "sk-good", [body[:10], body[10:30], body[30:]])
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "You said hello.")
    status, answer = ask(app, "sk-bad", [body])
    assert (status, answer["error"]["type"]) == (403, "permission_error")
    assert answer["error"]["code"] == "deny"
    assert ask(app, "sk-nobody", [body])[0] == 200  # whose key it is, is the application's affair


def test_the_middleware_passes_bodies_over_the_limit_unread(app):
    app._service.serving.__dict__["max_body"] = 50
    body = json.dumps({"messages": [{"role": "user", "content": "y" * 100}]}).encode()
    assert ask(app, "sk-good", [body[:60], body[60:]])[0] == 200
    assert ask(app, "sk-bad", [body[:60], body[60:]])[0] == 403


def test_a_journal_gives_back_evidence_budgets_and_books(tmp_path):
    first = guard()
    journal = Journal(tmp_path)
    first.on_record = journal.note
    for k in range(30):
        first.decide(request("bad-1", T0 + k))
    first.observe(request("bad-1", T0), prefix_full=77, h_blob=88)
    first.decide(framed("new", T0 + 50, links={"payment": "card-1"}))
    first.verify("bad-2", None, T0)
    journal.flush(first.numbers)
    second = guard()
    assert Journal(tmp_path).restore(second) >= 34
    for account in ("bad-1", "new"):
        asked = request(account, T0 + HOUR)
        assert second.decide(asked).would == first.decide(asked).would == "throttle"
    assert second.matches(request("x", T0 + 1, prefix_before=77, h_blob=88)) == {0: 512 + 1024}
    assert second.verified == first.verified


def test_a_record_cut_by_a_kill_is_left_out(tmp_path):
    journal = Journal(tmp_path)
    for k in range(3):
        journal.note(Record("handoff", 70 + k, 5, 0, T0))
    journal.flush({"c-1": 0})
    (file,) = tmp_path.glob("*.log")
    file.write_bytes(file.read_bytes()[:-5])
    restored = Guard(snapshot(), capacity=SMALL)
    assert Journal(tmp_path).restore(restored) == 2
    (tmp_path / "talk-00000009.log").write_bytes(b'{"c-')
    assert Journal(tmp_path).restore(restored) == 2


def test_a_journal_stays_bounded(tmp_path):
    journal = Journal(tmp_path, records_per_file=10)
    for k in range(100):
        journal.note(Record("handoff", k + 1, 5, 0, T0))
        journal.flush({"c-1": 0})
    assert len(list(tmp_path.glob("*.log"))) == 5  # four that are full and the one written to
    restored = Guard(snapshot(), capacity=SMALL)
    Journal(tmp_path).restore(restored)
    assert 100 in restored.conversations
    assert 1 not in restored.conversations


def test_a_budget_slides_and_late_requests_count():
    budget = Budget(10, 72 * 60)
    minute = 60_000_000
    for k in range(10):
        budget.spend(T0 + k * minute)
    assert budget.spent(T0 + 9 * minute) == 10
    assert budget.spent(T0 + 75 * minute) < 10
    assert budget.spent(T0 + 200 * minute) == 0
    budget.spend(T0)  # later than the window: it counts into the oldest bucket
    assert budget.spent(T0 + 200 * minute) == 1
