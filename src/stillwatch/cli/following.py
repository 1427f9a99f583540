"""What `guard follow` joins: the newest run of a folder, and the snapshot compiled from it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stillwatch.cli.again import again_and_again
from stillwatch.cli.guarding import compile_run, told_of
from stillwatch.errors import InputError, why
from stillwatch.guard import read_snapshot
from stillwatch.schema import SUMMARY
from stillwatch.seal import public_key, read_private_key

__all__ = ["Following", "follow_runs"]


@dataclass(frozen=True)
class Following:
    """What is compiled, and how: as the options of `guard compile`."""

    runs: Path
    key: Path
    out: Path
    ladder: Path | None = None
    permits: Path | None = None
    effects: Path | None = None
    ownership: Path | None = None
    valid_hours: float = 168.0


def follow_runs(what: Following, every_s: float) -> Iterator[str]:
    """Compile the newest run once, or for ever whenever there is another; yield what was done.

    1. A run counts once its scan has ended: summary.json is there and no scan holds the folder.
    2. It is compiled where neither the snapshot in use nor the one before it came from it, so that
       a roll-back stays; and again where a file beside it (ladder, permits …) has changed since.
    3. What fails leaves the snapshot in use; where it is to go on, it is said once and tried again.

    Raises, where it is to be done once, as `compile_run`.
    """
    done, first = _state(what, None), True

    def attempt() -> Iterator[str]:
        nonlocal done, first
        run = newest_run(what.runs)
        now = _state(what, run)
        if now != done and (not first or _is_new(what, run)):
            made = compile_run(
                run, key=what.key, out=what.out, ladder=what.ladder, permits=what.permits,
                effects=what.effects, orders=[], by=None, action_hours=0.0,
                valid_hours=what.valid_hours, version=None, ownership=what.ownership,
            )  # fmt: skip
            text = " ".join(told_of(made, what.effects))
            yield f"Snapshot {made.snapshot.version} in {what.out}, from {run.name}: {text}"
        done, first = now, False

    yield from again_and_again(attempt, every_s)


def newest_run(folder: Path) -> Path:
    """Return a run directory itself, or of a folder of them the one that was ended last.

    Raises InputError: there is none that a scan has ended.
    """
    try:
        inside = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    except OSError as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(folder)) from error
    ended = [(p / SUMMARY).stat().st_mtime_ns if _ended(p) else -1 for p in inside]
    if max(ended) < 0:
        raise InputError(
            "holds no run that a scan has ended", where=str(folder),
            hint="give a run directory or the folder of several",
        )  # fmt: skip
    return inside[ended.index(max(ended))]


def _ended(run: Path) -> bool:
    if not (run / SUMMARY).is_file():
        return False
    handle = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: summary.json is written last
        return True
    finally:
        os.close(handle)
    return True


def _is_new(what: Following, run: Path) -> bool:
    """Return whether a run, or a file beside it, is newer than what this folder has in use."""
    sources = set()
    for path in (what.out, what.out.with_name(f"{what.out.name}.previous")):
        if path.exists():
            keys = [public_key(read_private_key(what.key))]
            sources.add(read_snapshot(path, keys).source)
    if hashlib.sha256((run / SUMMARY).read_bytes()).hexdigest() not in sources:
        return True
    since = what.out.stat().st_mtime_ns if what.out.exists() else 0
    return any(p.stat().st_mtime_ns > since for p in _beside(what) if p.exists())


def _beside(what: Following) -> list[Path]:
    files = (what.ladder, what.permits, what.effects, what.ownership)
    return [p for p in files if p is not None]


def _state(what: Following, run: Path | None) -> tuple[object, ...]:
    """Return what changes where there is something to compile."""
    files = [*_beside(what), *([run / SUMMARY] if run is not None else [])]
    stamps: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            status = path.stat()
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            stamps.append(None)
    return (run, *stamps)
