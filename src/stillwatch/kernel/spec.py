"""Rewrites the tables of docs/kernel-spec.md: ``python -m stillwatch.kernel.spec FILE``.

The prose is written by hand; what stands between the two markers comes from the frozen Python
tables, and a test demands no difference.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from stillwatch.kernel import codepoints, hashes, stopwords
from stillwatch.kernel.features import COLUMN_BYTES
from stillwatch.kernel.intent_patterns import PATTERNS, Intent
from stillwatch.kernel.shapes import REASONING_TAGS, SCORE_WORDS, Shape

__all__ = ["BEGIN", "END", "spec_with_tables", "tables_text"]

BEGIN: Final = "<!-- generated: python -m stillwatch.kernel.spec -->"
END: Final = "<!-- end of generated part -->"


def tables_text() -> str:
    """The generated part, without its markers."""
    return "\n\n".join(_sections())


def spec_with_tables(text: str) -> str:
    """A spec with its generated part made anew. *Raises* ValueError where a marker is missing."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables_text()}\n\n{END}{after}"


def _sections() -> Iterator[str]:
    digest = hashlib.sha256(b"\n".join(p.regex for p in PATTERNS)).hexdigest()
    yield _words("Columns (name: bytes)", (f"{n}: {w}" for n, w in COLUMN_BYTES.items()))
    yield _words("DROP", map(_range, codepoints.DROP_RANGES))
    yield _words("SOLO", map(_range, codepoints.SOLO_RANGES))
    yield _words("SEPARATOR", map(_range, codepoints.SEPARATOR_RANGES))
    yield _words("Digit zeros", (f"{zero:04X}" for zero in codepoints.DIGIT_ZEROS))
    yield _words("Fold rules (first-last/step: delta)", map(_rule, codepoints.FOLD_RULES))
    yield _words("Seeds", (f"{name} = {value:#018x}" for name, value in _SEEDS.items()))
    yield _words("MinHash multipliers", (f"{x:08x}" for x in hashes.MINHASH_MULTIPLIERS))
    yield _words("MinHash addends", (f"{x:08x}" for x in hashes.MINHASH_ADDENDS))
    yield _words("Stop words", stopwords.STOP_WORDS)
    yield _words("Stop pairs", stopwords.STOP_PAIRS)
    yield _words("Reasoning tags", REASONING_TAGS)
    yield _words("Score words", SCORE_WORDS)
    yield _words("Shape bits", (f"{s.bit_length() - 1} {s.name}" for s in Shape))
    yield _words("Intent bits", (f"{i.bit_length() - 1} {i.name}" for i in Intent))
    yield f"SHA-256 of the {len(PATTERNS)} intent patterns joined by LF: `{digest}`"


_SEEDS: Final = {
    "MULTIPLIER": hashes.MULTIPLIER,
    "BYTES_SEED": hashes.BYTES_SEED,
    "SEQUENCE_SEED": hashes.SEQUENCE_SEED,
    "TAIL_SEED": hashes.TAIL_SEED,
}


def _words(title: str, items: Iterable[str]) -> str:
    return f"**{title}**: " + ", ".join(f"`{item}`" for item in items)


def _range(ends: tuple[int, int]) -> str:
    return f"{ends[0]:04X}-{ends[1]:04X}"


def _rule(rule: tuple[int, int, int, int]) -> str:
    first, last, step, delta = rule
    return f"{first:04X}-{last:04X}/{step}: {delta:+d}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(spec_with_tables(path.read_text("utf-8")), encoding="utf-8", newline="\n")
