"""Prompt files: JSON lines with prompt_id and prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from stillwatch.errors import InputError

__all__ = ["read_prompts", "write_prompts"]


def read_prompts(path: Path) -> dict[str, str]:
    """Return prompt_id to prompt, in the file's order.

    Raises:
        InputError: not JSON lines, a field is absent or no text, or an id occurs twice.
    """
    prompts: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read", where=path.name) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            name, prompt = str(value["prompt_id"]), value["prompt"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "expected an object with prompt_id and prompt", where=f"{path.name}:{number}"
            ) from error
        if not isinstance(prompt, str) or name in prompts:
            raise InputError(
                "a prompt is no text, or its id occurs twice", where=f"{path.name}:{number}"
            )
        prompts[name] = prompt
    if not prompts:
        raise InputError("holds no prompt", where=path.name)
    return prompts


def write_prompts(path: Path, prompts: Mapping[str, str]) -> None:
    """Write prompts as JSON lines."""
    lines = (json.dumps({"prompt_id": k, "prompt": v}) + "\n" for k, v in prompts.items())
    path.write_text("".join(lines), encoding="utf-8")
