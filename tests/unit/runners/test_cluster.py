"""What a failure of an engine means to who scans."""

from __future__ import annotations

import pytest

from stillwatch.runners.cluster import failure


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("ModuleNotFoundError: No module named 'stillwatch.kernel'",
         "the workers do not have stillwatch", "install it"),
        ("ModuleNotFoundError: No module named 'duckdb'",
         "the workers do not have duckdb", "install it"),
        ("Job aborted: java.io.IOException: No space left on device",
         "a worker's disk is full", "spark.local.dir"),
        ("OSError: [Errno 28] No space left on device", "a worker's disk is full", "--resume"),
        ("PythonException: OSError: f.parquet: a file of a table cannot be read (OSError)",
         "a file of a table cannot be read", "begin without it"),
        ("acct_1 said something", "the engine gave up (RuntimeError)", "--resume"),
    ],
)  # fmt: skip
def test_a_failure_is_told_by_what_is_to_be_done(said: str, message: str, hint: str) -> None:
    told = failure(RuntimeError(said), "table features")
    assert (told.message, told.where) == (message, "table features")
    assert hint in told.hint
    assert "acct_1" not in str(told)
