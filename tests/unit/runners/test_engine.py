"""Steps that a key splits, with a cluster that does its two moves in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from here import Here

from stillwatch.errors import RunnerError
from stillwatch.runners.cluster import Cluster
from stillwatch.runners.engine import EngineRunner
from stillwatch.schema import Settings, Step

COUNTED = Step(
    name="counted", inputs=("rows",), output="counted", key="who", reads=("who",),
    sql=lambda _: "SELECT who, count(*) AS n FROM rows GROUP BY who", order_by=("who",),
)  # fmt: skip


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[], EngineRunner]]:
    opened: list[EngineRunner] = []

    def make() -> EngineRunner:
        runner = EngineRunner(
            tmp_path / "stages", Settings(), cluster=cast("Cluster", Here()), threads=1
        )
        opened.append(runner)
        runner.put("rows", pa.table({"who": [f"w{n % 7}" for n in range(100)]}))
        return runner

    yield make
    for runner in opened:
        runner.close()


def test_a_key_splits_and_nothing_is_lost(begin: Any) -> None:
    runner = begin()
    runner.run(COUNTED)
    assert runner.query("FROM counted").to_pylist() == [
        {"who": f"w{n}", "n": 15 if n < 2 else 14} for n in range(7)
    ]


@pytest.mark.parametrize("key", ["who", ""])
def test_a_step_that_fails_at_its_last_statement_is_named(begin: Any, key: str) -> None:
    wrong = COUNTED.__class__(**{**vars(COUNTED), "key": key, "order_by": ("nobody",)})
    with pytest.raises(RunnerError, match=r"^step counted: the engine failed \(BinderException\)"):
        begin().run(wrong)


def test_after_a_failed_step_a_query_is_named_for_itself(begin: Any) -> None:
    runner = begin()
    with pytest.raises(RunnerError, match=r"^step counted"):
        runner.run(COUNTED.__class__(**{**vars(COUNTED), "order_by": ("nobody",)}))
    with pytest.raises(RunnerError, match=r"^query"):
        runner.query("SELECT nobody FROM rows")
