"""How a model is asked: one request and one answer of each kind of endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError

__all__ = ["KINDS", "LOCAL", "Answer", "Ask", "Endpoint", "parse_spec"]

KINDS: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}

LOCAL: Final = "local"  # weights on this machine: `weights.local_endpoint`


@dataclass(frozen=True)
class Ask:
    """What is asked beside the prompt; all of it is part of the cache's key."""

    system: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    logprobs: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back; ``logprobs`` is (token, natural logarithm) pairs where they were offered."""

    output: str
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    logprobs: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Endpoint:
    """A model behind an address that speaks one of two protocols, or weights by their digest."""

    kind: str
    model: str
    url: str

    def request(
        self, prompt: str, ask: Ask, key: str | None
    ) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return address, headers and body of one request."""
        messages: list[dict[str, str]] = [{"role": "user", "content": prompt}]
        body: dict[str, Any] = {"model": self.model, "max_tokens": ask.max_tokens}
        body |= {"temperature": ask.temperature}
        if self.kind == "anthropic":
            if ask.system:
                body["system"] = ask.system
            headers = {"anthropic-version": "2023-06-01"}
            headers |= {"x-api-key": key} if key else {}
            return f"{self.url}/messages", headers, {**body, "messages": messages}
        if ask.system:
            messages.insert(0, {"role": "system", "content": ask.system})
        body |= {"top_p": ask.top_p, "messages": messages}
        if ask.logprobs:
            body["logprobs"] = True
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return f"{self.url}/chat/completions", headers, body

    def answer(self, body: Mapping[str, Any]) -> Answer:
        """Return the answer in a response body.

        Raises:
            InputError: the body has another form; its content is not repeated.
        """
        try:
            return _anthropic(body) if self.kind == "anthropic" else _openai(body)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise InputError(
                f"the answer has another form than {self.kind} gives: {type(error).__name__}",
                where=self.url,
            ) from error


def _openai(body: Mapping[str, Any]) -> Answer:
    choice = body["choices"][0]
    usage = body.get("usage") or {}
    tokens = (choice.get("logprobs") or {}).get("content")
    return Answer(
        choice["message"]["content"] or "",
        choice.get("finish_reason"),
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        tokens and [{"token": t["token"], "logprob": t["logprob"]} for t in tokens],
    )


def _anthropic(body: Mapping[str, Any]) -> Answer:
    text = "".join(part["text"] for part in body["content"] if part["type"] == "text")
    usage = body.get("usage") or {}
    return Answer(
        text, body.get("stop_reason"), usage.get("input_tokens"), usage.get("output_tokens"), None
    )


def parse_spec(spec: str) -> Endpoint:
    """Return the endpoint of ``KIND:MODEL`` or ``KIND:MODEL@URL``.

    Raises:
        ConfigError: another form, an unknown kind, or an address with a name or password in it.

    >>> parse_spec("openai:kiln-7b@http://localhost:8000/v1").url
    'http://localhost:8000/v1'
    """
    kind, _, rest = spec.partition(":")
    model, _, url = rest.partition("@")
    if kind not in KINDS or not model:
        raise ConfigError(
            f"got another form than KIND:MODEL[@URL] with KIND one of {', '.join(KINDS)}, or "
            "local:PATH",
            where="--model",
        )
    if "@" in url:
        raise ConfigError(
            "the address holds a name or password, which errors would repeat",
            where="--model",
            hint="name the environment variable that holds the key with --key-env",
        )
    return Endpoint(kind, model, (url or KINDS[kind]).rstrip("/"))
