"""Steps are executed here and nowhere else.

Input: batches of exchanges, side tables, Steps. Output: one Parquet file per table under the
run's `stages` folder. Promise: the bytes of a table depend on rows and settings alone.
"""

from stillwatch.runners.local import ENGINES, SPILL, LocalRunner, engine_bytes

__all__ = ["ENGINES", "SPILL", "LocalRunner", "engine_bytes"]
