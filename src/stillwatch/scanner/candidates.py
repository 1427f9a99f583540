"""What a run suspects and what it may ask about: templates as hashes, for `share propose`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.store import open_run

__all__ = ["candidate_frames", "corroborated_lines"]

_SUSPECTED: Final = 10


def candidate_frames(run: Path) -> tuple[list[str], list[str]]:
    """Return templates of a run as `pos:len:hash` (hashes, no text): suspected ones, and all.

    Suspected are those of hypotheses whose two claims have e-values of 10 and more, which an
    innocent one has with a chance of one in ten at most. All are those that strangers carry,
    taken by what was written alone: neither timing nor a test decides what is asked.
    """
    opened = open_run(run)
    asked = opened.query("SELECT pos, len, h FROM frame_nodes WHERE speaks")
    suspected = opened.query(
        f"""SELECT DISTINCT f.pos, f.len, f.h
            FROM (SELECT cohort, unnest(frames) AS frame FROM cohorts WHERE by_text) c
            JOIN cohort_scores s ON s.cohort = c.cohort AND s.tested
            JOIN frame_nodes f ON f.frame = c.frame AND f.speaks
            WHERE least(s.e_coordinated, s.e_extractive) >= {_SUSPECTED}"""
    )
    return _named(suspected), _named(asked)


def _named(table: pa.Table) -> list[str]:
    rows = zip(*(table[name].to_pylist() for name in ("pos", "len", "h")), strict=True)
    return sorted({f"{pos}:{length}:{h:016x}" for pos, length, h in rows})


def corroborated_lines(frames: Iterable[str]) -> bytes:
    """Return the lines of the file for `scan --corroborated`."""
    lines = []
    for frame in frames:
        pos, length, value = frame.split(":")
        lines.append(json.dumps({"pos": int(pos), "len": int(length), "value": value}) + "\n")
    return "".join(lines).encode()
