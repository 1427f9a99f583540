"""Which methods an exchange hints at, by its intent and shape bits; never evidence alone."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.kernel.intent_patterns import PATTERNS, Intent
from stillwatch.kernel.shapes import Shape
from stillwatch.schema import METHODS

__all__ = ["method_hints", "method_spans"]

_BITS: Final = {
    "cot_exfiltration": (Intent.REASONING_REQUEST | Intent.REASONING_TAGS, Shape.TAGGED_REASONING),
    "cot_critiquing": (Intent.CRITIQUE, Shape(0)),
    "autograding": (Intent.GRADING, Shape.RUBRIC_SCORE),
    "synthetic_data": (
        Intent.GENERATE_INSTRUCTIONS | Intent.JSONL_OUTPUT | Intent.EVOLVE_INSTRUCTION,
        Shape.JSONL | Shape.INSTRUCTION_RECORDS,
    ),
}


def method_hints(intents: pa.Array, shapes: pa.Array) -> pa.Array:
    """Return uint16 bit sets; bit k stands for METHODS[k]."""
    asked, shown = intents.to_numpy(), shapes.to_numpy()
    hints = np.zeros(len(asked), dtype=np.uint16)
    for method, (intent, shape) in _BITS.items():
        hit = ((asked & np.uint64(int(intent))) != 0) | ((shown & np.uint32(int(shape))) != 0)
        hints |= hit.astype(np.uint16) << np.uint16(METHODS.index(method))
    return pa.array(hints)


def method_spans(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, method) in characters where the words of a text hint at a method.

    In order and apart: a span that begins inside an earlier one is left out. For a template's few
    hundred words; a log is read by the engine in ``intents``.
    """
    data = text.encode("utf-8")
    found = sorted(
        (hit.start(), -hit.end(), method)
        for method, (intent, _) in _BITS.items()
        for pattern in PATTERNS
        if pattern.intent & intent
        for hit in re.finditer(pattern.regex, data, re.IGNORECASE)
        if hit.end() > hit.start()
    )
    spans: list[tuple[int, int, str]] = []
    here = 0
    for start, minus_end, method in found:
        if start >= here:
            here = -minus_end
            spans.append((_characters(data[:start]), _characters(data[:here]), method))
    return spans


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "ignore"))  # a pattern may end within a character
