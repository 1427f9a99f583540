"""The shape of an answer as bits, from its bytes: the readable form of the C rules.

Lines end at LF; *stripped* means without spaces, tabs and CR at both ends; letters compare
without case for ASCII only. A shape is a weak hint: honest answers have them too.
"""

from __future__ import annotations

import re
from enum import IntFlag
from typing import Final

__all__ = ["REASONING_TAGS", "SCORE_WORDS", "Shape", "shapes_of"]


class Shape(IntFlag):
    """The bits of the ``shapes`` column."""

    JSONL = 1 << 0
    JSON_OBJECT = 1 << 1
    INSTRUCTION_RECORDS = 1 << 2
    NUMBERED_LIST = 1 << 3
    RUBRIC_SCORE = 1 << 4
    TAGGED_REASONING = 1 << 5
    CODE_FENCE = 1 << 6


REASONING_TAGS: Final = ("think", "thinking", "thought", "reasoning", "scratchpad", "reflection")
SCORE_WORDS: Final = (
    "score", "rating", "puntuación", "calificación", "bewertung", "punktzahl", "note",
    "评分", "得分", "分数", "スコア", "評価", "評点",
)  # fmt: skip

_NUMBERED: Final = re.compile(rb"[0-9]{1,3}(?:[.)]|\xe3\x80\x81|\xef\xbc\x8e|\xef\xbc\x89)")
_SCORE: Final = re.compile(
    rb"""[*#>"'\[ \t-]*(?:"""
    + b"|".join(re.escape(word.encode()) for word in SCORE_WORDS)
    + rb""")[*"'\] \t]*(?::|\xef\xbc\x9a)[*"'\[ \t]*[0-9]""",
    re.IGNORECASE,
)


def shapes_of(output: bytes) -> int:
    """The ``Shape`` bits of an answer, as an integer; 0 for an empty one."""
    lines = [line.strip(b" \t\r") for line in output.split(b"\n")]
    whole = output.strip(b" \t\r\n")
    lower = output.lower()
    rules = {
        Shape.JSONL: sum(_is_object(line) for line in lines) >= 2,
        Shape.JSON_OBJECT: _is_object(whole),
        Shape.INSTRUCTION_RECORDS: b'"instruction"' in output and b'"output"' in output,
        Shape.NUMBERED_LIST: sum(bool(_NUMBERED.match(line)) for line in lines) >= 5,
        Shape.RUBRIC_SCORE: any(_SCORE.match(line) for line in lines),
        Shape.TAGGED_REASONING: any(
            f"<{tag}>".encode() in lower and f"</{tag}>".encode() in lower for tag in REASONING_TAGS
        ),
        Shape.CODE_FENCE: any(line.startswith(b"```") for line in lines),
    }
    return int(sum(shape for shape, holds in rules.items() if holds))


def _is_object(text: bytes) -> bool:
    return len(text) >= 2 and text.startswith(b"{") and text.endswith(b"}")
