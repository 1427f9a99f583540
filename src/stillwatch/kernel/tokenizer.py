"""Text → tokens with spans: the readable form of the C tokeniser.

A token is a maximal run of letters and digits, or one codepoint of a script written without
spaces. A run of digits alone is the token ``#``. Dropped codepoints neither join nor separate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stillwatch.kernel import hashes
from stillwatch.kernel.codepoints import DIGIT, DROP, SEPARATOR, SOLO, classify, fold

__all__ = ["NUMBER", "SHORT", "SINGLE", "WORD", "Token", "tokens"]

SHORT: Final = 0  # a word of fewer than 4 codepoints
WORD: Final = 1  # a word of 4 codepoints or more
SINGLE: Final = 2  # one codepoint of a script written without spaces
NUMBER: Final = 3  # digits only, masked as "#"


class Token(NamedTuple):
    """A normalised token and where it stands: spans are half-open, in bytes and in codepoints."""

    text: str
    hash: int
    kind: int
    byte_start: int
    byte_end: int
    char_start: int
    char_end: int


def tokens(text: bytes | str) -> list[Token]:
    """All tokens of a text, in order.

    Bytes are read as UTF-8; each maximal ill-formed part is one U+FFFD (a separator), as in
    ``bytes.decode("utf-8", "replace")``, whose codepoints ``char_start`` counts.

    >>> [t.text for t in tokens("Rate 12 answers: 你好!")]
    ['rate', '#', 'answers', '你', '好']
    """
    found: list[Token] = []
    run: list[int] = []
    digits_only = True
    start_byte = start_char = end_byte = end_char = 0

    def close_run() -> None:
        if run:
            span = (start_byte, end_byte, start_char, end_char)
            found.append(_token(run, NUMBER if digits_only else None, span))
            run.clear()

    for char, (cp, byte_start, byte_end) in enumerate(_codepoints(text)):
        kind = classify(cp)
        if kind == DROP:
            continue
        if kind == SEPARATOR:
            close_run()
        elif kind == SOLO:
            close_run()
            found.append(_token([fold(cp)], SINGLE, (byte_start, byte_end, char, char + 1)))
        else:
            if not run:
                start_byte, start_char, digits_only = byte_start, char, True
            digits_only = digits_only and kind == DIGIT
            run.append(fold(cp))
            end_byte, end_char = byte_end, char + 1
    close_run()
    return found


def _token(run: list[int], kind: int | None, span: tuple[int, int, int, int]) -> Token:
    """The token of folded codepoints; ``kind`` None is a word, long or short."""
    if kind == NUMBER:
        return Token("#", hashes.NUMBER_HASH, NUMBER, *span)
    if kind is None:
        kind = WORD if len(run) >= 4 else SHORT
    text = "".join(map(chr, run))
    return Token(text, hashes.bytes_hash(text.encode()), kind, *span)


def _codepoints(text: bytes | str) -> Iterator[tuple[int, int, int]]:
    """(codepoint, first byte, byte after the last) in UTF-8, surrogates taking three bytes."""
    if isinstance(text, str):
        at = 0
        for char in text:
            cp = ord(char)
            size = 1 if cp < 0x80 else 2 if cp < 0x800 else 3 if cp < 0x10000 else 4
            yield cp, at, at + size
            at += size
    else:
        at = 0
        while at < len(text):
            cp, size = _decode_one(text, at)
            yield cp, at, at + size
            at += size


def _decode_one(data: bytes, at: int) -> tuple[int, int]:
    """(codepoint, bytes used) at ``at``; U+FFFD for a maximal ill-formed part.

    *Source*: Unicode 3.9, D93b.
    """
    lead = data[at]
    if lead < 0x80:
        return lead, 1
    if not 0xC2 <= lead <= 0xF4:
        return 0xFFFD, 1
    length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    low = {0xE0: 0xA0, 0xF0: 0x90}.get(lead, 0x80)
    high = {0xED: 0x9F, 0xF4: 0x8F}.get(lead, 0xBF)
    cp = lead & (0x7F >> length)
    for i in range(1, length):
        if at + i >= len(data) or not low <= data[at + i] <= high:
            return 0xFFFD, i
        cp = cp << 6 | data[at + i] & 0x3F
        low, high = 0x80, 0xBF
    return cp, length
