"""Ask a model every prompt of a file and save the answers: resumable, cached, at a steady rate."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, InputError
from stillwatch.prove.endpoints import Answer, Ask, Endpoint
from stillwatch.schema.arrow import RESPONSE
from stillwatch.seal import digest

__all__ = ["Collected", "Estimate", "collect_answers", "estimate_cost"]

_CHARACTERS_A_TOKEN: Final = 4
_TRIES: Final = 6
_LATER: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True)
class Estimate:
    """What a collection will ask; ``most_usd`` has every answer as long as is allowed."""

    prompts: int
    cached: int
    input_tokens: int
    most_output_tokens: int
    most_usd: float


@dataclass(frozen=True)
class Collected:
    """What a collection left behind."""

    rows: int
    asked: int
    cached: int
    cost_usd: float


def estimate_cost(
    endpoint: Endpoint,
    prompts: Mapping[str, str],
    ask: Ask,
    cache: Path,
    *,
    usd_in: float = 0.0,
    usd_out: float = 0.0,
) -> Estimate:
    """Return the cost of the prompts that are not in the cache, at prices per million tokens.

    Error: a token is counted as four ASCII characters or one other (Chinese, Japanese and Korean
    take about one each); every answer as long as is allowed.
    """
    held = _read_cache(cache)
    left = [p for p in prompts.values() if _key(endpoint, p, ask) not in held]
    tokens = sum(_tokens(p + (ask.system or "")) for p in left)
    most = len(left) * ask.max_tokens
    usd = (tokens * usd_in + most * usd_out) / 1e6
    return Estimate(len(prompts), len(prompts) - len(left), tokens, most, usd)


def _tokens(text: str) -> int:
    plain = sum(map(str.isascii, text))
    return plain // _CHARACTERS_A_TOKEN + len(text) - plain + 1


def collect_answers(
    endpoint: Endpoint,
    prompts: Mapping[str, str],
    out: Path,
    *,
    ask: Ask,
    cache: Path,
    key: str | None = None,
    per_minute: float = 60.0,
    usd_in: float = 0.0,
    usd_out: float = 0.0,
    now: Callable[[], datetime],
    local: Callable[[str, Ask], Answer] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Collected:
    """Ask what is not in the cache, then write all answers; run it again to go on.

    An answer is on the disk before the next question is asked, so a stop loses at most one. The
    cache is keyed by the content of the request: the same question is never paid for twice.

    Args:
        endpoint, prompts, out: whom, what, where to.
        ask: what goes with every prompt.
        cache: JSON-lines file of answers; it holds prompts' answers in clear, as ``out`` does.
        key: for the endpoint; never written.
        per_minute: most requests a minute, > 0.
        usd_in, usd_out: prices per million tokens.
        now: clock for ``asked_at``.
        local: what answers in place of a server, at its own rate (`Weights.answer`).
        sleep: how to wait.
        progress: told (prompts done, of).

    Raises:
        ConfigError: httpx is not installed, or the rate is not positive.
        InputError: the endpoint refuses (its status is named, never its text) or stays away.
    """
    if not per_minute > 0:
        raise ConfigError(f"got {per_minute} requests a minute, expected > 0", where="rate")
    held = _read_cache(cache)
    rows, asked = [], 0
    with (
        nullcontext() if local else _client() as client,
        cache.open("a", encoding="utf-8") as file,
    ):
        for done, (name, prompt) in enumerate(prompts.items(), 1):
            place = _key(endpoint, prompt, ask)
            if place not in held:
                if local:
                    answer = local(prompt, ask)
                else:
                    if asked:
                        sleep(60.0 / per_minute)
                    answer = _ask(client, endpoint, prompt, ask, key, sleep)
                held[place] = {"at": now().isoformat(), **asdict(answer)}
                file.write(json.dumps({"key": place, **held[place]}) + "\n")
                file.flush()
                os.fsync(file.fileno())
                asked += 1
            rows.append(_row(endpoint, name, prompt, ask, held[place], (usd_in, usd_out)))
            progress(done, len(prompts))
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(out.name + ".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=RESPONSE), aside, compression="zstd")
    os.replace(aside, out)
    cost = sum(row["cost_usd"] or 0.0 for row in rows)
    return Collected(len(rows), asked, len(rows) - asked, cost)


def _client() -> Any:
    try:
        import httpx
    except ImportError as error:  # pragma: no cover
        raise ConfigError(
            "asking a model needs the package httpx", hint="pip install 'stillwatch[prove]'"
        ) from error
    return httpx.Client(timeout=120.0)


def _ask(
    client: Any,
    endpoint: Endpoint,
    prompt: str,
    ask: Ask,
    key: str | None,
    sleep: Callable[[float], None],
) -> Answer:
    import httpx

    url, headers, body = endpoint.request(prompt, ask, key)
    said = "no connection"
    for attempt in range(_TRIES):
        wait = 2.0**attempt
        try:
            response = client.post(url, headers=headers, json=body)
        except httpx.TransportError as error:
            said = type(error).__name__
        else:
            if response.status_code == 200:
                return endpoint.answer(_json(response, url))
            said = f"status {response.status_code}"
            if response.status_code not in _LATER:
                break
            wait = max(wait, _seconds(response.headers.get("retry-after")))
        if attempt + 1 < _TRIES:
            sleep(wait)
    raise InputError(
        f"the endpoint gave no answer: {said}",
        where=endpoint.url,
        hint="what was answered so far is kept; the same command goes on from here",
    )


def _json(response: Any, url: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise InputError("the answer is no JSON", where=url) from error


def _seconds(header: str | None) -> float:
    try:
        return min(300.0, float(header or 0))
    except ValueError:
        return 0.0  # a date instead of seconds: the growing wait does


def _key(endpoint: Endpoint, prompt: str, ask: Ask) -> str:
    return digest({"endpoint": asdict(endpoint), "prompt": prompt, "ask": asdict(ask)})


def _read_cache(path: Path) -> dict[str, dict[str, Any]]:
    """Return the answers held; a last line cut short by a kill is dropped and asked again."""
    held: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return held
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line) if line else None
        except ValueError as error:
            if number == len(lines):
                path.write_text("".join(f"{kept}\n" for kept in lines[:-1]), encoding="utf-8")
                break
            raise InputError("not a line of the cache", where=f"{path.name}:{number}") from error
        if value is not None:
            held[value.pop("key")] = value
    return held


def _row(
    endpoint: Endpoint,
    name: str,
    prompt: str,
    ask: Ask,
    held: Mapping[str, Any],
    prices: tuple[float, float],
) -> dict[str, Any]:
    used = (held["input_tokens"], held["output_tokens"])
    cost = None if None in used else (used[0] * prices[0] + used[1] * prices[1]) / 1e6
    return {
        "model": endpoint.model,
        "prompt_id": name,
        "output": held["output"],
        "prompt": prompt,
        "sample": 0,
        "system": ask.system,
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "max_tokens": ask.max_tokens,
        "finish_reason": held["finish_reason"],
        "input_tokens": used[0],
        "output_tokens": used[1],
        "cost_usd": cost,
        "asked_at": datetime.fromisoformat(held["at"]),
        "logprobs": held["logprobs"],
    }
