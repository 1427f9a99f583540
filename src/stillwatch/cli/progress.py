"""Progress on standard error: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from stillwatch.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from stillwatch.scanner import Progress

__all__ = ["progress"]

_LINE_EVERY_S: Final = 10.0
_RATE_AFTER_S: Final = 2.0

Report = Callable[["Progress"], None]


@contextmanager
def progress(*, quiet: bool, file: TextIO | None = None) -> Iterator[Report | None]:
    """Yield what a job reports its progress to, or None when nothing shall be shown."""
    from rich.console import Console

    console = Console(file=file or sys.stderr)
    if quiet:
        yield None
    elif console.is_terminal and not console.is_dumb_terminal:
        with _bars(console) as bars:
            yield _ByBar(bars)
    else:
        yield _ByLine(file or sys.stderr)


def _bars(console: Console) -> Bars:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def _amount(now: Progress, seconds: float = 0.0) -> str:
    """Return how much is done, and after a few ``seconds`` of it the rate and the time left."""
    total = "" if now.total is None else f" of {now.total:,}"
    text = f"{now.done:,}{total} {now.unit}".rstrip()
    if now.unit == "steps" or seconds < _RATE_AFTER_S or not now.done:
        return printable(text)
    rate = now.done / seconds
    text += f", {rate:,.0f}/s"
    if now.total is not None:
        text += f", {_span((now.total - now.done) / rate)} left"
    return printable(text)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5_400 else f"about {seconds / 3600:.1f} h"


class _ByBar:
    """One bar for stages that are counted together, named after the one at work."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._counted: tuple[str, int | None] | None = None
        self._task: TaskID | None = None
        self._began = 0.0

    def __call__(self, now: Progress) -> None:
        moment = time.monotonic()
        counted = (now.unit, now.total)
        if self._task is None or counted != self._counted:
            self._finish()
            self._counted, self._began = counted, moment
            self._task = self._bars.add_task(printable(now.stage), total=now.total, amount="")
        self._bars.update(
            self._task, description=printable(now.stage), completed=now.done,
            amount=_amount(now, moment - self._began),
        )  # fmt: skip

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1, completed=1)
            self._bars.stop_task(self._task)


class _ByLine:
    """A line when a stage begins and every ten seconds of a long one."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._last = ""
        self._printed_at = self._began = 0.0

    def __call__(self, now: Progress) -> None:
        moment = time.monotonic()
        if now.stage == self._last and moment - self._printed_at < _LINE_EVERY_S:
            return
        begun = now.stage != self._last
        if begun:
            self._began = moment
        self._last, self._printed_at = now.stage, moment
        tail = "" if begun and not now.done else f": {_amount(now, moment - self._began)}"
        print(f"{printable(now.stage)}{tail}", file=self._file, flush=True)
