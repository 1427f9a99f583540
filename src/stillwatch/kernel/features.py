"""The columns of the kernel's output, in order: names, widths and the row type, without Arrow."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COLUMN_BYTES", "FRAME_LENGTHS", "KERNEL_VERSION", "TOPIC_SIZE", "Features"]

KERNEL_VERSION: Final = 1
FRAME_LENGTHS: Final = (3, 4, 5, 6, 8, 10, 12, 16)
TOPIC_SIZE: Final = 64


class Features(NamedTuple):
    """What the kernel says about one exchange.

    Lengths count bytes of the text as given (``user_tokens`` tokens) and saturate; ``h_``,
    ``head_``, ``tail_``, ``band_``, ``prefix_`` and ``simhash`` are 64-bit hashes with 0 for
    *absent*; ``intents`` and ``shapes`` are bit sets; ``topic`` is 64 signed bytes.
    """

    n_messages: int
    n_turns: int
    system_bytes: int
    user_bytes: int
    last_user_bytes: int
    output_bytes: int
    reasoning_bytes: int
    user_tokens: int
    h_system: int
    h_system_head: int
    h_tools: int
    h_payload: int
    h_output: int
    head_3: int
    head_4: int
    head_5: int
    head_6: int
    head_8: int
    head_10: int
    head_12: int
    head_16: int
    tail_3: int
    tail_4: int
    tail_5: int
    tail_6: int
    tail_8: int
    tail_10: int
    tail_12: int
    tail_16: int
    simhash: int
    band_0: int
    band_1: int
    band_2: int
    band_3: int
    band_4: int
    band_5: int
    band_6: int
    band_7: int
    prefix_full: int
    prefix_before_last_user: int
    h_blob: int
    intents: int
    shapes: int
    topic: bytes


def _width(name: str) -> int:
    if name in ("n_messages", "n_turns"):
        return 2
    if name == "topic":
        return TOPIC_SIZE
    return 4 if name.endswith(("_bytes", "_tokens")) or name == "shapes" else 8


COLUMN_BYTES: Final[dict[str, int]] = {name: _width(name) for name in Features._fields}
