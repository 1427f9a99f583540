"""Sends an application's answer on without its reasoning, where the guard asks for *summarize*."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from stillwatch.guard.reasoning import EventStream, Strip
from stillwatch.guard.replies import Scope, Send

__all__ = ["OF_BYTES", "SAYS_SO", "Summary", "asks_plainly"]

SAYS_SO: Final = (b"x-stillwatch-reasoning", b"withheld")
_log = logging.getLogger("stillwatch.guard")
# What would be of other bytes than those that are sent.
OF_BYTES: Final = frozenset((b"content-length", b"etag", b"content-md5", b"digest",
                             b"content-digest", b"repr-digest"))  # fmt: skip
_PASSED_BY: Final = ("http.response.pathsend", "http.response.zerocopysend")


def asks_plainly(scope: Scope) -> dict[str, Any]:
    """Return the scope of a call whose answer must be read: not compressed, and sent as bytes.

    *identity* is said: without a word any coding would do (RFC 9110, 12.5.3), and an application
    that passes calls on would ask for those that its own client knows.
    """
    headers = [(k, v) for k, v in scope["headers"] if k.lower() != b"accept-encoding"]
    headers.append((b"accept-encoding", b"identity"))
    extensions = {k: v for k, v in (scope.get("extensions") or {}).items() if k not in _PASSED_BY}
    return {**scope, "headers": headers, "extensions": extensions}


class Summary:
    """An ASGI ``send`` that takes the reasoning out of an answer.

    JSON is held until it is whole, a stream goes on event by event, its head with the first, which
    tells whether it can be read. Errors (a status of 300 and more) pass. An answer that cannot be
    read passes too, and does not say that anything was taken out. ``ended`` is told the outcome,
    one of `OUTCOMES`, when the answer is complete; ``says_so``: whether the answer says what was
    done.
    """

    def __init__(self, send: Send, ended: Callable[[str], None], *, says_so: bool) -> None:
        self._send = send
        self._ended = ended
        self._says_so = says_so
        self._strip = Strip()
        self._stream: EventStream | None = None
        self._start: dict[str, Any] | None = None  # until it is known what it may say
        self._whole = bytearray()
        self._passes = False
        self._counts = False
        self._failed = False

    async def __call__(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            await self._begin(dict(message))
        elif kind == "http.response.body" and not self._passes:
            data, more = bytes(message.get("body", b"")), bool(message.get("more_body"))
            if self._stream is not None:
                await self._go_on(message, data, more)
            else:
                self._whole += data
                if not more:
                    await self._finish(message)
        else:
            await self._send(message)
            if kind == "http.response.body" and self._counts and not message.get("more_body"):
                self._ended("not_read")

    async def _begin(self, start: dict[str, Any]) -> None:
        headers = {k.lower(): v.lower() for k, v in start.get("headers", ())}
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip()
        plain = headers.get(b"content-encoding", b"identity") == b"identity"
        answered = 200 <= start["status"] < 300
        if answered and plain and kind == b"text/event-stream":
            self._stream, self._start = EventStream(self._strip), start
        elif answered and plain and (kind == b"application/json" or kind.endswith(b"+json")):
            self._start = start
        else:
            self._passes, self._counts = True, answered
            await self._send(start)

    async def _go_on(self, message: Mapping[str, Any], data: bytes, more: bool) -> None:
        assert self._stream is not None
        told = data
        if not self._failed:
            held = self._stream.held
            try:
                told = self._stream.feed(data) + (b"" if more else self._stream.end())
            except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
                told = held + data
                self._fail(error)
        if self._start is not None:
            self._whole += told
            if more and not (self._strip.read or self._failed or b"data:" in self._whole):
                return  # no event yet
            told, start, self._start = bytes(self._whole), self._start, None
            self._whole.clear()
            await self._send(self._started(start, None, says=self._strip.read and not self._failed))
        await self._send({**message, "body": told})
        if not more:
            self._ended("failed" if self._failed else self._strip.outcome)

    async def _finish(self, message: Mapping[str, Any]) -> None:
        assert self._start is not None
        given = bytes(self._whole)
        told, outcome = given, "not_read"
        try:
            answer = json.loads(given)
            self._strip.whole(answer)
            outcome = self._strip.outcome
            if outcome == "stripped":
                told = json.dumps(answer, separators=(",", ":")).encode()
        except (ValueError, RecursionError):
            outcome = "not_read"
        except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
            told, outcome = given, "failed"
            self._fail(error)
        done = outcome in ("stripped", "none")
        await self._send(self._started(self._start, len(told), says=True) if done else self._start)
        await self._send({**message, "body": told})
        self._ended(outcome)

    def _started(self, start: dict[str, Any], length: int | None, *, says: bool) -> dict[str, Any]:
        headers = [(k, v) for k, v in start.get("headers", ()) if k.lower() not in OF_BYTES]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        if says and self._says_so:
            headers.append(SAYS_SO)
        return {**start, "headers": headers}

    def _fail(self, error: Exception) -> None:
        self._failed = True
        what = {"event": "failed", "route": "asgi", "error": type(error).__name__}
        _log.error(json.dumps(what))
