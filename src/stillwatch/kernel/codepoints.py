"""Which codepoints separate, form, or are dropped from tokens: frozen, version 1.

The ranges are coarse on purpose and copied into ``docs/kernel-spec.md``; they follow no Unicode
version, so a new Unicode release never changes a hash. A codepoint in no range is a letter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = [
    "DIGIT",
    "DIGIT_ZEROS",
    "DROP",
    "DROP_RANGES",
    "FOLD_RULES",
    "LETTER",
    "SEPARATOR",
    "SEPARATOR_RANGES",
    "SOLO",
    "SOLO_RANGES",
    "classify",
    "fold",
]

SEPARATOR: Final = 0
LETTER: Final = 1
DIGIT: Final = 2
SOLO: Final = 3
DROP: Final = 4

Ranges = tuple[tuple[int, int], ...]

# Zero-width, bidirectional, soft hyphen, variation selectors, tags: an evader's invisible ink.
DROP_RANGES: Final[Ranges] = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xE0000, 0xE007F),
    (0xE0100, 0xE01EF),
)

# Scripts written without spaces: every codepoint is a token of its own.
SOLO_RANGES: Final[Ranges] = (
    (0x0E01, 0x0E3A),  # Thai
    (0x0E40, 0x0E4E),
    (0x0E81, 0x0ECF),  # Lao
    (0x1000, 0x103F),  # Myanmar
    (0x1050, 0x109F),
    (0x1780, 0x17B3),  # Khmer
    (0x17B6, 0x17D3),
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3021, 0x302F),
    (0x3031, 0x303C),
    (0x3041, 0x3096),  # Hiragana
    (0x3099, 0x309F),
    (0x30A1, 0x30FA),  # Katakana
    (0x30FC, 0x30FF),
    (0x3105, 0x312F),  # Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x20000, 0x3FFFF),  # Han, planes 2 and 3
)

# Punctuation, symbols, emoji, private use and controls. ASCII that is not a letter or digit
# separates as well; U+FFFD (an undecodable byte) lies in the last range of the BMP.
SEPARATOR_RANGES: Final[Ranges] = (
    (0x0000, 0x002F),
    (0x003A, 0x0040),
    (0x005B, 0x0060),
    (0x007B, 0x00A9),
    (0x00AB, 0x00B4),
    (0x00B6, 0x00B9),
    (0x00BB, 0x00BF),
    (0x00D7, 0x00D7),
    (0x00F7, 0x00F7),
    (0x02C2, 0x02C5),
    (0x02D2, 0x02DF),
    (0x037E, 0x037E),
    (0x0387, 0x0387),
    (0x055A, 0x055F),
    (0x0589, 0x058F),
    (0x05BE, 0x05BE),
    (0x05C0, 0x05C0),
    (0x05C3, 0x05C3),
    (0x05C6, 0x05C6),
    (0x05F3, 0x05F4),
    (0x0600, 0x060F),
    (0x061B, 0x061F),
    (0x066A, 0x066D),
    (0x06D4, 0x06D4),
    (0x0700, 0x070F),
    (0x0964, 0x0965),
    (0x0970, 0x0970),
    (0x0E3F, 0x0E3F),
    (0x0E4F, 0x0E4F),
    (0x0E5A, 0x0E5B),
    (0x104A, 0x104F),
    (0x1361, 0x1368),
    (0x1680, 0x1680),
    (0x17D4, 0x17DB),
    (0x1800, 0x180A),
    (0x2000, 0x2BFF),
    (0x2E00, 0x3004),
    (0x3008, 0x3020),
    (0x3030, 0x3030),
    (0x303D, 0x3040),
    (0x30A0, 0x30A0),
    (0x30FB, 0x30FB),
    (0x3200, 0x33FF),
    (0x4DC0, 0x4DFF),
    (0xA4FE, 0xA4FF),
    (0xD800, 0xF8FF),
    (0xFD3E, 0xFD3F),
    (0xFE10, 0xFE1F),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF65),
    (0xFFE0, 0xFFFF),
    (0x1D000, 0x1D3FF),
    (0x1F000, 0x1FBFF),
    (0xE0000, 0x10FFFF),
)

# The first of ten consecutive decimal digits; each digit is folded to ASCII 0-9.
DIGIT_ZEROS: Final[tuple[int, ...]] = (
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
    0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810,
)  # fmt: skip

# (first, last, step, delta): first, first+step, ... last are folded by adding delta.
FOLD_RULES: Final[tuple[tuple[int, int, int, int], ...]] = (
    (0x0041, 0x005A, 1, 32),  # ASCII
    (0x00C0, 0x00D6, 1, 32),  # Latin-1
    (0x00D8, 0x00DE, 1, 32),
    (0x0100, 0x012E, 2, 1),  # Latin Extended-A
    (0x0130, 0x0130, 1, 0x69 - 0x130),  # dotted capital I -> i
    (0x0132, 0x0136, 2, 1),
    (0x0139, 0x0147, 2, 1),
    (0x014A, 0x0176, 2, 1),
    (0x0178, 0x0178, 1, 0xFF - 0x178),
    (0x0179, 0x017D, 2, 1),
    (0x0386, 0x0386, 1, 38),  # Greek
    (0x0388, 0x038A, 1, 37),
    (0x038C, 0x038C, 1, 64),
    (0x038E, 0x038F, 1, 63),
    (0x0391, 0x03A1, 1, 32),
    (0x03A3, 0x03AB, 1, 32),
    (0x03C2, 0x03C2, 1, 1),  # final sigma
    (0x0400, 0x040F, 1, 80),  # Cyrillic
    (0x0410, 0x042F, 1, 32),
)


def _unwiden(cp: int) -> int:
    """The ASCII codepoint of a fullwidth form (U+FF01-FF5E), any other unchanged."""
    return cp - 0xFEE0 if 0xFF01 <= cp <= 0xFF5E else cp


def _within(cp: int, ranges: Ranges) -> bool:
    return any(first <= cp <= last for first, last in ranges)


@lru_cache(maxsize=65536)
def classify(cp: int) -> int:
    """SEPARATOR, LETTER, DIGIT, SOLO or DROP; digits first, then DROP, SOLO, SEPARATOR."""
    cp = _unwiden(cp)
    if any(zero <= cp <= zero + 9 for zero in DIGIT_ZEROS):
        return DIGIT
    if _within(cp, DROP_RANGES):
        return DROP
    if _within(cp, SOLO_RANGES):
        return SOLO
    return SEPARATOR if _within(cp, SEPARATOR_RANGES) else LETTER


@lru_cache(maxsize=65536)
def fold(cp: int) -> int:
    """The codepoint that stands for ``cp`` in a token: narrow, lower case, ASCII digits."""
    cp = _unwiden(cp)
    for zero in DIGIT_ZEROS:
        if zero <= cp <= zero + 9:
            return 0x30 + cp - zero
    for first, last, step, delta in FOLD_RULES:
        if first <= cp <= last and (cp - first) % step == 0:
            return cp + delta
    return cp
