"""Which methods words hint at: an exchange's by its bits, a template's by more; never evidence."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.kernel.intent_patterns import PATTERNS, Intent, utf8_regex
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

# Wider than the frozen intents, in the same languages: these describe a campaign whose template was
# found otherwise and are in no column, so that they can neither raise nor lower a statistic.
_TOLD: Final = {
    "cot_exfiltration": (
        r"(?:show|explain|include|provide|write|print|reveal|output|dump|give)~"
        r"(?:reasoning|(?:inner|internal|hidden) thoughts|\b(?:every|each|all|your) steps?\b)",
        r"(?:写出|输出|打印|展示|给出|显示)~(?:推理|思考|思维链|每一步|所有步骤)",
        r"(?:muestra|escribe|imprime|revela|incluye|explica)~"
        r"(?:razonamiento|pensamientos|\b(?:cada paso|todos los pasos)\b)",
        r"(?:zeige?|schreibe?|nenne|gib|drucke?)~"
        r"(?:(?:ü|ue)berlegungen|gedanken|denkweg|(?:jeden|alle) schritte?)",
        r"(?:montre|(?:é|e)cri[st]|affiche|r(?:é|e)v(?:è|e)le|donne|explique)~"
        r"(?:raisonnement|pens(?:é|e)es|chaque (?:é|e)tape|toutes les (?:é|e)tapes)",
        r"(?:思考|推論|すべてのステップ|各ステップ|全ての手順)~(?:書|出力|表示|示し)",
        r"</?[a-z_-]{0,24}(?:think|thought|reasoning|scratchpad|pensamiento|razonamiento|gedanken"
        r"|raisonnement|思考|推理|推論)[a-z_-]{0,24}>",
        r"\[/?(?:cot|thinking|thoughts?|reasoning|scratchpad|思考|推理|推論)\]",
    ),
}
_WORDS: Final = [
    *(
        (method, pattern.regex)
        for method, (intent, _) in _BITS.items()
        for pattern in PATTERNS
        if pattern.intent & intent
    ),
    *((method, utf8_regex(source)) for method, sources in _TOLD.items() for source in sources),
]


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
    hundred words; a log is read by the engine in ``intents``. Every method that `method_hints`
    would name is found, and ways to ask for reasoning that the frozen patterns do not have.
    """
    data = text.encode("utf-8")
    found = sorted(
        (hit.start(), -hit.end(), method)
        for method, regex in _WORDS
        for hit in re.finditer(regex, data, re.IGNORECASE)
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
