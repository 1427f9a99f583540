"""Token counts of every API dialect in one meaning: cached and reasoning are within.

| dialect | its input | its output |
|---|---|---|
| OpenAI | with cached tokens | with reasoning |
| Anthropic | without: reads and writes of the cache are added | with thinking |
| Bedrock Converse | without: reads and writes of the cache are added | all |
| Gemini | with cached tokens | without thoughts: they are added |

A count that is absent is null, never 0: "not told" is not "none".
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["NO_TOKENS", "Tokens", "count_of", "tokens_of"]


class Tokens(Struct, frozen=True, gc=False):
    """Counts of one exchange; null where its log does not tell."""

    input: Any = None
    output: Any = None
    reasoning: Any = None
    cached: Any = None


NO_TOKENS = Tokens()
_CHAT = ("prompt_tokens_details", "completion_tokens_details")
_RESPONSES = ("input_tokens_details", "output_tokens_details")
_GEMINI = (
    "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount",
)  # fmt: skip
_GEMINI_OF_SDK = (
    "prompt_token_count", "candidates_token_count", "thoughts_token_count",
    "cached_content_token_count",
)  # fmt: skip


def tokens_of(usage: Any) -> Tokens:
    """Return the counts in a usage object; what is no number is passed on for the gate to judge.

    >>> tokens_of({"prompt_tokens": 9, "completion_tokens": 2,
    ...            "prompt_tokens_details": {"cached_tokens": 4}})
    Tokens(input=9, output=2, reasoning=None, cached=4)
    >>> tokens_of({"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2})
    Tokens(input=9, output=2, reasoning=None, cached=4)
    """
    if type(usage) is not dict:
        return NO_TOKENS
    if "prompt_tokens" in usage:
        return _openai(usage, "prompt_tokens", "completion_tokens", *_CHAT)
    if "input_tokens_details" in usage:
        return _openai(usage, "input_tokens", "output_tokens", *_RESPONSES)
    if "input_tokens" in usage or "output_tokens" in usage:
        return _anthropic(usage)
    if "inputTokens" in usage or "outputTokens" in usage:
        read = usage.get("cacheReadInputTokens")
        told = _sum(usage.get("inputTokens"), read, usage.get("cacheWriteInputTokens"))
        return Tokens(told, usage.get("outputTokens"), None, read)
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage:
        return _gemini(usage, *_GEMINI)
    if "prompt_token_count" in usage or "candidates_token_count" in usage:
        return _gemini(usage, *_GEMINI_OF_SDK)
    return NO_TOKENS


def _openai(
    usage: dict[str, Any], asked: str, said: str, asked_details: str, said_details: str
) -> Tokens:
    before, after = usage.get(asked_details), usage.get(said_details)
    return Tokens(
        usage.get(asked),
        usage.get(said),
        after.get("reasoning_tokens") if type(after) is dict else None,
        before.get("cached_tokens") if type(before) is dict else None,
    )


def _anthropic(usage: dict[str, Any]) -> Tokens:
    read = usage.get("cache_read_input_tokens")
    details = usage.get("output_tokens_details")
    return Tokens(
        _sum(usage.get("input_tokens"), read, usage.get("cache_creation_input_tokens")),
        usage.get("output_tokens"),
        details.get("thinking_tokens") if type(details) is dict else None,
        read,
    )


def _gemini(usage: dict[str, Any], asked: str, said: str, thought: str, cached: str) -> Tokens:
    thoughts = usage.get(thought)
    return Tokens(usage.get(asked), _sum(usage.get(said), thoughts), thoughts, usage.get(cached))


def count_of(value: Any) -> int | None:
    """Return a count that is a whole number, also as text or as a float; None where it is none.

    >>> [count_of(v) for v in (5, "5", 5.0, 5.5, True, None)]
    [5, 5, 5, None, None, None]
    """
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return None


def _sum(first: Any, *others: Any) -> Any:
    """Return ``first`` and the counts added to it; ``first`` alone where it is no count."""
    whole = first if type(first) is int else count_of(first)
    if whole is None:
        return first
    for other in others:
        count = other if type(other) is int else count_of(other)
        if count is not None:
            whole += count
    return whole
