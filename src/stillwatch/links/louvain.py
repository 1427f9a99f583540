"""Louvain communities of one connected graph: scikit-network's passes without its checks.

The graphs of a log are many and small, and what scikit-network does around each of its passes
(checks, conversions, matrices of membership) takes four times as long as the passes themselves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.sparse import csr_matrix
from sknetwork.clustering.louvain_core import optimize_core

__all__ = ["louvain_labels"]

_TOLERANCE: Final = 1e-3


def louvain_labels(graph: csr_matrix, resolution: float) -> np.ndarray:
    """Return the community of each node, numbered in no order.

    ``graph``: symmetric, positive weights, sorted indices. ``resolution``: below 1 finds larger
    communities. *Error*: none; the partition is that of ``sknetwork.clustering.Louvain``, whose
    sums are taken in the same order (tests/unit/links/test_louvain.py). *Source*: Blondel et al.
    (2008); modularity after Dugué & Perez (2015), for which nodes of a symmetric graph have one
    weight each.
    """
    degree = graph @ np.ones(graph.shape[0])
    weights = degree / degree.sum()
    graph = graph * (1.0 / graph.data.sum())
    found = np.arange(graph.shape[0])
    while True:
        labels, gained = _pass(graph, weights, resolution)
        kinds, labels = np.unique(labels, return_inverse=True)
        found = labels[found]
        if len(kinds) == 1 or gained <= _TOLERANCE:
            return found
        member = csr_matrix((np.ones(len(labels)), labels, np.arange(len(labels) + 1)))
        graph = member.T.tocsr() @ (graph @ member)
        weights = np.bincount(labels, weights=weights)


def _pass(graph: csr_matrix, weights: np.ndarray, resolution: float) -> tuple[np.ndarray, float]:
    """Move single nodes while that gains modularity; return their labels and the gain."""
    single = weights.astype(np.float32)
    labels, gained = optimize_core(
        np.arange(len(weights)),
        graph.indices.astype(np.int64), graph.indptr.astype(np.int64),
        graph.data.astype(np.float32),
        single, single.copy(), single.copy(), single.copy(), np.zeros_like(single),
        graph.diagonal().astype(np.float32), resolution, _TOLERANCE,
    )  # fmt: skip
    return np.asarray(labels), float(gained)
