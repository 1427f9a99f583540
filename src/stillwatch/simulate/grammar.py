"""The grammar writes prompts and answers from a lexicon, a vocabulary and dice.

A vocabulary is what one author writes about: a few domains, some of their terms and names.
Payloads of one vocabulary share words; whole texts rarely repeat, since every sentence fills
four or five slots from lists of 8 to 3,000 entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.simulate.dice import Dice, generator
from stillwatch.simulate.lexicon import Lexicon, Pattern, lexicon

__all__ = ["DOMAINS", "Grammar", "Vocabulary"]

DOMAINS = 60
_NAMES_PER_DOMAIN = 60
_SNIPPETS = (
    "def {c}_{n}(rows):\n    return [r for r in rows if r['{c}'] > {n}]",
    "SELECT {c}, count(*) FROM {c} WHERE amount > {n} GROUP BY {c};",
    "ERROR {c}: expected {n}, got {n} (after {n} ms)",
    '{{"id": {n}, "name": "{c}", "ref": "{c}-{n}"}}',
    "{c},{n},{n}\n{c},{n},{n}\n{c},{n},{n}",
    "for i in range({n}):\n    {c}.push(i * {n})\nassert {c}.size() == {n}",
    "export const {c} = (x) => x.{c}({n}) ?? {n};",
    "--- a/{c}.py\n+++ b/{c}.py\n-    limit = {n}\n+    limit = {n}",
)


@dataclass(frozen=True)
class Vocabulary:
    """One author's words in one language, by slot number (see `lexicon.SLOTS`)."""

    lang: Lexicon
    pools: tuple[Sequence[str], ...]

    def fill(self, pattern: Pattern, dice: Dice) -> str:
        u, pools = dice.u, self.pools
        out = []
        for s in pattern.slots:
            pool = pools[s]
            out.append(pool[int(u() * len(pool))])
        return pattern.text % tuple(out)


class Grammar:
    """Words of one world: the coined names differ from seed to seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._names: dict[tuple[str, int], list[str]] = {}
        self._whole: dict[tuple[str, int], Vocabulary] = {}
        self.numbers = [str(n) for n in range(2, 1000)]
        self.numbers += [f"{n // 10}.{n % 10}" for n in range(11, 2000) if n % 10]
        self.small = [str(n) for n in range(2, 13)]

    def names(self, code: str, domain: int) -> list[str]:
        """Return the coined names of a domain in a language, fixed by the seed."""
        key = (code, domain)
        if key not in self._names:
            lang = lexicon(code)
            rng = generator(self.seed, "names", code, domain)
            coin = lang.words["coin"]
            lengths = rng.choice([2, 3, 3, 4], _NAMES_PER_DOMAIN).tolist()
            made = ["".join(coin[i] for i in rng.integers(0, len(coin), n)) for n in lengths]
            self._names[key] = [m.capitalize() for m in made]
        return self._names[key]

    def whole(self, code: str, domain: int) -> Vocabulary:
        """Return the full vocabulary of a domain: what a queue over all topics draws from."""
        key = (code, domain)
        if key not in self._whole:
            self._whole[key] = self._vocabulary(
                lexicon(code), (domain,), self.names(code, domain), None
            )
        return self._whole[key]

    def own(self, code: str, domains: Sequence[int], dice: Dice) -> Vocabulary:
        """Return one author's vocabulary: some names, facets and traits of a few domains."""
        names: list[str] = []
        for d in domains:
            names += dice.sample(self.names(code, d), 18 // len(domains) + 4)
        return self._vocabulary(lexicon(code), domains, names, dice)

    def _vocabulary(
        self, lang: Lexicon, domains: Sequence[int], names: list[str], dice: Dice | None
    ) -> Vocabulary:
        def some(kind: str, k: int) -> Sequence[str]:
            words = lang.words[kind]
            return words if dice is None else dice.sample(words, k)

        heads = [lang.domains[d][0] for d in domains]
        terms = [t for d in domains for t in lang.domains[d]]
        terms += [f"{terms[i % len(terms)]}{lang.space}{n}" for i, n in enumerate(names[:24])]
        w = lang.words
        pools = (
            heads,
            terms,
            names,
            some("traits", 14),
            some("facets", 14),
            some("acts", 12),
            some("people", 8),
            self.numbers,
            some("units", 6),
            w["jobs"],
            w["tags"],
            self.small,
        )
        return Vocabulary(lang, pools)

    # texts ---------------------------------------------------------------------------------

    def payload(self, dice: Dice, vocab: Vocabulary, sentences: int, ask: float = 0.6) -> str:
        """Return a text of so many sentences of about 12 words; ``ask``: chance of a question."""
        lang, fill = vocab.lang, vocab.fill
        states, asks = lang.patterns["statements"], lang.patterns["questions"]
        parts = [fill(dice.pick(states), dice) for _ in range(sentences - 1)]
        parts.append(fill(dice.pick(asks if dice.u() < ask else states), dice))
        return lang.join.join(parts)

    def item(self, dice: Dice, vocab: Vocabulary) -> str:
        """Return an item of an evaluation suite."""
        return self.payload(dice, vocab, self.length(dice))

    def system(self, dice: Dice, code: str) -> str | None:
        """Return a published system prompt in the language, or None: the grammar knows none."""
        return None

    def length(self, dice: Dice, mean: float = 3.0) -> int:
        """Return a number of sentences in 1..12."""
        return min(12, 1 + int(dice.expo(mean)))

    def follow(self, dice: Dice, vocab: Vocabulary) -> str:
        first = vocab.fill(dice.pick(vocab.lang.patterns["follow"]), dice)
        if dice.u() < 0.6:
            return first + vocab.lang.join + self.payload(dice, vocab, 1 + int(dice.expo(0.8)))
        return first

    def snippet(self, dice: Dice, vocab: Vocabulary) -> str:
        """Return a few lines of code, log or data with names and numbers of the vocabulary."""
        raw = dice.pick(_SNIPPETS)
        names, numbers = vocab.pools[2], self.numbers
        parts = raw.replace("{{", "{").replace("}}", "}").split("{c}")
        text = "".join(p + dice.pick(names).lower() for p in parts[:-1]) + parts[-1]
        parts = text.split("{n}")
        return "".join(p + dice.pick(numbers) for p in parts[:-1]) + parts[-1]

    def prose(self, dice: Dice, vocab: Vocabulary, sentences: int) -> str:
        lang, fill, pats = vocab.lang, vocab.fill, vocab.lang.patterns["answers"]
        return lang.join.join([fill(dice.pick(pats), dice) for _ in range(sentences)])

    def answer(self, dice: Dice, vocab: Vocabulary, form: str, tag: str, sentences: int) -> str:
        """Return an assistant's answer in the asked form: plain, list, json, tags, score, code."""
        if form == "tags":
            think = self.prose(dice, vocab, max(2, sentences))
            return f"<{tag}>\n{think}\n</{tag}>\n{self.prose(dice, vocab, 1 + sentences // 3)}"
        if form == "json":
            rows = [
                f'{{"{tag}": "{dice.pick(vocab.pools[2])}", "result": "{r}"}}'
                for r in (self.prose(dice, vocab, 1) for _ in range(max(1, sentences // 2)))
            ]
            return "\n".join(rows)
        if form == "score":
            return (
                f"{tag}: {dice.whole(1, 10)}/10\n{self.prose(dice, vocab, max(1, sentences // 2))}"
            )
        if form == "list":
            return "\n".join(f"- {self.prose(dice, vocab, 1)}" for _ in range(sentences))
        if form == "code":
            code = self.snippet(dice, vocab)
            return f"```\n{code}\n```\n{self.prose(dice, vocab, max(1, sentences // 2))}"
        return self.prose(dice, vocab, sentences)
