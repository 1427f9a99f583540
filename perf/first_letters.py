"""Counts which letters follow each other in English text, and which in the initials of words.

`python perf/first_letters.py` prints the table of `stillwatch.share.initials`: a row a letter, a
column the letter after it, a character the log of the ratio in quarters of a nat, `m` for none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PRIOR = 20  # counts of a letter by itself that each pair's own counts are held against


def chances(text: str) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Return each letter's chance, and its chance after another."""
    one, two = Counter(text), Counter(pairwise(text))
    alone = {c: (one[c] + 1) / (len(text) + len(_LETTERS)) for c in _LETTERS}
    after = {
        (a, b): (two[a, b] + _PRIOR * alone[b]) / (one[a] + _PRIOR)
        for a in _LETTERS for b in _LETTERS
    }  # fmt: skip
    return alone, after


def quarter(ratio: float) -> str:
    """Return a log ratio as a letter, `m` for none: from three nats below to 3.25 above."""
    return _LETTERS[max(0, min(25, 12 + round(4 * math.log(ratio))))]


def main() -> None:
    """Print the table: first the row of letters that begin, then a row a letter."""
    pages = sorted([*_ROOT.glob("docs/*.md"), *_ROOT.glob("docs/adr/*.md")])
    text = " ".join(re.sub(r"`[^`]*`", " ", page.read_text(encoding="utf-8")) for page in pages)
    words = re.findall("[a-z]+", text.lower())
    alone, after = chances("".join(words))
    first_alone, first_after = chances("".join(word[0] for word in words))
    print("".join(quarter(alone[c] / first_alone[c]) for c in _LETTERS))
    for a in _LETTERS:
        print("".join(quarter(after[a, b] / first_after[a, b]) for b in _LETTERS))


if __name__ == "__main__":
    main()
