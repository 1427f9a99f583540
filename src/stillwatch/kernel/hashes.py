"""The frozen hash functions of the kernel, version 1, in plain Python.

All arithmetic is on unsigned 64-bit integers unless a name says 32. None of it is keyed or
cryptographic: the hashes group equal text, they do not hide it.
*Source*: splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = [
    "MASK64",
    "MINHASH_ADDENDS",
    "MINHASH_MULTIPLIERS",
    "NUMBER_HASH",
    "bytes_hash",
    "finish",
    "finish_sequence",
    "nonzero",
    "reversed_sequence_hash",
    "sequence_hash",
    "step",
    "step_back",
]

MASK64: Final = (1 << 64) - 1
GOLDEN: Final = 0x9E3779B97F4A7C15
MULTIPLIER: Final = 0xD6E8FEB86659FD93
INVERSE: Final = pow(MULTIPLIER, -1, 1 << 64)
BYTES_SEED: Final = 0x7374696C6C776174  # "stillwat"
SEQUENCE_SEED: Final = 0x6B65726E656C2031  # "kernel 1"
TAIL_SEED: Final = 0x7461696C20202031  # "tail   1"


def finish(x: int) -> int:
    """splitmix64's finaliser: makes the frozen MinHash parameters."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


def step(state: int, value: int) -> int:
    """One link of a chain: for a fixed value a bijection of the state, and the reverse.

    A value goes through two steps at least before a hash leaves this module: two rounds of
    multiply and xor-shift, as in MurmurHash3's finaliser.
    """
    x = ((state ^ value) * MULTIPLIER) & MASK64
    return x ^ (x >> 32)


def step_back(state: int, value: int) -> int:
    """The state before a ``step`` by a value.

    >>> step_back(step(5, 7), 7)
    5
    """
    return ((state ^ (state >> 32)) * INVERSE & MASK64) ^ value


def nonzero(h: int) -> int:
    """``h``, or 1 where it is 0: the value 0 means *absent* in every column."""
    return h or 1


def bytes_hash(data: bytes) -> int:
    """Hash of bytes, eight at a time as little-endian words, the last padded with NUL."""
    state = BYTES_SEED
    for i in range(0, len(data), 8):
        state = step(state, int.from_bytes(data[i : i + 8], "little"))
    return nonzero(step(state, len(data)))


NUMBER_HASH: Final = bytes_hash(b"#")


def finish_sequence(state: int, count: int) -> int:
    """The hash of a chain of ``count`` values; 0 where count is 0."""
    return nonzero(step(state, count)) if count else 0


def sequence_hash(values: Sequence[int]) -> int:
    """Order-dependent hash of values; 0 for none."""
    return chain_hash(SEQUENCE_SEED, values, len(values))


def reversed_sequence_hash(values: Sequence[int]) -> int:
    """Hash of values read from the last to the first, with its own seed; 0 for none."""
    return chain_hash(TAIL_SEED, reversed(values), len(values))


def chain_hash(seed: int, values: Iterable[int], count: int) -> int:
    """``finish_sequence`` over ``count`` values chained from ``seed``."""
    state = seed
    for value in values:
        state = step(state, value)
    return finish_sequence(state, count)


def splitmix_stream(seed: int, count: int) -> tuple[int, ...]:
    """``count`` outputs of splitmix64 started at ``seed``."""
    return tuple(finish((seed + (i + 1) * GOLDEN) & MASK64) for i in range(count))


_PARAMETERS: Final = splitmix_stream(0x6D696E6861736831, 128)  # "minhash1"
MINHASH_MULTIPLIERS: Final = tuple(x >> 32 | 1 for x in _PARAMETERS[:64])
MINHASH_ADDENDS: Final = tuple(x >> 32 for x in _PARAMETERS[64:])
