"""What a scan of so many exchanges takes, as far as measured runs tell.

``plan.json`` beside this file holds the fit, its errors and where it comes from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Final

from stillwatch.errors import ConfigError

__all__ = ["Plan", "Range", "counted", "of_fit", "plan"]

_FARTHEST: Final = 50  # times the largest run that was measured


@dataclass(frozen=True)
class Range:
    """An expected value and what it lies between, if the errors of the fit are the largest seen."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> Range:
        """Return it in another unit."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)


@dataclass(frozen=True)
class Plan:
    """What one scan takes. ``hours``: from all cores busy to one; ``cost``: in the price's money.

    ``beyond``: how many times the largest measured run this is, 1 where within it.
    ``unlike``: exchanges per account are under half or over twice of what was measured.
    """

    exchanges: int
    accounts: int
    cores: int
    cpu_hours: Range
    hours: Range
    memory_gb: Range
    disk_gb: Range
    left_gb: Range
    cost: Range | None
    beyond: float
    unlike: bool
    source: str

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self)


def plan(
    rows_per_day: float, accounts: float, *, days: int = 1, engine: str = "local",
    price_per_hour: float | None = None,
) -> Plan:  # fmt: skip
    """Return what scanning ``days`` days takes on a machine like the measured one.

    ``price_per_hour``: of that machine, in any money.

    Raises ConfigError: an engine that was not measured, no exchanges or accounts, or more than 50
    times the exchanges of the largest measured run.
    """
    held: dict[str, Any] = json.loads(files(__package__).joinpath("plan.json").read_text("utf-8"))
    if engine != held["engine"]:
        raise ConfigError(
            "no runs on this engine were measured, so nothing is said of it", where="--engine",
            hint=f"leave it out: runs on {held['engine']} were measured",
        )  # fmt: skip
    rows = counted(rows_per_day, accounts, days)
    most = held["most_exchanges"]
    if rows > _FARTHEST * most:
        raise ConfigError(
            f"{rows:,} exchanges are more than {_FARTHEST} times the {most:,} of the largest "
            "measured run, which says nothing of them", where="--rows-per-day",
            hint="plan fewer days at once, a sample (--sampling-rate of scan), or --engine spark",
        )  # fmt: skip
    took = {name: of_fit(one, rows, accounts) for name, one in held["model"].items()}
    cores = held["threads"]
    cpu = took["cpu_s"].times(1 / 3600)
    hours = Range(cpu.low / cores, cpu.expected * (1 + 1 / cores) / 2, cpu.high)
    each = rows / accounts
    least, greatest = held["exchanges_per_account"]
    return Plan(
        exchanges=rows, accounts=round(accounts), cores=cores, cpu_hours=cpu, hours=hours,
        memory_gb=took["peak_mb"].times(1e-3), disk_gb=took["disk_mb"].times(1e-3),
        left_gb=took["left_mb"].times(1e-3),
        cost=None if price_per_hour is None else hours.times(price_per_hour),
        beyond=max(rows / most, 1.0), unlike=not least / 2 <= each <= greatest * 2,
        source=held["source"],
    )  # fmt: skip


def counted(rows_per_day: float, accounts: float, days: int) -> int:
    """Return the exchanges of so many days.

    Raises ConfigError: no finite number of at least one of each.
    """
    rows = rows_per_day * days
    if not (1 <= rows < math.inf and 1 <= accounts < math.inf and days >= 1):
        raise ConfigError(
            "a plan needs exchanges and accounts", where="--rows-per-day, --accounts",
            hint="give numbers of at least 1, such as 2e6",
        )  # fmt: skip
    return round(rows)


def of_fit(one: Mapping[str, float], rows: float, accounts: float, power: float = 1) -> Range:
    """Return what a fit says, from and to its largest error, taken to a power."""
    expected = (
        one["constant"]
        + one["per_million_exchanges"] * rows / 1e6
        + one["per_million_accounts"] * accounts / 1e6
    )
    off = one["worst"] ** power
    return Range(expected / off, expected, expected * off)
