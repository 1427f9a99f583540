"""What a scan of so many exchanges takes, as far as measured runs tell.

``plan.json`` beside this file holds the fit, its errors and where it comes from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Final

from stillwatch.errors import ConfigError

__all__ = ["Plan", "Range", "plan"]

_FARTHEST: Final = 50  # times the largest run that was measured


@dataclass(frozen=True)
class Range:
    """An expected value and what it lies between, if the errors of the fit are the largest seen."""

    low: float
    expected: float
    high: float


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
    rows = round(rows_per_day * days)
    if not (rows >= 1 and accounts >= 1 and days >= 1):
        raise ConfigError(
            "a plan needs exchanges and accounts", where="--rows-per-day, --accounts",
            hint="give numbers of at least 1, such as 2e6",
        )  # fmt: skip
    most = held["most_exchanges"]
    if rows > _FARTHEST * most:
        raise ConfigError(
            f"{rows:,} exchanges are more than {_FARTHEST} times the {most:,} of the largest "
            "measured run, which says nothing of them", where="--rows-per-day",
            hint="plan fewer days at once, or a sample (--sampling-rate of scan)",
        )  # fmt: skip
    took = {name: _range(one, rows, accounts) for name, one in held["model"].items()}
    cores = held["threads"]
    cpu = _scaled(took["cpu_s"], 1 / 3600)
    hours = Range(cpu.low / cores, cpu.expected * (1 + 1 / cores) / 2, cpu.high)
    each = rows / accounts
    least, greatest = held["exchanges_per_account"]
    return Plan(
        exchanges=rows, accounts=round(accounts), cores=cores, cpu_hours=cpu, hours=hours,
        memory_gb=_scaled(took["peak_mb"], 1e-3), disk_gb=_scaled(took["disk_mb"], 1e-3),
        left_gb=_scaled(took["left_mb"], 1e-3),
        cost=None if price_per_hour is None else _scaled(hours, price_per_hour),
        beyond=max(rows / most, 1.0), unlike=not least / 2 <= each <= greatest * 2,
        source=held["source"],
    )  # fmt: skip


def _range(one: dict[str, float], rows: float, accounts: float) -> Range:
    expected = (
        one["constant"]
        + one["per_million_exchanges"] * rows / 1e6
        + one["per_million_accounts"] * accounts / 1e6
    )
    return Range(expected / one["worst"], expected, expected * one["worst"])


def _scaled(given: Range, factor: float) -> Range:
    return Range(given.low * factor, given.expected * factor, given.high * factor)
