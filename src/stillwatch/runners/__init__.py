"""Steps are executed here and nowhere else.

Input: batches of exchanges, side tables, Steps. Output: one Parquet file per table under the
run's `stages` folder (the features that an engine's workers made are a folder of such files).
Promise: the bytes of a table depend on rows and settings alone, not on what ran the step.

`LocalRunner` is this process; `EngineRunner` has Spark or Sail read the logs and run the steps
that can be split (docs/scaling.md), by two moves: map over files or stretches of time, and the
same SQL by key.
"""

from stillwatch.runners.cluster import check_engine, open_cluster
from stillwatch.runners.engine import EngineRunner
from stillwatch.runners.local import ENGINES, PARTS, SPILL, LocalRunner, engine_bytes, holds

__all__ = [
    "ENGINES",
    "PARTS",
    "SPILL",
    "EngineRunner",
    "LocalRunner",
    "check_engine",
    "engine_bytes",
    "holds",
    "open_cluster",
]
