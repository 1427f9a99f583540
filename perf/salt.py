"""Salts texts in place: every word of copy k begins otherwise, every CJK character is another one.

The salt is a bijection of letters and of characters: tokens stay as many and as long as they were,
what was equal within a copy stays equal, and texts of two copies have no word in common, but for
numbers, tag names (``<think>`` is a shape), words in other scripts and the odd word that the
rotation makes out of another one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["MOST_COPIES", "SaltedTexts"]

MOST_COPIES: Final = 384  # 64 characters of a row times 6 rows that kana can be moved to

Bytes = NDArray[np.uint8]
Places = NDArray[np.intp]

_OTHER, _LETTER, _REST, _TAG = range(4)
_KINDS: Final = np.zeros(256, dtype=np.uint8)
_KINDS[ord("a") : ord("z") + 1] = _KINDS[ord("A") : ord("Z") + 1] = _LETTER
_KINDS[ord("0") : ord("9") + 1] = _KINDS[128:] = _REST
_KINDS[ord("<")] = _KINDS[ord("/")] = _TAG


def _rotation(shift: int) -> Bytes:
    """Return the table that rotates ASCII letters by ``shift`` within their case."""
    table = np.arange(256, dtype=np.uint8)
    for first in (ord("a"), ord("A")):
        table[first : first + 26] = [first + (i + shift) % 26 for i in range(26)]
    return table


class SaltedTexts:
    """Texts with the places that a salt changes, found once for all copies."""

    def __init__(self, texts: pa.StringArray) -> None:
        self._texts = texts
        self._validity, self._offsets, values = texts.buffers()
        self._data = np.frombuffer(values or b"", np.uint8)
        ends = np.frombuffer(self._offsets or b"", np.int32)
        starts = ends[texts.offset : texts.offset + len(texts)].astype(np.intp)
        self._find_words(starts[starts < len(self._data)])
        self._find_characters()

    def _find_words(self, starts: Places) -> None:
        """Find the first and second letters of words, and letters after ``é`` and its like."""
        kinds = _KINDS[self._data]
        letter = kinds == _LETTER
        first = letter.copy()
        first[1:] &= kinds[:-1] == _OTHER
        first[starts] = letter[starts]
        second = letter.copy()
        second[:1] = False
        second[1:] &= first[:-1] & ~first[1:]
        wide = letter.copy()
        wide[:2] = False
        wide[2:] &= self._data[:-2] == 0xC3
        self._first = np.flatnonzero(first | wide)
        self._second = np.flatnonzero(second)

    def _find_characters(self) -> None:
        data = self._data
        lead = np.flatnonzero((data >= 0xE3) & (data <= 0xE9))
        lead = lead[lead + 2 < len(data)]
        byte, after = data[lead], data[lead + 1]
        self._kana = lead[(byte == 0xE3) & (after >= 0x81) & (after <= 0x83)]
        self._han = lead[(byte > 0xE4) | ((byte == 0xE4) & (after >= 0xB8))]

    def copy(self, k: int) -> pa.StringArray:
        """Return the texts of copy ``k``: nulls and lengths stay; copy 0 is the texts themselves.

        Raises ValueError from copy `MOST_COPIES` on: kana would repeat.
        """
        if not 0 <= k < MOST_COPIES:
            raise ValueError(f"copy {k}: texts can be salted for copies 0 to {MOST_COPIES - 1}")
        if k == 0 or not len(self._data):
            return self._texts
        data = self._data.copy()
        shift = 1 + (k - 1) % 25
        # both letters, lest "hours" become "jours"; copies of one first shift differ in the second
        further = (3 * shift + (k - 1) // 25) % 26
        data[self._first] = _rotation(shift)[data[self._first]]
        data[self._second] = _rotation(further)[data[self._second]]
        low, row = np.uint8(k % 64), np.uint8(k // 64)
        data[self._kana + 2] ^= low
        data[self._han + 2] ^= low
        if row:
            data[self._han + 1] ^= row
            data[self._kana] = 0xE4 + row
        texts = self._texts
        return pa.StringArray.from_buffers(
            len(texts),
            self._offsets,
            pa.py_buffer(data),
            self._validity,
            texts.null_count,
            texts.offset,
        )
