"""What two answers can have in common: three kinds of shingles, each a 64-bit hash.

``letters``  3 to 5 bytes in a row: words, spelling, punctuation, all that plain closeness sees.
``phrases``  5 and 7 words in a row: what one does not write by chance.
``openings`` 1 to 4 words in a row among the first 14.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANNELS", "Hashes", "refuses", "shingles"]

Hashes = NDArray[np.uint64]

CHANNELS: Final = ("letters", "phrases", "openings")
MOST_CHARACTERS: Final = 3_000
_MOST_BYTES: Final = 2_500
_OPENING_WORDS: Final = 14

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|\n+")
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
            to one length cannot be alike because they are equally long.

    Error: two shingles get one hash with a chance of about 5e-14 a pair within a prompt.
    """
    text = answer.strip()[:MOST_CHARACTERS]
    found = list(_WORD.finditer(text))
    if words is not None and len(found) > words:
        text = text[: found[words].start()]
        found = found[:words]
    tokens = [match.group() for match in found]
    plain = np.array([_hash(token.lower()) for token in tokens], dtype=np.uint64)
    raw = text.lower().encode("utf-8", "surrogatepass")[:_MOST_BYTES]
    letters = np.frombuffer(raw, dtype=np.uint8).astype(np.uint64)
    return {
        "letters": _runs(letters, (3, 4, 5)),
        "phrases": _runs(plain, (5, 7)),
        "openings": _runs(plain[:_OPENING_WORDS], (1, 2, 3, 4)),
    }


def _hash(token: str) -> int:
    return zlib.crc32(token.encode("utf-8", "surrogatepass"))


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
