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
    for step in range(_STEPS):
        # [other, node]: summed over the first axis, one after another, coordinate by coordinate
        x, y = (at[None, :, c] - at[:, None, c] for c in (0, 1))
        force = push_k / (x * x + y * y + 1e-4)
        move = np.stack([(x * force).sum(axis=0), (y * force).sum(axis=0)], axis=1)
        if len(a):
            pull = at[b] - at[a]
            length = np.sqrt((pull**2).sum(axis=1) + 1e-9)
            drawn = pull * (w * length / k)[:, None]
            np.add.at(move, a, drawn)
            np.add.at(move, b, -drawn)
        move -= at * 0.6
        norm = np.sqrt((move**2).sum(axis=1) + 1e-12)
        heat = 0.12 * (1 - step / _STEPS) + 0.002
        at += move / norm[:, None] * np.minimum(norm, heat)[:, None]
    low, high = at.min(axis=0), at.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray((at - low) / spread)


def push_apart(
    at: np.ndarray[Any, Any], radii: list[float], room: tuple[float, float]
) -> np.ndarray[Any, Any]:
    """Return positions moved until circles of these radii hardly overlap, inside ``room``."""
    at = at.copy()
    size = np.array(radii)
    reach = size[:, None] + size[None, :]
    np.fill_diagonal(reach, 0.0)
    for _ in range(60):
        delta = at[:, None, :] - at[None, :, :]
        length = np.sqrt((delta**2).sum(axis=2)) + 1e-6
        overlap = np.maximum(0.0, reach - length)
        if not overlap.any():
            break
        at += (delta / length[:, :, None] * (overlap * 0.45)[:, :, None]).sum(axis=1)
        at = np.clip(at, size[:, None], np.array(room) - size[:, None])
    return at
