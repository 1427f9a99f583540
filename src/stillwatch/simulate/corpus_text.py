"""A grammar whose payloads and plain answers are real texts, where a corpus has the language.

Texts are sorted into the grammar's domains by a characteristic word, so that an author of two
domains keeps to related texts and an operator's queue runs over all of them. Honest people and
campaigns draw from the same texts; templates, forms and names stay the grammar's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from stillwatch.simulate.corpora import Texts
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import DOMAINS, Grammar, Vocabulary
from stillwatch.simulate.lexicon import Lexicon

__all__ = ["CorpusGrammar"]

_WORD: Final = re.compile(r"[a-z]{5,}")
_HAN: Final = re.compile(r"[一-鿿]{2}")
_SENTENCE: Final = {"en": 75, "zh": 26}  # characters of one sentence of the grammar


@dataclass(frozen=True)
class CorpusVocabulary(Vocabulary):
    """A vocabulary with real texts of its domains, and answers in its language."""

    texts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def by_domain(texts: Sequence[str]) -> list[list[str]]:
    """Return texts in `DOMAINS` buckets: texts of one bucket share a characteristic word."""
    words = [set((_HAN if _HAN.search(t[:200]) else _WORD).findall(t.lower()[:600])) for t in texts]
    seen = Counter(w for found in words for w in found)
    high = max(30, len(texts) // 25)
    buckets: list[list[str]] = [[] for _ in range(DOMAINS)]
    for text, found in zip(texts, words, strict=True):
        fit = [w for w in found if 3 <= seen[w] <= high]
        # the most frequent of the words that are not everybody's; ties by the word itself
        key = max(fit, key=lambda w: (seen[w], w)) if fit else text[:40]
        buckets[crc32(key.encode()) % DOMAINS].append(text)
    return buckets


class CorpusGrammar(Grammar):
    """The grammar of a world whose texts come from corpora."""

    def __init__(self, seed: int, texts: Texts) -> None:
        super().__init__(seed)
        self.texts = texts
        self._buckets = {code: by_domain(found) for code, found in texts.prompts.items()}

    def _vocabulary(
        self, lang: Lexicon, domains: Sequence[int], names: list[str], dice: Dice | None
    ) -> Vocabulary:
        made = super()._vocabulary(lang, domains, names, dice)
        buckets = self._buckets.get(lang.code)
        if buckets is None:
            return made
        texts = tuple(t for d in domains for t in buckets[d])
        answers = tuple(self.texts.answers.get(lang.code, ()))
        return CorpusVocabulary(made.lang, made.pools, texts, answers)

    def payload(self, dice: Dice, vocab: Vocabulary, sentences: int, ask: float = 0.6) -> str:
        """Return the one of three texts of the vocabulary whose length is nearest; a fifth are two.

        Two texts in one request keep a queue that never repeats an item from running dry.
        """
        texts = vocab.texts if isinstance(vocab, CorpusVocabulary) else ()
        if len(texts) < 3:
            return super().payload(dice, vocab, sentences, ask)
        size = sentences * _SENTENCE.get(vocab.lang.code, 75)
        if dice.u() < 0.2:
            both = _nearest(dice, texts, size // 2) + "\n\n" + _nearest(dice, texts, size // 2)
            return both[: max(400, 2 * size)]
        return _nearest(dice, texts, size)

    def item(self, dice: Dice, vocab: Vocabulary) -> str:
        if vocab.lang.code == "en" and self.texts.items:
            return dice.pick(self.texts.items)
        return super().item(dice, vocab)

    def system(self, dice: Dice, code: str) -> str | None:
        known = self.texts.systems.get(code)
        return dice.pick(known) if known else None

    def prose(self, dice: Dice, vocab: Vocabulary, sentences: int) -> str:
        answers = vocab.answers if isinstance(vocab, CorpusVocabulary) else ()
        if len(answers) < 100:
            return super().prose(dice, vocab, sentences)
        size = sentences * _SENTENCE.get(vocab.lang.code, 75)
        return _nearest(dice, answers, size)[: max(200, 2 * size)]


def _nearest(dice: Dice, texts: Sequence[str], size: int) -> str:
    few = (dice.pick(texts), dice.pick(texts), dice.pick(texts))
    return min(few, key=lambda t: abs(len(t) - size))
