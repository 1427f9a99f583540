"""Habits of one answer: how it refuses, begins, ends, is laid out, hedges, speaks of itself.

Each is a number that can be averaged over prompts: 0 or 1, a rate per 100 words, or a logarithm of
a length. What the answer is about does not enter, but what the prompt asks for does, which is why
models are compared on the same prompts and by kind of prompt.
"""

from __future__ import annotations

import math
import re
from typing import Final

from stillwatch.prove.shingles import refuses

__all__ = ["HABITS", "IDIOSYNCRASIES", "PROFILES", "REFUSALS", "habits"]

REFUSALS: Final = ("refuses", "apologises", "cannot", "as an AI", "warns")
"""0 or 1 each, about how an answer begins; the last about all of it."""

_FIRST: Final = {
    "opens: agrees": r"(?:sure|certainly|of course|absolutely|yes|great|definitely)\b",
    "opens: here is": r"(?:here(?:'s| is| are)|below|the following)\b",
    "opens: I": r"(?:i|i'm|i'll|my|as an)\b",
    "opens: article": r"(?:the|an?|there|this|it|one)\b",
    "opens: to do": r"(?:to|if|when|in order)\b",
    "opens: sign": r"[^\w\s]",
}
_LAST: Final = {
    "closes: offers": r"\b(?:let me know|feel free|happy to help|hope (?:this|that|it)|good luck"
    r"|enjoy|if you (?:have|need))\b",
    "closes: sums up": r"(?:^|\n)\W*(?:in (?:conclusion|summary|short)|overall|ultimately"
    r"|to sum|remember|by following|in the end)\b",
    "closes: asks": r"\?\W{0,3}$",
    "closes: exclaims": r"!\W{0,3}$",
    "closes: without a stop": r"[\w,;:]$",
}
_LINES: Final = {
    "layout: bullets": r"^[ \t]*[-*•+] ",
    "layout: numbers": r"^[ \t]*\d+[.)] ",
    "layout: headings": r"^#{1,6} ",
    "layout: bold": r"\*\*[^*\n]+\*\*",
    "layout: code": r"^```",
    "layout: table": r"^\|.*\|[ \t]*$",
    "layout: heads with a colon": r"^[^\n]{1,60}:[ \t]*$",
    "layout: emoji": "[\U0001f300-\U0001faff\u2600-\u27bf]",
}
_RATES: Final = {
    "words: hedges": r"\b(?:may|might|could|perhaps|possibly|generally|typically|usually|often"
    r"|likely|seems?|tends?|can be)\b",
    "words: important to": r"\b(?:important to|keep in mind|worth noting|please note|note that"
    r"|make sure|ensure)\b",
    "words: joins": r"\b(?:however|additionally|furthermore|moreover|therefore|thus|also"
    r"|in addition|for example|such as)\b",
    "words: I": r"\b(?:i|me|my|i'm|i've|i'll)\b",
    "words: you": r"\b(?:you|your|yours)\b",
    "words: shortened": r"\w'(?:t|s|re|ve|ll|d|m)\b",
    "signs: exclaims": r"!",
    "signs: dashes": r"[–—]| - ",
    "signs: brackets": r"\(",
    "signs: quotes": r"[\"“]",
    "signs: semicolons": r";",
}
_LENGTHS: Final = (
    *("length: words", "length: words a sentence", "length: letters a word"),
    *("length: paragraphs", "length: words a paragraph"),
)
IDIOSYNCRASIES: Final = (*_FIRST, *_LAST, *_LINES, *_RATES, *_LENGTHS)
HABITS: Final = (*REFUSALS, *IDIOSYNCRASIES)
PROFILES: Final = {"refusals": REFUSALS, "idiosyncrasies": IDIOSYNCRASIES}

_MOST_CHARACTERS: Final = 3_000
_HEAD: Final = 300
_APOLOGY: Final = re.compile(r"\b(?:sorry|apologi[sz]e|unfortunately|regret)\b")
_CANNOT: Final = re.compile(r"\b(?:cannot|can't|unable|not able|won't|don't have)\b")
_AN_AI: Final = re.compile(r"\b(?:an ai|ai (?:language )?model|language model|ai assistant)\b")
_WARNS: Final = re.compile(
    r"\b(?:illegal|unethical|against the law|not appropriate|inappropriate|harmful|dangerous"
    r"|consult (?:an?|your)|professional (?:help|advice))\b"
)
_begins = [re.compile(text) for text in _FIRST.values()]
_ends = [re.compile(text) for text in _LAST.values()]
_lined = [re.compile(text, re.MULTILINE) for text in _LINES.values()]
_counted = [re.compile(text) for text in _RATES.values()]
_WORD: Final = re.compile(r"\w+(?:'\w+)*")
_STOP: Final = re.compile(r"[.!?]+(?:\s|$)")
_GAP: Final = re.compile(r"\n[ \t]*\n")


def habits(answer: str) -> tuple[float, ...]:
    """Return the numbers of an answer in the order of `HABITS`.

    Args:
        answer: cut at 3,000 characters for all but how it ends, so that time is bounded; lengths
            are those of the part.
    """
    whole = answer.strip().replace("’", "'").lower()
    text = whole[:_MOST_CHARACTERS]
    head, tail = text[:_HEAD], whole[-_HEAD:]
    words = _WORD.findall(text)
    per = 100.0 / max(len(words), 1)
    sentences = max(len(_STOP.findall(text)), 1)
    parts = len(_GAP.findall(text)) + 1
    refusing = (
        refuses(answer),
        _APOLOGY.search(head) is not None,
        _CANNOT.search(head) is not None,
        _AN_AI.search(head) is not None,
        _WARNS.search(text) is not None,
    )
    return (
        *map(float, refusing),
        *(float(one.match(text) is not None) for one in _begins),
        *(float(one.search(tail) is not None) for one in _ends),
        *(float(one.search(text) is not None) for one in _lined),
        *(len(one.findall(text)) * per for one in _counted),
        math.log1p(len(words)),
        math.log1p(len(words) / sentences),
        sum(map(len, words)) / max(len(words), 1),
        math.log1p(parts),
        math.log1p(len(words) / parts),
    )
