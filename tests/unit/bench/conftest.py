"""Made-up traffic for baselines, and one tiny world with its records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stillwatch.bench.harness import run_trial
from stillwatch.bench.scenarios import scenario
from stillwatch.bench.traffic import Traffic

Make = Callable[..., Traffic]


@pytest.fixture
def make_traffic() -> Make:
    """Return a maker of traffic: quiet accounts that share nothing, then what a test overrides.

    ``counts``: requests an account. Overrides are arrays over requests, account by account.
    """

    def make(counts: list[int], seed: int = 0, **given: np.ndarray) -> Traffic:
        rng = np.random.default_rng(seed)
        account = np.repeat(np.arange(len(counts)), counts)
        n = len(account)
        topic = given.pop("topic", rng.normal(size=(n, 64)))
        plain: dict[str, np.ndarray] = {
            "ts_us": rng.integers(0, 7 * 86_400_000_000, n),
            "topic": topic / np.linalg.norm(topic, axis=1, keepdims=True),
            "frame": np.arange(n), "payload": np.arange(n) + n, "exit": account.copy(),
            "client": rng.integers(0, 5, n), "model": np.zeros(n, dtype=np.int64),
            "input_tokens": rng.lognormal(4, 1, n), "output_tokens": rng.lognormal(5, 1, n),
            "prompt_bytes": rng.lognormal(5, 1, n), "failed": np.zeros(n, dtype=bool),
            "temperature": np.ones(n),
        }  # fmt: skip
        plain |= given
        order = np.argsort(plain["ts_us"], kind="stable")
        return Traffic(
            names=[f"a{k:04}" for k in range(len(counts))],
            account=account[order],
            prompt=[f"question {k} about thing {k * 7}" for k in order.tolist()],
            **{name: values[order] for name, values in plain.items()},
        )

    return make


@pytest.fixture(scope="session")
def tiny_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the records of every detector on one tiny world."""
    out = tmp_path_factory.mktemp("bench")
    run_trial(scenario("tiny"), 3, out)
    return out
