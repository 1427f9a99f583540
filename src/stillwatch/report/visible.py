"""Text that an adversary wrote, made safe to look at.

Escaping HTML is the template's and the SVG writer's work; this module deals with what survives
escaping: characters that reorder, hide or overstrike what a reader sees (Unicode TR 36 and
TR 39; CVE-2021-42574, "Trojan Source").
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["shorten", "visible"]

_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
_MARKS_IN_A_ROW: Final = 3
# Letters and signs without a mark, a blank or a control among them: most of what is shown. A test
# goes through all of them.
_PLAIN: Final = re.compile(
    "[ -~\u00a0-\u00ac\u00ae-\u024f\u0400-\u0482\u2010-\u2027\u2030-\u205e\u2190-\u22ff"
    "\u25a0-\u25ff\u27e8\u27e9\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5]*"
)
_LONGEST: Final = 20_000


def visible(text: str, *, lines: bool = False) -> str:
    """Return the text with every invisible or reordering character as ⟨U+XXXX⟩.

    With ``lines`` a line feed and a tab stay as they are. More than three combining marks in a
    row are escaped too. Texts over 20,000 characters are cut and the rest is counted.
    """
    rest = len(text) - _LONGEST
    if rest > 0:
        text = text[:_LONGEST]
    if _PLAIN.fullmatch(text):
        shown = text
    else:
        shown = _escaped(text, lines)
    return f"{shown} … ({rest:,} characters not shown)" if rest > 0 else shown


def _escaped(text: str, lines: bool) -> str:
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if lines and char in "\n\t":
            out.append(char)
        elif (
            category in _HIDDEN_CATEGORIES
            or char in _BLANK_LETTERS
            or "\ufe00" <= char <= "\ufe0f"
            or "\U000e0100" <= char <= "\U000e01ef"
            or marks > _MARKS_IN_A_ROW
        ):
            out.append(f"⟨U+{ord(char):04X}⟩")
        else:
            out.append(char)
    return "".join(out)


def shorten(text: str, width: int = 18) -> str:
    """Return the text, or its two ends around an ellipsis when longer than ``width``."""
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
