"""`stillwatch prove collect`: ask a model every prompt of a file, save the answers."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page
from stillwatch.errors import ConfigError

__all__ = ["collect"]


def collect(
    model: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            help="openai:MODEL[@URL] for any OpenAI-compatible endpoint, anthropic:MODEL[@URL], or "
            "local:PATH for a folder as Transformers saves it or a GGUF file (local:NAME@PATH "
            "gives it a name).",
        ),
    ],
    prompts: Annotated[
        Path, typer.Option(metavar="FILE", help="JSON lines with prompt_id and prompt.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="responses.parquet to write.")],
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers so far; default: beside the output."),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable that holds the endpoint's key."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="System prompt for every question.")
    ] = None,
    temperature: Annotated[float, typer.Option(metavar="T", help="Sampling temperature.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Longest answer.")] = 1024,
    logprobs: Annotated[
        bool, typer.Option("--logprobs", help="Ask for log-probabilities of tokens.")
    ] = False,
    rate: Annotated[float, typer.Option(metavar="N", help="Most requests a minute.")] = 60.0,
    usd_in: Annotated[
        float, typer.Option(metavar="USD", help="Price of a million input tokens.")
    ] = 0.0,
    usd_out: Annotated[
        float, typer.Option(metavar="USD", help="Price of a million output tokens.")
    ] = 0.0,
    max_usd: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Do not start if it could cost more."),
    ] = None,
) -> None:
    """Ask a model every prompt and save its answers.

    The cost is printed before the first question. Run it again to go on where it stopped; nothing
    is asked twice.
    """
    from stillwatch.prove import (
        Ask,
        collect_answers,
        estimate_cost,
        load_weights,
        local_endpoint,
        parse_spec,
        read_prompts,
    )

    weights = local_endpoint(model) if model.startswith("local:") else None
    endpoint, questions = weights[0] if weights else parse_spec(model), read_prompts(prompts)
    ask = Ask(system, temperature, 1.0, max_tokens, logprobs)
    kept = cache or out.with_name(out.name + ".cache.jsonl")
    if key_env is not None and key_env not in os.environ:
        raise ConfigError("this environment variable is not set", where=key_env)
    before = estimate_cost(endpoint, questions, ask, kept, usd_in=usd_in, usd_out=usd_out)
    page = Page()
    page.sentence(
        f"{before.prompts} prompts, {before.cached} answered before; about "
        f"{before.input_tokens:,} tokens asked, at most {before.most_output_tokens:,} answered, "
        f"{before.most_usd:.2f} USD."
    )
    if max_usd is not None and before.most_usd > max_usd:
        raise ConfigError(
            f"could cost {before.most_usd:.2f} USD, more than --max-usd {max_usd:.2f}",
            where="--max-usd",
            hint="lower --max-tokens or raise the limit",
        )
    here = load_weights(*weights[1:]) if weights and before.cached < before.prompts else None
    done = collect_answers(
        endpoint,
        questions,
        out,
        ask=ask,
        cache=kept,
        key=os.environ[key_env] if key_env else None,
        per_minute=rate,
        usd_in=usd_in,
        usd_out=usd_out,
        local=here.answer if here else None,
        now=lambda: datetime.now(UTC),
    )
    page.sentence(f"{done.rows} answers in {out}, {done.asked} asked now, {done.cost_usd:.2f} USD.")
