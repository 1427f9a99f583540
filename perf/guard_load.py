"""One process that asks a guard over loopback: closed loop for the rate, open loop for delays."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

__all__ = ["closed", "open_loop", "post"]


def post(path: str, value: Any, token: str | None = None) -> bytes:
    """Return an HTTP/1.1 request ready to send."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    auth = f"authorization: Bearer {token}\r\n" if token else ""
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\nhost: g\r\n{auth}{kind}\r\n".encode() + body


class _Client(asyncio.Protocol):
    """Sends one request after another on one connection; counts answers by their heads."""

    def __init__(self, requests: list[bytes], first: int, step: int, stop_at: float) -> None:
        self.requests, self.at, self.step, self.stop_at = requests, first, step, stop_at
        self.count = self.failed = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self.transport.write(self.requests[self.at % len(self.requests)])
        self.at += self.step

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        head, found, body = data.partition(b"\r\n\r\n")
        if not found:
            self.buffer = data
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            self.buffer = data
            return
        self.buffer = b""
        self.count += 1
        self.failed += not head.startswith(b"HTTP/1.1 20")
        self.answered()
        if time.perf_counter() >= self.stop_at:
            self.transport.close()
        else:
            self._send()

    def answered(self) -> None:
        pass

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def closed(
    port: int, requests: list[bytes], seconds: float, connections: int
) -> dict[str, Any]:
    """Return answers a second with so many connections, each asking as fast as it is answered."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients = []
    for k in range(connections):
        _, client = await loop.create_connection(
            lambda k=k: _Client(requests, k, connections, began + seconds), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(c.done for c in clients))
    took = time.perf_counter() - began
    return {
        "per_second": round(sum(c.count for c in clients) / took),
        "failed": sum(c.failed for c in clients),
        "connections": connections, "seconds": round(took, 2),
    }  # fmt: skip


class _Paced(_Client):
    """Sends when told; notes how long an answer took since it was due."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.due: list[float] = []
        self.delays: list[float] = []
        self.stop_at = float("inf")

    def ask(self, due: float) -> None:
        self.due.append(due)
        if len(self.due) == 1:
            super()._send()

    def answered(self) -> None:
        self.delays.append(time.perf_counter() - self.due.pop(0))

    def _send(self) -> None:
        if self.due:
            super()._send()


async def open_loop(
    port: int, requests: list[bytes], rate: int, seconds: float, connections: int
) -> dict[str, Any]:
    """Return delays in ms at a fixed rate; a delay counts from when the request was due."""
    loop = asyncio.get_running_loop()
    clients = []
    for k in range(connections):
        _, client = await loop.create_connection(
            lambda k=k: _Paced(requests, k, connections, 0), "127.0.0.1", port
        )
        clients.append(client)
    began = time.perf_counter()
    total = int(rate * seconds)
    for number in range(total):
        due = began + number / rate
        while (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead if ahead > 0.002 else 0)
        clients[number % connections].ask(due)
    while sum(len(c.delays) for c in clients) < total and time.perf_counter() < began + 3 * seconds:
        await asyncio.sleep(0.01)
    delays = sorted(d * 1e3 for c in clients for d in c.delays)
    for client in clients:
        client.transport.close()
    pick = lambda q: round(delays[min(len(delays) - 1, int(q * len(delays)))], 3)  # noqa: E731
    return {"rate": rate, "answers": len(delays), "p50_ms": pick(0.5), "p99_ms": pick(0.99),
            "p999_ms": pick(0.999), "failed": sum(c.failed for c in clients)}  # fmt: skip


def main() -> None:
    """Read one job as JSON on standard input, print its result: the generator's own process."""
    import uvloop

    job = json.load(sys.stdin)
    requests = [post(job["path"], v, job.get("token")) for v in job["bodies"]]
    run = closed if job["kind"] == "closed" else open_loop
    print(json.dumps(uvloop.run(run(job["port"], requests, **job["how"]))))


if __name__ == "__main__":
    main()
