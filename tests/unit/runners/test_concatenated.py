"""Row groups that were written apart are, put together, the bytes of one writer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import RunnerError
from stillwatch.runners.concatenated import concatenate, packed, unpacked

GROUP = 2_048  # rows; what the writer takes at once
# Plain numbers, a dictionary (which gets a Bloom filter) with nulls, floats, bytes, truth, times.
ROWS = """
    SELECT i AS n, CASE WHEN i % 7 = 0 THEN NULL ELSE 'w' || (i % 50) END AS word,
           hash(i) AS h, CAST(i / 3 AS FLOAT) AS f, CAST(hash(i) AS VARCHAR)::BLOB AS b,
           i % 3 = 0 AS truth, make_timestamp(i * 1000000) AS ts
    FROM range({first}, {stop}) t(i)"""


def written(path: Path, first: int, stop: int, threads: int = 1) -> Path:
    with duckdb.connect() as con:
        con.execute(f"SET threads = {threads}")
        con.execute(
            f"COPY ({ROWS.format(first=first, stop=stop)}) TO '{path}' "
            "(FORMAT parquet, COMPRESSION zstd, DICTIONARY_SIZE_LIMIT 4096, "
            f"ROW_GROUP_SIZE {GROUP})"
        )
    return path


def footer_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


@pytest.mark.parametrize("cuts", [[20_000], [GROUP, 20_000], [4 * GROUP, 5 * GROUP, 9 * GROUP + 5]])
def test_the_bytes_are_those_of_one_writer(tmp_path: Path, cuts: list[int]) -> None:
    whole = written(tmp_path / "whole.parquet", 0, cuts[-1], threads=2)
    parts = [
        written(tmp_path / f"{k}.parquet", first, stop)
        for k, (first, stop) in enumerate(pairwise([0, *cuts]))
    ]
    assert concatenate(parts, tmp_path / "all.parquet") == cuts[-1]
    assert (tmp_path / "all.parquet").read_bytes() == whole.read_bytes()
    filters = [row[0] for row in duckdb.execute(
        f"SELECT bloom_filter_offset FROM parquet_metadata('{whole}') WHERE path_in_schema = 'word'"
    ).fetchall()]  # fmt: skip
    assert None not in filters


def test_footers_of_another_writer_are_read_and_written_again(tmp_path: Path) -> None:
    table = pa.table(
        {"a": [[1, 2], None, []], "b": [{"x": 1.5, "y": "é"}] * 3, "c": [True, None, False]}
    ).replace_schema_metadata({"key": "v" * 300})
    pq.write_table(table, tmp_path / "one.parquet", row_group_size=1)
    footer = footer_of(tmp_path / "one.parquet")
    assert packed(unpacked(footer)) == footer


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one = written(tmp_path / "one.parquet", 0, GROUP)
    pq.write_table(pa.table({"n": [1]}), tmp_path / "other.parquet")
    with pytest.raises(RunnerError, match=r"^other\.parquet: a part has another schema"):
        concatenate([one, tmp_path / "other.parquet"], tmp_path / "all.parquet")
    (tmp_path / "cut.parquet").write_bytes(one.read_bytes()[:-3])
    with pytest.raises(RunnerError, match=r"^cut\.parquet: no Parquet"):
        concatenate([one, tmp_path / "cut.parquet"], tmp_path / "all.parquet")
    (tmp_path / "long.parquet").write_bytes(b"PAR1\xff\xff\x00\x00PAR1")
    with pytest.raises(RunnerError, match=r"^long\.parquet: no Parquet"):
        concatenate([tmp_path / "long.parquet"], tmp_path / "all.parquet")
    with pytest.raises(RunnerError, match="no file to write"):
        concatenate([], tmp_path / "all.parquet")


def test_places_that_are_not_known_of_are_not_copied_wrongly(tmp_path: Path) -> None:
    """A page index has places, too; who does not move them must not copy the file."""
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "one.parquet", write_page_index=True)
    with pytest.raises(RunnerError, match="encrypted or have indexes"):
        concatenate([tmp_path / "one.parquet"], tmp_path / "all.parquet")


@given(st.binary(max_size=60))
def test_nonsense_is_an_error_of_ours(data: bytes) -> None:
    try:
        held = unpacked(data)
    except RunnerError:
        return
    assert unpacked(packed(held)) == held


def test_a_footer_that_ends_early_is_told(tmp_path: Path) -> None:
    footer = footer_of(written(tmp_path / "one.parquet", 0, 10))
    for length in range(len(footer)):
        with pytest.raises(RunnerError, match="it ends early"):
            unpacked(footer[:length])
    with pytest.raises(RunnerError, match="more follows"):
        unpacked(footer + b"\0")
