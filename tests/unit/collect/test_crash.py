"""Nothing that was acknowledged is lost, whatever ends the collector, and nothing is doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from stillwatch.collect import compaction
from stillwatch.collect.intake import Busy, Intake
from stillwatch.collect.metrics import Metrics
from stillwatch.collect.settings import Settings
from stillwatch.collect.stored import Stored, only_once
from stillwatch.collect.wal import LITELLM, OTLP, Loss, WalFile, frame, frames_of
from stillwatch.sources import Ledger, litellm_lines

from .conftest import payload, rows_in

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def wal_of(folder: Path, *bodies: object, number: int = 1) -> Path:
    """Write a write-ahead file as the collector does."""
    (folder / ".wal").mkdir(parents=True, exist_ok=True)
    path = folder / ".wal" / f"{number:012d}.wal"
    file = WalFile(path)
    for body in bodies:
        lines = litellm_lines(json.dumps(body).encode(), Ledger())
        file.append([frame(LITELLM, 1, b"\n".join(lines))])
    file.close()
    return path


def make_segments(folder: Path, *files: Path, stored: Stored | None = None) -> compaction.Compacted:
    return compaction.compact(folder, list(files), now=NOW, join_s=0, stored=stored or Stored())


@pytest.mark.slow
def test_no_acknowledged_record_is_lost_or_doubled_by_kills_under_load(collector):
    """Four clients send without pause; the collector is killed at any moment, three times.

    A client that got no answer sends the same records again, as LiteLLM's logger does.
    """
    one = collector("--segment-seconds", 0.3)
    acknowledged: list[str] = []
    sent: set[str] = set()
    over = threading.Event()

    def client(number: int) -> None:
        own = httpx.Client(timeout=20, trust_env=False)
        count = 0
        while not over.is_set():
            records = [payload(n, hour=number) for n in range(count, count + 5)]
            ids = [str(record["id"]) for record in records]
            sent.update(ids)
            try:
                answer = own.post(f"{one.url}/v1/litellm", json=records)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                acknowledged.extend(ids)
                count += 5
        own.close()

    clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in clients:
        thread.start()
    rng = random.Random(7)

    def more(count: int) -> None:
        """Wait until so many more records were acknowledged: a busy machine takes longer."""
        wanted = len(acknowledged) + count
        until = time.monotonic() + 120
        while len(acknowledged) < wanted:
            assert time.monotonic() < until, one.log.read_text()
            time.sleep(0.02)

    for _ in range(3):
        more(30)
        time.sleep(1.5 * rng.random())
        one.kill()
        one.start()
    more(30)
    one.kill()
    over.set()
    for thread in clients:
        thread.join()
    one.start()
    one.stop()
    written = [row["exchange_id"] for row in rows_in(one.folder)]
    assert len(acknowledged) >= 120
    assert set(acknowledged) <= set(written), "acknowledged and lost"
    assert len(written) == len(set(written)), "doubled"
    assert set(written) <= sent
    assert not list(one.folder.rglob(".*.partial"))


def test_a_file_that_nothing_can_turn_into_rows_holds_up_no_other(collector):
    """Not a frame of ours, yet its sum is right: as a defect of this program would leave it."""
    one = collector("--segment-seconds", 0.2, start=False)
    (one.folder / ".wal").mkdir(parents=True)
    bad = one.folder / ".wal" / "000000000001.wal"
    bad.write_bytes(frame(OTLP, 1, b"no-blank-in-this-line"))
    wal_of(one.folder, payload(1), number=2)
    one.start()
    one.wait_for("rows_total", 1, seconds=120)
    assert bad.with_name("000000000001.wal.failed").exists(), "kept for who mends it"
    assert one.metric("compactions_failed_total") >= 5
    one.stop()
    assert "set aside" in one.log.read_text()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_frame_cut_by_a_kill_is_left_out_and_counted(tmp_path, cut):
    path = wal_of(tmp_path, payload(1), payload(3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    done = make_segments(tmp_path, path)
    assert [r["exchange_id"] for r in rows_in(tmp_path)] == ["chatcmpl-0-1"]
    assert (done.rows, done.damaged_bytes) == (1, 0)
    assert done.cut_bytes == len(whole) // 2 - cut
    assert not path.exists()


def test_damage_in_the_middle_costs_its_frame_alone(tmp_path):
    path = wal_of(tmp_path, *(payload(n) for n in range(1, 11, 2)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    done = make_segments(tmp_path, path)
    assert done.rows == 4
    assert done.damaged_bytes == len(data) // 5
    assert done.cut_bytes == 0


def test_any_bytes_are_a_write_ahead_file():
    rng = random.Random(3)
    good = frame(OTLP, 5, b"x" * 40)
    for _ in range(300):
        noise = [rng.randbytes(rng.randrange(60)) for _ in range(3)]
        loss = Loss()
        found = list(frames_of(noise[0] + good + noise[1] + good + noise[2], loss))
        assert [f.payload for f in found] == [b"x" * 40] * 2
        assert loss.cut + loss.damaged == sum(map(len, noise))


@pytest.mark.parametrize("step", ["replace", "_sync_all", "_report", "unlink"])
def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(tmp_path, monkeypatch, step):
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    path = wal_of(tmp_path, [payload(n, hour=h) for n in range(3) for h in range(3)])
    with monkeypatch.context() as patch:
        patch.setattr(Path if step in ("replace", "unlink") else compaction, step, die)
        with pytest.raises(Killed):
            make_segments(tmp_path, path)
    assert path.exists()
    compaction.tidy(tmp_path)
    make_segments(tmp_path, path)
    assert not path.exists()
    assert len(rows_in(tmp_path)) == 9


def test_a_file_that_is_given_again_adds_nothing(tmp_path):
    path = wal_of(tmp_path, [payload(n) for n in range(100)])
    copy = tmp_path / "copy"
    shutil.copy(path, copy)
    stored = Stored()
    assert make_segments(tmp_path, path, stored=stored).rows == 100
    shutil.copy(copy, path)
    done = make_segments(tmp_path, path, stored=stored)
    assert (done.rows, done.repeats, done.segments) == (0, 100, 0)


def test_stored_ids_are_bounded(tmp_path):
    stored = Stored(most_ids=10)
    for number in range(1, 6):
        bodies = [payload(n, hour=number) for n in range(8)]
        make_segments(tmp_path, wal_of(tmp_path, bodies, number=number), stored=stored)
        make_segments(tmp_path, wal_of(tmp_path, bodies, number=number), stored=stored)
    assert sum(map(len, stored._ids.values())) <= 10
    assert len(rows_in(tmp_path)) == 40


def test_rows_of_one_id_that_differ_all_stay():
    table = pa.table({"exchange_id": ["a", "a", "a", "b"], "model": ["x", "y", "x", None]})
    assert only_once(table).to_pylist() == [
        {"exchange_id": "a", "model": "x"},
        {"exchange_id": "a", "model": "y"},
        {"exchange_id": "b", "model": None},
    ]


def test_rows_of_the_future_are_refused(tmp_path):
    path = wal_of(tmp_path, [payload(1), {**payload(2), "startTime": 1.9e9}])
    done = make_segments(tmp_path, path)
    assert done.refused == {"time in the future": 1}


async def opened(folder: Path) -> tuple[Intake, dict[str, str]]:
    (folder / ".wal").mkdir(parents=True)
    problems: dict[str, str] = {}
    return Intake(Settings(folder=folder), Metrics(), problems), problems


def test_nobody_is_acknowledged_before_the_disk_has_it(tmp_path, monkeypatch):
    order: list[str] = []
    real = os.fsync

    def slow(handle: int) -> None:
        time.sleep(0.05)
        real(handle)
        order.append("on disk")

    async def scene() -> None:
        intake, _ = await opened(tmp_path)
        monkeypatch.setattr(os, "fsync", slow)
        running = asyncio.create_task(intake.run())

        async def put(n: int) -> None:
            await intake.put(frame(LITELLM, n, b"{}"))
            order.append("acknowledged")

        await put(0)
        order.clear()
        await asyncio.gather(*(put(n) for n in range(30)))
        await intake.close()
        await running

    asyncio.run(scene())
    assert order[0] == "on disk"
    assert order.count("acknowledged") == 30
    assert order.count("on disk") <= 3, "one fsync serves many"


def test_a_disk_that_fails_once_is_told_and_written_to_again(tmp_path, monkeypatch, caplog):
    real = os.fsync
    broken = [True]

    def fsync(handle: int) -> None:
        if broken[0]:
            raise OSError(28, "No space left on device")
        real(handle)

    async def scene() -> dict[str, str]:
        intake, problems = await opened(tmp_path)
        monkeypatch.setattr(os, "fsync", fsync)
        running = asyncio.create_task(intake.run())
        with pytest.raises(Busy) as caught:
            await intake.put(frame(LITELLM, 1, b"{}"))
        assert caught.value.retry_s > 0
        said = dict(problems)
        broken[0] = False
        await intake.put(frame(LITELLM, 2, b"{}"))
        assert not problems
        await intake.close()
        await running
        return said

    assert asyncio.run(scene()) == {"disk": "the disk takes no more"}
    found = []
    for path in sorted((tmp_path / ".wal").glob("*.wal")):
        found += [f.received_us for f in frames_of(path.read_bytes(), Loss())]
    assert found == [2], "what was refused must not come back"
    assert "No space left on device" in caplog.text
