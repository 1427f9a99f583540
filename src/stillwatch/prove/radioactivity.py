"""Does a suspect's text favour the tokens that a keyed sampling watermark favours?"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stillwatch.errors import ConfigError
from stillwatch.stats import binomial_tail

__all__ = ["Radioactivity", "is_green", "score_radioactivity", "words_of"]

_WORD: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Radioactivity:
    """Distinct (k words, next word) pairs, how many of them are green, and the exact tail."""

    pairs: int
    green: int
    share_expected: float
    p_value: float


def words_of(text: str) -> list[str]:
    """Return words and marks in lower case: the default tokens."""
    return _WORD.findall(text.lower())


def is_green(key: bytes, before: Sequence[str], token: str, share: float) -> bool:
    """Return whether the key favours a token after those before it: a keyed coin of ``share``."""
    message = "\0".join([*before, token]).encode("utf-8", "surrogatepass")
    number = int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big")
    return number < int(share * 2**64)


def score_radioactivity(
    texts: Iterable[str],
    key: bytes,
    *,
    k: int = 2,
    share: float = 0.5,
    seen: Iterable[str] = (),
    tokens: Callable[[str], list[str]] = words_of,
) -> Radioactivity:
    """Return the exact binomial tail of green tokens among distinct pairs.

    A pair is scored once however often it occurs, so repeated or copied text adds nothing, and
    pairs that stand in ``seen`` (the prompts, the watermarked answers shown to the suspect) are
    left out: to repeat them is no sign of training.

    Args:
        texts: the suspect's answers.
        key: of the watermark, drawn at random and unknown to whoever made the suspect.
        k: words before the scored one.
        share: share of green tokens.
        seen: texts whose pairs do not count.
        tokens: how a text is cut; the watermark's own tokens give the most power.

    Raises:
        ConfigError: k < 1 or share outside (0, 1).

    Error: exact over the draw of the key, for a suspect that saw nothing marked with it.
    Source: Sander et al. 2024, "Watermarking makes language models radioactive", the
    de-duplicated test.
    """
    if k < 1 or not 0 < share < 1:
        raise ConfigError("k is at least 1 and share lies in (0, 1)", where="radioactivity")
    known = set().union(*(_pairs(tokens(text), k) for text in seen))
    pairs = set().union(*(_pairs(tokens(text), k) for text in texts)) - known
    green = sum(is_green(key, pair[:-1], pair[-1], share) for pair in pairs)
    return Radioactivity(len(pairs), green, share, binomial_tail(green, len(pairs), share))


def _pairs(words: Sequence[str], k: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + k + 1]) for i in range(len(words) - k)}
