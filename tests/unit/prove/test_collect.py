"""Collecting from a real server on loopback: retried, resumed, cached, priced, keyless on disk."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.prove.collect import collect_answers, estimate_cost
from stillwatch.prove.endpoints import Ask, parse_spec
from stillwatch.prove.responses import read_responses
from stillwatch.schema.arrow import RESPONSE

PROMPTS = {"a": "What is a kiln?", "b": "And a loom?", "c": "And a mill?"}
NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Stub(ThreadingHTTPServer):
    """Answers both protocols; ``fail`` holds statuses to give first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.fail: list[int] = []
        self.garbage = False


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        if self.server.fail:
            self.send_response(self.server.fail.pop(0))
            self.send_header("retry-after", "7")
            self.end_headers()
            return
        text = f"You asked: {body['messages'][-1]['content']}"
        if self.path.endswith("/messages"):
            answer: Any = {
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 5, "output_tokens": 7},
            }
        else:
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": [{"token": "You", "logprob": -0.25}]}
            usage = {"prompt_tokens": 5, "completion_tokens": 7}
            answer = {"choices": [choice], "usage": usage}
        payload = b"{}" if self.server.garbage else json.dumps(answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(stub: Stub, folder: Path, kind: str = "openai", waits: list[float] | None = None, **more):
    endpoint = parse_spec(f"{kind}:kiln-7b@http://127.0.0.1:{stub.server_port}/v1")
    waited = [] if waits is None else waits
    options = {"ask": Ask(), "cache": folder / "cache.jsonl", "now": lambda: NOW, **more}
    return collect_answers(endpoint, PROMPTS, folder / "r.parquet", sleep=waited.append, **options)


def test_answers_are_saved_in_the_contract_and_never_asked_twice(stub, tmp_path):
    done = run(stub, tmp_path, usd_in=2.0, usd_out=10.0, ask=Ask(logprobs=True))
    assert (done.rows, done.asked) == (3, 3)
    assert done.cost_usd == pytest.approx(3 * (5 * 2 + 7 * 10) / 1e6)
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.schema.equals(RESPONSE)
    assert table.column("logprobs").to_pylist()[0] == [{"token": "You", "logprob": -0.25}]
    assert read_responses(tmp_path / "r.parquet")["kiln-7b"].output["b"] == "You asked: And a loom?"
    again = run(stub, tmp_path, ask=Ask(logprobs=True))
    assert (again.asked, again.cached) == (0, 3)
    assert len(stub.seen) == 3
    assert run(stub, tmp_path, ask=Ask(temperature=1.0)).asked == 3  # another question


def test_a_busy_endpoint_is_waited_for_and_a_refusing_one_is_not(stub, tmp_path):
    stub.fail = [429, 503]
    waits: list[float] = []
    assert run(stub, tmp_path, waits=waits, per_minute=120).rows == 3
    assert waits[:2] == [7.0, 7.0]  # what retry-after says
    assert waits[2:] == [0.5, 0.5]  # the rate
    stub.fail = [401]
    with pytest.raises(InputError, match="status 401"):
        run(stub, tmp_path / "new", cache=tmp_path / "other.jsonl")


def test_it_goes_on_after_a_kill_in_the_middle_of_a_line(stub, tmp_path):
    run(stub, tmp_path)
    cache = tmp_path / "cache.jsonl"
    lines = cache.read_text().splitlines(keepends=True)
    cache.write_text(lines[0] + lines[1][:20])
    assert run(stub, tmp_path).asked == 2
    assert len(cache.read_text().splitlines()) == 3
    cache.write_text("no json\n" + lines[0])
    with pytest.raises(InputError, match=r"cache\.jsonl:1"):
        run(stub, tmp_path)


def test_both_protocols_carry_system_key_and_limits_and_the_key_stays_off_the_disk(stub, tmp_path):
    for kind in ("openai", "anthropic"):
        run(stub, tmp_path, kind, key="k-123", ask=Ask(system="Be brief.", max_tokens=9))
    (_, first, body), (path, second, other) = stub.seen[0], stub.seen[3]
    assert {k.lower(): v for k, v in first.items()}["authorization"] == "Bearer k-123"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert path == "/v1/messages"
    assert {k.lower(): v for k, v in second.items()}["x-api-key"] == "k-123"
    assert (other["system"], other["max_tokens"]) == ("Be brief.", 9)
    assert all(b"k-123" not in f.read_bytes() for f in tmp_path.iterdir())


def test_the_cost_is_known_before_anything_is_asked(stub, tmp_path):
    endpoint = parse_spec(f"openai:kiln-7b@http://127.0.0.1:{stub.server_port}/v1")
    cache = tmp_path / "cache.jsonl"
    before = estimate_cost(endpoint, PROMPTS, Ask(max_tokens=100), cache, usd_in=1, usd_out=10)
    assert stub.seen == []
    assert before.most_output_tokens == 300
    assert before.most_usd == pytest.approx((before.input_tokens + 3000) / 1e6)
    run(stub, tmp_path, ask=Ask(max_tokens=100))
    assert estimate_cost(endpoint, PROMPTS, Ask(max_tokens=100), cache).cached == 3
    chinese = estimate_cost(endpoint, {"a": "窑是什么?"}, Ask(max_tokens=100), cache)
    assert chinese.input_tokens >= 4  # four characters a token would have said 2


def test_an_answer_of_another_form_and_a_wrong_spec_are_told(stub, tmp_path):
    stub.garbage = True
    with pytest.raises(InputError, match="another form"):
        run(stub, tmp_path)
    for spec in ("kiln", "other:kiln", "openai:", "openai:kiln@http://me:s3cret@host/v1"):
        with pytest.raises(ConfigError) as told:
            parse_spec(spec)
        assert "s3cret" not in str(told.value)
    with pytest.raises(ConfigError, match="a minute"):
        run(stub, tmp_path, per_minute=0)
