"""Which methods an exchange hints at, by its intent and shape bits; never evidence alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.kernel.intent_patterns import Intent
from stillwatch.kernel.shapes import Shape
from stillwatch.schema import METHODS

__all__ = ["method_hints"]

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
