"""Which intents a text's words show: all patterns in one pass of a multi-pattern engine.

A batch is scanned as one buffer with NUL between rows; no pattern can match across a NUL, so a
match's end tells its row. *Error*: none against Python's ``re`` on each row alone (tested); as
evidence the bits are weak by design, 8-32 % of honest prompts have some.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from stillwatch.errors import ConfigError
from stillwatch.kernel.intent_patterns import PATTERNS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["match", "match_rows", "match_slowly"]

_MAX_SCAN_BYTES: Final = 1 << 30  # the engine counts bytes in 32 bits
_END_BITS: Final = 40
_BITS: Final = tuple(int(pattern.intent) for pattern in PATTERNS)
_per_thread = threading.local()
_compiling = threading.Lock()


def match(text: bytes) -> int:
    """The ``Intent`` bits of one text. *Raises* ConfigError where hyperscan is missing."""
    hits: set[int] = set()
    _scan(text, lambda pattern, start, end, flags, context: hits.add(pattern))
    bits = 0
    for pattern in hits:
        bits |= _BITS[pattern]
    return bits


def match_rows(text: bytes, starts: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The ``Intent`` bits of each row of a text; row i is text[starts[i] : starts[i + 1]].

    *Raises* ConfigError where hyperscan is missing.
    """
    import numpy as np

    bits = np.zeros(len(starts) - 1, dtype=np.uint64)
    of_pattern = np.array(_BITS, dtype=np.uint64)
    first = 0
    while first < len(bits):
        limit = starts[first] + np.uint64(_MAX_SCAN_BYTES)
        last = max(first + 1, int(np.searchsorted(starts, limit, side="right")) - 1)
        base = int(starts[first])
        hits: list[int] = []
        keep = hits.append
        _scan(
            text if last == len(bits) and not first else text[base : int(starts[last])],
            lambda pattern, start, end, flags, context: keep(pattern << _END_BITS | end),  # noqa: B023
        )
        packed = np.array(hits, dtype=np.uint64)
        ends = (packed & np.uint64((1 << _END_BITS) - 1)) + np.uint64(base)
        rows = np.searchsorted(starts, ends, side="left") - 1
        np.bitwise_or.at(bits, rows, of_pattern[packed >> np.uint64(_END_BITS)])
        first = last
    return bits


def match_slowly(text: bytes) -> int:
    """The same as ``match`` by Python's ``re``: the reference."""
    bits = 0
    for pattern, compiled in zip(PATTERNS, _compiled(), strict=True):
        if not bits & pattern.intent and compiled.search(text):
            bits |= pattern.intent
    return int(bits)


@lru_cache(maxsize=1)
def _compiled() -> tuple[re.Pattern[bytes], ...]:
    return tuple(re.compile(pattern.regex, re.IGNORECASE) for pattern in PATTERNS)


def _scan(text: bytes, on_match: Any) -> None:
    database = _database()
    scratch = getattr(_per_thread, "scratch", None)
    if scratch is None:
        scratch = _per_thread.scratch = _new_scratch()
    database.scan(text, match_event_handler=on_match, scratch=scratch)


def _hyperscan() -> Any:
    try:
        import hyperscan
    except ImportError as error:
        raise ConfigError(
            "the intent patterns need the package 'hyperscan', which is not installed",
            where="stillwatch.kernel.intents",
            hint="pip install 'hyperscan>=0.9', or set STILLWATCH_KERNEL=reference (slow)",
        ) from error
    return hyperscan


def _database() -> Any:
    """The compiled patterns, shared by all threads: half a second of work, which one of them does.

    An engine starts a thread for each file at once.
    """
    with _compiling:
        return _compiled_database()


@lru_cache(maxsize=1)
def _compiled_database() -> Any:
    hyperscan = _hyperscan()
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.regex for pattern in PATTERNS],
        ids=list(range(len(PATTERNS))),
        elements=len(PATTERNS),
        flags=hyperscan.HS_FLAG_CASELESS,
    )
    return database


def _new_scratch() -> Any:
    """Working memory for the scans of one thread."""
    return _hyperscan().Scratch(_database())
