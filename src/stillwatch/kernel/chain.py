"""A conversation that comes a turn at a time: its prefix, without the turns before being there.

OpenAI's Responses API keeps a conversation at the provider: a call names the response that it goes
on from and brings the new turn alone. Whoever goes on elsewhere with the text itself brings all of
it, so that both must come to one `prefix_full`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stillwatch.kernel import hashes
from stillwatch.kernel.reference import as_bytes, role_code
from stillwatch.kernel.row import one

__all__ = ["Chain", "turn_of"]


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
    said = [(m.get("role"), m.get("content")) for m in exchange.get("messages") or () if m]
    for role, content in (*said, ("assistant", exchange.get("output_text"))):
        code = role_code(as_bytes(role))
        if code is None:
            continue
        text = {"messages": ({"role": "user", "content": content},)}
        value = one(text, with_intents=False).h_payload
        if value:
            found += (code, value)
    return tuple(found)
