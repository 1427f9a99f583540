"""Pools: accounts that leave through one set of address prefixes and act together.

Neighbours behind one address are ordinary, and a log is full of them. What is worth a test is
chosen here on part A by what customers of one provider of addresses do not do: taking turns,
equal volumes, sign-ups in one burst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.links.communities import communities
from stillwatch.links.weights import weight_nats
from stillwatch.schema import LINK_KINDS, SIGNUP_WINDOWS_S, Desk, Step
from stillwatch.stats import (
    Founders,
    calibrate,
    mean_e,
    poisson_dispersion_p,
    same_label_adjacent,
    scan_cluster,
)

__all__ = ["POOLS_STEP", "act_together", "nested"]

_LEVELS: Final = (1.0, 0.1)
_MAX_SHARE: Final = 0.2
_LEAST_E: Final = 1.0
_CONTAINED: Final = 0.6
_MIN_REQUESTS: Final = 30
_MIN_MEAN: Final = 2.0


@dataclass(frozen=True)
class Early:
    """What part A and the sign-ups say of everybody, by sid.

    ``created_s``: NaN where unknown; ``sid``: of each request, in the order of time.
    """

    org: np.ndarray
    created_s: np.ndarray
    sid: np.ndarray

    @cached_property
    def founders(self) -> Founders:
        """Return who stands for each organization in a scan of creation times."""
        return Founders(self.org, self.created_s)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of all requests by subject, and where each subject's begin."""
        begin = np.concatenate([[0], np.cumsum(np.bincount(self.sid, minlength=len(self.org)))])
        return np.argsort(self.sid, kind="stable"), begin

    def sent_by(self, members: np.ndarray) -> np.ndarray:
        """Return who sent the requests of the members, in the order of time."""
        order, begin = self._places
        mine = [order[begin[sid] : begin[sid + 1]] for sid in members.tolist()]
        return self.sid[np.sort(np.concatenate(mine))] if mine else self.sid[:0]


def act_together(members: np.ndarray, early: Early) -> float:
    """Return the mean e-value of turns, equal volumes and one burst of sign-ups; NaN without any.

    The nulls are those of the signals `round_robin`, `even_volumes` and `signup_burst`. Nothing is
    claimed by this number: it decides what is tested, on other data.
    """
    made: list[float] = []
    mine = early.sent_by(members)
    labels = early.org[mine]
    if len(mine) >= _MIN_REQUESTS and len(np.unique(labels)) >= 3:
        made.append(float(same_label_adjacent(labels).p_lower))
        counts = np.bincount(np.searchsorted(members, mine), minlength=len(members))
        if counts.mean() >= _MIN_MEAN:
            made.append(float(poisson_dispersion_p(counts, "lower")))
    created, everybody = early.founders.apart(members)
    if len(created) >= 4:
        made.append(float(scan_cluster(created, everybody, SIGNUP_WINDOWS_S).p_value))
    known = [float(calibrate(p)) for p in made if np.isfinite(p)]
    return float(mean_e(known)) if known else float("nan")


def nested(
    fine: Sequence[np.ndarray], coarse: Sequence[np.ndarray], early: Early
) -> list[np.ndarray]:
    """Return the communities to test: of a coarse one and its parts, the more striking level.

    A part belongs to a coarse community that holds three fifths of it. The whole stands when it
    reaches e = 1 and so do parts with half of its members, or when it has no parts; else those
    parts that reach e = 1 stand: a pool among honest neighbours is a part.
    """
    home = {int(sid): k for k, group in enumerate(coarse) for sid in group}
    parts: dict[int, list[np.ndarray]] = {}
    loose = []
    for group in fine:
        inside = [home[s] for s in group.tolist() if s in home]
        best = max(sorted(set(inside)), key=inside.count, default=-1)
        if best >= 0 and inside.count(best) >= _CONTAINED * len(group):
            parts.setdefault(best, []).append(group)
        else:
            loose.append(group)
    kept = [group for group in loose if act_together(group, early) >= _LEAST_E]
    for k, group in enumerate(coarse):
        whole = act_together(group, early)
        shares = [act_together(part, early) for part in parts.get(k, [])]
        striking = [p for p, e in zip(parts.get(k, []), shares, strict=True) if e >= _LEAST_E]
        mostly = 2 * sum(map(len, striking)) >= len(group) or not parts.get(k)
        kept += [group] if whole >= _LEAST_E and mostly else striking
    return sorted(kept, key=lambda group: group.tolist())


def _pools(desk: Desk) -> pa.Table:
    people = desk.query(
        "SELECT org, epoch_us(created_at) / 1e6 AS created FROM subjects ORDER BY sid"
    )
    size = people.num_rows
    _, org = np.unique(np.array(people["org"].to_pylist(), dtype=str), return_inverse=True)
    shared = desk.query(
        f"""SELECT object, sid, carriers FROM objects
            WHERE kind = 'exit_prefix' AND carriers <= {max(_MAX_SHARE * size, 2)}
            ORDER BY object, sid"""
    )
    found: list[np.ndarray] = []
    _, place = np.unique(shared["object"].to_numpy(), return_inverse=True)
    weight = weight_nats(LINK_KINDS["exit_prefix"].m, shared["carriers"].to_numpy(), size)
    rows = weight > 0
    if rows.any():  # in a log of few accounts an address that two share may weigh nothing
        levels = [
            _groups(size + place[rows], shared["sid"].to_numpy()[rows], weight[rows], level, desk)
            for level in _LEVELS
        ]
        sent = desk.query("SELECT sid FROM exchanges WHERE part = 'A' ORDER BY rid")
        created = people["created"].to_numpy(zero_copy_only=False).astype(np.float64)
        early = Early(org, created, sent["sid"].to_numpy())
        found = nested(levels[0], levels[1], early)
    return pa.table(
        {
            "pool": pa.array(range(len(found)), pa.int32()),
            "subjects": pa.array([g.tolist() for g in found], pa.list_(pa.int32())),
        }
    )


def _groups(
    objects: np.ndarray, subjects: np.ndarray, weight: np.ndarray, level: float, desk: Desk
) -> list[np.ndarray]:
    settings: Any = desk.settings
    people = int(objects.min())  # subjects are numbered below the objects
    groups = communities(
        objects, subjects, weight, resolution=level,
        worth=lambda nodes: int(np.searchsorted(nodes, people)) >= settings.min_subjects,
    )  # fmt: skip
    kept = [np.array([node for node in group if node < people]) for group in groups]
    return [group for group in kept if len(group) >= settings.min_subjects]


POOLS_STEP = Step(
    name="pools", inputs=("objects", "exchanges", "subjects"), output="pools", function=_pools
)
