"""SynchroTrap-like: accounts that do the same things in the same hours, over and over."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray, IntArray

__all__ = ["SynchroTrap", "clusters", "synchronous"]

_BIN_US: Final = 3_600_000_000
_SIMILAR: Final = 0.5
_SHARED: Final = 2
_SMALLEST: Final = 4
_CROWD: Final = 200


class SynchroTrap:
    """Jaccard similarity of (object, hour) actions; single linkage at 0.5."""

    facts = Facts(
        name="synchrotrap",
        title="Synchronised actions (SynchroTrap-like)",
        source="Cao, Yang, Yu, Palow 2014 (CCS)",
        published="over 2 million accounts in 1,156 campaigns in a month, precision above 99 %",
        differs="objects are address prefixes and templates (first eight tokens), each its own "
        f"network; hours overlap by half; an object and hour of over {_CROWD} accounts is left "
        "out; no manual tuning by application; clusters of 4 and more",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        alike = synchronous(traffic, traffic.exit).maximum(synchronous(traffic, traffic.frame))
        score = _nth_largest(alike, _SMALLEST - 1)
        group = clusters(alike, _SIMILAR, _SMALLEST)
        return Outcome(score, group >= 0, group)


def synchronous(traffic: Traffic, objects: IntArray) -> sparse.csr_matrix:
    """Return the Jaccard similarity of accounts over (object, hour), where two and more are shared.

    Hours are taken twice, half an hour apart, so that a pair at most half an hour apart always
    meets in one.
    """
    seen = objects >= 0
    keys = []
    for shift in (0, _BIN_US // 2):
        hours = (traffic.ts_us[seen] - traffic.ts_us[0] + shift) // _BIN_US
        keys.append(((hours + 1) * 2 + (shift > 0)) * (objects.max(initial=0) + 1) + objects[seen])
    account = np.tile(traffic.account[seen], 2)
    _, action = np.unique(np.concatenate(keys), return_inverse=True)
    shape = (traffic.accounts, int(action.max(initial=0)) + 1)
    did = sparse.csr_matrix((np.ones(len(account)), (account, action)), shape=shape)
    did.data[:] = 1.0
    crowd = np.asarray(did.sum(axis=0)).ravel()
    did = did[:, (crowd >= 2) & (crowd <= _CROWD)]
    actions = np.bincount(np.unique(account * shape[1] + action) // shape[1],
                          minlength=traffic.accounts)  # fmt: skip
    both = (did @ did.T).tocoo()
    keep = (both.row != both.col) & (both.data >= _SHARED)
    row, col, shared = both.row[keep], both.col[keep], both.data[keep]
    value = shared / (actions[row] + actions[col] - shared)
    return sparse.csr_matrix((value, (row, col)), shape=(traffic.accounts, traffic.accounts))


def clusters(alike: sparse.csr_matrix, least: float, smallest: int) -> IntArray:
    """Return the connected components over similarities of at least ``least``; -1: small."""
    edges = alike.multiply(alike >= least)
    _, label = connected_components(edges, directed=False)
    small = np.bincount(label)[label] < smallest
    return np.where(small, -1, label).astype(np.int64)


def _nth_largest(alike: sparse.csr_matrix, n: int) -> FloatArray:
    """Return each account's n-th largest similarity, 0 where it has fewer partners."""
    found = np.zeros(alike.shape[0])
    for k in range(alike.shape[0]):
        values = alike.data[alike.indptr[k] : alike.indptr[k + 1]]
        if len(values) >= n:
            found[k] = np.sort(values)[-n]
    return found
