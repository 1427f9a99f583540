"""Cohorts and populations made by hand, whose topics are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stillwatch.signals.data import STATIC_KINDS, Cohort, Population


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@dataclass
class Stand:
    """Draws cohorts of ``people`` subjects, each an organization unless said otherwise."""

    rng: np.random.Generator

    def population(self, size: int = 60, org: np.ndarray | None = None, **more: Any) -> Population:
        nothing = np.full(size, -1, dtype=np.int64)
        known: dict[str, Any] = {
            "sids": np.arange(size),
            "org": np.arange(size) if org is None else org,
            "segment": np.zeros(size, dtype=np.int64),
            "created_us": np.full(size, np.nan),
            "codes": dict.fromkeys(STATIC_KINDS, nothing),
            "volume": np.full(size, 10),
            "exit_code": nothing,
            "background": unit(self.rng.normal(size=(400, 64))),
            "harvest_share": 0.1,
            "span_us": (0, 7 * 86_400_000_000),
        }
        return Population(**(known | more))

    def topics(self, sid: np.ndarray, own: float) -> np.ndarray:
        """Return unit rows: a share ``own`` of their variance is the subject's."""
        centres = self.rng.normal(size=(int(sid.max(initial=0)) + 1, 64))
        noise = self.rng.normal(size=(sid.size, 64))
        return unit(np.sqrt(own) * centres[sid] + np.sqrt(1 - own) * noise)

    def cohort(self, sid: np.ndarray, topic: np.ndarray, **more: Any) -> Cohort:
        size = len(sid)
        nobody = np.zeros(0, dtype=np.int64)
        known: dict[str, Any] = {
            "number": 0,
            "found_by": frozenset({"frame"}),
            "by_text": True,
            "members": np.unique(sid),
            "associated": nobody,
            "trimmed": nobody,
            "rid": np.arange(size),
            "sid": sid,
            "ts_us": np.arange(size),
            "payload": np.arange(1, size + 1).astype(np.uint64),
            "topic": topic,
            "raw_topic": topic,
            "harvest": np.zeros(size, dtype=bool),
            "answered": np.ones(size, dtype=bool),
            "fresh": np.ones(size, dtype=bool),
            "opens": np.ones(size, dtype=bool),
            "variant": np.zeros(size, dtype=np.int64),
            "long": np.ones(size, dtype=bool),
            "direct": {},
            "direct_total": {},
        }
        return Cohort(**(known | more))


@pytest.fixture
def stand() -> Stand:
    return Stand(np.random.default_rng(5))


@pytest.fixture
def make_stand() -> Callable[[int], Stand]:
    return lambda seed: Stand(np.random.default_rng(seed))
