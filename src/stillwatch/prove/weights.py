"""Answers and log-probabilities of weights on this machine, by Transformers; no download.

Needs the extra ``weights``; nothing else imports PyTorch here.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.prove.endpoints import LOCAL, Answer, Ask, Endpoint
from stillwatch.seal import digest

__all__ = ["Weights", "load_weights", "local_endpoint"]

_CHUNK: Final = 1 << 20
_OF_A_MODEL: Final = (".safetensors", ".json", ".model", ".txt", ".jinja", ".gguf")
_ADAPTER: Final = "adapter_config.json"
_AT_ONCE: Final = 64  # options in one pass: bounds the memory, not the result


class Weights:
    """A causal model with its tokenizer: a `likelihood.Scorer`, and it answers for `collect`."""

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

    def answer(self, prompt: str, ask: Ask) -> Answer:
        """Return the answer to a prompt, the user's turn as in `likelihoods`.

        Decoding is what ``ask`` says and nothing that the folder sets beside it: greedy at
        temperature 0, else drawn from a seed of the prompt and ``ask``, so that asking again gives
        the same. Log-probabilities are the model's own, before temperature and top-p.
        """
        import torch
        from transformers import GenerationConfig

        turns = [{"role": "system", "content": ask.system}] if ask.system else []
        head = torch.tensor([self._turns([*turns, {"role": "user", "content": prompt}])])
        ends = self._ends()
        drawn = ask.temperature > 0
        how = GenerationConfig(
            max_new_tokens=ask.max_tokens,
            do_sample=drawn,
            **({"temperature": ask.temperature, "top_p": ask.top_p, "top_k": 0} if drawn else {}),
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else 0,
            output_logits=ask.logprobs,
            return_dict_in_generate=True,
        )
        seed = digest([prompt, asdict(ask)]).partition(":")[2][:15]
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed, 16))
            theirs = self._net.generation_config
            self._net.generation_config = how  # what ours leaves open is filled from it
            try:
                made = self._net.generate(
                    head, attention_mask=torch.ones_like(head), generation_config=how
                )
            finally:
                self._net.generation_config = theirs
        took = made.sequences[0, head.shape[1] :].tolist()
        ended = bool(took) and took[-1] in ends
        said = took[:-1] if ended else took
        told = None
        if ask.logprobs:
            told = [
                {
                    "token": self._words.decode([token]),
                    "logprob": float(step[0].float().log_softmax(dim=-1)[token]),
                }
                for token, step in zip(said, made.logits, strict=False)
            ]
        text = self._words.decode(said, skip_special_tokens=True)
        return Answer(text, "stop" if ended else "length", head.shape[1], len(took), told)

    def _turns(self, turns: Sequence[dict[str, str]]) -> list[int]:
        """Return the tokens of a conversation before an answer; lines of text without template."""
        if not self._words.chat_template:
            return self._ids("\n".join(turn["content"] for turn in turns) + "\n")
        from jinja2 import TemplateError

        try:
            text = self._words.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise InputError(
                f"the model's chat template refuses the conversation ({type(error).__name__})",
                where="chat template",
                hint="some know no system turn: ask without --system",
            ) from error
        return self._ids(text)

    def _ends(self) -> list[int]:
        """Return the tokens that end an answer."""
        set_by = getattr(self._net, "generation_config", None)
        told = getattr(set_by, "eos_token_id", None)
        ends = list(told) if isinstance(told, list | tuple) else [told]
        return sorted({e for e in (*ends, self._words.eos_token_id) if e is not None})

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


def local_endpoint(spec: str) -> tuple[Endpoint, Path, str | None]:
    """Return what ``local:PATH`` or ``local:NAME@PATH`` names: for `load_weights` and `collect`.

    PATH is a folder as Transformers saves it, or a GGUF file; without NAME it gives the model's
    name. The address of the endpoint is the digest of the files, so that a cache knows other
    weights under one name, and no path is kept.

    Raises:
        ConfigError: another form, or no name.
        InputError: no such folder or file, or nothing of a model in it.
    """
    kind, _, rest = spec.partition(":")
    name, at, place = rest.partition("@")
    if "/" in name:  # a path that holds an @, and no name
        name, at, place = "", "", ""
    path = Path(place if at else rest)
    if kind != LOCAL or not (place if at else rest) or (at and not name):
        raise ConfigError("got another form than local:PATH or local:NAME@PATH", where="--model")
    try:
        kept = [path] if path.is_file() else sorted(path.iterdir())
        files = [f for f in kept if f.is_file() and f.suffix in _OF_A_MODEL]
        held = hashlib.sha256()
        for file in files:
            held.update(f"{file.name}\0{_sum(file)}\n".encode())
    except OSError as error:
        raise InputError("no folder or file of weights", where=path.name) from error
    if not files or (path.is_file() and path.suffix != ".gguf"):
        raise InputError(
            "holds no model",
            where=path.name,
            hint="give a folder as Transformers saves it, or a .gguf file",
        )
    gguf = path.name if path.is_file() else None
    own = path.resolve().stem if gguf else path.resolve().name  # a folder's dot begins no suffix
    endpoint = Endpoint(LOCAL, name if at else own, f"sha256:{held.hexdigest()}")
    return endpoint, path.parent if gguf else path, gguf


def _sum(file: Path) -> str:
    held = hashlib.sha256()
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            held.update(chunk)
    return held.hexdigest()


def load_weights(folder: Path, gguf: str | None = None) -> Weights:
    """Return the model in a folder as Transformers saves it, or in a GGUF file of that folder.

    Whose weights these are is in dispute, so that nothing in the folder is run: weights come from
    safetensors or GGUF and never from a pickle, code beside them is not imported, and an adapter,
    which could name weights anywhere, is refused.

    Raises:
        ConfigError: torch or transformers is not installed.
        InputError: the folder holds no model that they can read, or only by running what is there.
    """
    if (folder / _ADAPTER).exists():
        raise InputError(
            "holds an adapter, whose base is named elsewhere",
            where=folder.name,
            hint="merge it into its base and save that as a folder of its own",
        )
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ConfigError(
            "reading weights needs the packages torch and transformers",
            hint="pip install 'stillwatch[weights]', or let another harness write the numbers",
        ) from error
    told: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    told |= {"gguf_file": gguf} if gguf else {}
    try:
        words = AutoTokenizer.from_pretrained(str(folder), **told)
        net = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, use_safetensors=True, **told
        )
    except ImportError as error:
        raise ConfigError(
            "this model needs a package that is not installed", where=folder.name,
            hint=f"pip install {error.name}" if error.name else "see its tokenizer's needs",
        ) from error  # fmt: skip
    except Exception as error:  # whatever a stranger's files make the libraries raise
        raise InputError(
            f"holds no weights that can be read ({type(error).__name__})",
            where=folder.name,
            hint="give config.json, a tokenizer and .safetensors, or a GGUF file; "
            "pickled weights (.bin) and code of their own are not loaded",
        ) from error
    return Weights(net.eval(), words)
