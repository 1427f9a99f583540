"""Unmasking: the plain readings of a text that hides what it says.

A reading is lower case, without hidden characters, with look-alike letters replaced (Unicode
confusables, UTS 39). Encodings are undone up to three deep. Readings are guesses: they serve to say
what a refused text seems to hold, and never to let a text pass.
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
import unicodedata
import urllib.parse
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Final

__all__ = ["plain", "readings", "shifted", "squeezed", "unleeted"]

_MOST: Final = 60
_LONGEST: Final = 20_000
_LEET: Final = (
    str.maketrans("013457@$!|89+€£", "oieastasilbgtel"),
    str.maketrans("013457@$!|89+€£", "oleastaslibgtel"),
)
_CODES: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- "
    "-..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
_LATIN: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_MORSE: Final = dict(zip(_CODES.split(" "), _LATIN, strict=True))


@cache
def _lookalikes() -> dict[int, str]:
    """Return the ASCII letter or digit that a character looks like.

    Source: Unicode confusables.txt, as the package confusable-homoglyphs carries it, and letters
    that name their base letter (LATIN SMALL LETTER C WITH STROKE).
    """
    table: dict[int, str] = {}
    try:
        from confusable_homoglyphs.confusables import confusables_data
    except ImportError:  # the closed shape refuses all the same; only the reason is less exact
        confusables_data = {}
    for char, others in confusables_data.items():
        if len(char) == 1 and not char.isascii():
            letters = [_base(one) for one in (char, *(o["c"] for o in others if len(o["c"]) == 1))]
            found = max((c for c in letters if c), default="")  # a letter before a digit
            if found:
                table[ord(char)] = found
    for point in (*range(0xC0, 0x2AF), *range(0x1D00, 0x1DBF), *range(0xA720, 0xA800)):
        if _base(chr(point)):
            table.setdefault(point, _base(chr(point)))
    table |= {ord(char): letter for char, letter in zip("єԑꮲꮢꮖꮯꭼ", "eeprice", strict=True)}
    return table


def _base(char: str) -> str:
    """Return the lower-case ASCII letter or digit of a character, by itself or by its name."""
    if char.isascii():
        return char.lower() if char.isalnum() else ""
    found = re.match(
        r"LATIN (?:SMALL|CAPITAL|LETTER SMALL CAPITAL)(?: LETTER)? ([A-Z])\b",
        unicodedata.name(char, ""),
    )
    return found[1].lower() if found else ""


def plain(text: str, *, latin: bool = True) -> str:
    """Return a text without hidden characters, accents (``latin``) and look-alikes, in lower case.

    >>> plain("Pr\\u200bi\\u0441\\u0435")
    'price'
    """
    if text.isascii():
        return "".join(c for c in text if c >= " " or c in "\t\n").casefold()
    if latin:  # before NFKC as well: it turns some look-alikes into letters that are none
        text = text.translate(_lookalikes())
    text = unicodedata.normalize("NFKC", text)
    if latin:
        text = text.translate(_lookalikes())
        text = unicodedata.normalize("NFD", text)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc"))
    else:
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc"))
    return text.casefold()


def squeezed(text: str) -> str:
    """Return the letters and digits of a text alone, so that spacing hides nothing."""
    return "".join(c for c in text if c.isalnum())


def readings(text: str) -> Iterator[str]:
    """Yield the readings of a text, itself first, the disguises undone; at most 60."""
    seen: set[str] = set()
    level = [text[:_LONGEST]]
    for _ in range(4):
        following: list[str] = []
        for one in level:
            if one in seen or len(seen) > _MOST:
                continue
            seen.add(one)
            yield one
            following += [other for other in _undone(one) if other and other not in seen]
        level = following


def _undone(text: str) -> Iterator[str]:
    yield html.unescape(text)
    yield urllib.parse.unquote(text)
    yield text[::-1]
    if "\\" in text:
        yield re.sub(
            r"\\(?:u\{?([0-9a-fA-F]{2,6})\}?|x([0-9a-fA-F]{2}))",
            lambda m: _char(int(m[1] or m[2], 16)), text,
        )  # fmt: skip
    if "=" in text:
        yield quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    if "xn--" in text:
        for label in re.findall(r"xn--([a-z0-9-]+)", text):
            try:
                yield label.encode().decode("punycode")
            except (UnicodeError, ValueError):
                continue
    if re.search(r"[.\-·−–]{2,}", text):
        words = text.replace("·", ".").replace("−", "-").replace("–", "-").split("/")
        yield " ".join("".join(_MORSE.get(c, "") for c in word.split()) for word in words)
    yield from _numbers(text)
    for run in re.findall(r"[A-Za-z0-9+/_=-]{8,}", re.sub(r"\s+", " ", text))[:8]:
        yield from _packed(run)
    joined = re.sub(r"\s+", "", text)
    if joined != text and re.fullmatch(r"[A-Za-z0-9+/_=-]{12,}", joined):
        yield from _packed(joined)
    for run in re.findall(r"<~.{4,}?~>|[!-u]{10,}", text)[:4]:
        for decode in (base64.a85decode, base64.b85decode):
            try:
                yield from _bytes(decode(run.removeprefix("<~").removesuffix("~>")))
            except ValueError:
                continue


def _char(point: int) -> str:
    return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else ""


def _numbers(text: str) -> Iterator[str]:
    """Yield texts written as numbers: decimal, octal, binary and hexadecimal codes."""
    for base, pattern in ((10, r"\d{2,3}"), (2, r"[01]{7,8}"), (16, r"(?:0x|\\x)?[0-9a-fA-F]{2}"),
                          (8, r"[0-7]{3}")):  # fmt: skip
        found = re.findall(rf"(?<![\w]){pattern}(?![\w])", text)
        if len(found) >= 4:
            yield "".join(_char(int(n.removeprefix("0x").removeprefix("\\x"), base)) for n in found)
    if re.fullmatch(r"[01\s]{40,}", text):
        bits = re.sub(r"\s", "", text)
        yield "".join(chr(int(bits[i : i + 8], 2)) for i in range(0, len(bits) - 7, 8))


def _packed(run: str) -> Iterator[str]:
    hexed = run.replace("-", "").replace("_", "").removeprefix("0x")
    if len(hexed) % 2 == 0 and re.fullmatch(r"[0-9a-fA-F]+", hexed):
        yield from _bytes(bytes.fromhex(hexed))
    standard = run.rstrip("=").replace("-", "+").replace("_", "/")
    for decode, unit in ((base64.b64decode, 4), (base64.b32decode, 8)):
        padded = (standard if unit == 4 else standard.upper()) + "=" * (-len(standard) % unit)
        try:
            yield from _bytes(decode(padded))
        except (binascii.Error, ValueError):
            continue


def _bytes(data: bytes) -> Iterator[str]:
    if data[:2] in (b"\x1f\x8b", b"x\x9c", b"x\xda", b"x\x01"):
        try:
            data = zlib.decompressobj(wbits=47).decompress(data, _LONGEST)
        except zlib.error:
            return
    for name in ("utf-8", "utf-16-le"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        shown = sum(c.isprintable() or c.isspace() for c in text)
        if text and shown >= 0.9 * len(text):
            yield text


def shifted(letters: str) -> Iterator[str]:
    """Yield the 25 other Caesar shifts of lower-case letters, and atbash."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for k in range(1, 26):
        yield letters.translate(str.maketrans(alphabet, alphabet[k:] + alphabet[:k]))
    yield letters.translate(str.maketrans(alphabet, alphabet[::-1]))


def unleeted(text: str) -> tuple[str, ...]:
    """Return a text with digits and signs read as the letters that they stand for."""
    return tuple(text.translate(table) for table in _LEET)
