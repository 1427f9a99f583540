"""Signed bytes as unit vectors, sums and centres of groups of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.sparse import csc_array

__all__ = ["centred_blocks", "centred_by", "group_sums", "unit_rows"]

_BLOCK = 50_000


def unit_rows(rows: Sequence[bytes] | np.ndarray, width: int = 64) -> np.ndarray:
    """Return (n, width) float32 rows of unit length from n × width signed bytes.

    ``rows``: a bytes object each, or all as one array of int8. A row of zeros stays zero.
    *Error*: float32 rounding.
    """
    if not len(rows):
        return np.zeros((0, width), dtype=np.float32)
    if isinstance(rows, np.ndarray):
        given = rows
    else:
        given = np.frombuffer(b"".join(rows), dtype=np.int8)
    signed = given.reshape(-1, width).astype(np.float32)
    norm = np.linalg.norm(signed, axis=1, keepdims=True)
    signed /= np.where(norm > 0, norm, np.float32(1.0))
    return signed


def group_sums(
    rows: np.ndarray, group: np.ndarray, groups: int, start: np.ndarray | None = None
) -> np.ndarray:
    """Return (groups, width) float64 sums of the rows of each group, added to ``start``.

    ``group``: shape (n,), in 0..groups-1. *Error*: each sum is taken row after row, in the order
    given: the same bits as a loop, whatever the other groups hold, and whether all rows come at
    once or in blocks of which each starts with the sums of those before.
    """
    return _sums_of(rows, [group], groups, start)


def _sums_of(
    rows: np.ndarray, places: list[np.ndarray], groups: int, start: np.ndarray | None = None
) -> np.ndarray:
    """Return what `group_sums` does where each row is in several groups, one of each of ``places``.

    In one pass, which makes one matrix and reads the rows once; each sum is what it would be alone.
    """
    wide = rows.astype(np.float64, copy=False)
    begins = np.arange(len(wide) + 1) * len(places)
    place = np.stack(places, axis=1).ravel()
    if start is not None:
        wide = np.concatenate([start, wide])
        begins = np.concatenate([np.arange(groups), groups + begins])
        place = np.concatenate([np.arange(groups), place])
    choose = csc_array((np.ones(len(place)), place, begins), shape=(groups, len(wide)))
    return np.asarray(choose @ wide)


def centred_by(
    rows: np.ndarray, label: np.ndarray, owner: np.ndarray, *, least_owners: int = 3
) -> np.ndarray:
    """Return rows minus the mean of the *other owners'* rows with the same label.

    Leaving an owner out of its own centre keeps its habit in its rows however few owners share
    the label. A label of fewer than ``least_owners`` owners says nothing common: its rows lose
    the mean of all other owners' rows. *Error*: a centre of n rows adds 1/n of the rows' variance.
    """
    if not len(rows):
        return rows
    blocks = list(centred_blocks(lambda span: rows[span], label, owner, least_owners=least_owners))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def centred_blocks(
    rows_at: Callable[[slice], np.ndarray],
    label: np.ndarray,
    owner: np.ndarray,
    *,
    least_owners: int = 3,
) -> Iterator[np.ndarray]:
    """Yield what `centred_by` returns, block by block, holding no more than a block of rows.

    ``rows_at``: gives the rows of a span; each is asked for twice.
    """
    _, code, size = np.unique(label, return_inverse=True, return_counts=True)
    owners, single, held = np.unique(owner, return_inverse=True, return_counts=True)
    pairs, pair, both = np.unique(
        code * len(owners) + single, return_inverse=True, return_counts=True
    )
    common = np.bincount(pairs // len(owners), minlength=len(size)) >= least_owners
    number, rest = size[code] - both[pair], len(label) - held[single]
    use = common[code] & (number > 0)
    spans = [slice(low, low + _BLOCK) for low in range(0, len(label), _BLOCK)]
    codes = [(code, len(size)), (pair, len(pairs))]
    if not use.all():
        codes += [(single, len(owners)), (np.zeros_like(code), 1)]
    inside, own, *outer = _summed(rows_at, spans, codes)
    for span in spans:
        wide = rows_at(span).astype(np.float64)
        centre = inside[code[span]] - own[pair[span]]
        centre /= np.maximum(number[span], 1)[:, None]
        other = ~use[span]
        if other.any():
            of_owner, everything = outer
            outside = everything[0] - of_owner[single[span][other]]
            outside /= np.maximum(rest[span][other], 1)[:, None]
            centre[other] = np.where(rest[span][other][:, None] > 0, outside, 0.0)
        yield np.asarray(wide - centre, dtype=np.float32)


def _summed(
    rows_at: Callable[[slice], np.ndarray], spans: list[slice], codes: list[tuple[np.ndarray, int]]
) -> list[np.ndarray]:
    """Return the sums of each grouping (the code of each row, and how many codes there are)."""
    ends = np.cumsum([groups for _, groups in codes])
    places = [code + low for (code, _), low in zip(codes, [0, *ends.tolist()], strict=False)]
    sums: np.ndarray | None = None
    for span in spans:
        sums = _sums_of(rows_at(span), [place[span] for place in places], int(ends[-1]), sums)
    return np.split(np.zeros((int(ends[-1]), 0)) if sums is None else sums, ends[:-1])
