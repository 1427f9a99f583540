"""A model API of one's own with the guard inside: `uvicorn asgi_app:app --port 8080`.

SNAPSHOT and TRUST name the signed snapshot and the public key; ORDERS, if set, the signed orders:
without them the snapshot's own mode holds, which is *shadow* unless its ladder says otherwise. The
account is what the API's own authentication says, here a fixed table.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from stillwatch.guard import GuardMiddleware, Service, Serving
from stillwatch.seal import read_public_key

KEYS = {b"Bearer sk-bad": "bad-1", b"Bearer sk-good": "good"}


async def model(scope: Any, receive: Any, send: Any) -> None:
    """The model: answers every chat with one sentence."""
    if scope["type"] == "lifespan":
        await lives(receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = json.loads(body)["messages"][-1]["content"]
    answer = {"choices": [{"message": {"role": "assistant", "content": f"You said {asked}."}}]}
    data = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def lives(receive: Any, send: Any) -> None:
    """Take new snapshots and orders into use each second, as long as the server lives."""
    await receive()
    task = asyncio.create_task(reloads())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await send({"type": "lifespan.shutdown.complete"})


async def reloads() -> None:
    while True:
        await asyncio.sleep(1)
        service.reload()


def account_of(scope: Any) -> str | None:
    """Return whose key the call shows."""
    return KEYS.get(dict(scope["headers"]).get(b"authorization", b""))


orders = os.environ.get("ORDERS")
service = Service(
    Serving(
        Path(os.environ["SNAPSHOT"]), (read_public_key(Path(os.environ["TRUST"])),),
        orders=Path(orders) if orders else None,
    )
)  # fmt: skip
app = GuardMiddleware(model, service, account_of)
