"""The local runner: sizes, whole tables or none, errors that name the step and quote nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.runners import LocalRunner
from stillwatch.runners.local import engine_bytes, parse_memory
from stillwatch.scanner.folder import STAGES_KEPT, STEPS
from stillwatch.schema import Settings, Step

NUMBERS = pa.table({"n": pa.array([3, 1, 2], pa.int64()), "word": ["c", "a", "b"]})


@pytest.fixture
def runner(tmp_path):
    made = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    made.put("numbers", NUMBERS)
    yield made
    made.close()


def step(sql=None, function=None, output="made", order_by=()):
    select = None if sql is None else lambda settings: sql
    return Step("a step", ("numbers",), output, sql=select, function=function, order_by=order_by)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4_000_000_000),
        ("512MB", 512_000_000),
        ("1.5GiB", 1_610_612_736),
        ("2 tb", 2_000_000_000_000),
        ("64kib", 65_536),
        (" 100 ", 100),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4XB", "-1GB", "4GB5", "1e9", "4,5GB", "four"])
def test_what_is_no_size_is_refused_by_the_name_of_the_option(text, tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse_memory(text)
    assert caught.value.where == "--memory"
    with pytest.raises(ConfigError):
        LocalRunner(tmp_path / "x", Settings(), memory=text)


@pytest.mark.parametrize(("text", "fits"), [("511MB", False), ("10 mb", False), ("512MB", True)])
def test_less_memory_than_a_scan_can_live_on_is_refused(text, fits):
    if fits:
        assert engine_bytes(text) == 307_200_000
        return
    with pytest.raises(ConfigError, match="at least 512 MB") as caught:
        engine_bytes(text)
    assert caught.value.where == "--memory"


def test_a_step_of_sql_writes_its_rows_in_order(runner):
    runner.run(step("SELECT n, word FROM numbers", order_by=("n",)))
    assert pq.read_table(runner.path("made"))["n"].to_pylist() == [1, 2, 3]
    assert runner.query("SELECT word FROM made")["word"].to_pylist() == ["a", "b", "c"]


def test_only_what_a_run_removes_is_written_as_it_is(runner):
    how = {}
    for passing in (True, False):
        select = lambda settings: "SELECT n, word FROM numbers"  # noqa: E731
        runner.run(Step("a step", ("numbers",), "made", sql=select, passing=passing))
        how[passing] = pq.read_metadata(runner.path("made")).row_group(0).column(0).compression
    assert how == {True: "UNCOMPRESSED", False: "ZSTD"}
    passing = {step.output for step in STEPS if step.passing}
    assert passing == {"spoken", "acts", "node_hits", "background"}
    assert not passing & set(STAGES_KEPT)


def test_a_step_of_a_function_gets_a_desk_and_writes_what_it_returns(runner):
    def twice(desk):
        assert desk.settings == Settings()
        extra = pa.table({"m": [10]})
        return desk.query("SELECT n * m AS n FROM numbers, extra ORDER BY n", extra=extra)

    runner.run(step(function=twice))
    assert runner.query("SELECT n FROM made")["n"].to_pylist() == [10, 20, 30]


def test_the_tables_lent_to_a_query_are_gone_after_it(runner):
    runner.query("SELECT * FROM extra", extra=NUMBERS)
    with pytest.raises(Exception, match="extra"):
        runner.query("SELECT * FROM extra")


def broken(desk):
    desk.query("SELECT CAST(word AS INTEGER) FROM numbers")


@pytest.mark.parametrize(
    "failing",
    [
        step("SELECT CAST(word AS INTEGER) AS n FROM numbers"),
        step("SELECT FROM"),
        step(function=broken),
    ],
    ids=["bad value", "bad sql", "bad function"],
)  # fmt: skip
def test_a_failing_step_leaves_no_table(runner, failing):
    with pytest.raises(RunnerError) as caught:
        runner.run(failing)
    assert caught.value.where == "step a step"
    assert "a step" in str(caught.value)
    assert not runner.path("made").exists()
    with pytest.raises(Exception, match="made"):
        runner.query("SELECT * FROM made")


def test_a_failing_step_leaves_the_table_of_before(runner):
    runner.run(step("SELECT 7 AS n"))
    with pytest.raises(RunnerError):
        runner.run(step("SELECT CAST(word AS INTEGER) AS n FROM numbers"))
    assert pq.read_table(runner.path("made"))["n"].to_pylist() == [7]


def test_a_reader_that_fails_midway_leaves_no_table(runner):
    def batches():
        yield NUMBERS.to_batches()[0]
        raise ValueError("the input is gone")

    with pytest.raises(ValueError, match="gone"):
        runner.map("made", lambda batch: batch, batches(), NUMBERS.schema)
    assert not runner.path("made").exists()


def test_mapping_tells_how_far_it_is(runner):
    told = []
    batches = NUMBERS.to_batches() * 3
    rows = runner.map("made", lambda batch: batch, batches, NUMBERS.schema, told.append)
    assert rows == 9
    assert told == [3, 6, 9]
    assert runner.query("SELECT count(*) AS n FROM made")["n"].to_pylist() == [9]


@pytest.mark.parametrize(
    "secret",
    [
        "sk-secret-4711",
        'my "quoted" secret-4711',
        "it's a secret-4711",
    ],
)
def test_an_error_quotes_no_value(runner, secret):
    runner.put("numbers", pa.table({"word": [secret]}))
    with pytest.raises(RunnerError) as caught:
        runner.run(step("SELECT CAST(word AS INTEGER) AS n FROM numbers"))
    assert "step a step" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_a_folder_with_a_quote_in_its_name_is_a_folder(tmp_path):
    made = LocalRunner(tmp_path / "it's", Settings(), threads=1)
    made.put("numbers", NUMBERS)
    made.run(step("SELECT n FROM numbers", order_by=("n",)))
    assert made.query("SELECT sum(n) AS n FROM made")["n"].to_pylist() == [6]
    made.close()


def test_the_bytes_of_a_table_do_not_depend_on_threads(tmp_path):
    found = []
    rows = pa.table({"n": list(range(200_000)), "g": [k % 7 for k in range(200_000)]})
    for threads in (1, 2):
        made = LocalRunner(tmp_path / str(threads), Settings(), threads=threads)
        made.put("numbers", rows)
        made.run(step("SELECT g, sum(n) AS n FROM numbers GROUP BY g", order_by=("g",)))
        found.append(made.path("made").read_bytes())
        made.close()
    assert found[0] == found[1]


def test_nothing_is_left_of_the_spill(tmp_path):
    made = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    (tmp_path / "stages" / "spill").mkdir(exist_ok=True)
    (tmp_path / "stages" / "spill" / "half").write_bytes(b"x")
    made.close()
    assert not (tmp_path / "stages" / "spill").exists()
