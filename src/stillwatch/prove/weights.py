"""Log-probabilities from weights on this machine, read by Transformers; nothing is downloaded.

Needs the extra ``weights``; nothing else imports PyTorch here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError

__all__ = ["Weights", "load_weights"]

_AT_ONCE: Final = 64  # options in one pass: bounds the memory, not the result


class Weights:
    """A causal model with its tokenizer: a `likelihood.Scorer`."""

    def __init__(self, net: Any, words: Any) -> None:
        """Take a model in evaluation mode and the tokenizer that its weights were trained with."""
        self._net = net
        self._words = words

    def likelihoods(self, prompt: str, start: str, options: Sequence[str]) -> list[float]:
        """Return the log-probability (nats) of a space and each option, all of its tokens.

        The prompt is the user's turn in the tokenizer's own chat template, or a line of text
        where it has none; the answer begins with ``start``.
        """
        import torch

        head = self._head(prompt, start)
        tails = [self._ids(f" {option}") for option in options]
        out: list[float] = []
        with torch.inference_mode():
            before = self._net(torch.tensor([head[:-1]]), use_cache=True, logits_to_keep=1)
            for first in range(0, len(tails), _AT_ONCE):
                held = copy.deepcopy(before.past_key_values)
                out += self._after(head[-1], held, tails[first : first + _AT_ONCE])
        return out

    def _ids(self, text: str) -> list[int]:
        return list(self._words(text, add_special_tokens=False)["input_ids"])

    def _head(self, prompt: str, start: str) -> list[int]:
        if not self._words.chat_template:
            return self._ids(f"{prompt}\n{start}")
        turn = [{"role": "user", "content": prompt}]
        asked = self._words.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        return self._ids(asked + start)

    def _after(self, last: int, held: Any, tails: Sequence[list[int]]) -> list[float]:
        """Return the sums over each tail; rows are padded behind, where nothing looks.

        ``held``: what the model keeps of all before ``last``; it is used up.
        """
        import torch

        held.batch_repeat_interleave(len(tails))
        longest = max(map(len, tails))
        rows = torch.tensor([[last, *t, *[t[-1]] * (longest - len(t))] for t in tails])
        logits = self._net(rows[:, :-1], past_key_values=held).logits
        took = logits.float().log_softmax(dim=-1).gather(2, rows[:, 1:, None])[..., 0]
        return [float(took[k, : len(t)].sum()) for k, t in enumerate(tails)]


def load_weights(folder: Path, gguf: str | None = None) -> Weights:
    """Return the model in a folder as Transformers saves it, or in a GGUF file of that folder.

    Raises:
        ConfigError: torch or transformers is not installed.
        InputError: the folder holds no model that they can read.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ConfigError(
            "reading weights needs the packages torch and transformers",
            hint="pip install 'stillwatch[weights]', or let another harness write the numbers",
        ) from error
    told: dict[str, Any] = {"local_files_only": True} | ({"gguf_file": gguf} if gguf else {})
    try:
        words = AutoTokenizer.from_pretrained(str(folder), **told)
        net = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, **told)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"holds no weights that can be read ({type(error).__name__})", where=folder.name
        ) from error
    return Weights(net.eval(), words)
