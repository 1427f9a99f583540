"""The answer in a response of any API dialect: text, reasoning, why it ended."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stillwatch.sources.messages import blob_of, content_text, message_text

__all__ = ["NO_ANSWER", "Answer", "answer_of"]


_ONLY_SAYS = frozenset({"role", "content", "refusal"})


class Answer(Struct, frozen=True, gc=False):
    """``blob``: opaque reasoning as logged; ``refused``: the model itself declined."""

    text: str | None = None
    reasoning: str | None = None
    blob: str | None = None
    finish: str | None = None
    refused: bool = False


NO_ANSWER = Answer()


def answer_of(response: Any) -> Answer:
    """Return the answer of a chat, completion, Anthropic or Responses API object, or of a string.

    Several choices are joined by a blank line; the first one's end counts. Tool calls become
    ``[tool_call sha256:… name]``, as they do when the client sends them back.
    """
    if type(response) is dict:
        choices = response.get("choices")
        if type(choices) is list and choices:
            first = _choice(choices[0])
            if len(choices) == 1:
                return first
            texts = [first.text or "", *(_choice(c).text or "" for c in choices[1:])]
            return replace(first, text="\n\n".join(texts))
        if isinstance(response.get("content"), list):
            return _blocks(response["content"], response.get("stop_reason"))
        if isinstance(response.get("output"), list):
            return _items(response["output"], response.get("status"))
        for key in ("text", "output_text", "completion", "content"):
            if isinstance(response.get(key), str):
                ended = response.get("finish_reason", response.get("stop_reason"))
                return Answer(text=response[key], finish=ended if type(ended) is str else None)
        return NO_ANSWER
    if isinstance(response, str) and response:
        return Answer(text=response)
    return NO_ANSWER


def _choice(choice: Any) -> Answer:
    if type(choice) is not dict:
        return NO_ANSWER
    finish = choice.get("finish_reason")
    finish = finish if type(finish) is str else None
    message = choice.get("message")
    if type(message) is not dict:
        text = choice.get("text")
        return Answer(text=text if isinstance(text, str) else None, finish=finish)
    content = message.get("content")
    refusal = message.get("refusal")
    if refusal is None and type(content) is str and _ONLY_SAYS.issuperset(message):
        return Answer(content, None, None, finish, finish == "refusal")
    refused = type(refusal) is str and refusal != ""
    if type(content) is list and any(map(_thinks, content)):  # Anthropic's blocks, as it was said
        said = _blocks(content, finish)
        calls = message_text({**message, "content": None, "thinking_blocks": None})
        text = "\n".join(part for part in (said.text, calls) if part) or None
        return replace(
            said,
            text=text if text or not refused else refusal,
            refused=refused or finish == "refusal",
        )
    if type(content) is not str or message.get("tool_calls") or message.get("function_call"):
        content = message_text({**message, "thinking_blocks": None}) or None
    reasoning = message.get("reasoning_content") or message.get("reasoning")  # vLLM, OpenRouter
    return Answer(
        text=content if content or not refused else refusal,
        reasoning=reasoning if type(reasoning) is str else None,
        blob=_blob(message),
        finish=finish,
        refused=refused or finish == "refusal",
    )


def _blob(message: dict[str, Any]) -> str | None:
    blocks = message.get("thinking_blocks")
    extra = message.get("provider_specific_fields")
    if not isinstance(blocks, list) and isinstance(extra, dict):
        blocks = extra.get("thinking_blocks")
    if isinstance(blocks, list):
        return next((b for b in map(blob_of, blocks) if b), None)
    items = message.get("reasoning_items")
    if isinstance(items, list):
        return next((b for b in map(blob_of, items) if b), None)
    return None


def _blocks(blocks: list[Any], stop: Any) -> Answer:
    """Read an Anthropic message's content blocks."""
    if len(blocks) == 1 and (text := _only_text(blocks[0])) is not None:
        return Answer(
            text or None, None, None, stop if isinstance(stop, str) else None, stop == "refusal"
        )
    thinking = [b for b in blocks if _thinks(b)]
    rest = [b for b in blocks if not _thinks(b)]
    thoughts = [b["thinking"] for b in thinking if isinstance(b.get("thinking"), str)]
    return Answer(
        text=content_text(rest) or None,
        reasoning="\n".join(thoughts) or None,
        blob=next((b for b in map(blob_of, thinking) if b), None),
        finish=stop if isinstance(stop, str) else None,
        refused=stop == "refusal",
    )


def _only_text(block: Any) -> str | None:
    """Return the text of a block that is text, as nearly all are."""
    if type(block) is dict and block.get("type") == "text":
        text = block.get("text")
        return text if type(text) is str else None
    return None


_THINKING = ("thinking", "redacted_thinking")  # compared, not hashed: a type may be anything


def _thinks(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in _THINKING


def _items(items: list[Any], status: Any) -> Answer:
    """Read a Responses API output list."""
    texts: list[str] = []
    thoughts: list[str] = []
    blob: str | None = None
    refused = False
    for item in items:
        if not isinstance(item, dict):
            continue
        if item.get("type") == "reasoning":
            thoughts.append(content_text(item.get("summary") or item.get("content")))
            encrypted = item.get("encrypted_content")
            blob = blob or (encrypted if isinstance(encrypted, str) else None)
            continue
        texts.append(message_text(item))
        parts = item.get("content")
        refused |= isinstance(parts, list) and any(
            isinstance(p, dict) and p.get("type") == "refusal" for p in parts
        )
    return Answer(
        text="\n".join(t for t in texts if t) or None,
        reasoning="\n".join(t for t in thoughts if t) or None,
        blob=blob,
        finish=status if isinstance(status, str) else None,
        refused=refused,
    )
