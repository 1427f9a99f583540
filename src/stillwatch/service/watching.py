"""`watch`: logs arrive, days fill, a look is made when it is due, people hear what it found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from stillwatch.cases import open_book, open_cases, read_lines
from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.pipeline import FEATURES
from stillwatch.scanner import (
    Filled,
    Progress,
    StoredDays,
    fill_days,
    reading_key,
    scan,
    waiting_files,
)
from stillwatch.schema import TIMING, from_micros, held_folder, to_micros, write_whole
from stillwatch.service.alerts import case_alerts, failed_alert, look_alerts
from stillwatch.service.due import Cadence, Standing
from stillwatch.service.journal import DONE, SCANNED, Journal, Look
from stillwatch.service.outbox import Channel, Flushed, Outbox
from stillwatch.store import open_run
from stillwatch.store.days import DayStore, open_days

__all__ = ["Cycle", "Plan", "Watch"]

_STATUS: Final = "watch.json"
_NAMED: Final = 5  # unreadable files that the status names
_STANDINGS: Final = ("accused",)


@dataclass(frozen=True)
class Plan:
    """What is watched and how. ``scan``: options of `scan` that hold for every look."""

    sources: tuple[str, ...]
    folder: Path
    cadence: Cadence
    db: str
    format: str = "auto"
    max_rejects: float = 0.01
    keep_runs: int = 10
    keep: timedelta = timedelta(days=90)
    console: str = ""
    channels: Sequence[Channel] = ()
    scan: dict[str, Any] = field(default_factory=dict)
    after_look: Callable[[Path], None] | None = None

    def __post_init__(self) -> None:
        least = self.cadence.window + self.cadence.late + timedelta(days=1)
        if self.keep < least:
            raise ConfigError(
                f"days would go before a look needs them: give {least.days + 1} days at least",
                where="--keep-days", hint="or a shorter --window",
            )  # fmt: skip
        if self.keep_runs < 1:
            raise ConfigError("expected 1 or more", where="--keep-runs")


@dataclass(frozen=True)
class Cycle:
    """What one round did. ``look``: the one it finished; ``problem``: why one could not be made."""

    filled: Filled
    look: Look | None
    problem: StillwatchError | None
    flushed: Flushed
    status: dict[str, Any]


class Watch:
    """One watch over one folder; use as a context, which holds the folder.

    The folder holds ``days/`` (the day store), ``runs/look-NNNNNN/``, ``looks.json`` (the journal),
    ``alerts/`` (the outbox) and ``watch.json`` (the last round, for monitoring). Killed at any
    moment it goes on where it was: a look that was begun is finished under the same number, with
    what arrived meanwhile, since nobody has seen anything of it.

    Raises ConfigError: another watch holds the folder. InputError: the journal is damaged.
    """

    def __init__(self, plan: Plan, *, tell: Callable[[Progress], None] = lambda _: None) -> None:
        self._plan = plan
        self._tell = tell
        self._held = ExitStack()
        self._tried: tuple[int, int | None] | None = None
        self._last_problem: StillwatchError | None = None

    def __enter__(self) -> Watch:
        folder = self._plan.folder
        with ExitStack() as stack:
            stack.enter_context(
                held_folder(folder, where="--out", busy="another watch uses this folder")
            )
            self._journal = Journal(folder)
            self._outbox = Outbox(folder / "alerts", self._plan.channels)
            self._book = open_book(self._plan.db)
            stack.callback(self._book.close)
            self._store: DayStore = stack.enter_context(
                open_days(folder / "days", key=reading_key(self._plan.format), schema=FEATURES)
            )
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def round(self, *, now: datetime, ended: bool = False) -> Cycle:
        """Read what arrived, make the look that is due, send what is due.

        ``now``: UTC. ``ended``: the logs end here, so that nothing more is waited for.
        A look that cannot be made is told and tried again when more has arrived.

        Raises ConfigError, InputError, RunnerError: what keeps everything from going on.
        """
        filled = self._fill(now)
        # where a store cannot be listed, that nothing came says nothing: no look is due by it
        look, problem = (None, None) if filled.unlisted else self._look(now, ended=ended)
        self._expire()
        flushed = self._outbox.flush(now=now)
        status = self._status(filled, problem, flushed, now)
        write_whole(self._plan.folder / _STATUS, orjson.dumps(status, option=orjson.OPT_INDENT_2))
        return Cycle(filled, look, problem, flushed, status)

    def next_due(self) -> datetime | None:
        """Return when an alert is to be sent, None where none waits."""
        return self._outbox.next_due()

    def _fill(self, now: datetime) -> Filled:
        waiting = waiting_files(self._plan.sources, self._store)
        if not waiting.files:
            return Filled(unlisted=waiting.unlisted)
        read = 0

        def tell(rows: int) -> None:
            nonlocal read
            read += rows
            self._tell(Progress("reading", read, None, "exchanges"))

        filled = fill_days(self._store, waiting.files, format=self._plan.format, now=now, tell=tell)
        filled.unlisted = waiting.unlisted
        if not waiting.unlisted:
            self._store.forget_gone(waiting.present)
        return filled

    def _standing(self) -> Standing:
        newest_us, read_us = self._store.newest()
        looked_us = self._journal.looked_until_us
        moments = [
            None if us is None else from_micros(us) for us in (newest_us, read_us, looked_us)
        ]
        return Standing(*moments)

    def _look(self, now: datetime, *, ended: bool) -> tuple[Look | None, StillwatchError | None]:
        look = self._journal.open
        if look is not None and look.state == SCANNED:
            return self._told(look, now)
        until = self._plan.cadence.due(self._standing(), now=now, ended=ended)
        if until is None:
            return None, None
        since = self._plan.cadence.since(until)
        tried = to_micros(until), self._store.newest()[1]
        if self._tried == tried:
            return None, self._last_problem
        window = self._store.window(since, until)
        if not any(file.rows for file in window.files):
            return None, None
        self._tried = tried
        look = self._journal.begin(
            to_micros(since), to_micros(until), looks=self._plan.cadence.looks
        )
        try:
            days = StoredDays(
                self._store, window, format=self._plan.format, max_rejects=self._plan.max_rejects
            )
            self._scan(look, days, now)
        except StillwatchError as error:
            self._last_problem = error
            self._outbox.put([failed_alert(look, str(error), now)], now=now)
            return None, error
        self._last_problem = None
        summary = open_run(self._run_dir(look)).summary
        accused = sum(c["standing"] == "accused" for c in summary["campaigns"])
        look = self._journal.step(
            look, SCANNED, scanned_us=to_micros(now), accused=accused,
            alpha_spent=summary["alpha_spent"], blunt=bool(summary["cannot_accuse"]),
        )  # fmt: skip
        return self._told(look, now)

    def _told(self, look: Look, now: datetime) -> tuple[Look | None, StillwatchError | None]:
        """Finish a look; where that fails (a depot that is away) the next round does it again."""
        try:
            return self._finish(look, now), None
        except StillwatchError as error:
            return None, error

    def _scan(self, look: Look, days: StoredDays, now: datetime) -> None:
        run_dir = self._run_dir(look)
        options = {
            "since": look.since, "until": look.until, "look": look.number,
            "looks": look.looks, "out": run_dir,
            "format": self._plan.format, "max_rejects": self._plan.max_rejects,
            "progress": self._tell, "now": now, **self._plan.scan,
        }  # fmt: skip
        try:
            scan(days, resume=True, **options)
        except ConfigError as error:
            if error.where != "--resume":
                raise
            scan(days, resume=False, **options)  # more has arrived since it was stopped

    def _finish(self, look: Look, now: datetime) -> Look:
        """Bring a finished run to the cases, and what changed to the outbox; then it is done.

        Each step done again changes nothing, so that a kill between them loses nothing.
        """
        run_dir = self._run_dir(look)
        run = open_run(run_dir)
        open_cases(self._book, run, now=now, standings=_STANDINGS)
        lines = read_lines(self._book, now=now)
        alerts = case_alerts(lines, run, look, console=self._plan.console)
        self._outbox.put([*alerts, *look_alerts(run, look)], now=now)
        if self._plan.after_look is not None:
            self._plan.after_look(run_dir)
        look = self._journal.step(look, DONE)
        self._drop_runs()
        return look

    def _run_dir(self, look: Look) -> Path:
        return self._plan.folder / "runs" / look.name

    def _drop_runs(self) -> None:
        for old in self._journal.looks[: -self._plan.keep_runs]:
            run_dir = self._run_dir(old)
            if run_dir.is_dir():
                (run_dir / TIMING).unlink(missing_ok=True)  # from here on it is no finished run
                shutil.rmtree(run_dir)

    def _expire(self) -> None:
        newest_us, _ = self._store.newest()
        if newest_us is not None:
            self._store.expire(from_micros(newest_us) - self._plan.keep)

    def _status(
        self, filled: Filled, problem: StillwatchError | None, flushed: Flushed, now: datetime
    ) -> dict[str, Any]:
        held = self._standing()
        days, rows, size = self._store.size()
        done = [look for look in self._journal.looks if look.state == DONE]
        last = done[-1] if done else None
        return {
            "at": _stamp(now),
            "files_read": filled.files, "rows_read": filled.rows, "rows_refused": filled.refused,
            "unreadable": len(filled.unreadable),
            "unreadable_files": dict(sorted(filled.unreadable.items())[:_NAMED]),
            "unlisted": dict(sorted(filled.unlisted.items())),
            "days": days, "rows": rows, "bytes": size,
            "newest": _stamp(held.newest),
            "complete_until": _stamp(self._plan.cadence.complete(held, now=now)),
            "looks": len(done),
            "last_look": None if last is None else {
                "number": last.number, "since": _stamp(last.since), "until": _stamp(last.until),
                "looks_that_share": last.looks, "alpha_spent": last.alpha_spent,
                "accused_campaigns": last.accused, "cannot_accuse": last.blunt,
                "run": f"runs/{last.name}",
            },
            "problem": None if problem is None else str(problem),
            "alerts": {
                "sent": flushed.sent, "failed": flushed.failed, "waiting": flushed.waiting,
                "problems": flushed.problems,
            },
        }  # fmt: skip


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
