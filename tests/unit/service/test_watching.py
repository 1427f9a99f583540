"""What a watch sees of logs that come late and out of order is what one scan of them sees."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.scanner import scan
from stillwatch.schema import from_micros
from stillwatch.service import Cadence, Cycle, Journal, Plan, Watch
from stillwatch.simulate import SimulatedWorld, simulate

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PIECE = 6 * HOUR
CADENCE = Cadence(window=4 * DAY, every=3 * DAY, late=12 * HOUR, idle=30 * DAY)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pieces(tiny: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the world's exchanges in files of six hours, in the order of time."""
    folder = tmp_path_factory.mktemp("pieces")
    rows = duckdb.sql(
        f"SELECT * FROM '{tiny.out}/exchanges/*.parquet' ORDER BY ts, exchange_id"
    ).to_arrow_table()
    schema = pq.read_schema(next((tiny.out / "exchanges").glob("*.parquet")))
    hours = rows["ts"].cast(pa.int64()).to_numpy() // int(PIECE.total_seconds() * 1e6)
    files = []
    for hour in sorted(set(hours.tolist())):
        files.append(folder / f"{hour:06d}.parquet")
        pq.write_table(rows.filter(pa.array(hours == hour)).cast(schema), files[-1])
    return files


def plan(folder: Path, world: SimulatedWorld, **options: Any) -> Plan:
    given: dict[str, Any] = {
        "sources": (str(folder / "in"),), "folder": folder / "watch", "cadence": CADENCE,
        "db": str(folder / "cases.db"), "scan": {"accounts": world.accounts_csv, "threads": 1},
    }  # fmt: skip
    (folder / "in").mkdir(exist_ok=True)
    return Plan(**given | options)


def deliver(folder: Path, *files: Path) -> None:
    (folder / "in").mkdir(exist_ok=True)
    for file in files:
        aside = folder / "in" / f".{file.name}.tmp"
        shutil.copy(file, aside)
        aside.replace(folder / "in" / file.name)


def clock(file: Path) -> datetime:
    """Return an hour after a piece's time, when it may have come."""
    return datetime.fromtimestamp(0, UTC) + (int(file.stem) + 1) * PIECE + HOUR


def contents(run: Path) -> dict[str, bytes]:
    files = [p for p in run.rglob("*") if p.is_file() and p.name != "timing.json"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files}


def differing(one: Path, other: Path) -> list[str]:
    a, b = contents(one), contents(other)
    return sorted(n for n in a.keys() | b.keys() if a.get(n) != b.get(n))


def in_window(files: list[Path], since: datetime, until: datetime) -> list[Path]:
    ends = [pq.read_table(file, columns=["ts"])["ts"].to_pylist() for file in files]
    return [f for f, ts in zip(files, ends, strict=True) if min(ts) < until and max(ts) >= since]


def batch(folder: Path, world: SimulatedWorld, files: list[Path], number: int, look: Any) -> Path:
    """Scan the files of a look's window as they lie in the folder, from the beginning."""
    out = folder / f"batch-{number}"
    lying = [folder / "in" / f.name for f in in_window(files, look.since, look.until)]
    scan(lying, accounts=world.accounts_csv, since=look.since, until=look.until, look=number,
         out=out, threads=1)  # fmt: skip
    return out


def test_late_and_out_of_order_within_the_horizon_is_exactly_the_batch(tiny, pieces, tmp_path):
    """Every second file comes after the one behind it: twelve hours late at most."""
    late = [p for k in range(0, len(pieces), 2) for p in reversed(pieces[k : k + 2])]
    assert late != pieces
    made: list[Cycle] = []
    for file in late:
        deliver(tmp_path, file)
        with Watch(plan(tmp_path, tiny)) as watch:  # each round in a process of its own, as cron
            made.append(watch.round(now=max(clock(file), clock(pieces[-1]))))
    with Watch(plan(tmp_path, tiny)) as watch:
        made.append(watch.round(now=clock(pieces[-1]), ended=True))
    looks = [cycle.look for cycle in made if cycle.look is not None]
    assert [look.number for look in looks] == [1, 2, 3]
    assert [look.until - look.since for look in looks] == [4 * DAY] * 3
    for look in looks[1:]:
        other = batch(tmp_path, tiny, pieces, look.number, look)
        assert differing(tmp_path / "watch" / "runs" / look.name, other) == []
        summary = json.loads((other / "summary.json").read_text())
        assert summary["look"] == look.number
        assert summary["rows_kept"] > 500
    spent = [look.alpha_spent for look in looks]
    assert spent[1] == pytest.approx(spent[0] / 4, rel=1e-6), "6 alpha / (pi t)^2"
    assert spent[2] == pytest.approx(spent[0] / 9, rel=1e-6)


def test_what_comes_behind_the_horizon_is_in_the_next_look(tiny, pieces, tmp_path):
    cadence = Cadence(window=7 * DAY, every=DAY, late=HOUR, idle=30 * DAY)
    early = [p for p in pieces if clock(p) < clock(pieces[0]) + 2 * DAY]
    kept_back = early.pop(1)
    deliver(tmp_path, *early)
    with Watch(plan(tmp_path, tiny, cadence=cadence)) as watch:
        first = watch.round(now=clock(early[-1])).look
        deliver(tmp_path, kept_back)
        assert watch.round(now=clock(early[-1])).look is None, "no look of the same window"
        deliver(tmp_path, pieces[pieces.index(early[-1]) + 4])
        second = watch.round(now=clock(pieces[-1])).look
    assert first is not None
    assert second is not None
    runs = tmp_path / "watch" / "runs"
    further = pieces[pieces.index(early[-1]) + 4]
    for look, files in ((first, early), (second, [*early, kept_back, further])):
        seen = in_window(files, look.since, look.until)
        summary = json.loads((runs / look.name / "summary.json").read_text())
        assert summary["rows_in"] == sum(pq.read_metadata(p).num_rows for p in seen)
    assert kept_back in seen


def test_a_look_that_was_stopped_keeps_its_number_and_its_bytes(tiny, pieces, tmp_path):
    """Stopped in the middle, with more logs before it goes on; and stopped behind its scan."""
    deliver(tmp_path, *pieces[:-4])

    class Stop(Exception):
        pass

    def stop_at(stage: str):
        def listen(now):
            if now.stage == stage:
                raise Stop

        return listen

    asked = plan(tmp_path, tiny)
    with pytest.raises(Stop), Watch(asked, tell=stop_at("objects")) as watch:
        watch.round(now=clock(pieces[-1]))
    assert [look.state for look in Journal(asked.folder).looks] == ["begun"]
    deliver(tmp_path, pieces[-4])

    def dies(run_dir: Path) -> None:
        raise Stop

    with pytest.raises(Stop), Watch(plan(tmp_path, tiny, after_look=dies)) as watch:
        watch.round(now=clock(pieces[-1]))
    assert [look.state for look in Journal(asked.folder).looks] == ["scanned"]
    with Watch(asked) as watch:
        look = watch.round(now=clock(pieces[-1])).look
    assert look is not None
    assert (look.number, Journal(asked.folder).looks) == (1, (look,))
    other = batch(tmp_path, tiny, pieces[:-3], 1, look)
    assert differing(asked.folder / "runs" / look.name, other) == []


def test_what_cannot_be_read_keeps_nothing_back_and_is_tried_again(tiny, pieces, tmp_path):
    deliver(tmp_path, pieces[0])
    broken = tmp_path / "in" / pieces[1].name
    broken.write_bytes(pieces[1].read_bytes()[:-100])
    (tmp_path / "in" / "coming.parquet.tmp").write_bytes(b"PAR1")
    (tmp_path / "in" / ".hidden").write_bytes(b"PAR1")
    (tmp_path / "in" / "empty").write_bytes(b"")
    with Watch(plan(tmp_path, tiny)) as watch:
        first = watch.round(now=clock(pieces[1]))
        assert list(first.filled.unreadable) == [broken.name]
        assert first.filled.files == 1
        assert first.status["unreadable"] == 1
        deliver(tmp_path, pieces[1])
        second = watch.round(now=clock(pieces[1]))
        assert (second.filled.files, second.filled.unreadable) == (1, {})
        assert watch.round(now=clock(pieces[1])).filled.files == 0
    rows = sum(pq.read_metadata(p).num_rows for p in pieces[:2])
    assert second.status["rows"] == rows
    assert json.loads((tmp_path / "watch" / "watch.json").read_text())["rows"] == rows


def test_moved_files_are_known_copies_count_twice_and_grown_ones_are_replaced(
    tiny, pieces, tmp_path
):
    deliver(tmp_path, pieces[0])
    inside = tmp_path / "in" / pieces[0].name
    with Watch(plan(tmp_path, tiny)) as watch:
        rows = watch.round(now=clock(pieces[2])).status["rows"]
        inside.rename(tmp_path / "in" / "a.parquet")
        copy = shutil.copy(tmp_path / "in" / "a.parquet", tmp_path / "in" / "b.parquet")
        cycle = watch.round(now=clock(pieces[2]))
        assert (cycle.filled.moved, cycle.filled.files) == (1, 1)
        assert cycle.status["rows"] == 2 * rows
        both = pa.concat_tables([pq.read_table(pieces[0]), pq.read_table(pieces[1])])
        pq.write_table(both, copy)
        watch.round(now=clock(pieces[2]))
        look = watch.round(now=clock(pieces[2]), ended=True).look
    assert look is not None
    out = tmp_path / "batch"
    scan([tmp_path / "in"], accounts=tiny.accounts_csv, since=look.since, until=look.until, out=out,
         threads=1)  # fmt: skip
    assert differing(tmp_path / "watch" / "runs" / look.name, out) == []
    assert json.loads((out / "summary.json").read_text())["duplicates"] == rows


def test_too_many_refused_rows_stop_the_look_and_nothing_else(tiny, pieces, tmp_path):
    deliver(tmp_path, pieces[0])
    nameless = pq.read_table(pieces[1]).drop_columns(["exchange_id"])
    pq.write_table(nameless, tmp_path / "in" / "bad.parquet")
    with Watch(plan(tmp_path, tiny)) as watch:
        cycle = watch.round(now=clock(pieces[1]), ended=True)
        assert isinstance(cycle.problem, InputError)
        assert cycle.look is None
        assert "cannot be read" in cycle.status["problem"]
        (tmp_path / "in" / "bad.parquet").unlink()
        deliver(tmp_path, pieces[1])
        assert watch.round(now=clock(pieces[1])).filled.files == 1
    assert Journal(tmp_path / "watch").looks[0].state == "begun", "it spent nothing"


def test_a_depot_that_is_away_is_tried_again(tiny, pieces, tmp_path):
    deliver(tmp_path, *pieces[:2])
    published: list[Path] = []

    def publish(run_dir: Path) -> None:
        published.append(run_dir)
        if len(published) == 1:
            raise InputError("the depot does not answer")

    with Watch(plan(tmp_path, tiny, after_look=publish)) as watch:
        first = watch.round(now=clock(pieces[1]), ended=True)
        assert (first.look, str(first.problem)) == (None, "the depot does not answer")
        second = watch.round(now=clock(pieces[1]))
    assert second.look is not None
    assert (second.look.state, second.problem) == ("done", None)
    assert published == [tmp_path / "watch" / "runs" / "look-000001"] * 2


def test_formats_that_join_files_are_refused(tiny, tmp_path):
    (tmp_path / "in").mkdir()
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}
    (tmp_path / "in" / "batch.jsonl").write_text(json.dumps(line) + "\n")
    with (
        Watch(plan(tmp_path, tiny)) as watch,
        pytest.raises(ConfigError, match="format batch are spread over files"),
    ):
        watch.round(now=datetime(2026, 11, 20, tzinfo=UTC))


def test_old_runs_and_days_go_and_the_journal_stays(tiny, pieces, tmp_path):
    cadence = Cadence(window=DAY, every=DAY, late=HOUR, idle=30 * DAY)
    asked = plan(tmp_path, tiny, cadence=cadence, keep_runs=1, keep=3 * DAY)
    with Watch(asked) as watch:
        for file in pieces[:13]:
            deliver(tmp_path, file)
            cycle = watch.round(now=clock(file))
    assert cycle.status["looks"] == 3
    assert [p.name for p in (asked.folder / "runs").iterdir()] == ["look-000003"]
    assert cycle.status["days"] == 4
    with Watch(asked) as watch:
        assert watch.round(now=clock(pieces[13])).filled.files == 0, "expired files stay known"


def test_a_second_watch_is_refused_and_a_damaged_journal_too(tiny, tmp_path):
    asked = plan(tmp_path, tiny)
    with Watch(asked), pytest.raises(ConfigError, match="another watch"), Watch(asked):
        pass
    (asked.folder / "looks.json").write_text('[{"number": 2}]')
    with pytest.raises(InputError, match="journal of looks is damaged"), Watch(asked):
        pass


def test_days_must_outlive_the_window(tiny, tmp_path):
    with pytest.raises(ConfigError, match="6 days at least"):
        plan(tmp_path, tiny, keep=5 * DAY)


def test_times_of_the_journal_are_those_of_the_look(tmp_path):
    journal = Journal(tmp_path)
    look = journal.begin(0, 86_400_000_000, looks=4)
    assert look.until == from_micros(86_400_000_000)
    assert Journal(tmp_path).open == look


def test_a_look_that_was_killed_gives_its_number_to_the_next(tmp_path):
    journal = Journal(tmp_path)
    for end in (2, 4, 6):
        journal.begin(0, end, looks=None)
        journal.begin(0, end, looks=4)  # as after a kill
        journal.step(journal.looks[-1], "done")
    read = Journal(tmp_path).looks
    assert [(look.number, look.looks) for look in read] == [(1, 4), (2, 4), (3, 4)]


def test_a_journal_of_the_plan_before_still_counts(tmp_path):
    (tmp_path / "looks.json").write_text(
        '[{"number": 1, "place": 1, "since_us": 0, "until_us": 2, "state": "done"}]'
    )
    assert Journal(tmp_path).begin(0, 4, looks=None).number == 2


def test_looks_that_share_evenly_need_no_more_as_time_goes_on(tiny, pieces, tmp_path):
    """Eight looks a day apart: each may spend a fourth, and is the batch scan of its window."""
    given = plan(tmp_path, tiny, cadence=Cadence(2 * DAY, DAY, HOUR, 30 * DAY, budget=4 * DAY))
    spent = []
    for file in pieces:
        deliver(tmp_path, file)
        with Watch(given) as watch:
            made = watch.round(now=clock(file)).look
        if made is not None:
            spent.append((made.number, made.alpha_spent))
    assert [number for number, _ in spent] == list(range(1, len(spent) + 1))
    assert len(spent) >= 5
    assert {alpha for _, alpha in spent} == {0.01 / 4}
    last = Journal(tmp_path / "watch").looks[-1]
    lying = [tmp_path / "in" / f.name for f in in_window(pieces, last.since, last.until)]
    scan(lying, accounts=tiny.accounts_csv, since=last.since, until=last.until, look=last.number,
         looks=last.looks, out=tmp_path / "batch", threads=1)  # fmt: skip
    assert differing(tmp_path / "watch" / "runs" / last.name, tmp_path / "batch") == []
