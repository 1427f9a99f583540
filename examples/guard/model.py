"""A model that is none: answers every chat with the same sentence, and shows its reasoning.

For trying the gateways beside it: `uvicorn model:app --port 9000`
"""

from __future__ import annotations

import json
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the call and answer it in the form of OpenAI's chat."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    message = {"role": "assistant", "content": "The tide turns.",
               "reasoning_content": "The moon pulls."}  # fmt: skip
    answer = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }  # fmt: skip
    data = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})
