"""Leiden communities of the link graph, component by component, the same on every run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    a: np.ndarray, b: np.ndarray, weight: np.ndarray, *, seed: int
) -> list[list[int]]:
    """Return communities (sorted node lists) of a weighted graph given by its edges.

    ParallelLeiden repeats only with one thread, so each connected component is clustered alone,
    its nodes sorted, with one thread and a fixed seed. *Source*: Traag, Waltman & van Eck (2019),
    as implemented in NetworKit.
    """
    import networkit as nk  # two seconds to import, and only this function needs it

    nk.setNumberOfThreads(1)
    index: dict[tuple[int, int], float] = {}
    for x, y, w in zip(a.tolist(), b.tolist(), weight.tolist(), strict=True):
        key = (x, y) if x < y else (y, x)
        index[key] = index.get(key, 0.0) + w
    found: list[list[int]] = []
    edges_of: dict[int, list[tuple[int, int]]] = {}
    part_of: dict[int, int] = {}
    parts = components(index)
    for number, part in enumerate(parts):
        part_of.update(dict.fromkeys(part, number))
    for x, y in index:
        edges_of.setdefault(part_of[x], []).append((x, y))
    for number, part in enumerate(parts):
        place = {node: k for k, node in enumerate(part)}
        graph = nk.Graph(len(part), weighted=True)
        for x, y in sorted(edges_of[number]):
            graph.addEdge(place[x], place[y], index[(x, y)])
        nk.setSeed(seed, False)
        leiden = nk.community.ParallelLeiden(graph, randomize=False, iterations=5)
        leiden.run()
        labels = leiden.getPartition().getVector()
        groups: dict[int, list[int]] = {}
        for node, label in zip(part, labels, strict=True):
            groups.setdefault(label, []).append(node)
        found.extend(groups.values())
    return sorted(sorted(group) for group in found)
