"""Finds commercial content in a text, whatever it is dressed as; the words are in a table beside.

Not what keeps commerce out (the closed shape does, which has no field for it): it tells a person
why something was refused, and finds messages in values that may look like anything, such as ids and
fingerprints.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from math import comb
from typing import Final

from stillwatch.share.disguise import plain, readings, shifted, squeezed, unleeted

__all__ = ["certainly", "messages", "perhaps"]

_MONEY: Final = re.compile(
    r"[$€£¥₽₩₹]\s*\d|\d\s*(?:[$€£¥₽₩₹]|usd|eur|gbp|cny|rmb|jpy|円|元|руб|dollars?|euros?)\b"
)
_INSIDE: Final = 5  # letters of a stem that is searched inside squeezed text
_LETTERS: Final = frozenset(b" 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
# One random value in 20,000 looks like a message of this kind by chance.
_CHANCE: Final = 5e-5


@cache
def _stems() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Return by subject what is searched at word starts, and what inside squeezed text."""
    table = tomllib.loads(
        files("stillwatch.share").joinpath("commercial.toml").read_text(encoding="utf-8")
    )
    made = []
    for subject, languages in table.items():
        latin, other = set(), set()
        for words in languages.values():
            for word in words:
                raw = plain(word, latin=False)
                if raw[0] > "\u036f":
                    # a look-alike of a Latin letter is replaced in the text, so in the stem too
                    other |= {raw, plain(word)}
                else:
                    latin.add(plain(word))
        inside = {squeezed(w) for w in latin if len(squeezed(w)) >= _INSIDE}
        starts = "|".join(re.escape(w) for w in sorted(latin))
        words_in = "|".join(re.escape(w) for w in sorted(inside | {squeezed(w) for w in other}))
        made.append((subject, re.compile(rf"(?<![a-z])(?:{starts})"), re.compile(words_in)))
    return tuple(made)


def certainly(text: str) -> str:
    """Return the forbidden subject that a text seems to tell of, empty where none is found.

    >>> certainly("our pr1ce list"), certainly("cHJpY2UgbGlzdA=="), certainly("methods: relay")
    ('prices', 'prices', '')
    """
    for reading in readings(text):
        lowered = plain(reading)
        raw = plain(reading, latin=False)
        if _MONEY.search(raw):
            return "prices"
        candidates = [lowered + " ", *(t + " " for t in unleeted(lowered))]
        tight = [squeezed(c) for c in (raw, *candidates)]
        for subject, starts, inside in _stems():
            if any(starts.search(c) for c in candidates) or any(inside.search(t) for t in tight):
                return subject
    letters = re.sub("[^a-z]", "", plain(text))
    if 5 <= len(letters) <= 2_000:
        for turned in shifted(letters):
            for subject, _, inside in _stems():
                if inside.search(turned):
                    return subject
    return ""


def perhaps(text: str) -> bool:
    """Return whether a text is more than a format: words, or signs that are not ASCII."""
    return not text.isascii() or re.search(r"[A-Za-z]{3,}\s+\S", text) is not None


@cache
def _too_many(length: int) -> int:
    """Return how many letters among so many random bytes are one in 20,000 or rarer."""
    share = len(_LETTERS) / 256
    tail = 0.0
    for count in range(length, -1, -1):
        tail += comb(length, count) * share**count * (1 - share) ** (length - count)
        if tail > _CHANCE:
            return count + 1
    return 0  # pragma: no cover


def messages(digits: str) -> bool:
    """Return whether hex digits that should be random spell something.

    True when as bytes they are mostly letters, hold a commercial word, have no letter a to f at
    all, repeat one digit six times or use few different digits. *Error*: random values of 64 bits
    are taken for messages in about 7 of 10,000 cases, of 128 bits or more in 2 of 10,000.
    """
    data = bytes.fromhex(digits)
    if sum(byte in _LETTERS for byte in data) >= _too_many(len(data)) > 0:
        return True
    if re.search(r"([0-9a-f])\1{5}", digits):
        return True
    few = {12: 4, 16: 5, 32: 8, 64: 11}.get(len(digits), 4)
    if len(set(digits)) <= few or (len(digits) > 12 and digits.isdecimal()):
        return True
    text = data.decode("latin-1").casefold()
    return any(
        re.search(r"[a-z]{4}", hit[0]) is not None
        for _, starts, inside in _stems()
        for hit in (starts.search(text), inside.search(text))
        if hit
    )
