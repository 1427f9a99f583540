"""`simulate` plays a world and writes its log, side tables and truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stillwatch.errors import ConfigError
from stillwatch.schema import from_micros, to_micros
from stillwatch.simulate import groups, jobs, mimics, people, pools, products
from stillwatch.simulate.clock import DAY
from stillwatch.simulate.lexicon import LANGUAGE_MIX
from stillwatch.simulate.litellm import LitellmWriter
from stillwatch.simulate.sidetables import write_accounts, write_ownership, write_permits
from stillwatch.simulate.sink import Sink, write_day
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.truth import write_truth
from stillwatch.simulate.world import WORLDS, Size, World

__all__ = ["FORMATS", "SimulatedWorld", "simulate"]

# The end of the window where ``now`` is not given: no wall clock in results.
DEFAULT_NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
FORMATS: Final = {
    "parquet": "",
    "litellm": "litellm.jsonl",
    "litellm.gz": "litellm.jsonl.gz",
    "litellm.zst": "litellm.jsonl.zst",
}
# In the order of play; campaigns last, since they may use what honest people own.
FAMILIES: Final[dict[str, Callable[[Stage, Size], None]]] = {
    "chat": people.chat_people,
    "scripts": people.scripts,
    "proxy_customers": people.proxy_customers,
    "applications": products.applications,
    "victims": products.victims,
    "agents": products.agents,
    "template": products.template,
    "plugin": products.plugin,
    "workflow": products.workflow,
    "evals": groups.evals,
    "classroom": groups.classroom,
    "hackathon": groups.hackathon,
    "gateway": groups.gateway,
    "teams": groups.teams,
    "failover": groups.failover,
    "research": groups.research,
    "judges": jobs.judges,
    "labelling": jobs.labelling,
    "rag": jobs.rag,
    "vendor": jobs.vendor,
    "proxy_pool": pools.proxy_pool,
    "load_balanced": pools.load_balanced,
    "replaced": pools.replaced,
    "relay": mimics.relay,
    "framing": mimics.framing,
    "stealth": mimics.stealth,
}


@dataclass(frozen=True)
class SimulatedWorld:
    """Where a world was written, and how much of it there is.

    ``languages``: side ("honest" | "campaign") → language → exchanges. ``families``: family →
    accounts. ``files``: format → paths.
    """

    world: str
    seed: int
    out: Path
    start: datetime
    end: datetime
    exchanges: int
    accounts: int
    families: dict[str, int] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    languages: dict[str, dict[str, int]] = field(default_factory=dict)
    files: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    accounts_csv: Path = Path()
    permits_csv: Path = Path()
    ownership_csv: Path = Path()
    truth_parquet: Path = Path()


def simulate(
    world: World | str,
    *,
    seed: int,
    out: Path | str,
    formats: Iterable[str] = ("parquet",),
    now: datetime | None = None,
) -> SimulatedWorld:
    """Write ``world`` (or a preset's name) under ``out`` and return the paths and counts.

    The window is the ``world.days`` before ``now`` (UTC; 2026-11-23 by default). The same
    arguments give the same bytes; a world without its campaigns has the same honest rows.

    Raises ConfigError for an unknown world or format, or ``now`` without a zone.
    """
    if isinstance(world, str):
        if world not in WORLDS:
            raise ConfigError(f"no world named {world}", hint="choose from " + ", ".join(WORLDS))
        world = WORLDS[world]
    wanted = tuple(formats)
    for name in wanted:
        if name not in FORMATS:
            raise ConfigError(f"cannot write {name}", hint="choose from " + ", ".join(FORMATS))
    if world.framing.total and not world.victims.total:
        raise ConfigError("framing needs victims", where=world.name, hint="give victims a size")
    if sorted(world.languages) != sorted(LANGUAGE_MIX):
        raise ConfigError("languages must be those of the mix", where=world.name)
    end = to_micros(now or DEFAULT_NOW)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(seed, end - world.days * DAY, end, Sink(folder), world.languages)
    for name, size in world.sizes().items():
        if size.total:
            FAMILIES[name](stage, size)
            stage.forget_words()
    files = _write(stage, folder, wanted)
    return _result(stage, world, folder, files)


def _write(stage: Stage, folder: Path, wanted: tuple[str, ...]) -> dict[str, tuple[Path, ...]]:
    days: list[Path] = []
    logs = {n: folder / FORMATS[n] for n in wanted if FORMATS[n]}
    parquet = folder / "exchanges"
    shutil.rmtree(parquet, ignore_errors=True)
    with ExitStack() as stack:
        writers = [stack.enter_context(LitellmWriter(p)) for p in logs.values()]
        for date, table in stage.sink.finish():
            if "parquet" in wanted:
                parquet.mkdir(exist_ok=True)
                days.append(parquet / f"{date}.parquet")
                write_day(table, days[-1])
            for writer in writers:
                writer.write(table)
    write_accounts(stage.accounts, folder / "accounts.csv", stage.end)
    write_permits(stage.permits, folder / "permits.csv")
    write_ownership(stage.owners, folder / "ownership.csv", from_micros(stage.start))
    write_truth(stage.truth.values(), folder / "truth.parquet")
    files: dict[str, tuple[Path, ...]] = {n: (p,) for n, p in logs.items()}
    return files | ({"parquet": tuple(days)} if days else {})


def _result(
    stage: Stage, world: World, folder: Path, files: dict[str, tuple[Path, ...]]
) -> SimulatedWorld:
    families: dict[str, int] = {}
    roles: dict[str, int] = {}
    for row in stage.truth.values():
        families[row.family] = families.get(row.family, 0) + 1
        roles[row.role] = roles.get(row.role, 0) + 1
    return SimulatedWorld(
        world=world.name,
        seed=stage.seed,
        out=folder,
        start=from_micros(stage.start),
        end=from_micros(stage.end),
        exchanges=stage.sink.rows,
        accounts=len(stage.truth),
        families=families,
        roles=roles,
        languages=stage.languages,
        files=files,
        accounts_csv=folder / "accounts.csv",
        permits_csv=folder / "permits.csv",
        ownership_csv=folder / "ownership.csv",
        truth_parquet=folder / "truth.parquet",
    )
