"""A real collector in a process of its own, and records to send to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from stillwatch.sources import open_inputs

START_S = 1_764_000_000.0
HTTP = httpx.Client(timeout=60, trust_env=False)  # made once: it costs more than a request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collector:
    """``stillwatch collect`` on a folder; ``options`` as on its command line."""

    def __init__(self, folder: Path, *options: object) -> None:
        self.folder = folder
        self.options = [str(o) for o in options]
        self.port = free_port()
        self.log = folder.with_name(f"{folder.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, wrapper: tuple[str, ...] = (), wait: bool = True) -> Collector:
        command = [*wrapper, sys.executable, "-m", "stillwatch.cli", "collect", str(self.folder)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        for _ in range(600 if wait else 0):
            with contextlib.suppress(httpx.HTTPError):
                HTTP.get(f"{self.url}/healthz")
                break
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def post(self, path: str, data: object, **more: Any) -> httpx.Response:
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        headers = {"content-type": "application/json", **more.pop("headers", {})}
        return HTTP.post(f"{self.url}{path}", content=data, headers=headers, **more)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        found = 0.0
        for line in HTTP.get(f"{self.url}/metrics").text.splitlines():
            named, _, value = line.rpartition(" ")
            if named.partition("{")[0] == f"stillwatch_collect_{name}" and all(
                f'{k}="{v}"' in named for k, v in labels.items()
            ):
                found += float(value)
        return found

    def wait_for(self, name: str, least: float, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while self.metric(name) < least:
            assert time.monotonic() < until, (name, self.metric(name), self.log.read_text())
            time.sleep(0.1)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Make collectors: ``collector("--segment-seconds", 1)``; those that run are killed after."""
    made: list[Collector] = []

    def make(*options: object, start: bool = True, name: str = "logs") -> Collector:
        one = Collector(tmp_path / name, *options)
        made.append(one)
        return one.start() if start else one

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


def payload(number: int, *, hour: int = 0, words: str = "What is a tide?") -> dict[str, Any]:
    """One payload of LiteLLM's logger."""
    start = START_S + 3600 * hour + number / 1000
    return {
        "id": f"chatcmpl-{hour}-{number}", "trace_id": f"t-{number}", "call_type": "acompletion",
        "startTime": start, "endTime": start + 0.25, "status": "success", "model": "m-1",
        "custom_llm_provider": "openai", "stream": bool(number % 2), "prompt_tokens": 3 + number,
        "completion_tokens": 4, "response_cost": 0.001,
        "metadata": {
            "user_api_key_user_id": f"u-{number % 7}", "user_api_key_hash": "k" * 64,
            "user_api_key_org_id": "o-1",
        },
        "model_parameters": {"temperature": 0.5},
        "messages": [{"role": "user", "content": f"{words} {number}"}],
        "response": {
            "choices": [
                {"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": f"It turns. {number}"}}
            ]
        },
    }  # fmt: skip


def rows_in(*paths: Path, max_rejects: float = 1.0) -> list[dict[str, Any]]:
    """Return all rows that an input gives, by id, without the columns that are null."""
    batches = list(open_inputs(paths, max_rejects=max_rejects).batches())
    rows = pa.Table.from_batches(batches).to_pylist()
    plain = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return sorted(plain, key=lambda row: (row["exchange_id"], repr(row)))
