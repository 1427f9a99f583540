"""Place the nodes of a small graph: springs and repulsion, the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["place_nodes", "push_apart"]

_STEPS = 140
_SEED = 20_260_302


def place_nodes(
    nodes: int, edges: list[tuple[int, int, float]], sizes: list[float]
) -> np.ndarray[Any, Any]:
    """Return (nodes, 2) positions in the unit square.

    ``edges`` are (a, b, weight > 0), ``sizes`` relative radii that push others away. Cost
    O(nodes²) a step with at most 300 nodes. The seed is fixed: same graph, same picture.
    *Source*: Fruchterman and Reingold (1991), with weak gravity against drifting apart.
    """
    if nodes == 0:
        return np.zeros((0, 2))
    rng = np.random.default_rng(_SEED)
    angle = np.arange(nodes) * 2.399963  # the golden angle spreads evenly in any order
    radius = np.sqrt((np.arange(nodes) + 0.5) / nodes)
    at = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    at += rng.normal(0, 0.01, at.shape)
    if nodes == 1:
        return np.full((1, 2), 0.5)
    k = 1.5 / np.sqrt(nodes)
    push_k = np.sqrt(np.outer(sizes, sizes)) * k * k
    a = np.array([e[0] for e in edges], dtype=np.int64)
    b = np.array([e[1] for e in edges], dtype=np.int64)
    w = np.array([e[2] for e in edges], dtype=float)
    target = np.concatenate([np.arange(nodes), a, b])
    x, y = at.T.copy()
    for step in range(_STEPS):
        # [other, node]: summed over the first axis, one after another, coordinate by coordinate
        east, north = x - x[:, None], y - y[:, None]
        force = push_k / (east * east + north * north + 1e-4)
        move_x, move_y = (east * force).sum(axis=0), (north * force).sum(axis=0)
        if len(a):
            east, north = x[b] - x[a], y[b] - y[a]
            strength = w * np.sqrt(east * east + north * north + 1e-9) / k
            move_x = _pulled(target, move_x, east * strength)
            move_y = _pulled(target, move_y, north * strength)
        move_x -= x * 0.6
        move_y -= y * 0.6
        norm = np.sqrt(move_x * move_x + move_y * move_y + 1e-12)
        heat = 0.12 * (1 - step / _STEPS) + 0.002
        reach = np.minimum(norm, heat)
        x += move_x / norm * reach
        y += move_y / norm * reach
    at = np.stack([x, y], axis=1)
    low, high = at.min(axis=0), at.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray((at - low) / spread)


def _pulled(
    target: np.ndarray[Any, Any], move: np.ndarray[Any, Any], drawn: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return moves with what each edge adds to its first end and takes from its second."""
    return np.bincount(target, weights=np.concatenate([move, drawn, -drawn]))


def push_apart(
    at: np.ndarray[Any, Any], radii: list[float], room: tuple[float, float]
) -> np.ndarray[Any, Any]:
    """Return positions moved until circles of these radii hardly overlap, inside ``room``."""
    x, y = at.T.copy()
    size = np.array(radii)
    together = size[:, None] + size[None, :]
    np.fill_diagonal(together, 0.0)
    for _ in range(60):
        east, north = x - x[:, None], y - y[:, None]  # [other, node], as in place_nodes
        length = np.sqrt(east * east + north * north) + 1e-6
        overlap = np.maximum(0.0, together - length)
        if not overlap.any():
            break
        overlap *= 0.45
        x = np.clip(x + (east / length * overlap).sum(axis=0), size, room[0] - size)
        y = np.clip(y + (north / length * overlap).sum(axis=0), size, room[1] - size)
    return np.stack([x, y], axis=1)
