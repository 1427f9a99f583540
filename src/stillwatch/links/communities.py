"""Louvain communities of the link graph, component by component, the same on every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.sparse import coo_array, csr_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.links.louvain import louvain_labels

__all__ = ["communities", "components"]


def components(edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components of an edge list, each sorted, by their smallest node."""
    pairs = np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2)
    if not len(pairs):
        return []
    nodes, _, label = _labelled(pairs.T)
    order = np.argsort(label, kind="stable")
    cut = np.flatnonzero(np.diff(label[order])) + 1
    return sorted(sorted(nodes[part].tolist()) for part in np.split(order, cut))


def _labelled(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nodes, sorted, the edges' ends as places among them, and each node's component."""
    nodes, flat = np.unique(pairs, return_inverse=True)
    ends = flat.reshape(2, -1)
    graph = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(len(nodes),) * 2)
    return nodes, ends, connected_components(graph, directed=False)[1]


def communities(
    a: np.ndarray,
    b: np.ndarray,
    weight: np.ndarray,
    *,
    resolution: float = 1.0,
    worth: Callable[[np.ndarray], bool] = lambda nodes: True,
) -> list[list[int]]:
    """Return communities (sorted node lists) of a weighted graph given by its edges.

    Each connected component is clustered alone, its nodes sorted, so that the result does not
    depend on the rest of the graph; a community that falls apart without the others is split.
    ``resolution`` below 1 finds larger communities. ``worth``: whether a component (its nodes,
    sorted) is clustered at all; what is not has no community. *Source*: Blondel et al. (2008), as
    implemented in scikit-network; why this one stands in docs/adr/0006-communities.md.
    """
    if not len(a):
        return []
    ends = np.stack([np.minimum(a, b), np.maximum(a, b)]).astype(np.int64)
    pairs, place = np.unique(ends, axis=1, return_inverse=True)
    total = np.bincount(place.ravel(), weights=weight, minlength=pairs.shape[1])
    names, _, label = _labelled(pairs)
    nodes = np.argsort(label, kind="stable")
    first = np.searchsorted(label[nodes], np.arange(label.max() + 2))
    of_edge = label[np.searchsorted(names, pairs[0])]
    edges = np.argsort(of_edge, kind="stable")
    first_edge = np.searchsorted(of_edge[edges], np.arange(label.max() + 2))
    found: list[list[int]] = []
    for number in range(int(label.max()) + 1):
        mine = names[nodes[first[number] : first[number + 1]]]
        if worth(mine):
            held = edges[first_edge[number] : first_edge[number + 1]]
            found.extend(_clustered(mine, pairs[:, held], total[held], resolution))
    return sorted(found)


def _clustered(
    nodes: np.ndarray, pairs: np.ndarray, weight: np.ndarray, resolution: float
) -> Iterator[list[int]]:
    rows, columns = (np.searchsorted(nodes, side) for side in pairs)
    values = np.concatenate([weight, weight])
    graph = csr_matrix(
        (values, (np.concatenate([rows, columns]), np.concatenate([columns, rows]))),
        shape=(len(nodes), len(nodes)),
    )
    labels = louvain_labels(graph, resolution)
    within = labels[rows] == labels[columns]
    whole = coo_array(
        (np.ones(int(within.sum())), (rows[within], columns[within])), shape=graph.shape
    )
    _, split = connected_components(whole, directed=False)
    order = np.argsort(split, kind="stable")
    cut = np.flatnonzero(np.diff(split[order])) + 1
    return (sorted(nodes[k].tolist()) for k in np.split(order, cut))
