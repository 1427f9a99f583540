"""Calls behind LiteLLM's guardrail that wait for their end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from stillwatch.guard.gateways import guardrail_account, guardrail_columns
from stillwatch.guard.request import Request
from stillwatch.kernel import Chain, turn_of

__all__ = ["Calls"]


class Calls:
    """What was asked by each call, ``most`` at once: hashes, no text.

    The guardrail tells of a call's answer in a body of its own, with its id and whose key it is. A
    caller may choose the id (x-litellm-call-id), so that both together name a call.
    """

    def __init__(self, most: int = 16_384) -> None:
        self._held: OrderedDict[tuple[str, str], tuple[Request, tuple[int, ...]]] = OrderedDict()
        self._most = most

    def note(self, value: Mapping[str, Any], request: Request) -> None:
        """Keep what a body of the guardrail's asks; for it the oldest call is forgotten."""
        place = _place(value)
        if place is None:
            return
        self._held[place] = (request, turn_of(guardrail_columns(value)))
        self._held.move_to_end(place)
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def ended(self, value: Mapping[str, Any]) -> tuple[Request, int] | None:
        """Return a call's request and the prefix_full of the call with its answer; None where the
        call is not known, or the answer is no text.

        A stream may be told of more than once, each time with more of it, so that the call stays.
        """
        place, texts = _place(value), value.get("texts")
        held = None if place is None else self._held.get(place)
        said = [t for t in texts if isinstance(t, str)] if isinstance(texts, list) else []
        if held is None or not said:
            return None
        request, turn = held
        return request, Chain().then((*turn, *turn_of({"output_text": "\n".join(said)}))).prefix


def _place(value: Mapping[str, Any]) -> tuple[str, str] | None:
    call, account = value.get("litellm_call_id"), guardrail_account(value)
    return (call, account) if isinstance(call, str) and call and account else None
