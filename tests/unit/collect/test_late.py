"""What comes again, too late, or by a clock that jumps: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.collect import compaction
from stillwatch.collect.clock import LatestClock
from stillwatch.collect.requests import take_otlp
from stillwatch.collect.service import Service
from stillwatch.collect.settings import Settings
from stillwatch.collect.stored import Stored
from stillwatch.collect.wal import LITELLM, OTLP, WalFile, frame
from stillwatch.schema import to_micros

from .conftest import payload, rows_in
from .test_otlp import CHAT, SAID, SPAN, attributes, logs, traces

NOW = datetime(2026, 11, 27, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
LONE = {**SPAN, "attributes": attributes(**CHAT, user__id="u-1")}
EVENT = {
    "timeUnixNano": "1764000001000000000", "traceId": SPAN["traceId"], "spanId": SPAN["spanId"],
    "eventName": "gen_ai.client.inference.operation.details",
    "attributes": attributes(**CHAT, user__id="u-1", gen_ai__input__messages=SAID),
}  # fmt: skip
KEPT = [("cdcd", "SECRET words")]


def wal(folder: Path, name: str, *frames: bytes) -> Path:
    (folder / ".wal").mkdir(parents=True, exist_ok=True)
    file = WalFile(folder / ".wal" / f"{name}.wal")
    file.append(frames)
    file.close()
    return file.path


def pushed(*values: dict[str, Any], at: datetime = NOW) -> list[bytes]:
    """Return the frames of some exports as the collector writes them."""
    taken = [take_otlp(json.dumps(value).encode(), None, 99, NOW) for value in values]
    return [frame(OTLP, to_micros(at), one.payload) for one in taken]


def compact(folder: Path, *files: Path, now: datetime = NOW, **more: Any) -> compaction.Compacted:
    return compaction.compact(folder, list(files), now=now, join_s=15, stored=Stored(), **more)


def told(folder: Path) -> list[tuple[str, str | None]]:
    return [
        (row["exchange_id"][-4:], (row.get("messages") or [{}])[0].get("content"))
        for row in rows_in(folder)
    ]


@pytest.mark.parametrize("again", [(traces(LONE),), (logs(EVENT),), (traces(LONE), logs(EVENT))])
def test_what_is_delivered_again_after_its_segment_adds_nothing(
    tmp_path: Path, again: tuple[dict[str, Any], ...]
) -> None:
    """A span alone would be a row without its content beside the one that has it."""
    compact(tmp_path, wal(tmp_path, "000000000001", *pushed(traces(LONE), logs(EVENT))))
    done = compact(tmp_path, wal(tmp_path, "000000000002", *pushed(*again, at=NOW - DAY)))
    assert done.rows == 0
    assert told(tmp_path) == KEPT


def test_a_late_event_of_the_hour_before_is_no_exchange(tmp_path: Path) -> None:
    begin = datetime(2026, 11, 26, 10, 59, 59, tzinfo=UTC)
    nanos = {"startTimeUnixNano": f"{to_micros(begin)}000", "endTimeUnixNano": "0"}
    compact(tmp_path, wal(tmp_path, "000000000001", *pushed(traces({**LONE, **nanos}), at=begin)))
    late = {**EVENT, "timeUnixNano": f"{to_micros(begin) + 3_000_000}000"}
    done = compact(tmp_path, wal(tmp_path, "000000000002", *pushed(logs(late), at=begin)))
    assert done.notes == {"spans and events of exchanges that are stored already": 1}
    assert told(tmp_path) == [("cdcd", None)]


def test_a_clock_that_fell_back_refuses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    body = json.dumps(payload(1)).encode()
    first = wal(tmp_path, "000000000001", frame(LITELLM, to_micros(NOW), body))
    assert compact(tmp_path, first, now=NOW - 5 * YEAR).refused == {}
    body = json.dumps(payload(3)).encode()
    second = wal(tmp_path, "000000000002", frame(LITELLM, to_micros(NOW - 5 * YEAR), body))
    assert compact(tmp_path, second, now=NOW - 5 * YEAR, latest=NOW).refused == {}
    assert len(rows_in(tmp_path)) == 2


def test_the_latest_time_of_a_folder_outlives_a_restart(tmp_path: Path) -> None:
    hour = tmp_path / "date=2026-11-26" / "hour=10"
    hour.mkdir(parents=True)
    os.utime(hour, (NOW.timestamp(), NOW.timestamp()))
    clock = LatestClock(tmp_path)
    assert clock.latest(NOW - YEAR) == NOW
    assert clock.latest(NOW + DAY) == NOW + DAY
    assert clock.latest(NOW) == NOW + DAY


def test_what_came_while_the_clock_was_ahead_waits_no_longer_than_all_else(tmp_path: Path) -> None:
    file = wal(tmp_path, "000000000001", *pushed(traces(LONE), at=NOW + 3 * YEAR))
    assert compact(tmp_path, file).waiting == 1
    waiting = compaction.wal_files(tmp_path / ".wal")
    assert compact(tmp_path, *waiting, now=NOW + timedelta(minutes=1)).rows == 1
    assert told(tmp_path) == [("cdcd", None)]


def test_what_waits_is_never_written_over(tmp_path: Path) -> None:
    """A kill came between two removals: one file is there again, and what waits of another too."""
    other = {**LONE, "spanId": "12" * 8}
    wal(tmp_path, "000000000005c000001", *pushed(traces(other)))
    assert compact(tmp_path, wal(tmp_path, "000000000005", *pushed(traces(LONE)))).waiting == 1
    waiting = compaction.wal_files(tmp_path / ".wal")
    assert compact(tmp_path, *waiting, now=NOW + timedelta(minutes=1)).rows == 2
    assert told(tmp_path) == [("1212", None), ("cdcd", None)]


def test_files_that_were_set_aside_are_told_at_every_start(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / ".wal").mkdir()
    (tmp_path / ".wal" / "000000000001.wal.failed").write_bytes(b"SECRET")

    async def scene() -> None:
        service = Service(Settings(folder=tmp_path))
        await service.start()
        await service.stop()

    asyncio.run(scene())
    (said,) = [json.loads(r.getMessage()) for r in caplog.records if r.levelname == "ERROR"]
    assert (said["event"], said["files"]) == ("still set aside", 1)
    assert "SECRET" not in caplog.text
