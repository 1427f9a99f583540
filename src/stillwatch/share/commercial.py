"""Finds commercial content in a text, whatever it is dressed as; the words are in a table beside.

Not what keeps commerce out (the closed shape does, which has no field for it): it tells a person
why something was refused, and finds messages in values that may look like anything, such as ids and
fingerprints.
"""

from __future__ import annotations

import math
import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from stillwatch.share.disguise import plain, readings, shifted, squeezed, unleeted
from stillwatch.share.spelling import repeats, spelled_bits

__all__ = ["certainly", "joins", "messages", "perhaps", "short_stems", "spells"]

_MONEY: Final = re.compile(
    r"[$€£¥₽₩₹]\s*\d|\d\s*(?:[$€£¥₽₩₹]|usd|eur|gbp|cny|rmb|jpy|円|元|руб|dollars?|euros?)\b"
)
_INSIDE: Final = 5  # letters of a stem that is searched inside squeezed text
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))
_RUN: Final = re.compile(r"([0-9a-f])\1{6}")
# Signs that nobody sees and marks over letters, in UTF-8
_HIDDEN: Final = re.compile(
    rb"\xe2(?:\x80[\x80-\x8f\xaa-\xae]|\x81[\xa0-\xaf])|\xc2\xad|\xef\xbb\xbf|\xf3\xa0[\x80\x81]"
)
_MARKS: Final = re.compile(rb"[\xcc\xcd][\x80-\xbf]")
_WORDS: Final = re.compile(r"[A-Za-z]{4,}")
_LETTERS: Final = frozenset(b" 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class _Limits(NamedTuple):
    """What is too much for a random value of a length: bits of evidence for text, equal pairs of
    bytes, hidden signs, combining marks, different digits, and the chance of that many letters."""

    bits: float
    pairs: int
    hidden: int
    marks: int
    digits: int
    chance: float


# By bytes. A fingerprint (8) or token (32) that is refused by chance is left out and nothing is
# lost; a campaign's handle (6) is made anew from its id (`content.handle_of`). An id (16) that
# names nothing known is judged strictly, one that does mildly.
_LIMITS: Final = {
    6: _Limits(2, 6, 2, 3, 3, 3e-3),
    8: _Limits(4, 4, 1, 2, 5, 4e-4),
    16: _Limits(2, 8, 2, 3, 8, 1e-5),
    32: _Limits(-6, 13, 1, 3, 11, 5e-5),
}
_OTHER: Final = _Limits(14, 99, 2, 4, 4, 1e-5)


class _Stems:
    """The stems of the table, found by their first characters."""

    def __init__(self) -> None:
        self.starts: dict[str, list[tuple[str, str]]] = {}
        self.inside: dict[str, list[tuple[str, str]]] = {}
        self.turned: dict[str, list[tuple[str, str]]] = {}
        self.other: dict[str, list[tuple[str, str]]] = {}
        text = files("stillwatch.share").joinpath("commercial.toml").read_text(encoding="utf-8")
        for subject, languages in tomllib.loads(text).items():
            for word in (word for words in languages.values() for word in words):
                self._add(word, subject)

    def _add(self, word: str, subject: str) -> None:
        raw, own = plain(word, latin=False), plain(word)
        if raw[0] > "\u036f":
            # a look-alike of a Latin letter is replaced in the text, so in the stem too
            for form in {squeezed(raw), squeezed(own)}:
                self.other.setdefault(form[:2], []).append((form, subject))
            return
        self.starts.setdefault(own[:3], []).append((own, subject))
        tight = squeezed(own)
        if len(tight) >= _INSIDE:
            self.inside.setdefault(tight[:_INSIDE], []).append((tight, subject))
            if tight.isascii() and tight.isalpha():
                for form in shifted(tight):
                    self.turned.setdefault(form[:_INSIDE], []).append((form, subject))

    def at_starts(self, text: str) -> str:
        """Return the subject of a stem at the beginning of a word."""
        for match in _START.finditer(text):
            at = match.start()
            for stem, subject in self.starts.get(text[at : at + 3], ()):
                if text.startswith(stem, at):
                    return subject
        return ""

    def within(self, text: str, table: dict[str, list[tuple[str, str]]], width: int) -> str:
        """Return the subject of a stem anywhere in a squeezed text."""
        for at in range(len(text) - width + 1):
            for stem, subject in table.get(text[at : at + width], ()):
                if text.startswith(stem, at):
                    return subject
        return ""


_START: Final = re.compile(r"(?<![a-z])[a-z]")
_stems = cache(_Stems)


def certainly(text: str) -> str:
    """Return the forbidden subject that a text seems to tell of, empty where none is found.

    >>> certainly("our pr1ce list"), certainly("cHJpY2UgbGlzdA=="), certainly("methods: relay")
    ('prices', 'prices', '')
    """
    stems = _stems()
    for reading in readings(text):
        raw = plain(reading, latin=False)
        if _MONEY.search(raw):
            return "prices"
        lowered = raw if raw.isascii() else plain(reading)
        candidates = dict.fromkeys((lowered, *unleeted(lowered)))
        found = next(filter(None, (stems.at_starts(c + " ") for c in candidates)), "")
        found = found or next(
            filter(None, (stems.within(squeezed(c), stems.inside, _INSIDE) for c in candidates)), ""
        )
        if not found and not raw.isascii():
            found = stems.within(squeezed(raw), stems.other, 2)
            found = found or stems.within(squeezed(lowered), stems.other, 2)
        if found:
            return found
    letters = re.sub("[^a-z]", "", plain(text[:2_000]))
    return stems.within(letters, stems.turned, _INSIDE)


def perhaps(text: str) -> bool:
    """Return whether a text is more than a format: words, or signs that are not ASCII."""
    return not text.isascii() or re.search(r"[A-Za-z]{3,}\s+\S", text) is not None


def spells(letters: str) -> str:
    """Return the forbidden subject that a row of lower-case letters spells, such as first letters.

    >>> spells("thepriceis"), spells("tpacrit")
    ('prices', '')
    """
    return _stems().within(letters, _stems().inside, _INSIDE)


@cache
def short_stems() -> frozenset[str]:
    """Return the Latin stems of three to eight letters, for what so few letters may spell whole."""
    made = (stem.replace(" ", "") for row in _stems().starts.values() for stem, _ in row)
    return frozenset(one for one in made if 3 <= len(one) <= 8 and one.isascii() and one.isalpha())


def joins(first: str, second: str) -> str:
    """Return the forbidden subject that two words make when they are read as one.

    >>> joins("turn", "over"), joins("turn", "around")
    ('costs', '')
    """
    both = first + second
    for stem, subject in _stems().starts.get(both[:3], ()):
        tight = squeezed(stem)
        if " " not in stem and both.startswith(tight) and len(tight) > len(first):
            return subject
    return ""


@cache
def _too_many(length: int, letters: int, chance: float) -> int:
    """Return how many of so many letters among random bytes are too rare to be chance."""
    share, tail = letters / 256, 0.0
    for count in range(length, -1, -1):
        tail += math.comb(length, count) * share**count * (1 - share) ** (length - count)
        if tail > chance:
            return count + 1
    return length + 1  # pragma: no cover


@lru_cache(maxsize=4_096)
def messages(digits: str, *, known: bool = False) -> bool:
    """Return whether hex digits that should be random spell something.

    ``known``: the id of what is there; only what anybody would read in it is a message then.

    True when as bytes they read as text in any script, are mostly letters or mostly printable, hold
    a commercial word, hidden signs or combining marks, repeat each other, have no letter a to f,
    repeat one digit seven times or use few different digits. *Error*: taken for messages are, of
    100,000 random values, about 1,400 handles (48 bits), 280 fingerprints (64), 90 ids (128), 50
    tokens (256) and no known id, as a test checks.
    """
    data = bytes.fromhex(digits)
    size = len(data)
    most = _OTHER if known else _LIMITS.get(size, _OTHER)
    # a UUID's version and variant are no choice of the sender
    fixed = frozenset({6, 8}) if size == 16 else frozenset()
    if spelled_bits(data, fixed) >= most.bits or repeats(data) >= most.pairs:
        return True
    free = bytes(byte for place, byte in enumerate(data) if place not in fixed)
    for kept in (_LETTERS, _PRINTABLE):
        if sum(map(kept.__contains__, free)) >= _too_many(len(free), len(kept), most.chance):
            return True
    hidden, marks = len(_HIDDEN.findall(data)), len(_MARKS.findall(data))
    if hidden >= most.hidden or marks >= most.marks or _RUN.search(digits):
        return True
    if len(set(digits)) <= most.digits or (len(digits) > 12 and digits.isdecimal()):
        return True
    return any(_holds_stem(word) for word in _WORDS.findall(data.decode("latin-1")))


def _holds_stem(word: str) -> bool:
    """Return whether a run of ASCII letters holds a stem of four letters or more."""
    lowered = word.casefold()
    stems = _stems()
    return any(
        len(stem) >= 4 and stem in lowered
        for at in range(len(lowered) - 2)
        for stem, _ in stems.starts.get(lowered[at : at + 3], ())
    )
