"""What a scan was asked to do, as one frozen value that every step reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.errors import ConfigError

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The parameters of a scan. Everything here enters the results; nothing of the machine does.

    ``block_hours``, ``gap_minutes``: discovery reads the even blocks of time, tests the odd ones
    without their first minutes; three blocks a day make every hour fall into both in turn.
    ``hub_cap``: an object with more carriers makes no links and becomes a cohort.
    ``posterior``: smallest membership probability of an accused account.
    ``without``: names of signals that are switched off, sorted: *not evaluable* in this scan.
    ``sampling_rate``: the share of requests that the log holds, taken at random; amounts are scaled
    by it, and what the log lacks proves nothing.
    ``looks``: how many looks share alpha evenly; None: all looks for ever, each less than the last.
    """

    alpha: float = 0.01
    look: int = 1
    since: datetime | None = None
    until: datetime | None = None
    seed: int = 20261125
    block_hours: int = 8
    gap_minutes: int = 15
    min_subjects: int = 4
    min_organizations: int = 3
    hub_cap: int = 50
    posterior: float = 0.999
    without: tuple[str, ...] = ()
    sampling_rate: float = 1.0
    looks: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ConfigError(
                "alpha must lie between 0 and 1", where="--alpha", hint="0.01 is usual"
            )
        if not 0 < self.sampling_rate <= 1:
            raise ConfigError(
                "a share above 0, at most 1", where="--sampling-rate",
                hint="0.1 where one request in ten is logged",
            )  # fmt: skip
        if self.looks is not None and self.looks < 1:
            raise ConfigError(
                "expected 1 or more", where="--looks", hint="4 where four share alpha"
            )
        if self.since and self.until and self.since >= self.until:
            raise ConfigError(
                f"the window is empty: {self.since:%Y-%m-%dT%H:%MZ} is not before "
                f"{self.until:%Y-%m-%dT%H:%MZ}",
                where="--since, --until", hint="give a --since that is earlier than --until",
            )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON types."""
        plain = {k: v for k, v in self.__dict__.items() if not isinstance(v, datetime)}
        for name in ("since", "until"):
            moment = getattr(self, name)
            plain[name] = None if moment is None else moment.isoformat().replace("+00:00", "Z")
        plain["without"] = list(self.without)
        if self.sampling_rate == 1:
            del plain["sampling_rate"]
        if self.looks is None:
            del plain["looks"]
        return plain
