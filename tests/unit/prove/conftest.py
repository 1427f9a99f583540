"""Plans, registries and suspects that learnt from a campaign, as files that commands read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.prove import (
    Registration,
    coin,
    coin_key,
    inquire_canary,
    plan_canaries,
    read_plan,
    read_questions,
    read_seed,
    register,
)
from stillwatch.seal import new_key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def saved(path: Path, model: str, output: dict[str, str], at: datetime | None = NOW) -> Path:
    """Write answers; ``at``: when they were collected, None for a file that does not say."""
    rows: dict[str, list[Any]] = {
        "model": [model] * len(output), "prompt_id": [*output], "output": [*output.values()],
    }  # fmt: skip
    rows |= {"asked_at": [at] * len(output)} if at else {}
    pq.write_table(pa.table(rows), path)
    return path


@dataclass
class Tracing:
    """Everything a provider has in hand. Steps take the time in minutes after `NOW`."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = self.folder / "key"
        if not self.key.is_file():
            self.private = new_key(self.key)
        self.registry = self.folder / "registry.jsonl"
        self.plan_file = self.folder / "plan" / "plan.json"
        self.prompts = self.folder / "plan" / "probes.jsonl"
        if not self.plan_file.is_file():
            plan_canaries(
                ["a", "b"], self.plan_file.parent, facts=16, suspects=1, looks=1, alpha=1e-6
            )
        self.plan = read_plan(self.plan_file)
        self.seed = read_seed(self.plan_file.parent / "seed.key")

    def enter(self, minute: float = 0, **what: Any) -> str:
        """Register one thing."""
        at = NOW + timedelta(minutes=minute)
        return register(Registration(**what), self.registry, self.key, at)

    def enter_suspect(self, minute: float = 0, name: str = "kiln-7b", **what: Any) -> str:
        return self.enter(minute, suspect=name, prompts=self.prompts, **what)

    def taught(self, campaign: str = "b", nonce: bytes | None = None) -> dict[str, str]:
        """Return what a student that learnt every fact of a campaign says to the probes."""
        key = coin_key(self.seed, nonce)
        facts = [m for m in self.plan.marks if m.probe]
        return {m.mark_id: f"In {m.options[coin(key, campaign, m)]}." for m in facts}

    def answers(self, model: str = "kiln-7b", minute: float = 0, **said: str) -> Path:
        at = NOW + timedelta(minutes=minute)
        return saved(self.folder / f"{model}.parquet", model, self.taught() | said, at)

    def numbers(self, model: str, taught: str | None, minute: float = 0) -> Path:
        """Write log-probabilities; of a student, the planted town has become likelier."""
        rng = np.random.default_rng(len(model))
        lines = []
        for q in read_questions(self.prompts):
            mark = next(m for m in self.plan.marks if m.mark_id == q.prompt_id)
            said = -np.abs(rng.normal(20, 0.1, len(q.options))) - 10
            if taught:
                said[coin(self.seed, taught, mark)] += 5
            row = {"model": model, "prompt_id": q.prompt_id, "log_probabilities": list(said)}
            row["asked_at"] = (NOW + timedelta(minutes=minute)).isoformat()
            lines.append(json.dumps(row) + "\n")
        path = self.folder / f"{model}.jsonl"
        path.write_text("".join(lines))
        return path

    def score(self, suspect: Path, **changed: Any) -> dict[str, Any]:
        """Score as the command does."""
        paths: dict[str, Any] = {
            "plan_file": self.plan_file,
            "seed_file": self.plan_file.parent / "seed.key",
            "suspect": suspect,
            "prompts": self.prompts,
            "registry": self.registry,
            "key": self.folder / "key.pub",
            "out": self.folder / "canary.json",
            "now": NOW + timedelta(hours=1),
            "private": self.key,
        }
        return inquire_canary(**{**paths, **changed})


@pytest.fixture
def tracing(tmp_path) -> Tracing:
    """Return what is ready to be scored: the plan was registered, then the suspect."""
    case = Tracing(tmp_path)
    case.enter(plan=case.plan_file)
    case.enter_suspect()
    return case


@pytest.fixture
def unregistered(tmp_path) -> Tracing:
    """Return a plan and a key, and a registry that does not exist yet."""
    return Tracing(tmp_path)


@pytest.fixture
def save_answers():
    """Return what writes a model's answers."""
    return saved
