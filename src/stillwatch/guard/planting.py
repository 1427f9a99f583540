"""Marks in the answers to accused campaigns: under a legal switch, by a signed order, in a log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.guard.decision import Decision
from stillwatch.guard.files import read_planting
from stillwatch.guard.replies import Receive, Scope, Send
from stillwatch.guard.service import Service
from stillwatch.guard.summary import OF_BYTES
from stillwatch.schema.planting import Planting, Swap, in_forms

__all__ = ["PlantingMiddleware"]

_log = logging.getLogger("stillwatch.guard")
_JSON: Final = b"application/json"


class PlantingMiddleware:
    """Plants marks in an application's answers; it stands between `GuardMiddleware` and it.

    An answer is altered only where all of this holds; else its bytes stay as they are:

    1. the ladder's legal switch is on (``silent_alteration``, with its basis and a name);
    2. the order is signed by one of ``keys``, and the time is within it;
    3. the guard enforces (neither off, nor shadow, nor outside of the canary share), a scan has
       accused who asks as a member of a campaign of the order, and its verdict is not *allow*: no
       permit, undo, appeal or person lets it go;
    4. the answer is JSON with status 200, not compressed, of ``max_body`` of the service at most;
    5. what is altered has been written to ``log``: no line, no mark.

    Altered are texts of the model in the forms of OpenAI's chat, completions and responses and
    Anthropic's messages; neither tool calls nor reasoning. A streamed answer passes as it is.
    So does one that shows its words a second time (log-probabilities, places of citations).
    ``log`` gets a line an altered answer, with its decision and its marks, and no text. Counted in
    ``service.counts`` as *planted* by outcome.

    Raises:
        InputError, EvidenceError, SchemaError: the order, as `guard.files` reads it.
    """

    def __init__(
        self,
        app: Any,
        service: Service,
        order: Path,
        keys: Sequence[Ed25519PublicKey],
        log: Path,
    ) -> None:
        self._app = app
        self._service = service
        self._order: Planting = read_planting(order, keys)
        self._written = log
        self._tell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        decision = scope.get("stillwatch")
        if not isinstance(decision, Decision) or not self._swaps(decision):
            await self._app(scope, receive, send)
            return
        held = _Held(self._service.serving.max_body, send)

        async def keep(message: Any) -> None:
            if not await held.takes(message):
                return
            start, body = held.start_and_body()
            altered = await self._planted(decision, body)
            if altered is None:
                await held.let_go()
                return
            headers = _headers(start.get("headers", ()), len(altered))
            held.forget()
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": altered})

        await self._app(scope, receive, keep)
        await held.let_go()  # of an answer that ended before it was whole
        if held.passed:
            self._service.counts["planted", held.passed] += 1

    def _swaps(self, decision: Decision) -> tuple[Swap, ...]:
        """Return the marks for an answer as things stand now; none where it must stay as it is."""
        order = self._order
        if self._service.killed:
            return ()
        if decision.mode != "enforce" or decision.level != "member":
            return ()
        if decision.verdict == "allow":  # a person let the account go; it is a member all the same
            return ()
        if not self._service.guard.table.ladder.silent_alteration:
            return ()
        if not order.made_us <= self._service.clock_us() < order.until_us:
            return ()
        return order.campaigns.get(decision.campaign_id or "", ())

    async def _planted(self, decision: Decision, body: bytes) -> bytes | None:
        """Return the altered body; None where it stays as it is.

        An answer may take a minute, in which a switch, an order's time or the kill switch ends it.
        """
        swaps = self._swaps(decision)
        if not swaps:
            self._service.counts["planted", "ended meanwhile"] += 1
            return None
        try:
            altered, marks = await asyncio.to_thread(self._alter, decision, swaps, body)
        except Exception as error:  # noqa: BLE001 – what fails of ours must not cost the answer
            self._service.counts["planted", "failed"] += 1
            what = {"event": "marks not planted", "error": type(error).__name__}
            _log.error(json.dumps(what))
            return None
        self._service.counts["planted", "planted" if marks else "no mark in it"] += 1
        return altered if marks else None

    def _alter(
        self, decision: Decision, swaps: Sequence[Swap], body: bytes
    ) -> tuple[bytes, dict[str, int]]:
        """Return an altered body and its marks, once a line about them stands in the log."""
        altered, marks = _altered(body, swaps)
        if marks:
            self._note(decision, marks)
        return altered, marks

    def _note(self, decision: Decision, marks: dict[str, int]) -> None:
        ladder = self._service.guard.table.ladder
        line = {
            "at_us": self._service.clock_us(), "event": "marks planted",
            "decision_id": decision.decision_id, "campaign_id": decision.campaign_id,
            "plan_digest": self._order.plan_digest, "marks": marks,
            "legal_basis": self._order.legal_basis, "switch": ladder.silent_legal_basis,
            "approved_by": ladder.silent_approved_by,
        }  # fmt: skip
        with self._written.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _tell(self) -> None:
        ladder = self._service.guard.table.ladder
        on = ladder.silent_alteration
        told = {
            "event": "marks are planted in answers" if on else "no marks: the legal switch is off",
            "campaigns": sorted(self._order.campaigns), "plan_digest": self._order.plan_digest,
            "legal_basis": self._order.legal_basis,
            "approved_by": ladder.silent_approved_by, "until_us": self._order.until_us,
        }  # fmt: skip
        _log.warning(json.dumps(told))


class _Held:
    """An answer that is kept until it is whole; what must not be altered goes on at once.

    ``passed``: why it went on as it was; an empty text where it was kept.
    """

    def __init__(self, most: int, send: Send) -> None:
        self._most = most
        self._send = send
        self._messages: list[Any] = []
        self._size = 0
        self._kept = True
        self.passed = ""

    async def takes(self, message: Any) -> bool:
        """Keep or send a message; return whether the answer is now whole."""
        if not self._kept:
            await self._send(message)
            return False
        self._messages.append(message)
        self._size += len(message.get("body", b""))
        self.passed = self._unfit(message)
        if self.passed:
            await self.let_go()
            return False
        return message["type"] == "http.response.body" and not message.get("more_body")

    def start_and_body(self) -> tuple[Any, bytes]:
        """Return the start of an answer that is whole, and its body."""
        return self._messages[0], b"".join(m.get("body", b"") for m in self._messages[1:])

    def forget(self) -> None:
        """Keep nothing more: another answer is sent instead."""
        self._messages, self._kept = [], False

    async def let_go(self) -> None:
        """Send what was kept, as it came."""
        kept = self._messages
        self.forget()
        for message in kept:
            await self._send(message)

    def _unfit(self, message: Any) -> str:
        if message["type"] == "http.response.start":
            headers = {bytes(k).lower(): bytes(v) for k, v in message.get("headers", ())}
            if message["status"] != 200:
                return "an error"
            kind = headers.get(b"content-type", b"").lower().partition(b";")[0].strip()
            if kind != _JSON:
                return "streamed or no JSON"
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                return "compressed"
            return ""
        if message["type"] != "http.response.body":
            return "of another kind"
        return "too long" if self._size > self._most else ""


def _headers(given: Sequence[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    kept = [(k, v) for k, v in given if bytes(k).lower() not in OF_BYTES]
    return [*kept, (b"content-length", b"%d" % size)]


def _altered(body: bytes, swaps: Sequence[Swap]) -> tuple[bytes, dict[str, int]]:
    """Return a body with marks in the texts of the model, and how often each was planted."""
    value = orjson.loads(body)
    marks: dict[str, int] = {}
    for holder, name in _texts(value):
        holder[name], changed = in_forms(holder[name], swaps)
        for mark, count in changed.items():
            marks[mark] = marks.get(mark, 0) + count
    return (orjson.dumps(value), marks) if marks else (body, marks)


def _texts(value: Any) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    """Yield where the texts stand that a model wrote to its reader."""
    if not isinstance(value, dict):
        return
    for choice in _objects(value.get("choices")):  # chat, completions
        if choice.get("logprobs"):
            continue
        yield from _text(choice, "text")
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _text(message, "content")
            yield from _parts(message.get("content"))
    yield from _parts(value.get("content"))  # Anthropic's messages
    for item in _objects(value.get("output")):  # responses
        if item.get("type") == "message":
            yield from _parts(item.get("content"))


def _parts(parts: Any) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    for part in _objects(parts):
        if part.get("type") in ("text", "output_text"):
            yield from _text(part, "text")


def _text(holder: dict[str, Any], name: str) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    told_twice = any(holder.get(key) for key in ("logprobs", "annotations", "citations"))
    if isinstance(holder.get(name), str) and not told_twice:
        yield holder, name


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
