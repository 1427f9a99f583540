"""What baselines see of a log: in order, complete, with nothing of the truth."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.bench.features import ACCOUNT_FEATURES, account_features
from stillwatch.bench.traffic import Traffic, read_traffic
from stillwatch.simulate import simulate


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return simulate("tiny", seed=4, out=tmp_path_factory.mktemp("w"))


@pytest.fixture(scope="module")
def traffic(world) -> Traffic:
    return read_traffic(world.out / "exchanges")


def test_every_request_is_there_once_and_in_order(world, traffic):
    assert traffic.rows == world.exchanges
    assert (np.diff(traffic.ts_us) >= 0).all()
    rows = [r for f in sorted((world.out / "exchanges").glob("*.parquet"))
            for r in pq.read_table(f, columns=["account_id", "messages"]).to_pylist()]  # fmt: skip
    assert traffic.names == sorted({r["account_id"] for r in rows})
    said = sorted(next(m["content"] for m in reversed(r["messages"]) if m["role"] == "user")
                  for r in rows)  # fmt: skip
    assert sorted(traffic.prompt) == said


def test_topics_are_unit_vectors_and_the_same_prompt_has_the_same_one(traffic):
    norm = np.linalg.norm(traffic.topic, axis=1)
    assert np.allclose(norm[norm > 0], 1.0)
    order = np.argsort(traffic.payload, kind="stable")
    same = order[:-1][np.diff(traffic.payload[order]) == 0]
    assert len(same)


def test_nothing_of_the_truth_is_in_it():
    assert not {f.name for f in fields(Traffic)} & {
        "family",
        "campaign",
        "role",
        "rung",
        "language",
    }


def test_a_part_keeps_the_requests_of_its_accounts_alone(traffic):
    kept = np.zeros(traffic.accounts, dtype=bool)
    kept[::3] = True
    part = traffic.of(kept)
    assert part.names == traffic.names[::3]
    assert part.rows == int(traffic.volume[::3].sum())
    assert (part.volume == traffic.volume[::3]).all()
    assert [part.names[a] for a in part.account] == [
        traffic.names[a] for a in traffic.account if kept[a]
    ]


def test_features_have_a_row_an_account_and_no_hole(traffic):
    made = account_features(traffic)
    assert made.shape == (traffic.accounts, len(ACCOUNT_FEATURES))
    assert np.isfinite(made).all()
    assert (np.expm1(made[:, 0]).round() == traffic.volume).all()
