"""The latest moment that a folder is known to have seen.

Records of the future are refused, and a machine that begins with a clock of years ago, before it
has asked the network for the time, would take all of them for such. What was acknowledged may not
be lost by that: the clock of this check never goes back, over restarts neither.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["LatestClock"]


class LatestClock:
    """Begins with the newest time of change in a collector's folder."""

    def __init__(self, folder: Path) -> None:
        seen = [0.0]
        for place in (folder / ".wal", *folder.glob(".wal/*.wal"), *folder.glob("date=*/hour=*")):
            with contextlib.suppress(FileNotFoundError):
                seen.append(place.stat().st_mtime)
        self._latest = datetime.fromtimestamp(max(seen), UTC)

    def latest(self, now: datetime) -> datetime:
        """Return ``now``, or what was later before."""
        self._latest = max(self._latest, now)
        return self._latest
