"""Alerts wait on disk until somebody has taken them: at least once, however the process ends.

A file in ``waiting/`` is one alert for one channel. It goes to ``sent/`` when the channel took it,
and to ``failed/`` when the channel refuses it for good or three days of trying were in vain. The
same alert put in again changes nothing while its file is in any of the three.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from stillwatch.errors import InputError
from stillwatch.schema import from_micros, to_micros, write_whole
from stillwatch.schema.mailing import Unsent
from stillwatch.service.alerts import Alert
from stillwatch.service.hours import Hours

__all__ = ["Channel", "Flushed", "Outbox", "Unsent"]

_STEPS_S: Final = (5, 30, 120, 600, 1_800, 3_600, 10_800)
_GIVE_UP: Final = timedelta(days=3)
_KEPT: Final = 1_000  # files in sent and in failed, the newest


class Channel(Protocol):
    """Where alerts go. ``together``: several that are due go as one message."""

    @property
    def name(self) -> str: ...
    @property
    def kinds(self) -> frozenset[str]: ...
    @property
    def hours(self) -> Hours: ...
    @property
    def together(self) -> bool: ...

    def send(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Hand alerts over; they are one unless ``together``. Raises Unsent."""
        ...


@dataclass(frozen=True)
class Flushed:
    """What one flush did. ``waiting``: alerts still to be sent; ``problems``: channel → why not."""

    sent: int
    failed: int
    waiting: int
    problems: dict[str, str]


@dataclass
class _Item:
    path: Path
    alert: Alert
    channel: str
    put_us: int
    next_us: int
    tries: int

    def save(self) -> None:
        held = {
            "id": self.alert.id, "kind": self.alert.kind, "at_us": to_micros(self.alert.at),
            "title": self.alert.title, "data": self.alert.data, "channel": self.channel,
            "put_us": self.put_us, "next_us": self.next_us, "tries": self.tries,
        }  # fmt: skip
        write_whole(self.path, json.dumps(held).encode())


class Outbox:
    """The outbox of one watch. Its folder belongs to one process at a time."""

    def __init__(self, folder: Path, channels: Sequence[Channel]) -> None:
        self._waiting, self._sent, self._failed = (
            folder / name for name in ("waiting", "sent", "failed")
        )
        for each in (self._waiting, self._sent, self._failed):
            each.mkdir(parents=True, exist_ok=True)
        self._channels = {channel.name: channel for channel in channels}

    def put(self, alerts: Iterable[Alert], *, now: datetime) -> int:
        """Keep alerts for the channels that want them; return how many are new."""
        count = 0
        for alert in alerts:
            for channel in self._channels.values():
                name = f"{alert.id}.{channel.name}.json"
                if alert.kind not in channel.kinds or self._has(name):
                    continue
                due = to_micros(channel.hours.opens(now))
                item = _Item(self._waiting / name, alert, channel.name, to_micros(now), due, 0)
                item.save()
                count += 1
        return count

    def _has(self, name: str) -> bool:
        return any((f / name).exists() for f in (self._waiting, self._sent, self._failed))

    def flush(self, *, now: datetime) -> Flushed:
        """Send what is due. What a channel does not take is tried again, later each time.

        A channel that fails is asked no more in this flush.
        """
        now_us = to_micros(now)
        items = self._read()
        sent = failed = 0
        problems: dict[str, str] = {}
        for name, channel in self._channels.items():
            due = [i for i in items if i.channel == name and i.next_us <= now_us]
            groups = [due] if channel.together and due else [[item] for item in due]
            for group in groups:
                try:
                    channel.send([item.alert for item in group], now=now)
                except Unsent as error:
                    problems[name] = error.why
                    failed += sum(self._later(item, error, now) for item in group)
                    break
                for item in group:
                    item.path.replace(self._sent / item.path.name)
                sent += len(group)
        for folder in (self._sent, self._failed):
            _prune(folder)
        return Flushed(sent, failed, len(items) - sent - failed, problems)

    def next_due(self) -> datetime | None:
        """Return when the next alert is to be sent, None where none waits."""
        moments = [i.next_us for i in self._read() if i.channel in self._channels]
        return from_micros(min(moments)) if moments else None

    def _later(self, item: _Item, error: Unsent, now: datetime) -> bool:
        """Put off an item, or give it up; tell whether it was given up."""
        if error.final or now - from_micros(item.put_us) >= _GIVE_UP:
            item.path.replace(self._failed / item.path.name)
            return True
        wait_s = _STEPS_S[min(item.tries, len(_STEPS_S) - 1)]
        item.tries += 1
        item.next_us = to_micros(now + timedelta(seconds=wait_s))
        item.save()
        return False

    def _read(self) -> list[_Item]:
        items = []
        for path in self._waiting.glob("*.json"):
            try:
                held: dict[str, Any] = json.loads(path.read_bytes())
                alert = Alert(
                    held["id"], held["kind"], from_micros(held["at_us"]), held["title"],
                    held["data"],
                )  # fmt: skip
                items.append(
                    _Item(path, alert, held["channel"], held["put_us"], held["next_us"],
                          held["tries"])
                )  # fmt: skip
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"an alert that waits is damaged ({type(error).__name__})", where=str(path),
                    hint="read it, then remove the file",
                ) from error  # fmt: skip
        return sorted(items, key=lambda item: (item.put_us, item.path.name))


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
    for path in files[: max(len(files) - _KEPT, 0)]:
        path.unlink()
