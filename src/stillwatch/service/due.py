"""When a look is due: by the times of exchanges, not of the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from stillwatch.errors import ConfigError

__all__ = ["Cadence", "Standing", "parse_span"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse_span(text: str, *, where: str) -> timedelta:
    """Return a span such as 90m, 6h, 7d or 2w. Raises ConfigError for anything else, and for none.

    >>> parse_span("6h", where="--late")
    datetime.timedelta(seconds=21600)
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or len(number) > 6 or not int(number):
        raise ConfigError("not a span of time", where=where, hint="write it like 90m, 6h, 7d or 2w")
    return timedelta(seconds=int(number) * _UNITS[unit])


@dataclass(frozen=True)
class Standing:
    """What has arrived: the newest exchange, the last arrival, and where the last look ended."""

    newest: datetime | None
    arrived: datetime | None
    looked_until: datetime | None


@dataclass(frozen=True)
class Cadence:
    """How much is looked at, how often, and how late what arrives may be.

    ``window``: what a look covers. ``every``: looks end at multiples of it since 1970. ``late``: an
    exchange arrives at most so long after exchanges that are so much younger. ``idle``: when
    nothing has arrived for so long, nothing more is waited for. ``budget``: the looks of any
    stretch of this length share one alpha evenly. It is at least as long as ``window``, so that the
    looks that see one exchange spend one alpha at most, too. None: all looks ever share one, each
    less than the last.
    """

    window: timedelta
    every: timedelta
    late: timedelta
    idle: timedelta
    budget: timedelta | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget % self.every:
            raise ConfigError(
                "a stretch would hold more looks at one time than at another", where="--budget",
                hint="give a multiple of --every",
            )  # fmt: skip
        if self.budget is not None and self.budget < self.window:
            raise ConfigError(
                "an exchange would be judged by looks that spend more than one alpha",
                where="--budget", hint="give as much as --window, or more",
            )  # fmt: skip
        if self.every > self.window:
            raise ConfigError(
                "looks would leave gaps between their windows", where="--every",
                hint="give a --window that is at least as long",
            )  # fmt: skip

    def complete(self, held: Standing, *, now: datetime, ended: bool = False) -> datetime | None:
        """Return until when nothing more is expected, None where nothing has arrived.

        1. The newest exchange less ``late``; one whose time lies ahead of the clock counts as now,
           so that no single wrong clock closes a window early by more than that.
        2. Just behind the newest exchange where nothing has arrived for ``idle``, or ``ended``: the
           logs end here.
        """
        if held.newest is None or held.arrived is None:
            return None
        newest = min(held.newest, now)
        if ended or now - held.arrived >= self.idle:
            return newest + timedelta(microseconds=1)  # 2
        return newest - self.late  # 1

    def due(self, held: Standing, *, now: datetime, ended: bool = False) -> datetime | None:
        """Return where the look that is due ends, None where none is.

        Of several that were missed only the last is due: a look that nobody made spends nothing.
        """
        complete = self.complete(held, now=now, ended=ended)
        if complete is None:
            return None
        until = self._floor(complete)
        if until < complete and (ended or now - held.arrived >= self.idle):  # type: ignore[operator]
            until += self.every
        if held.looked_until is not None and until <= held.looked_until:
            return None
        return until

    @property
    def looks(self) -> int | None:
        """How many looks share one alpha evenly; None where all looks ever do."""
        return None if self.budget is None else self.budget // self.every

    def since(self, until: datetime) -> datetime:
        """Return where the window of a look begins that ends there."""
        return until - self.window

    def _floor(self, moment: datetime) -> datetime:
        return moment - (moment - _EPOCH) % self.every
