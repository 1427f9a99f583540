"""A callback class for LiteLLM's proxy: ``callbacks: stillwatch.guard.litellm.callback``.

It asks a guard over HTTP before each call and reports how the call ended. ``GUARD_URL`` and
``GUARD_TOKEN`` say where; ``GUARD_FAIL_CLOSED=1`` refuses calls while the guard does not answer.
Imports LiteLLM, so that it is imported by LiteLLM's proxy alone.
"""

from __future__ import annotations

import os
from typing import Any, Final

import httpx
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

__all__ = ["StillwatchCallback", "callback"]

_TIMEOUT_S: Final = 0.5
_STATUS: Final = {"deny": 403, "step_up": 403, "throttle": 429}
_CALL: Final = ("messages", "system", "input", "prompt", "instructions", "tools")
_MADE: Final = "stillwatch_call"  # who asked, from the question to the report of how it ended
_ENDED: Final = {401: "denied", 403: "denied", 429: "rate_limited"}


class StillwatchCallback(CustomLogger):
    """Refuses with 403 and 429, which a guardrail of LiteLLM's cannot: it knows 400 alone."""

    def __init__(self) -> None:
        super().__init__()
        self._client = httpx.AsyncClient(
            base_url=os.environ.get("GUARD_URL", "http://127.0.0.1:8470"),
            headers={"authorization": f"Bearer {os.environ.get('GUARD_TOKEN', '')}"},
            timeout=_TIMEOUT_S,
        )
        self._closed = os.environ.get("GUARD_FAIL_CLOSED") == "1"

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Ask before the call; raise HTTPException to refuse it."""
        account = (
            user_api_key_dict.user_id or user_api_key_dict.team_id or user_api_key_dict.api_key
        )
        if not account:
            return data
        metadata = _metadata(data)
        who = {"account_id": account, **_named(user_api_key_dict, data, metadata)}
        try:
            told = await self._client.post("/v1/decide", json={**who, **_texts(data)})
            if told.status_code in (400, 413):  # nothing in a call is a way around its account
                least = {name: who[name] for name in ("account_id", "org_id") if name in who}
                told = await self._client.post("/v1/decide", json=least)
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
        metadata[_MADE] = who
        metadata["stillwatch_verdict"] = answer["verdict"]  # summarize is the deployment's to do
        return data

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Report how the call ended, so that handoffs of its conversation are seen."""
        choices = getattr(response_obj, "choices", None)
        told = choices[0].message.content if choices else None
        payload = kwargs.get("standard_logging_object") or {}
        tokens = int(payload.get("completion_tokens") or 0)
        await self._observe(kwargs, {"output_text": told, "output_tokens": tokens})

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Report that the model refused the call, so that a retry from elsewhere is seen."""
        code = getattr(kwargs.get("exception"), "status_code", 500)
        status = _ENDED.get(code, "client_error" if 400 <= code < 500 else "server_error")
        await self._observe(kwargs, {"status": status})

    async def _observe(self, kwargs: dict[str, Any], ended: dict[str, Any]) -> None:
        """Report under the names that the question had: under others the next turn of somebody's
        own conversation would look as if it had been taken over."""
        given = kwargs.get("litellm_params") or {}
        held = (given.get(name) or {} for name in ("metadata", "litellm_metadata"))
        who = next((found[_MADE] for found in held if found.get(_MADE)), None)
        if who is None:
            return
        call = {**(kwargs.get("optional_params") or {}), **kwargs}
        try:
            await self._client.post("/v1/observe", json={**who, **_texts(call), **ended})
        except httpx.HTTPError:
            return  # the guard counts what reaches it; the call itself has long been answered


def _metadata(data: dict[str, Any]) -> dict[str, Any]:
    """Return LiteLLM's own notes on a call. On some routes, Anthropic's among them, ``metadata`` is
    the caller's and goes to the model."""
    own = data.get("litellm_metadata")
    found: dict[str, Any] = own if isinstance(own, dict) else data.setdefault("metadata", {})
    return found


def _named(caller: Any, data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """Return who asks and from where, as far as LiteLLM knows it.

    When the account was made is not among it: a key that was made today may be an old account's.
    """
    address = str(metadata.get("requester_ip_address") or "").rpartition(",")[2].strip()
    found = {
        "org_id": caller.org_id,
        "end_user_id": caller.end_user_id,
        "model": data.get("model"),
        "ip": address,
        "user_agent": str(metadata.get("user_agent") or "")[:512],
    }
    return {name: value for name, value in found.items() if value}


def _texts(call: dict[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in _CALL if call.get(name)}


callback = StillwatchCallback()
