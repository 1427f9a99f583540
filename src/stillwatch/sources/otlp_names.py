"""Names of the OpenTelemetry GenAI conventions, new and old.

Source: open-telemetry/semantic-conventions-genai, and what the instrumentations wrote before it
(tests/fixtures/make_otlp.py lists which); where names differ the newest comes first.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ACCOUNT",
    "CONTENT_NAMES",
    "DETAILS",
    "EXTENSION",
    "INFERENCE",
    "MESSAGE_EVENT",
    "NAMES",
    "OPERATIONS",
    "OTHER_OPERATIONS",
]

DETAILS: Final = "gen_ai.client.inference.operation.details"
MESSAGE_EVENT: Final = re.compile(r"gen_ai\.(?:([a-z]{1,16})\.message|choice)\Z")
EXTENSION: Final = "stillwatch."
"""An attribute ``stillwatch.<column>`` fills that column of EXCHANGE, above all others."""

OPERATIONS: Final = {
    "chat": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "completion": "completion",
    "embeddings": "embedding",
    "embedding": "embedding",
}
INFERENCE: Final = frozenset(OPERATIONS)
OTHER_OPERATIONS: Final = frozenset(
    {
        "create_agent",
        "create_memory",
        "execute_tool",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "retrieval",
        "search_memory",
    }
)

ACCOUNT: Final = ("user.id", "enduser.id", "user.hash", "enduser.pseudo.id")

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "model": ("gen_ai.request.model", "gen_ai.response.model"),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "stream": ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
    "temperature": ("gen_ai.request.temperature",),
    "top_p": ("gen_ai.request.top_p",),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "n": ("gen_ai.request.choice.count",),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "reasoning_effort": (
        "gen_ai.request.reasoning.level",
        "gen_ai.request.reasoning_effort",
        "llm.request.reasoning_effort",
    ),
    "response_format": (
        "gen_ai.output.type",
        "gen_ai.openai.request.response_format",
        "gen_ai.request.structured_output_schema",
    ),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
    ),
    "ip": ("client.address", "http.client_ip"),
    "country": ("geo.country.iso_code",),
    "ja4": ("tls.client.ja4",),
}

CONTENT_NAMES: Final = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.completion",
    ".message",
    "gen_ai.choice",
)
