"""The Merkle tree of RFC 6962, section 2.1: hashes, proofs and how they are checked off-line.

*Source*: RFC 6962, 2.1 (MTH, PATH, PROOF, SUBPROOF); how proofs are checked: RFC 9162, 2.1.3.2 and
2.1.4.2, whose trees are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from stillwatch.errors import EvidenceError

__all__ = [
    "EMPTY",
    "consistency_path",
    "inclusion_path",
    "leaf_hash",
    "node_hash",
    "span_hash",
    "split",
    "verify_consistency",
    "verify_inclusion",
]  # fmt: skip

EMPTY = hashlib.sha256().digest()
# (start, end) → hash of the tree over leaves start … end-1
Span = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf; the first byte keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two below a size of two or more: how many leaves lie left.

    >>> [split(n) for n in (2, 3, 4, 5, 8, 9)]
    [1, 2, 2, 4, 4, 8]
    """
    return 1 << (size - 1).bit_length() - 1


def span_hash(start: int, end: int, stored: Callable[[int, int], bytes]) -> bytes:
    """Return the hash over leaves ``start`` to ``end``-1 from stored full subtrees.

    ``stored(level, index)``: the hash over the leaves index·2^level … (index+1)·2^level-1.
    ``start`` is a multiple of the power of two that covers the span, as in every RFC 6962 subtree.
    """
    size = end - start
    if size == 0:
        return EMPTY
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return stored(level, start >> level)
    left = split(size)
    return node_hash(span_hash(start, start + left, stored), span_hash(start + left, end, stored))


def inclusion_path(leaf: int, size: int, span: Span) -> list[bytes]:
    """Return PATH(leaf, D[size]). Raises EvidenceError when the tree has no such leaf."""
    if not 0 <= leaf < size:
        raise EvidenceError("there is no such entry in a tree of this size", where=f"entry {leaf}")

    def path(at: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + split(end - start)
        if at < middle:
            return [*path(at, start, middle), span(middle, end)]
        return [*path(at, middle, end), span(start, middle)]

    return path(leaf, 0, size)


def consistency_path(first: int, second: int, span: Span) -> list[bytes]:
    """Return PROOF(first, D[second]); empty for 0 and for equal sizes.

    Raises EvidenceError when ``first`` is above ``second``.
    """
    if not 0 <= first <= second:
        raise EvidenceError("an earlier tree cannot be larger", where=f"sizes {first}, {second}")
    if first in (0, second):
        return []

    def proof(old: int, start: int, end: int, whole: bool) -> list[bytes]:
        if old == end - start:
            return [] if whole else [span(start, end)]
        left = split(end - start)
        if old <= left:
            return [*proof(old, start, start + left, whole), span(start + left, end)]
        return [*proof(old - left, start + left, end, False), span(start, start + left)]

    return proof(first, 0, second, True)


def verify_inclusion(
    leaf: bytes, number: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf's hash is entry ``number`` of the tree of this size and root.

    Raises:
        EvidenceError: it is not, or the proof has the wrong length.
    """
    where = f"entry {number}"
    if not 0 <= number < size:
        raise EvidenceError("there is no such entry in a tree of this size", where=where)
    at, last, found = number, size - 1, leaf
    for step in path:
        if last == 0:
            raise EvidenceError("the proof is too long", where=where)
        if at & 1 or at == last:
            found = node_hash(step, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last != 0 or found != root:
        raise EvidenceError("is not in the tree that the checkpoint names", where=where)


def verify_consistency(
    first: int, second: int, old: bytes, new: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of size ``first`` is a beginning of that of size ``second``.

    Raises:
        EvidenceError: entries that were there have changed or gone, or the proof is malformed.
    """
    where = f"sizes {first}, {second}"
    if not 0 <= first <= second:
        raise EvidenceError("an earlier tree cannot be larger", where=where)
    if first in (0, second):
        known = EMPTY if first == 0 else new
        if path or old != known:
            raise EvidenceError("the earlier tree is no beginning of the later", where=where)
        return
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, old)
    if not steps:
        raise EvidenceError("the proof is too short", where=where)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise EvidenceError("the proof is too long", where=where)
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    if last != 0 or before != old or after != new:
        raise EvidenceError("the earlier tree is no beginning of the later", where=where)
