"""A callback class for LiteLLM's proxy: ``callbacks: stillwatch.guard.litellm.callback``.

It asks a guard over HTTP before each call, takes the reasoning out of the answer where the guard
asks for *summarize*, and reports how the call ended. ``GUARD_URL`` and ``GUARD_TOKEN`` say where;
``GUARD_TIMEOUT_S`` is how long a call waits for its answer (0.5), ``GUARD_FAIL_CLOSED=1`` refuses
calls while the guard does not answer.
Imports LiteLLM, so that it is imported by LiteLLM's proxy alone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import math
import os
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx
from fastapi import HTTPException
from litellm.exceptions import ContentPolicyViolationError
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.common_utils.encrypt_decrypt_utils import decrypt_value_helper

from stillwatch.guard.reasoning import EventStream, Strip

__all__ = ["StillwatchCallback", "callback"]

_TIMEOUT_S: Final = 0.5  # that a user waits
_REPORT_TIMEOUT_S: Final = 30.0  # nobody waits for what is told after the answer
_STATUS: Final = {"deny": 403, "step_up": 403, "throttle": 429}
_CALL: Final = ("messages", "system", "input", "prompt", "instructions", "tools")
_MADE: Final = "stillwatch_call"  # a token: who asked is held here, never in the call
_VERDICT: Final = "stillwatch_verdict"
_NOTES: Final = ("metadata", "litellm_metadata")
_RESPONSES: Final = ("aresponses", "responses")
_LEAST: Final = ("account_id", "org_id", "end_user_id", "model")
_LONGEST: Final = 512  # characters of a name; the guard takes no longer one
_RESPONSE: Final = "resp_"
_OWNED: Final = "litellm_proxy:responses_api:response_id:"  # before an id that LiteLLM encrypts
_MODELS: Final = ";response_id:"  # before the model's own, in one that LiteLLM writes in base64
_CALL_OF: Final = "litellm_logging_obj"  # LiteLLM's one object of a call, through all its hooks
_SAYS_SO: Final = {"x-stillwatch-reasoning": "withheld"}
# Types of calls whose streams are in a dialect that is read; of a whole answer it is tried.
_STREAMS: Final = ("completion", "acompletion", "anthropic_messages", "aresponses", "responses")
_MOST_HELD: Final = 65_536  # calls that have not ended; the oldest is then reported no more
_END: Final = object()  # of a stream
# Of the operator's own key and quota at the model, as a rule: they say nothing of the prompt.
_OWN: Final = frozenset((401, 403, 429))


_log = logging.getLogger("stillwatch.guard.litellm")


@dataclass
class _ToStrip:
    """A call whose answer goes out without its reasoning; ``outcome``: what was done, empty until
    then. ``streams``: whether its streams are read."""

    who: dict[str, Any]
    decision_id: str
    disclose: bool
    streams: bool
    outcome: str = ""


class StillwatchCallback(CustomLogger):
    """Refuses with 403 and 429, which a guardrail of LiteLLM's cannot: it knows 400 alone."""

    def __init__(self) -> None:
        super().__init__()
        self._client = _client(_patience(os.environ.get("GUARD_TIMEOUT_S", "")))
        # Connections of their own: reports that wait keep no question waiting for one.
        self._reporter = _client(_REPORT_TIMEOUT_S)
        self._closed = os.environ.get("GUARD_FAIL_CLOSED") == "1"
        self._held: OrderedDict[str, dict[str, str]] = OrderedDict()
        # By LiteLLM's object and by no note in the call's metadata, which may be its caller's.
        self._to_strip: WeakKeyDictionary[Any, _ToStrip] = WeakKeyDictionary()
        self._reports: set[asyncio.Task[None]] = set()

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Ask before the call; raise HTTPException to refuse it."""
        for name in _NOTES:  # whoever calls may have written there what only we may
            if isinstance(data.get(name), dict):
                data[name].pop(_MADE, None)
                data[name].pop(_VERDICT, None)
        account = (
            user_api_key_dict.user_id or user_api_key_dict.team_id or user_api_key_dict.api_key
        )
        if not account:
            return data
        notes = _notes(data)
        who = {"account_id": account, **_named(user_api_key_dict, data, notes)}
        least: dict[str, Any] = {name: who[name] for name in _LEAST if name in who}
        try:
            told = await self._post("/v1/decide", {**who, **_texts(data)}, least)
            if told.status_code in (400, 413):  # nothing in a call is a way around its account
                told = await self._post("/v1/decide", least, least)
            answer = told.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            if self._closed:
                raise HTTPException(503, "the guard does not answer") from error
            return data
        status = _STATUS.get(answer["verdict"])
        if status is not None:
            wait = {"retry-after": str(answer.get("retry_after_s", 1))} if status == 429 else None
            reason = answer.get("message") or f"reference {answer['decision_id']}"
            raise HTTPException(status, reason, headers=wait)
        notes[_MADE] = self._hold(who)
        notes[_VERDICT] = answer["verdict"]
        if answer["verdict"] == "summarize":
            asked = _ToStrip(
                least, answer["decision_id"], bool(answer.get("disclose", True)),
                call_type in _STREAMS,
            )  # fmt: skip
            try:
                self._to_strip[data.get(_CALL_OF)] = asked
            except TypeError:  # none, or its caller's word: no hook would know its answer
                asked.outcome = "not_read"
                self._report(asked)
        return data

    async def async_post_call_success_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any
    ) -> Any:
        """Take the reasoning out of a whole answer, of a copy: what LiteLLM logs stays whole."""
        asked = self._asked(data)
        if asked is None:
            return response
        strip = Strip()
        told, asked.outcome = response, "failed"
        try:
            stripped = deepcopy(response)
            strip.whole(stripped)
            told, asked.outcome = stripped, strip.outcome
        except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
            _log.error(json.dumps({"event": "failed", "error": type(error).__name__}))
        self._report(asked)
        return told

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Take the reasoning out of a stream, chunk by chunk, of copies."""
        asked = self._asked(request_data)
        if asked is None:
            async for chunk in response:
                yield chunk
            return
        stream = _Stream()
        try:
            async for chunk in response:
                if (told := stream.told(chunk)) is not None:
                    yield told
            if (told := stream.told(_END)) is not None:
                yield told
        finally:  # also where the caller went away
            asked.outcome = stream.outcome
            self._report(asked)

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any,
        request_headers: dict[str, str] | None = None,
    ) -> dict[str, str] | None:  # fmt: skip
        """Say in the answer that its reasoning is withheld; not where it could not be read."""
        asked = self._asked(data)
        if asked is None or not asked.disclose or response is None:
            return None
        done = asked.outcome in ("stripped", "none")
        return dict(_SAYS_SO) if done or (not asked.outcome and asked.streams) else None

    def _asked(self, data: Mapping[str, Any]) -> _ToStrip | None:
        try:
            return self._to_strip.get(data.get(_CALL_OF))
        except TypeError:  # none, or its caller's word
            return None

    def _report(self, asked: _ToStrip) -> None:
        """Tell the guard what was done, beside the answer and not before it."""
        told = {**asked.who, "decision_id": asked.decision_id, "summarized": asked.outcome}
        task = asyncio.create_task(self._tell(told))
        self._reports.add(task)  # the loop itself holds no task
        task.add_done_callback(self._reports.discard)

    async def _tell(self, told: dict[str, Any]) -> None:
        try:
            await self._post("/v1/observe", told, told)
        except httpx.HTTPError:
            return  # as of the endings: the guard counts what reaches it

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Report how the call ended, so that handoffs of its conversation are seen."""
        told = _told(response_obj)
        payload = kwargs.get("standard_logging_object") or {}
        tokens = int(payload.get("completion_tokens") or 0)
        ended: dict[str, Any] = {"output_text": told, "output_tokens": tokens}
        if kwargs.get("call_type") in _RESPONSES:
            ended["response_id"] = _models_id(getattr(response_obj, "id", None))
        await self._observe(kwargs, ended)

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Report that the model filtered the call, so that a retry from elsewhere is seen."""
        error = kwargs.get("exception")
        code = getattr(error, "status_code", None)
        if isinstance(error, ContentPolicyViolationError):
            status = "filtered"
        elif code in _OWN:
            return
        else:
            status = "server_error"
            if isinstance(code, int) and 400 <= code < 500:
                status = "client_error"
        await self._observe(kwargs, {"status": status})

    async def _observe(self, kwargs: dict[str, Any], ended: dict[str, Any]) -> None:
        """Report under the names that the question had: under others the next turn of somebody's
        own conversation would look as if it had been taken over."""
        given = kwargs.get("litellm_params") or {}
        held = (given.get(name) for name in _NOTES)
        tokens = [notes.get(_MADE) for notes in held if isinstance(notes, dict)]
        who = next((self._held[t] for t in tokens if isinstance(t, str) and t in self._held), None)
        if who is None:
            return
        call = {**(kwargs.get("optional_params") or {}), **kwargs}
        try:
            await self._post("/v1/observe", {**who, **_texts(call), **ended}, {**who, **ended})
        except httpx.HTTPError:
            return  # the guard counts what reaches it; the call itself has long been answered

    async def _post(
        self, path: str, body: Mapping[str, Any], least: Mapping[str, Any]
    ) -> httpx.Response:
        """Send a body, or the least of it where it cannot be written as JSON."""
        try:
            data = _encoded(body)
        except (TypeError, ValueError, RecursionError):
            data = _encoded(least)
        client = self._reporter if path == "/v1/observe" else self._client
        return await client.post(path, content=data, headers={"content-type": "application/json"})

    def _hold(self, who: dict[str, str]) -> str:
        """Keep who asked until the call has ended; a retry ends twice, so that it stays after."""
        token = secrets.token_hex(16)
        self._held[token] = who
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)
        return token


class _Stream:
    """Takes reasoning out of a stream's chunks: bytes or text of events, or objects of LiteLLM's.

    From a defect of ours on they stay as they are.
    """

    def __init__(self) -> None:
        self._strip = Strip()
        self._events = EventStream(self._strip)
        self._broken = False
        self._as_text = False

    @property
    def outcome(self) -> str:
        """What was done, as `OUTCOMES` names it."""
        return "failed" if self._broken else self._strip.outcome

    def told(self, chunk: Any) -> Any:
        """Return what goes on of a chunk, or at `_END` of what was held back; None for nothing."""
        held = self._events.held
        if isinstance(chunk, (bytes, str)):
            self._as_text = isinstance(chunk, str)
        try:
            if self._broken:
                return None if chunk is _END else chunk
            return self._stripped(chunk)
        except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
            self._broken = True
            _log.error(json.dumps({"event": "failed", "error": type(error).__name__}))
        return self._behind(held, chunk)

    def _stripped(self, chunk: Any) -> Any:
        if chunk is _END:
            return self._written(self._events.end())
        if isinstance(chunk, (bytes, str)):
            return self._written(self._events.feed(_in_bytes(chunk)))
        copied = deepcopy(chunk)  # LiteLLM puts together from the chunks what it logs
        return None if self._strip.event(copied) == "gone" else copied

    def _behind(self, held: bytes, chunk: Any) -> Any:
        """Return a chunk as it came, behind what was held back of the one before."""
        if chunk is _END:
            return self._written(held)
        if isinstance(chunk, (bytes, str)):
            return self._written(held + _in_bytes(chunk))
        return chunk

    def _written(self, data: bytes) -> bytes | str | None:
        """Return bytes as the stream has them; None for none."""
        told = data.decode(errors="surrogatepass") if self._as_text else data
        return told or None


def _client(timeout_s: float) -> httpx.AsyncClient:
    token = os.environ.get("GUARD_TOKEN", "").strip()  # a header cannot end with a space
    return httpx.AsyncClient(
        base_url=os.environ.get("GUARD_URL", "http://127.0.0.1:8470"),
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=timeout_s,
    )


def _patience(said: str) -> float:
    """Seconds; what is empty is the default. ValueError for what is no time at all."""
    try:
        seconds = float(said or _TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"GUARD_TIMEOUT_S is {said!r}; give seconds above 0, such as {_TIMEOUT_S}")
    return seconds


def _in_bytes(chunk: bytes | str) -> bytes:
    return chunk.encode(errors="surrogatepass") if isinstance(chunk, str) else chunk


def _encoded(body: Mapping[str, Any]) -> bytes:
    """Return strict JSON; half a character, which UTF-8 has not, becomes a question mark.

    Raises TypeError, ValueError, RecursionError: the body is none.
    """
    return json.dumps(body, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")


def _notes(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return LiteLLM's own notes on a call: those where it wrote of whom the key is, which it lets
    no caller write. The other of the two, which one depends on the route, is the caller's. Where
    that is not certain the notes are of nobody, and empty."""
    own = [
        notes
        for name in _NOTES
        if isinstance(notes := data.get(name), dict)
        and any(isinstance(key, str) and key.startswith("user_api_key_") for key in notes)
    ]
    return own[0] if len(own) == 1 else {}


def _named(caller: Any, data: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, str]:
    """Return who asks and from where, as far as LiteLLM knows it.

    When the account was made is not among it: a key that was made today may be an old account's.
    """
    address = str(notes.get("requester_ip_address") or "").rpartition(",")[2].strip()
    found = {
        "org_id": caller.org_id,
        "end_user_id": caller.end_user_id,
        "model": data.get("model"),
        "ip": address,
        "user_agent": str(notes.get("user_agent") or "")[:_LONGEST],
        "previous_response_id": _models_id(data.get("previous_response_id")),
    }
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and 0 < len(value) <= _LONGEST
    }


def _models_id(response_id: Any) -> str | None:
    """Return the id that the model gave a response.

    LiteLLM 1.106 writes provider and deployment around it in base64, and encrypts that with the
    user and team of the key, anew each time that it tells the id. What cannot be opened stays.
    """
    if not isinstance(response_id, str):
        return None
    held = decrypt_value_helper(
        value=response_id.removeprefix(_RESPONSE), key="response_id", exception_type="debug",
        return_original_value=True,
    )  # fmt: skip
    if isinstance(held, str) and held.startswith(_OWNED):
        response_id = held.removeprefix(_OWNED).partition(";")[0]
    try:
        written = base64.b64decode(response_id.removeprefix(_RESPONSE), validate=True).decode()
    except (binascii.Error, ValueError):
        return response_id or None
    _, found, models = written.partition(_MODELS)
    return models if found and written.startswith("litellm:") else response_id or None


def _told(response: Any) -> str | None:
    """Return the text of an answer: a chat's, a response's, or a completion's, which has no
    message."""
    items = getattr(response, "output", None)
    if isinstance(items, list):
        said = [item for item in items if _of(item, "type") == "message"]
        parts = [part for item in said for part in _of(item, "content") or ()]
        texts = [text for part in parts if isinstance(text := _of(part, "text"), str)]
        return "\n".join(texts) if texts else None
    choices = getattr(response, "choices", None)
    if not choices:
        return None
    message = getattr(choices[0], "message", None)
    told = getattr(choices[0], "text", None) if message is None else message.content
    return told if isinstance(told, str) else None


def _of(held: Any, name: str) -> Any:
    return held.get(name) if isinstance(held, dict) else getattr(held, name, None)


def _texts(call: dict[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in _CALL if call.get(name)}


callback = StillwatchCallback()
