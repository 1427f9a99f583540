"""The run directory as a place to write: claimed by one scan, written aside, settled on disk."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from stillwatch.campaigns import ACTS_STEP
from stillwatch.errors import ConfigError
from stillwatch.pipeline import DISCOVERY
from stillwatch.runners import PARTS, SPILL
from stillwatch.schema import (
    ACCOUNTS,
    CAMPAIGNS,
    LINKS,
    REJECTED,
    REPORT,
    RESUME,
    SHARED,
    SIGNALS,
    STAGES,
    STIX,
    SUBJECTS,
    SUMMARY,
    TIMING,
    held_folder,
    to_disk,
)

__all__ = ["STAGES_KEPT", "STEPS", "check_ours", "claimed", "clear", "settle"]

STEPS: Final = (*DISCOVERY, ACTS_STEP)
STAGES_KEPT: Final = ("exchanges", "subjects", "cohorts", "cohort_members", "cohort_scores",
                      "findings", "frames", "spikes", "raster", "clock", "volume",
                      "coverage", "context")  # fmt: skip
_RUN_FILES: Final = frozenset({SUMMARY, CAMPAIGNS, ACCOUNTS, SUBJECTS, SIGNALS, LINKS, TIMING,
                               REJECTED, REPORT, SHARED, STIX})  # fmt: skip
_TABLES: Final = {
    *STAGES_KEPT,
    "features",
    "accounts",
    "organizations",
    *(step.output for step in STEPS),
}
# A table written aside is named `table.part`, without the .parquet.
_STAGE_FILES: Final = frozenset(
    {SPILL, RESUME, "frames", "frames.jsonl", f"features{PARTS}", *_TABLES,
     *(f"{t}.parquet" for t in _TABLES)}
)  # fmt: skip


def claimed(run_dir: Path) -> AbstractContextManager[None]:
    """Hold the folder, made now where it is missing, against a second scan. Raises ConfigError."""
    return held_folder(run_dir, where="--out", busy="another scan writes to this folder")


def check_ours(run_dir: Path) -> None:
    """Raise ConfigError when the folder holds anything that no scan writes; nothing is touched."""
    stages = run_dir / STAGES
    strange = [
        p.name for p in run_dir.iterdir()
        if p.name != STAGES and _finished_name(p.name) not in _RUN_FILES
    ]  # fmt: skip
    if stages.is_dir():
        strange += [
            f"{STAGES}/{p.name}" for p in stages.iterdir()
            if _finished_name(p.name) not in _STAGE_FILES
        ]  # fmt: skip
    elif stages.exists():
        strange.append(STAGES)
    if strange:
        more = f" and {len(strange) - 1:,} more" if len(strange) > 1 else ""
        raise ConfigError(
            f"the folder {run_dir} holds other things: {min(strange)}{more}",
            where="--out", hint="give an empty folder or an earlier run's",
        )  # fmt: skip


def clear(run_dir: Path, *, keep: frozenset[str] = frozenset()) -> None:
    """Remove a run's files but the stages named in ``keep``.

    What says that others are whole goes first: a kill in between leaves nothing that is believed.
    """
    stages = run_dir / STAGES
    inside = list(stages.iterdir()) if stages.is_dir() else []
    kept = {f"{name}{end}" for name in keep for end in (".parquet", PARTS)}
    kept |= {RESUME} if keep else set()
    doomed = [p for p in (*run_dir.iterdir(), *inside) if p != stages and p.name not in kept]
    for path in sorted(doomed, key=lambda p: (p.name not in (TIMING, RESUME), p.name)):
        if path.name == SPILL or path.name.endswith(PARTS):
            shutil.rmtree(path)
        else:
            path.unlink()


def _finished_name(name: str) -> str:
    """Return the name that a file written aside would have got."""
    return name.removeprefix(".").removesuffix(".partial").removesuffix(".part")


def settle(run_dir: Path) -> None:
    """Bring all files of the run to the disk, so that what is written next can vouch for them."""
    for path in (*run_dir.rglob("*"), run_dir):
        to_disk(path)
