"""What `watch` joins: rounds and the time between them, signals, lines of status, the guard."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

from stillwatch.cli.depots import publish_files
from stillwatch.cli.guarding import compile_run
from stillwatch.cli.terminal import complain, printable
from stillwatch.errors import ConfigError, InputError, StillwatchError
from stillwatch.schema import EXIT_ACCUSED, EXIT_CLEAR
from stillwatch.service import Cycle, Plan, Watch

__all__ = ["Telling", "days", "keep_watching", "one_round", "publisher"]

_SNAPSHOT: Final = "guard.json"
_HOURS: Final = 168.0
_STORES: Final = (
    "check the bucket, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and the region and endpoint "
    "behind the question mark; no look is made meanwhile, and the next round tries again"
)


@dataclass(frozen=True)
class Telling:
    """How rounds are told: problems only, as JSON, or as a line."""

    quiet: bool
    as_json: bool


def days(number: int) -> timedelta:
    return timedelta(days=number)


def publisher(
    depot: str | None, key: Path | None, by: str | None, permits: Path | None,
    effects: Path | None, out: Path,
) -> Callable[[Path], None] | None:  # fmt: skip
    """Return what compiles a run's snapshot and publishes it; None where no depot is given.

    Raises ConfigError: a depot without a key or a name.
    """
    if depot is None:
        if key or by:
            raise ConfigError("published where?", where="--guard-depot")
        return None
    if key is None or not by:
        raise ConfigError(
            "a snapshot is signed, and somebody answers for it", where="--guard-depot",
            hint="give --guard-key and --guard-by",
        )  # fmt: skip

    def publish(run_dir: Path) -> None:
        snapshot = out / _SNAPSHOT
        compile_run(
            run_dir, key=key, out=snapshot, ladder=None, permits=permits, effects=effects,
            orders=[], by=None, action_hours=_HOURS, valid_hours=_HOURS, version=None,
        )  # fmt: skip
        for _ in publish_files(depot, key, by, snapshot, None, None):
            pass

    return publish


def one_round(plan: Plan, how: Telling, *, ended: bool) -> int:
    """Make one round and return the exit code: 3 where its look accused a campaign, else 0.

    Raises what kept a look that was due from being made; InputError: a file could not be read.
    """
    cycle: Cycle | None = None
    with _stopping(), Watch(plan) as watch:
        cycle = watch.round(now=datetime.now(UTC), ended=ended)
    if cycle is None:  # stopped
        return EXIT_CLEAR
    _tell(cycle, how, always=True, again=False)
    if cycle.problem is not None:
        raise cycle.problem
    if unlisted := cycle.filled.unlisted:
        name, why = min(unlisted.items())
        raise InputError(why, where=name, hint=_STORES)
    if unread := cycle.filled.unreadable:
        name, why = min(unread.items())
        more = f", and {len(unread) - 1:,} further files" if len(unread) > 1 else ""
        raise InputError(
            f"cannot be read: {why}{more}", where=name, hint="the next round tries again"
        )
    return EXIT_ACCUSED if cycle.look is not None and cycle.look.accused else EXIT_CLEAR


def keep_watching(plan: Plan, how: Telling, *, poll_s: float, ended: bool) -> None:
    """Make rounds until SIGTERM or SIGINT comes. Raises what keeps everything from going on."""
    if ended:
        raise ConfigError("a watch that goes on waits for more", where="--ended", hint="--once")
    stopped: list[int] = []
    with _stopping(stopped), Watch(plan) as watch:
        first, told = True, ""
        while not stopped:
            now = datetime.now(UTC)
            cycle = watch.round(now=now)
            problem = str(cycle.problem or "") + json.dumps(
                [cycle.status["unreadable_files"], cycle.status["unlisted"]]
            )
            _tell(cycle, how, always=first, again=problem != told)
            first, told = False, problem
            due = watch.next_due()
            until = (due - now).total_seconds() if due is not None else poll_s
            time.sleep(min(poll_s, max(until, 0.1)))


class _Stopped(BaseException):
    """Raised where the process is when it is asked to stop: all it does survives being killed."""


@contextmanager
def _stopping(stopped: list[int] | None = None) -> Iterator[None]:
    """End what is inside at SIGTERM or SIGINT, without a word and without losing anything.

    An engine may turn the exception into one of its own, so that the signal came is noted.
    """
    noted = [] if stopped is None else stopped

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        noted.append(number)
        if len(noted) == 1:
            raise _Stopped

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stopped:
        pass
    except Exception:
        if not noted:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(cycle: Cycle, how: Telling, *, always: bool, again: bool = True) -> None:
    did = cycle.filled.files or cycle.look or cycle.flushed.sent or cycle.flushed.failed
    if how.as_json and (did or always or cycle.problem):
        print(json.dumps(cycle.status), flush=True)
    elif not how.quiet and not how.as_json and (did or always):
        print(printable(_line(cycle)), flush=True)
    if again:
        for name, why in cycle.status["unreadable_files"].items():
            complain(InputError(f"cannot be read: {why}", where=name, hint="it is tried again"))
        for name, why in cycle.status["unlisted"].items():
            complain(InputError(why, where=name, hint=_STORES))
        if cycle.problem is not None:
            complain(cycle.problem)
    for name, why in cycle.flushed.problems.items():
        complain(StillwatchError(f"alerts wait: {why}", where=name))


def _line(cycle: Cycle) -> str:
    """Return one round in a line."""
    status: dict[str, Any] = cycle.status
    parts = [f"{status['at']}  {status['days']:,} days, {status['rows']:,} exchanges"]
    if cycle.filled.files:
        parts.append(f"read {cycle.filled.files:,} files with {cycle.filled.rows:,}")
    parts.append(f"complete to {status['complete_until'] or 'nowhere yet'}")
    if cycle.look is not None:
        look = cycle.look
        nothing = "it could accuse nobody" if look.blunt else "nothing accused"
        found = f"{look.accused:,} campaigns accused" if look.accused else nothing
        parts.append(f"look {look.number} to {look.until:%Y-%m-%dT%H:%MZ}: {found}")
    waiting = status["alerts"]["waiting"]
    if cycle.flushed.sent or waiting:
        parts.append(f"{cycle.flushed.sent:,} alerts sent, {waiting:,} wait")
    return "; ".join(parts)
