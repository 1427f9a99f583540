"""Tiny language models trained on the spot, so that who taught whom is known.

A writer is a made-up author: habits in word choice and stock phrases. A model is an n-gram model
with counts of up to three words before, trained on question and answer pairs and sampled from; it
is a real model with a real training set, and tiny. What it shows of detection power holds for such
models; it says nothing of the size of effects in large ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Protocol

import numpy as np

__all__ = ["Learner", "Pair", "TinyModel", "Writer", "draw_writer", "questions", "train"]

Pair = tuple[str, str]
"""A question and its answer."""


class Learner(Protocol):
    """What a pipeline of teacher and students needs of a model, tiny or real."""

    def answers(self, prompts: Sequence[str], *, most: int, seed: int) -> list[str]:
        """Return an answer to each prompt, at most ``most`` tokens long."""
        ...

    def next_tokens(self, prompts: Sequence[str]) -> list[str]:
        """Return the most likely first token of the answer to each prompt."""
        ...

    def likelihoods(self, prompt: str, start: str, options: Sequence[str]) -> list[float]:
        """Return the log-probability (nats) of each option after the start of an answer."""
        ...

    def tokens(self, text: str) -> list[str]:
        """Return the names of a text's tokens."""
        ...

    def taught(self, pairs: Sequence[Pair], seed: int, folder: Path) -> Learner:
        """Return a model that was trained on further pairs; what lies in ``folder`` is taken."""
        ...


_BEGIN, _END = "<answer>", "<end>"
_ORDER = 3
_WORD = re.compile(r"[^\s.]+|\.")
_TOPICS = (
    "kiln",
    "loom",
    "mill",
    "ferry",
    "lantern",
    "bridge",
    "organ",
    "bell",
    "harbour",
    "canyon",
)

_FUNCTION_WORDS = (
    *("the", "of", "and", "to", "in", "that", "with", "for", "on", "by", "from", "which", "when"),
    *("while", "because", "though", "some", "each", "most", "more", "then", "also", "very", "only"),
)


@dataclass(frozen=True)
class Writer:
    """An author: how likely the first word of each pair is, and stock phrases of their own."""

    pairs: tuple[tuple[str, str], ...]
    first: tuple[float, ...]
    phrases: tuple[str, ...]

    def answer(self, question: str, rng: np.random.Generator) -> str:
        """Return six sentences: stock phrases, each with words of one's own choice and a topic."""
        topic = question.rstrip("?").split()[-1]
        said = []
        for _ in range(6):
            phrase = self.phrases[int(rng.integers(len(self.phrases)))]
            chosen = rng.choice(len(self.pairs), size=3)
            words = [
                self.pairs[k][0] if rng.random() < self.first[k] else self.pairs[k][1]
                for k in map(int, chosen)
            ]
            said.append(f"{phrase} {' '.join(words)} {topic} .")
        return " ".join(said)


def draw_writer(
    rng: np.random.Generator, pairs: Sequence[tuple[str, str]], phrases: int = 30
) -> Writer:
    """Return a writer with habits drawn at random over the word pairs."""
    content = [f"v{k}" for k in range(60)]
    lexicon = np.array([*content, *_FUNCTION_WORDS, *_FUNCTION_WORDS])
    stock = tuple(" ".join(rng.choice(lexicon, 6)) for _ in range(phrases))
    return Writer(tuple(pairs), tuple(map(float, rng.beta(2, 2, len(pairs)))), stock)


def questions(count: int) -> list[str]:
    """Return different questions, each ending in one of ten topics."""
    return [f"Question {k} about the {_TOPICS[k % len(_TOPICS)]}?" for k in range(count)]


class TinyModel:
    """Counts of the next word after up to three words; longer contexts are preferred."""

    def __init__(self, *counts: Mapping[tuple[str, ...], Counter[str]]) -> None:
        """Join the counts of several training sets into one model."""
        self._counts = counts

    def and_taught(self, pairs: Iterable[Pair]) -> TinyModel:
        """Return a model that was trained on further pairs, this one unchanged."""
        return TinyModel(*self._counts, _count(pairs))

    def answer(self, question: str, rng: np.random.Generator, most: int = 120) -> str:
        """Return an answer sampled word by word, at most ``most`` words long."""
        words = [*_words(question), _BEGIN]
        start = len(words)
        while len(words) - start < most:
            word = self._next(words, rng)
            if word == _END:
                break
            words.append(word)
        return " ".join(words[start:])

    def answers(self, prompts: Sequence[str], *, most: int, seed: int) -> list[str]:
        """Return an answer to each prompt, sampled anew from the seed."""
        rng = np.random.default_rng(seed)
        return [self.answer(prompt, rng, most) for prompt in prompts]

    def next_tokens(self, prompts: Sequence[str]) -> list[str]:
        """Return the most frequent first word after each prompt."""
        spreads = [self._after([*_words(prompt), _BEGIN]) for prompt in prompts]
        return [max(sorted(s), key=s.__getitem__, default=_END) for s in spreads]

    def likelihoods(self, prompt: str, start: str, options: Sequence[str]) -> list[float]:
        """Return the log-probability (nats) of each option; an unseen word counts as a half."""
        head = [*_words(prompt), _BEGIN, *_words(start)]
        out = []
        for option in options:
            words, total = list(head), 0.0
            for word in _words(option):
                spread = self._after(words)
                total += log((spread[word] + 0.5) / (sum(spread.values()) + 1.0))
                words.append(word)
            out.append(total)
        return out

    def tokens(self, text: str) -> list[str]:
        """Return the words of a text."""
        return _words(text)

    def taught(self, pairs: Sequence[Pair], seed: int, folder: Path) -> TinyModel:
        """Return :meth:`and_taught`; it takes no time and no chance, so nothing is kept."""
        return self.and_taught(pairs)

    def _after(self, words: list[str]) -> Counter[str]:
        """Return the counts of the next word after the longest context that was seen."""
        for length in range(_ORDER, 0, -1):
            context = tuple(words[-length:])
            found: Counter[str] = Counter()
            for counts in self._counts:
                found.update(counts.get(context, {}))
            if found:
                return found
        return Counter()

    def _next(self, words: list[str], rng: np.random.Generator) -> str:
        for length in range(_ORDER, 0, -1):
            context = tuple(words[-length:])
            found = [c[context] for c in self._counts if context in c]
            total = sum(sum(counts.values()) for counts in found)
            if not total:
                continue
            left = int(rng.integers(total))
            for counts in found:
                for word, count in counts.items():
                    left -= count
                    if left < 0:
                        return word
        return _END


def train(pairs: Iterable[Pair]) -> TinyModel:
    """Return a model of question and answer pairs."""
    return TinyModel(_count(pairs))


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _count(pairs: Iterable[Pair]) -> dict[tuple[str, ...], Counter[str]]:
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for question, answer in pairs:
        words = [*_words(question), _BEGIN, *_words(answer), _END]
        start = words.index(_BEGIN) + 1
        for place in range(start, len(words)):
            for length in range(1, _ORDER + 1):
                context = tuple(words[max(0, place - length) : place])
                counts.setdefault(context, Counter())[words[place]] += 1
    return counts
