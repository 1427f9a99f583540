"""What a scan takes on Spark or Sail: the node's part, the workers' part, and how sure that is.

``plan_engines.json`` beside this file holds the fits, their errors and where they come from.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.scanner.planning import Range, counted, of_fit

__all__ = ["EnginePlan", "plan_on_engine"]

_SHARED_OUT: Final = 2.0  # how much longer than "all busy" the workers' part may take


@dataclass(frozen=True)
class EnginePlan:
    """What one scan takes on an engine. ``cost``: in the price's money.

    ``cores``: of the workers; ``node_cores``: of the machine that scans. ``node_cpu_hours``,
    ``workers_cpu_hours``: CPU. ``hours``: from all cores busy to one of the node's and half of the
    workers'. ``worker_gb_per_core``: the most that was measured, daemons and JVM with it.
    ``shuffle_gb``: None where the engine does not tell. ``beyond``: how many times the
    ``largest_exchanges`` or ``largest_accounts`` of any measured run this is, whichever is more; 1
    where within both. ``unlike``: exchanges per account are under half or over twice of what was
    measured.
    """

    engine: str
    exchanges: int
    accounts: int
    cores: int
    node_cores: int
    node_cpu_hours: Range
    workers_cpu_hours: Range
    hours: Range
    node_memory_gb: Range
    worker_gb_per_core: float
    shuffle_gb: Range | None
    disk_gb: Range
    left_gb: Range
    cost: Range | None
    beyond: float
    largest_exchanges: int
    largest_accounts: int
    unlike: bool
    source: str

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self)


def plan_on_engine(
    rows_per_day: float, accounts: float, *, engine: str, days: int = 1,
    cores: int | None = None, price_per_hour: float | None = None,
) -> EnginePlan:  # fmt: skip
    """Return what scanning ``days`` days takes on workers with so many cores, and one node.

    ``engine``: spark or sail. ``cores``: by default as many as make the workers' part no longer
    than the node's, which more of them do not shorten. ``price_per_hour``: of a machine of two
    cores, in any money.

    Runs are small beside what may be asked for. Within them a range is the largest error of a fit
    that did not know the run; each tenfold beyond them multiplies it by that error once more, which
    is a rule and no measurement.

    Raises ConfigError: an engine that was not measured, no exchanges, accounts or cores.
    """
    text = files(__package__).joinpath("plan_engines.json").read_text("utf-8")
    shipped: dict[str, Any] = json.loads(text)
    if engine not in shipped["engines"]:
        raise ConfigError(
            "no runs on this engine were measured, so nothing is said of it", where="--engine",
            hint=f"local and {', '.join(sorted(shipped['engines']))} were measured",
        )  # fmt: skip
    if cores is not None and cores < 1:
        raise ConfigError("workers need a core", where="--cores", hint="give 1 or more")
    rows = counted(rows_per_day, accounts, days)
    held = shipped["engines"][engine]
    beyond = max(rows / held["most_exchanges"], accounts / held["most_accounts"], 1.0)
    took = {
        name: of_fit(one, rows, accounts, power=1 + math.log10(beyond))
        for name, one in held["model"].items()
    }
    node, workers = (took[f"{side}_cpu_s"].times(1 / 3600) for side in ("node", "workers"))
    node_cores: int = shipped["node_cores"]
    usual_node_h = node.expected * (1 + 1 / node_cores) / 2
    if cores is None:
        cores = max(math.ceil(workers.expected / usual_node_h), 1)
    hours = Range(
        node.low / node_cores + workers.low / cores,
        usual_node_h + workers.expected * (1 + _SHARED_OUT) / 2 / cores,
        node.high + workers.high * _SHARED_OUT / cores,
    )
    least, greatest = held["exchanges_per_account"]
    shuffle = took.get("shuffle_mb")
    machines = (cores + node_cores) / 2
    return EnginePlan(
        engine=engine, exchanges=rows, accounts=round(accounts), cores=cores,
        node_cores=node_cores, node_cpu_hours=node, workers_cpu_hours=workers, hours=hours,
        node_memory_gb=took["node_mb"].times(1e-3),
        worker_gb_per_core=held["worker_mb_per_core"] / 1e3,
        shuffle_gb=None if shuffle is None else shuffle.times(1e-3),
        disk_gb=took["disk_mb"].times(1e-3), left_gb=took["left_mb"].times(1e-3),
        cost=None if price_per_hour is None else hours.times(price_per_hour * machines),
        beyond=beyond, largest_exchanges=held["most_exchanges"],
        largest_accounts=held["most_accounts"],
        unlike=not least / 2 <= rows / accounts <= greatest * 2, source=shipped["source"],
    )  # fmt: skip
