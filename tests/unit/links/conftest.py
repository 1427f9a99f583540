"""A small builder of canonical exchanges, run through the real kernel, runner and Steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch import links, profiles
from stillwatch.pipeline import FEATURES, features
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, ORGANIZATION

# Midnight begins an even block of eight hours: part A until 08:00, then B (after its gap).
START = datetime(2026, 11, 17, tzinfo=UTC)
_WORDS = [
    a + b
    for a in ("bal", "cor", "den", "fir", "gol", "hap", "jun", "kel", "lom", "mar")
    for b in ("ado", "eri", "ino", "oku", "uva", "atel", "est", "imo", "ond", "urs")
]


class Log:
    """Exchanges and accounts of a made-up log. Every method returns what identifies the row."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.people: dict[str, dict[str, Any]] = {}
        self.rng = np.random.default_rng(7)
        self.start = START

    def words(self, n: int) -> str:
        """Return ``n`` random words: a payload that nobody else sends."""
        return " ".join(self.rng.choice(_WORDS, n))

    def account(self, name: str, org: str | None = None, **columns: Any) -> str:
        self.people.setdefault(name, {"account_id": name, "org_id": org or f"org-{name}"})
        self.people[name].update(columns)
        return name

    def say(
        self,
        account: str,
        text: str,
        *,
        at: timedelta = timedelta(hours=1),
        system: str | None = None,
        before: Iterable[tuple[str, str]] = (),
        **columns: Any,
    ) -> dict[str, Any]:
        """Add one exchange whose last message is the user's ``text``; return its row."""
        self.account(account)
        messages = [("system", system)] if system else []
        messages += [*before, ("user", text)]
        row = {
            "exchange_id": f"e{len(self.rows):05}",
            "ts": START + at,
            "account_id": account,
            "model": "m-1",
            "status": "ok",
            "messages": [{"role": r, "content": c} for r, c in messages],
        } | columns
        self.rows.append(row)
        return row

    def chatter(self, people: int = 12, each: int = 4) -> None:
        """Add people who share nothing, so that a population surrounds what is tested."""
        for k in range(people):
            for n in range(each):
                self.say(f"quiet-{k:02}", self.words(24), at=timedelta(hours=1 + n, minutes=k))

    def batch(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist(self.rows, schema=EXCHANGE)

    def accounts(self) -> pa.Table:
        return pa.Table.from_pylist([self.people[k] for k in sorted(self.people)], schema=ACCOUNT)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Callable[..., LocalRunner]]:
    """Return what runs a log through features, profiles and links, and hands out its tables."""
    opened: list[LocalRunner] = []

    def run(log: Log, **settings: Any) -> LocalRunner:
        runner = LocalRunner(tmp_path / f"run{len(opened)}", Settings(**settings), threads=1)
        opened.append(runner)
        runner.map("features", features, [log.batch()], FEATURES)
        runner.put("accounts", log.accounts())
        runner.put("organizations", ORGANIZATION.empty_table())
        for step in (*profiles.STEPS, *links.STEPS):
            runner.run(step)
        return runner

    yield run
    for runner in opened:
        runner.close()


@pytest.fixture
def frames_of() -> Callable[[LocalRunner], dict[frozenset[str], int]]:
    """Return what reads the frames of a run: carriers' accounts → number of frames."""

    def read(runner: LocalRunner) -> dict[frozenset[str], int]:
        rows = runner.query(
            """SELECT c.frame, list(DISTINCT s.account_id) AS who FROM carried c
               JOIN subjects s ON s.sid = c.sid GROUP BY c.frame"""
        ).to_pylist()
        found: dict[frozenset[str], int] = {}
        for row in rows:
            who = frozenset(row["who"])
            found[who] = found.get(who, 0) + 1
        return found

    return read


@pytest.fixture
def direct_of() -> Callable[[LocalRunner], list[tuple[str, str, str]]]:
    """Return what reads direct evidence as (kind, account before, account after)."""

    def read(runner: LocalRunner) -> list[tuple[str, str, str]]:
        rows = runner.query(
            """SELECT d.kind, a.account_id AS a, b.account_id AS b FROM direct d
               JOIN subjects a ON a.sid = d.a JOIN subjects b ON b.sid = d.b ORDER BY ALL"""
        ).to_pylist()
        return [(r["kind"], r["a"], r["b"]) for r in rows]

    return read
