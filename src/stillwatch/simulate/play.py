"""`simulate` plays a world and writes its log, side tables and truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.errors import ConfigError
from stillwatch.schema import from_micros, to_micros
from stillwatch.simulate.clock import DAY
from stillwatch.simulate.corpus_text import CorpusGrammar
from stillwatch.simulate.families import HARVESTERS, HONEST
from stillwatch.simulate.lexicon import LANGUAGE_MIX
from stillwatch.simulate.litellm import LitellmWriter
from stillwatch.simulate.plan import WorldPlan, load_plan
from stillwatch.simulate.playing import plan_stage, play_plan
from stillwatch.simulate.sidetables import write_accounts, write_ownership, write_permits
from stillwatch.simulate.sink import DayFiles, Sink
from stillwatch.simulate.stage import Stage
from stillwatch.simulate.truth import PLAN_TRUTH, TRUTH, write_truth
from stillwatch.simulate.world import WORLDS, World

__all__ = ["FORMATS", "SimulatedWorld", "simulate"]

# The end of the window where ``now`` is not given: no wall clock in results.
DEFAULT_NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
FORMATS: Final = {
    "parquet": "",
    "litellm": "litellm.jsonl",
    "litellm.gz": "litellm.jsonl.gz",
    "litellm.zst": "litellm.jsonl.zst",
}


@dataclass(frozen=True)
class SimulatedWorld:
    """Where a world was written, and how much of it there is.

    ``languages``: side ("honest" | "campaign") → language → exchanges. ``families``: family →
    accounts. ``files``: format → paths. ``texts``: "grammar", or the split of the corpora.
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
    texts: str = "grammar"


def simulate(
    world: World | WorldPlan | str | Path,
    *,
    seed: int,
    out: Path | str,
    formats: Iterable[str] = ("parquet",),
    now: datetime | None = None,
    corpora: Path | str | None = None,
) -> SimulatedWorld:
    """Write ``world`` under ``out`` and return the paths and counts.

    ``world``: a plan, its TOML file, the name of a shipped plan, or a world written in Python (or
    its name). The window is the ``world.days`` before ``now`` (UTC; 2026-11-23 by default). The
    same arguments give the same bytes; a world without its campaigns has the same honest rows.
    ``corpora``: data folder with the corpora that a plan takes its texts from; None: the grammar.

    Raises ConfigError for an unknown world or format, a wrong plan, a folder without corpora, one
    that holds exchanges which no simulation wrote, or ``now`` without a zone.
    """
    wanted = tuple(formats)
    for name in wanted:
        if name not in FORMATS:
            raise ConfigError(f"cannot write {name}", hint="choose from " + ", ".join(FORMATS))
    found = _find(world)
    end = to_micros(now or DEFAULT_NOW)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "exchanges").exists() and not (folder / "truth.parquet").is_file():
        raise ConfigError(  # it would be replaced
            "holds a folder exchanges that no simulation wrote",
            where=str(folder),
            hint="give another folder",
        )
    if isinstance(found, World):
        stage = Stage(seed, end - found.days * DAY, end, Sink(folder), found.languages)
        _play_world(stage, found)
        schema = TRUTH
    else:
        stage = plan_stage(found, seed, end, folder, Path(corpora) if corpora else None)
        play_plan(stage, found)
        schema = PLAN_TRUTH
    files = _write(stage, folder, wanted, schema)
    return _result(stage, found.name, folder, files)


def _find(world: World | WorldPlan | str | Path) -> World | WorldPlan:
    if isinstance(world, str) and world in WORLDS:
        world = WORLDS[world]
    if isinstance(world, str | Path):
        return load_plan(world)
    if isinstance(world, World):
        if world.framing.total and not world.victims.total:
            raise ConfigError("framing needs victims", where=world.name, hint="give victims a size")
        if sorted(world.languages) != sorted(LANGUAGE_MIX):
            raise ConfigError("languages must be those of the mix", where=world.name)
    return world


def _play_world(stage: Stage, world: World) -> None:
    families = HONEST | HARVESTERS
    for name, size in world.sizes().items():
        if size.total:
            families[name](stage, size)
            stage.forget_words()


def _write(
    stage: Stage, folder: Path, wanted: tuple[str, ...], schema: pa.Schema
) -> dict[str, tuple[Path, ...]]:
    logs = {n: folder / FORMATS[n] for n in wanted if FORMATS[n]}
    # the truth before the log: a run that was stopped may be made again in the same folder
    write_accounts(stage.accounts, folder / "accounts.csv", stage.end)
    write_permits(stage.permits, folder / "permits.csv")
    write_ownership(stage.owners, folder / "ownership.csv", from_micros(stage.start))
    write_truth(stage.truth.values(), folder / "truth.parquet", schema)
    shutil.rmtree(folder / "exchanges", ignore_errors=True)
    days = DayFiles(folder / "exchanges")
    with ExitStack() as stack:
        writers = [stack.enter_context(LitellmWriter(p)) for p in logs.values()]
        for date, table in stage.sink.finish():
            if "parquet" in wanted:
                days.write(date, table)
            for writer in writers:
                writer.write(table)
    days.close()
    files: dict[str, tuple[Path, ...]] = {n: (p,) for n, p in logs.items()}
    return files | ({"parquet": tuple(days.paths)} if days.paths else {})


def _result(
    stage: Stage, name: str, folder: Path, files: dict[str, tuple[Path, ...]]
) -> SimulatedWorld:
    families: dict[str, int] = {}
    roles: dict[str, int] = {}
    for row in stage.truth.values():
        families[row.family] = families.get(row.family, 0) + 1
        roles[row.role] = roles.get(row.role, 0) + 1
    return SimulatedWorld(
        world=name,
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
        texts=stage.grammar.texts.split if isinstance(stage.grammar, CorpusGrammar) else "grammar",
    )
