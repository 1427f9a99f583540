"""What two answers can have in common: four kinds of shingles, each a 64-bit hash.

``templates`` 3 and 4 words in a row, where only function words and punctuation keep their form and
every other word is its ending, capital or digit: how sentences are built, whatever they are about.
``phrases``  5 and 7 words in a row: what one does not write by chance.
``openings`` 1 to 4 words in a row among the first 14.
``closings`` 1 to 4 words in a row among the last 14.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANNELS", "Hashes", "refuses", "shingles"]

Hashes = NDArray[np.uint64]

CHANNELS: Final = ("templates", "phrases", "openings", "closings")
MOST_CHARACTERS: Final = 3_000
_END_WORDS: Final = 14
_END_CHARACTERS: Final = 600

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|\n+")
_FUNCTION_WORDS_TEXT: Final = """
    a an the and or but if then than as of at by for with about against between into through
    during before after above below to from up down in out on off over under again further once
    here there when where why how all any both each few more most other some such no nor not only
    own same so too very can will just should now i me my we us our you your he him his she her it
    its they them their what which who whom this that these those am is are was were be been being
    have has had do does did would could may might must shall also however additionally furthermore
    overall finally first second while because although since until unless whether yet still even
    many much well like"""
_FUNCTION_WORDS: Final = frozenset(_FUNCTION_WORDS_TEXT.split())
_ENDINGS: Final = ("ing", "ed", "ly", "tion", "s")
_REFUSAL: Final = re.compile(
    r"\b(i(?:'m| am) sorry|i apologi[sz]e|i can(?:no|')t|i am unable|i'm unable|i won't|"
    r"as an ai)\b",
    re.IGNORECASE,
)


def refuses(answer: str) -> bool:
    """Return whether an answer begins like a refusal (its first 300 characters)."""
    return _REFUSAL.search(answer[:300].replace("’", "'")) is not None


def shingles(answer: str, words: int | None = None) -> dict[str, Hashes]:
    """Return the shingles of an answer by channel, repeats included.

    Args:
        answer: cut at 3,000 characters, and at ``words`` words where that is given: answers cut
            to one length cannot be alike because they are equally long. Its closing is that of
            the whole answer all the same, else it would be a place in the middle: what is read
            from closings is not changed by a cut. An answer of up to 14 words is its own closing,
            so very short answers can be alike there for being short.

    Error: two shingles get one hash with a chance of about 5e-14 a pair within a prompt.
    """
    whole = answer.strip()
    text = whole[:MOST_CHARACTERS]
    found = list(_WORD.finditer(text))
    if words is not None and len(found) > words:
        text = text[: found[words].start()]
        found = found[:words]
    tokens = [match.group() for match in found]
    last = _WORD.findall(whole[-_END_CHARACTERS:])[-_END_WORDS:]
    plain = _hashes(token.lower() for token in tokens)
    built = _hashes(_form(token) for token in tokens)
    return {
        "templates": _runs(built, (3, 4)),
        "phrases": _runs(plain, (5, 7)),
        "openings": _runs(plain[:_END_WORDS], (1, 2, 3, 4)),
        "closings": _runs(_hashes(token.lower() for token in last), (1, 2, 3, 4)),
    }


def _hashes(tokens: Iterable[str]) -> Hashes:
    return np.array(
        [zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in tokens], dtype=np.uint64
    )


def _form(token: str) -> str:
    lower = token.lower()
    if lower in _FUNCTION_WORDS or not token[0].isalnum():
        return lower
    if token[0].isdigit():
        return "#"
    if token[0].isupper():
        return "C"
    return next(("*" + end for end in _ENDINGS if lower.endswith(end)), "*")


def _runs(values: Hashes, lengths: tuple[int, ...]) -> Hashes:
    """Return one hash for each run of each length (multiply and add, then mixed)."""
    parts = []
    for n in lengths:
        if values.size < n:
            continue
        count = values.size - n + 1
        run = np.zeros(count, dtype=np.uint64)
        for k in range(n):
            run = run * np.uint64(1_000_003) + values[k : k + count] * np.uint64(2_654_435_761)
        run ^= run >> np.uint64(29)
        parts.append(run * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(n))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
