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
_CALL: Final = ("messages", "system", "input", "prompt", "tools", "model")


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
        body = {
            "account_id": account,
            "org_id": user_api_key_dict.org_id,
            "end_user_id": user_api_key_dict.end_user_id,
            **{key: data[key] for key in _CALL if data.get(key) is not None},
        }
        try:
            told = await self._client.post("/v1/decide", json=body)
            if told.status_code in (400, 413):  # nothing in a call is a way around its account
                told = await self._client.post("/v1/decide", json={"account_id": account})
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
        metadata = data.setdefault("metadata", {})
        metadata["stillwatch_account"] = account
        metadata["stillwatch_verdict"] = answer["verdict"]  # summarize is the deployment's to do
        return data

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Report how the call ended, so that handoffs of its conversation are seen."""
        metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
        account = metadata.get("stillwatch_account")
        if not account:
            return
        payload = kwargs.get("standard_logging_object") or {}
        answer = response_obj.choices[0].message.content if response_obj.choices else None
        body = {
            "account_id": account,
            "messages": kwargs.get("messages"),
            "output_text": answer,
            "output_tokens": int(payload.get("completion_tokens") or 0),
        }
        try:
            await self._client.post("/v1/observe", json=body)
        except httpx.HTTPError:
            return  # the guard counts what reaches it; the call itself has long been answered


callback = StillwatchCallback()
