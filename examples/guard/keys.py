"""Who a key belongs to, where LiteLLM runs without its database."""

from __future__ import annotations

from typing import Any

_USERS = {"sk-bad": ("bad-1", "shell"), "sk-good": ("good", "acme")}


async def user_of(request: Any, api_key: str) -> Any:
    from litellm.proxy._types import UserAPIKeyAuth

    if api_key not in _USERS:
        raise ValueError("unknown key")
    user, organization = _USERS[api_key]
    return UserAPIKeyAuth(api_key=api_key, user_id=user, org_id=organization)
