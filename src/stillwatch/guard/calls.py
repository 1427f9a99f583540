"""Calls behind LiteLLM's guardrail that wait for their answer."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stillwatch.guard.bodies import named
from stillwatch.guard.gateways import GuardrailCall, guardrail_account
from stillwatch.guard.request import Request
from stillwatch.kernel import Chain, chain_of, turn_of

__all__ = ["Calls"]

_QUIET_US: Final = 2_000_000


class _Asked(NamedTuple):
    request: Request
    chain: Chain


class _Said(NamedTuple):
    request: Request
    prefix_full: int
    told_us: int


class Calls:
    """What was asked and answered by calls, ``most`` of each at once: hashes, no text.

    The guardrail tells of a call's answer in a body of its own, with its id and whose key it is. A
    caller may choose the id (x-litellm-call-id), so that both together name a call. Of a call are
    kept who asked and two numbers, however long it was; nothing before the first answer is told,
    as most deployments tell none.

    Of a stream more may be told every few words. Each text takes the place of the one before, and
    is a conversation only when somebody goes on from it (``take``), or after two seconds without
    more (``settled``), the next time of the same call four, then eight and so on.
    """

    def __init__(self, most: int = 16_384) -> None:
        self.waiting: OrderedDict[bytes, _Said] = OrderedDict()
        self._held: OrderedDict[bytes, _Asked] = OrderedDict()
        self._times: dict[bytes, int] = {}
        self._by_prefix: dict[int, dict[bytes, None]] = {}
        self._most = most
        self._tells = False

    def note(self, value: Mapping[str, Any], call: GuardrailCall) -> None:
        """Keep what a body of the guardrail's asks; for it the oldest call is forgotten."""
        place = _place(value) if self._tells else None
        if place is None:
            return
        asked = call.request
        # What `observe` reads of a call that ended well; names that the caller chose may be long.
        slim = Request(asked.ts_us, asked.account_id, asked.end_user_id, asked.org_id,
                       prefix_before=asked.prefix_before)  # fmt: skip
        self._held[place] = _Asked(slim, chain_of(call.exchange, call.prefix_full))
        self._held.move_to_end(place)
        self._times.pop(place, None)
        if len(self._held) > self._most:
            self._times.pop(self._held.popitem(last=False)[0], None)

    def told(self, value: Mapping[str, Any], now_us: int) -> list[tuple[Request, int]]:
        """Keep the conversation of a call with its answer, where the call is known and the answer
        is a text, in the place of what was told of it before; return what must wait no longer, as
        there are too many."""
        self._tells = True
        place, texts = _place(value), value.get("texts")
        held = None if place is None else self._held.get(place)
        said = [t for t in texts if isinstance(t, str)] if isinstance(texts, list) else []
        if place is None or held is None or not said:
            return []
        if place in self.waiting:
            self._pop(place)
        turn = turn_of({"output_text": "\n".join(said)})
        whole = _Said(held.request, held.chain.then(turn).prefix, now_us)
        if not whole.prefix_full:  # nothing was said by anybody
            return []
        self.waiting[place] = whole
        self._by_prefix.setdefault(whole.prefix_full, {})[place] = None
        return [self._pop(next(iter(self.waiting)))] if len(self.waiting) > self._most else []

    def take(self, prefix: int) -> list[tuple[Request, int]]:
        """Return the waiting calls that end in a conversation, and its prefix_full; of all who had
        it, since one that several had is nobody's. They wait no more."""
        return [self._pop(place) for place in list(self._by_prefix.get(prefix, ()))]

    def settled(self, now_us: int) -> list[tuple[Request, int]]:
        """Return calls and prefix_full of those whose answers have not grown for their time."""
        quiet = [
            place
            for place, said in self.waiting.items()
            # A clock that goes back must not make anything wait until it is that time again.
            if not 0 <= now_us - said.told_us < _QUIET_US << self._times.get(place, 0)
        ]
        for place in quiet:
            if place in self._held:
                self._times[place] = self._times.get(place, 0) + 1
        return [self._pop(place) for place in quiet]

    def _pop(self, place: bytes) -> tuple[Request, int]:
        said = self.waiting.pop(place)
        places = self._by_prefix[said.prefix_full]
        del places[place]
        if not places:
            del self._by_prefix[said.prefix_full]
        return said.request, said.prefix_full


def _place(value: Mapping[str, Any]) -> bytes | None:
    """Return what a call is known by, 16 bytes; None where it has no id, or one of over 512."""
    call, account = named(value.get("litellm_call_id")), guardrail_account(value)
    if call is None or account is None:
        return None
    name = f"{len(call)} {call}{account}".encode("utf-8", "replace")
    return hashlib.blake2b(name, digest_size=16).digest()
