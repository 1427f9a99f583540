"""Answers from a log of `inspect_ai`: whatever model inspect asked, one row a sample and epoch."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, InputError, SchemaError
from stillwatch.schema.arrow import RESPONSE

__all__ = ["answers_of_inspect"]


def answers_of_inspect(log: Path, out: Path, *, model: str | None = None) -> int:
    """Write responses.parquet from a finished log (.eval or .json); return the number of rows.

    1. The log has ended well and no sample of it failed: what is missing is seldom missing by
       chance, and tests compare what is there.
    2. Each sample is one question and one answer; a system prompt is kept as such.
    3. ``asked_at`` is when the sample was begun, so that nothing counts as asked later than it was.

    Args:
        log: written by `inspect eval` with any task.
        out: table to write.
        model: name that the answers get; inspect's (provider/model) by default.

    Raises:
        ConfigError: inspect_ai is not installed.
        InputError: no log, not finished, or with failed samples.
        SchemaError: a sample is more than one question and one answer.
    """
    held = _read(log)
    if held.status != "success" or not held.samples:
        raise InputError(
            f"the log's status is {held.status}, expected success and samples",
            where=log.name,
            hint="finish it with `inspect eval-retry`",
        )
    failed = sum(sample.error is not None for sample in held.samples)
    if failed:
        raise InputError(
            f"{failed} of {len(held.samples)} samples failed",
            where=log.name,
            hint="ask them again with `inspect eval-retry`",
        )
    name = model or str(held.eval.model)
    config = held.eval.model_generate_config.merge(held.plan.config)
    rows = [_row(name, sample, config, log) for sample in held.samples]
    rows.sort(key=lambda row: (row["prompt_id"], row["sample"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(out.name + ".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=RESPONSE), aside, compression="zstd")
    os.replace(aside, out)
    return len(rows)


def _read(log: Path) -> Any:
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise ConfigError(
            "reading an inspect log needs the package inspect_ai",
            hint="pip install 'stillwatch[inspect]'",
        ) from error
    if not log.is_file():
        raise InputError("no such file", where=log.name)
    try:
        return read_eval_log(str(log), resolve_attachments=True)
    except Exception as error:  # whatever its readers of zip, JSON and models raise
        raise InputError(
            f"cannot be read as a log of inspect ({type(error).__name__})", where=log.name
        ) from error


def _row(name: str, sample: Any, config: Any, log: Path) -> dict[str, Any]:
    said = sample.messages
    roles = [message.role for message in said]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        raise SchemaError(
            f"a sample has the turns {', '.join(roles) or 'none'}; expected one user and one "
            "assistant",
            where=log.name,
            hint="give a task whose solver is `generate()`, with or without a system prompt",
        )
    choice = sample.output.choices[0]
    usage = sample.output.usage
    tokens = None if choice.logprobs is None else choice.logprobs.content
    return {
        "model": name,
        "prompt_id": str(sample.id),
        "output": sample.output.completion,
        "prompt": said[-2].text,
        "sample": sample.epoch - 1,
        "system": said[0].text if roles[0] == "system" else None,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_tokens,
        "finish_reason": choice.stop_reason,
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "asked_at": sample.started_at and datetime.fromisoformat(sample.started_at),
        "logprobs": tokens and [{"token": t.token, "logprob": t.logprob} for t in tokens],
    }
