"""The lean passes against scikit-network's own driver: the same partition of every graph."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sknetwork.clustering import Louvain

from stillwatch.links.louvain import louvain_labels


def random_graph(rng: np.random.Generator) -> csr_matrix:
    nodes = int(rng.integers(3, 80))
    ends = rng.integers(0, nodes, (int(rng.integers(2, 5 * nodes)), 2))
    pairs = np.unique(np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1), axis=0)
    names, (a, b) = np.unique(pairs), pairs.T
    a, b = np.searchsorted(names, a), np.searchsorted(names, b)
    weight = np.tile(rng.choice([rng.random(len(a)) * 10, np.ones(len(a))]), 2)
    ends_a, ends_b = np.concatenate([a, b]), np.concatenate([b, a])
    return csr_matrix((weight, (ends_a, ends_b)), shape=(len(names), len(names)))


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)}


@pytest.mark.parametrize("resolution", [0.1, 1.0, 3.0])
def test_the_partition_is_that_of_scikit_network(resolution):
    rng = np.random.default_rng(int(resolution * 10))
    sizes = set()
    for _ in range(150):
        graph = random_graph(rng)
        whole = Louvain(resolution, return_probs=False, return_aggregate=False).fit_predict(graph)
        mine = partition(louvain_labels(graph, resolution))
        assert mine == partition(whole)
        sizes.add(len(mine))
    assert len(sizes) >= 3  # the graphs fall into different numbers of communities


def test_the_graph_given_stays_as_it_is():
    graph = random_graph(np.random.default_rng(3))
    before = graph.copy()
    louvain_labels(graph, 1.0)
    assert graph.indices.tolist() == before.indices.tolist()
    assert graph.data.tolist() == before.data.tolist()
