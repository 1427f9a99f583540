"""Takes reasoning out of a model's answer, whole or as a stream; the answer itself stays as it is.

Three dialects: OpenAI's chat (with the fields that vLLM, DeepSeek, OpenRouter, Mistral and LiteLLM
put beside the answer), OpenAI's responses, Anthropic's messages. An answer is a JSON value or an
object with the same names, such as LiteLLM's.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

__all__ = ["OUTCOMES", "Effect", "EventStream", "Strip", "strip_reasoning"]

Effect = Literal["same", "changed", "gone"]
# Of an answer that was to be summarized: reasoning was taken out, there was none, it is in no
# dialect that is known, or taking it out failed.
OUTCOMES: Final = ("stripped", "none", "not_read", "failed")

# Beside the text of a chat's message or delta, and in LiteLLM's provider_specific_fields.
_FIELDS: Final = (
    "reasoning", "reasoning_content", "reasoning_details", "reasoning_items", "reasoning_text",
    "reasoning_opaque", "thinking", "thinking_blocks", "thought_signatures",
)  # fmt: skip
_OF_PROVIDER: Final = "provider_specific_fields"
_BLOCKS: Final = frozenset({"thinking", "redacted_thinking", "reasoning"})
_DELTAS: Final = frozenset({"thinking_delta", "signature_delta"})
_PARTS: Final = frozenset({"reasoning_text", "summary_text"})
_REASONING_EVENT: Final = "response.reasoning"
_FRAME_END: Final = re.compile(rb"\r?\n\r?\n|\r\r")  # line ends of two kinds come mixed
_HELD_BACK: Final = 3  # bytes of a frame's end that may have come already
_COMMENT: Final = b":\n\n"  # in place of an event: readers skip it, and the line is not silent
_ABSENT: Final = object()


def strip_reasoning(answer: Any) -> int | None:
    """Take the reasoning out of a whole answer, in place.

    Returns how many pieces there were; None where the answer is of no dialect that is known.

    >>> answer = {"choices": [{"message": {"content": "4", "reasoning_content": "2 and 2"}}]}
    >>> strip_reasoning(answer), answer
    (1, {'choices': [{'message': {'content': '4'}}]})
    """
    strip = Strip()
    return strip.removed if strip.whole(answer) else None


class Strip:
    """Takes reasoning out of one answer; ``removed`` counts its pieces so far, ``read`` says
    whether anything was of a dialect that is known.

    Events keep their order and their sequence numbers. Where an item or a block of reasoning is
    left out, those after it move up, as if it had not been: clients put an answer together by
    these places.
    """

    def __init__(self) -> None:
        self.removed = 0
        self.read = False
        self._gone: set[int] = set()

    @property
    def outcome(self) -> str:
        """What was done, as `OUTCOMES` names it."""
        if self.removed:
            return "stripped"
        return "none" if self.read else "not_read"

    def whole(self, answer: Any) -> bool:
        """Take the reasoning out of a whole answer, in place; return whether it was understood."""
        known = False
        if isinstance(choices := _of(answer, "choices"), list):
            known = True
            for choice in choices:
                self._choice(choice)
        elif isinstance(_of(answer, "output"), list):
            known = _of(answer, "object") == "response"
            self._drop_items(answer, "output") if known else None
        elif isinstance(_of(answer, "content"), list):
            known = _of(answer, "type") == "message"
            self._drop_items(answer, "content") if known else None
        self.read = self.read or known
        return known

    def event(self, event: Any) -> Effect:
        """Take the reasoning out of one event of a stream, in place; *gone*: leave it out."""
        before = self.removed
        kind = _of(event, "type")
        if not isinstance(kind, str):
            self.whole(event)  # a chat's chunk has no type
            return "changed" if self.removed > before else "same"
        kind = str(getattr(kind, "value", kind))
        if kind.startswith("response."):
            effect = self._response_event(kind, event)
        elif kind.startswith(("content_block_", "message_")):
            effect = self._message_event(kind, event)
        elif kind == "ping":  # may be the first of a stream of Anthropic's messages
            effect = "same"
        else:
            return "same"
        self.read = True
        if effect == "gone":
            self.removed = self.removed or 1  # a delta whose beginning was not seen
        return effect

    def _response_event(self, kind: str, event: Any) -> Effect:
        item, place = _of(event, "item"), _of(event, "output_index")
        if kind.startswith(_REASONING_EVENT) or _of(_of(event, "part"), "type") in _PARTS:
            return "gone"
        if _of(item, "type") == "reasoning":
            if isinstance(place, int) and kind.endswith(".added"):
                self._gone.add(place)
            self.removed += kind.endswith(".added")
            return "gone"
        if item is not None and kind.endswith(".added"):
            self._gone.discard(place)  # some servers give the answer the place of its reasoning
        before = self.removed
        if (response := _of(event, "response")) is not None:
            self.whole(response)
        moved = self._move(event, "output_index")
        return "changed" if moved or self.removed > before else "same"

    def _message_event(self, kind: str, event: Any) -> Effect:
        place = _of(event, "index")
        if kind == "content_block_start":
            if _of(_of(event, "content_block"), "type") in _BLOCKS:
                self.removed += 1
                if isinstance(place, int):
                    self._gone.add(place)
                return "gone"
            self._gone.discard(place)
        elif kind.startswith("content_block_") and (
            place in self._gone or _of(_of(event, "delta"), "type") in _DELTAS
        ):
            return "gone"
        before = self.removed
        if (message := _of(event, "message")) is not None:
            self.whole(message)
        moved = self._move(event, "index")
        return "changed" if moved or self.removed > before else "same"

    def _move(self, event: Any, name: str) -> bool:
        place = _of(event, name)
        if not isinstance(place, int) or not self._gone:
            return False
        ahead = sum(gone < place for gone in self._gone)
        if ahead:
            _set(event, name, place - ahead)
        return ahead > 0

    def _choice(self, choice: Any) -> None:
        for name in ("message", "delta"):
            said = _of(choice, name)
            if said is None:
                continue
            for holder in (said, _of(said, _OF_PROVIDER)):
                self._drop_fields(holder)
            if isinstance(_of(said, "content"), list):
                self._drop_items(said, "content")
        self._drop_fields(_of(choice, _OF_PROVIDER))

    def _drop_fields(self, holder: Any) -> None:
        for name in _FIELDS if holder is not None else ():
            held = _of(holder, name, _ABSENT)
            if held is not _ABSENT:
                self.removed += bool(held)
                _drop(holder, name)

    def _drop_items(self, holder: Any, name: str) -> None:
        items = _of(holder, name)
        kept = [item for item in items if _of(item, "type") not in _BLOCKS]
        if len(kept) < len(items):
            self.removed += len(items) - len(kept)
            _set(holder, name, kept)


class EventStream:
    """Server-sent events in bytes, cut anywhere, with the reasoning taken out. ``held``: the
    beginning of an event whose end is to come.

    What is not changed goes on byte by byte. An event that is left out becomes a comment, so that
    no proxy ends a connection that is silent while the model thinks.
    """

    def __init__(self, strip: Strip) -> None:
        self._strip = strip
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the events that are whole by now."""
        begin = max(0, len(self.held) - _HELD_BACK)
        self.held += data
        told, start = [], 0
        while found := _FRAME_END.search(self.held, max(begin, start)):
            told.append(self._frame(self.held[start : found.end()]))
            start = found.end()
        self.held = self.held[start:]
        return b"".join(told)

    def end(self) -> bytes:
        """Return what is left: an event that the stream's end cut."""
        left, self.held = self.held, b""
        return self._frame(left) if left else b""

    def _frame(self, frame: bytes) -> bytes:
        lines = frame.splitlines()
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if not data:
            return frame
        try:
            event = json.loads(b"\n".join(data))
        except (ValueError, RecursionError):
            return frame  # [DONE]
        effect = self._strip.event(event)
        if effect == "same":
            return frame
        if effect == "gone":
            return _COMMENT
        other = [line for line in lines if line and not line.startswith(b"data:")]
        # ASCII: half a character, as streams have it, stays what it was.
        told = b"data: " + json.dumps(event, separators=(",", ":")).encode()
        return b"\n".join([*other, told, b"", b""])


def _of(held: Any, name: str, missing: Any = None) -> Any:
    return held.get(name, missing) if isinstance(held, dict) else getattr(held, name, missing)


def _set(held: Any, name: str, value: Any) -> None:
    if isinstance(held, dict):
        held[name] = value
    else:
        setattr(held, name, value)


def _drop(held: Any, name: str) -> None:
    if isinstance(held, dict):
        del held[name]
    else:
        delattr(held, name)
