"""A desk of hand-made tables, and judgements without a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.campaigns.members import Crowd, Member
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalRunner]:
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    yield runner
    runner.close()


@pytest.fixture
def campaign() -> Callable[..., Campaign]:
    """Return what makes a campaign from sid → standing."""

    def make(
        standings: dict[int, str], *, name: str = "c-1", standing: str = "accused"
    ) -> Campaign:
        evidence = [
            {"signal": s, "statistic": 1.0, "p_value": p, "e_value": e, "null": None, "n": 9,
             "text": "…"}
            for s, p, e in (("round_robin", 1e-6, 900.0), ("harvest", 1e-4, 300.0))
        ]  # fmt: skip
        return Campaign(
            cohort=0, campaign_id=name, standing=standing, e_value=300.0, q_value=0.003,
            found_by=["frame"], methods=[],
            members={
                s: Member(s, "core" if v == "accused" else "periphery", 0.9995, ("frame",),
                          v == "accused", ("…",))
                for s, v in standings.items()
            },
            standings=dict(standings),
            claims={
                "coordinated": {"evidence": evidence[:1]}, "extractive": {"evidence": evidence[1:]},
            },
            rivals=[],
        )  # fmt: skip

    return make


@pytest.fixture
def judged() -> Callable[..., Judgement]:
    """Return what makes a judgement over subjects (account, end user, exchanges, segment)."""

    def make(people: list[tuple[Any, ...]], *campaigns: Campaign) -> Judgement:
        table = pa.table(
            {
                "sid": pa.array(range(len(people)), pa.int32()),
                "account_id": [p[0] for p in people],
                "end_user_id": pa.array([p[1] for p in people], pa.string()),
                "org_id": pa.array([None] * len(people), pa.string()),
                "segment": [p[3] if len(p) > 3 else "api" for p in people],
                "exchanges": [p[2] for p in people],
                "owner_entity_id": pa.array([None] * len(people), pa.string()),
            }
        )
        none: Any = np.zeros(0)
        known = {f: none for f in Crowd.__dataclass_fields__}
        crowd = Crowd(**(known | {"subjects": table}))
        standing = {s: v for c in campaigns for s, v in c.standings.items()}
        place = {s: k for k, c in enumerate(campaigns) for s in c.standings}
        return Judgement(tuple(campaigns), standing, place, (), crowd)

    return make
