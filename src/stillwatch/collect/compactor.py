"""The process that writes segments, so that nobody who is acknowledged waits for it.

It reads jobs from its standard input, one JSON object a line, answers on its standard output, and
ends when its input does: when the collector is killed. The collector's lock is open in it too, so
that no second collector begins while a job is at work.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.collect.clock import LatestClock
from stillwatch.collect.compaction import compact, tidy
from stillwatch.collect.stored import Stored

__all__ = ["main"]


def main(folder: Path) -> None:
    """Do jobs until the input ends. A job that fails is answered with the kind of its error."""
    os.umask(0o077)
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the collector says when it is over
    stored, clock = Stored(), LatestClock(folder)
    tidy(folder)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            files = [folder / ".wal" / name for name in job["files"]]
            now = datetime.now(UTC)
            done = compact(
                folder, files, now=now, join_s=job["join_s"], stored=stored,
                latest=clock.latest(now),
            )  # fmt: skip
            answer: dict[str, Any] = done.as_dict()
        except Exception as error:  # noqa: BLE001 – the job is given again; what failed is told
            words = error.strerror if isinstance(error, OSError) else None
            answer = {"error": type(error).__name__, "why": words or ""}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
