"""A frame is a prompt template: a head and a tail around a payload, perhaps a system prompt.

Frames are composed from role, task, rule, form and tail patterns of a lexicon, so that every
seed has its own. The press remembers what it made and never makes one text twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.simulate.dice import Dice, generator
from stillwatch.simulate.grammar import Grammar, Vocabulary
from stillwatch.simulate.lexicon import KINDS, lexicon

__all__ = ["Frame", "Press", "paraphrase"]

_FORMS = {
    "reason": ("tags", "tags", "plain", "json"),
    "grade": ("score", "json"),
    "instruct": ("json", "json", "plain"),
    "extract": ("json", "plain"),
    "rewrite": ("plain", "json"),
    "support": ("plain", "plain", "tags"),
    "code": ("plain", "tags"),
    "critique": ("tags", "score", "plain"),
}
_BREAKS = ("\n\n", "\n---\n", '\n"""\n', " ", "\n### ", "\n>> ")


@dataclass(frozen=True)
class Frame:
    """One way to ask: what a template puts around a payload, and what the answer looks like.

    ``kind``: one of KINDS. ``tag``: what the answer is to be wrapped in, where the form has one.
    ``system``: the system prompt, None without one. ``head`` begins the user text and ``tail`` ends
    it; ``before`` and ``after`` are the breaks around the payload.
    """

    kind: str
    form: str  # shape of the answer
    tag: str
    system: str | None
    head: str
    tail: str
    before: str
    after: str

    def wrap(self, payload: str) -> str:
        """Return the user text: the payload within the template."""
        return f"{self.head}{self.before}{payload}{self.after}{self.tail}"


class Press:
    """Makes frames, each text once in a world."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._made: set[str] = set()
        self._house: dict[tuple[str, int], str] = {}

    def house(self, code: str, number: int) -> str:
        """Return one of the system prompts of the provider's own apps, the same for everybody."""
        key = (code, number)
        if key not in self._house:
            dice = Dice(generator(self._grammar.seed, "house", code, number))
            words = self._grammar.own(code, [dice.whole(0, 59)], dice)
            pat, join = lexicon(code).patterns, lexicon(code).join
            names = ("role", "rule", "rule", "tail")
            self._house[key] = join.join(words.fill(dice.pick(pat[n]), dice) for n in names)
        return self._house[key]

    def make(
        self,
        dice: Dice,
        code: str,
        kind: str = "",
        *,
        system: float = 0.4,
        bare: float = 0.3,
        long: bool = False,
    ) -> Frame:
        """Return a new frame of 12 to 60 words (30 to 70 where ``long``).

        ``system``: chance that half of it is a system prompt; ``bare``: chance, given that,
        that all of it is, and the user text is the payload alone. ``long``: most rules, and a tail.
        """
        low, high = (30, 70) if long else (12, 60)
        while True:
            frame = self._draw(dice, code, kind or dice.pick(KINDS), system, bare, long)
            text = f"{frame.system}|{frame.head}|{frame.tail}"
            if low <= _words(frame, code) <= high and text not in self._made:
                self._made.add(text)
                return frame

    def _draw(
        self, dice: Dice, code: str, kind: str, system: float, bare: float, long: bool
    ) -> Frame:
        lang = lexicon(code)
        pat = lang.patterns
        words = self._grammar.own(code, [dice.whole(0, 59)], dice)
        tag = dice.pick(lang.words["tags"]) + (f"_{dice.whole(1, 99)}" if dice.chance(0.4) else "")
        pools = list(words.pools)
        pools[3], pools[4] = lang.words["traits"], lang.words["facets"]
        pools[10] = (tag,)
        words = Vocabulary(lang, tuple(pools))

        def line(name: str) -> str:
            return words.fill(dice.pick(pat[name]), dice)

        form = dice.pick(_FORMS[kind])
        role = [line("role")] if dice.chance(0.75) else []
        rules = [line("rule") for _ in range(dice.whole(2 if long else 0, 3))]
        ask = [line(f"task.{kind}"), line(f"form.{form}")]
        tail = [line("tail") for _ in range(2 if long else dice.whole(0, 2))]
        join = lang.join
        if dice.chance(system):
            sys_text = join.join([*role, *rules, line("rule")])
            head = join.join(ask)
            if dice.chance(bare):
                sys_text, head = join.join([sys_text, head]), ""
        else:
            sys_text, head = "", join.join([*role, *ask, *rules])
        return Frame(
            kind=kind,
            form=form,
            tag=tag,
            system=sys_text or None,
            head=head,
            tail=join.join(tail) if head else "",
            before=dice.pick(_BREAKS) if head else "",
            after=dice.pick(("\n\n", "\n", " ")) if tail and head else "",
        )


def _words(frame: Frame, code: str) -> float:
    """Return the number of words; two characters count as one where words are not spaced."""
    texts = [t for t in (frame.system, frame.head, frame.tail) if t]
    if lexicon(code).space:
        return sum(len(t.split()) for t in texts)
    return sum(len(t) for t in texts) / 2


def paraphrase(dice: Dice, words: Vocabulary, payload: str) -> tuple[str, str]:
    """Return (prompt, tag): a payload under one of thousands of openings and closings."""
    pat, lang = words.lang.patterns, words.lang
    tag = dice.pick(lang.words["tags"])
    opening = words.fill(dice.pick(pat["opening"]), dice)
    gap = dice.pick((": ", ":\n", ".\n\n"))
    close = words.fill(dice.pick(pat["closing"]), dice) if dice.chance(0.7) else ""
    extra = ""
    if dice.chance(0.3):
        pools = list(words.pools)
        pools[10] = (tag,)
        extra = Vocabulary(lang, tuple(pools)).fill(dice.pick(pat["inject"]), dice)
    tail = lang.join.join(x for x in (close, extra) if x)
    return f"{opening}{gap}{payload}" + (f"\n{tail}" if tail else ""), tag
