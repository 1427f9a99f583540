"""Louvain communities of the link graph, component by component, the same on every run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array, csr_matrix
from scipy.sparse.csgraph import connected_components
from sknetwork.clustering import Louvain

__all__ = ["communities", "components"]


def components(edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components of an edge list, each sorted, by their smallest node."""
    pairs = np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2)
    if not len(pairs):
        return []
    nodes, flat = np.unique(pairs, return_inverse=True)
    ends = flat.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes),) * 2)
    count, label = connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    cut = np.searchsorted(label[order], np.arange(1, count))
    return sorted(sorted(nodes[part].tolist()) for part in np.split(order, cut))


def communities(
    a: np.ndarray, b: np.ndarray, weight: np.ndarray, *, seed: int, resolution: float = 1.0
) -> list[list[int]]:
    """Return communities (sorted node lists) of a weighted graph given by its edges.

    Each connected component is clustered alone, its nodes sorted, with a fixed seed, so that the
    result does not depend on the rest of the graph; a community that falls apart without the
    others is split. ``resolution`` below 1 finds larger communities.
    *Source*: Blondel et al. (2008), as implemented in scikit-network; why this
    one stands in docs/adr/0006-communities.md.
    """
    ends = np.stack([np.minimum(a, b), np.maximum(a, b)]).astype(np.int64)
    pairs, place = np.unique(ends, axis=1, return_inverse=True)
    total = np.bincount(place.ravel(), weights=weight, minlength=pairs.shape[1])
    found: list[list[int]] = []
    for part in components(zip(*pairs.tolist(), strict=True)):
        nodes = np.array(part)
        inside = np.isin(pairs[0], nodes)
        rows, columns = (np.searchsorted(nodes, side[inside]) for side in pairs)
        values = np.concatenate([total[inside], total[inside]])
        graph = csr_matrix(
            (values, (np.concatenate([rows, columns]), np.concatenate([columns, rows]))),
            shape=(len(nodes), len(nodes)),
        )
        labels = Louvain(resolution, random_state=seed % 2**31).fit_predict(graph)
        within = labels[rows] == labels[columns]
        whole = coo_array(
            (np.ones(int(within.sum())), (rows[within], columns[within])), shape=graph.shape
        )
        _, split = connected_components(whole, directed=False)
        order = np.argsort(split, kind="stable")
        cut = np.flatnonzero(np.diff(split[order])) + 1
        found.extend(sorted(nodes[k].tolist()) for k in np.split(order, cut))
    return sorted(found)
