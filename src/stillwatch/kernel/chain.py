"""A conversation that comes a turn at a time: its prefix, without the turns before being there.

OpenAI's Responses API keeps a conversation at the provider: a call names the response that it goes
on from and brings the new turn alone. Whoever goes on elsewhere with the text itself brings all of
it, so that both must come to one `prefix_full`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stillwatch.kernel import hashes
from stillwatch.kernel.reference import as_bytes, role_code
from stillwatch.kernel.row import one

__all__ = ["Chain", "chain_of", "turn_of"]

# Whatever holds one of these has a token: the only such ASCII, and the letters of some scripts.
_SURE: Final = re.compile(
    "[0-9A-Za-z\u00e0-\u00f6\u0410-\u044f\u0621-\u063a\u0905-\u0939\u0e01-\u0e30"
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]"
)


class Chain(NamedTuple):
    """Section 6 of the spec, not yet finished: the state after ``length`` codes and hashes."""

    state: int = hashes.SEQUENCE_SEED
    length: int = 0

    def then(self, turn: tuple[int, ...]) -> Chain:
        """Return the conversation with one more turn."""
        state = self.state
        for value in turn:
            state = hashes.step(state, value)
        return Chain(state, self.length + len(turn))

    @property
    def prefix(self) -> int:
        """The prefix_full of a conversation of twelve tokens and more, 0 of an empty one; of a
        shorter one a hash that no exchange has."""
        return hashes.finish_sequence(self.state, self.length)


def turn_of(exchange: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the codes and hashes that the messages and the answer of an exchange add to a chain.

    Raises TypeError for a role, message or output_text of another type, as `one` does.
    """
    found: list[int] = []
    for code, content in _said(exchange):
        value = _hash_of(content)
        if value:
            found += (code, value)
    return tuple(found)


def chain_of(exchange: Mapping[str, Any], prefix_full: int) -> Chain:
    """Return `Chain().then(turn_of(exchange))` of an exchange whose ``prefix_full`` is known.

    Hardly a text is hashed again (only those without a letter of the scripts in ``_SURE``): the
    last step of the hash is undone, for which it takes the number of messages that have tokens.
    *Error*: another chain where the hash was 0 before it was made 1, once in 2⁶⁴.
    """
    counted = [(code, content) for code, content in _said(exchange) if _has_tokens(content)]
    if prefix_full:
        length = 2 * len(counted)
        return Chain(hashes.step_back(prefix_full, length), length)
    few = [(code, _hash_of(content)) for code, content in counted]  # under twelve, a token each
    return Chain().then(tuple(value for pair in few for value in pair))


def _said(exchange: Mapping[str, Any]) -> list[tuple[int, Any]]:
    """Return role code and text of what a conversation's prefix is made of."""
    said = [(m.get("role"), m.get("content")) for m in exchange.get("messages") or () if m]
    said.append(("assistant", exchange.get("output_text")))
    codes = {role: role_code(as_bytes(role)) for role in {role for role, _ in said}}
    return [(code, text) for role, text in said if (code := codes[role]) is not None]


def _hash_of(content: Any) -> int:
    text = {"messages": ({"role": "user", "content": content},)}
    return one(text, with_intents=False).h_payload


def _has_tokens(content: Any) -> bool:
    if isinstance(content, str):
        if _SURE.search(content):
            return True
        if content.isascii():
            return False
    return bool(_hash_of(content))
