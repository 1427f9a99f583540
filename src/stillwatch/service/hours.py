"""Quiet hours and digests: when an alert that comes now may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stillwatch.errors import ConfigError

__all__ = ["Hours", "parse_hours"]


@dataclass(frozen=True)
class Hours:
    """``quiet``: from and to, over midnight where from is later; ``digest``: once a day, then."""

    zone: ZoneInfo
    quiet: tuple[time, time] | None = None
    digest: time | None = None

    def opens(self, now: datetime) -> datetime:
        """Return when what comes ``now`` (UTC) may be sent, in UTC.

        1. With a digest: at its next time of day. 2. Not in the quiet hours: at their end.
        """
        moment = now
        if self.digest is not None:
            moment = self._next(self.digest, moment)  # 1
        if self.quiet is not None and self._is_quiet(moment):
            moment = self._next(self.quiet[1], moment)  # 2
        return moment

    def _is_quiet(self, moment: datetime) -> bool:
        start, end = self.quiet or (time(), time())
        local = moment.astimezone(self.zone).time()
        return start <= local < end if start <= end else local >= start or local < end

    def _next(self, when: time, after: datetime) -> datetime:
        """Return the next time that clocks in the zone show ``when``, after a moment."""
        local = after.astimezone(self.zone)
        for day in range(3):
            wall = datetime.combine(local.date() + timedelta(days=day), when, self.zone)
            if wall.astimezone(UTC) > after:
                return wall.astimezone(UTC)
        raise AssertionError("a day has passed three times")  # pragma: no cover


def parse_hours(*, quiet: str | None, digest: str | None, zone: str, where: str) -> Hours:
    """Return the hours of a channel: quiet like 22:00-07:00, digest like 08:00.

    Raises ConfigError naming what is wrong.
    """
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            "no such time zone", where=f"{where}.zone", hint="Europe/Berlin"
        ) from None
    ends = None
    if quiet is not None:
        start, dash, end = quiet.partition("-")
        if not dash:
            raise ConfigError("no hours", where=f"{where}.quiet", hint="write 22:00-07:00")
        ends = _time(start, f"{where}.quiet"), _time(end, f"{where}.quiet")
    return Hours(place, ends, None if digest is None else _time(digest, f"{where}.digest"))


def _time(text: str, where: str) -> time:
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007
    except ValueError:
        raise ConfigError("no time of day", where=where, hint="write it like 07:00") from None
