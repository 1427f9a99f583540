"""What a campaign has spent of its limit: one sliding window for all of its accounts."""

from __future__ import annotations

__all__ = ["BUCKETS", "Budget"]

BUCKETS = 72
_AHEAD = 2
_BELIEVED = 24


class Budget:
    """A count over the last ``window_s`` seconds of event time, in 72 buckets.

    *Error*: the window is between 71/72 and one ``window_s`` long. A late event counts into its own
    bucket, one that is later than the window into the oldest; time that goes back never frees
    anything. A clock that ran ahead and came back is believed after 24 looks in a row by times that
    are older than the window: what was spent keeps its age, and ends as if spent in time.
    ``nodes``: how many nodes decide, each alone, while they cannot tell each other what they spend;
    each then takes its share of the limit. ``others``: what other nodes spent, by bucket number; of
    buckets that are far ahead nothing counts, as a clock of theirs must be wrong.
    """

    __slots__ = (
        "_behind", "_counts", "_newest", "_sum", "_width_us", "limit", "nodes", "others", "window_s"
    )  # fmt: skip

    def __init__(self, limit: int, window_s: int) -> None:
        self.limit = limit
        self.window_s = window_s
        self.nodes = 1
        self._width_us = window_s * 1_000_000 // BUCKETS
        self._counts = [0] * BUCKETS
        self._newest = 0
        self._sum = 0
        self._behind = 0
        self.others: dict[int, int] = {}

    def spent(self, ts_us: int) -> int:
        """Return what all nodes spent in the window that ends at the newest time seen."""
        self._advance(ts_us // self._width_us)
        if not self.others:
            return self._sum
        oldest, newest = self._newest - BUCKETS, self._newest + _AHEAD
        return self._sum + sum(n for b, n in self.others.items() if oldest < b <= newest)

    def is_spent(self, ts_us: int) -> bool:
        """Return whether nothing is left, or nothing of this node's share while it is alone."""
        return self.spent(ts_us) >= self.limit or (
            self.nodes > 1 and self._sum * self.nodes >= self.limit
        )

    def over(self, window_s: int) -> Budget:
        """Return the same spendings in another window."""
        made = Budget(self.limit, window_s)
        for bucket, count in sorted(self.own().items()):
            made.spend(bucket * self._width_us, count)
        return made

    def spend(self, ts_us: int, count: int = 1) -> None:
        """Count requests of the campaign that were let through."""
        bucket = ts_us // self._width_us
        self._advance(bucket)
        self._counts[max(bucket, self._newest - BUCKETS + 1) % BUCKETS] += count
        self._sum += count

    def retry_after_s(self) -> int:
        """Return the seconds until the oldest spent bucket leaves the window."""
        for age in range(BUCKETS - 1, -1, -1):
            if self._counts[(self._newest - age) % BUCKETS]:
                return (BUCKETS - age) * self._width_us // 1_000_000
        return self._width_us // 1_000_000

    def own(self) -> dict[int, int]:
        """Return bucket number → what this node spent, for the other nodes."""
        return {
            self._newest - age: n
            for age in range(BUCKETS)
            if (n := self._counts[(self._newest - age) % BUCKETS])
        }

    def _advance(self, bucket: int) -> None:
        if bucket <= self._newest - BUCKETS:
            self._behind += 1
            if self._behind >= _BELIEVED:
                self._go_back(bucket)
            return
        self._behind = 0
        if bucket <= self._newest:
            return
        if bucket - self._newest >= BUCKETS:
            self._counts = [0] * BUCKETS
            self._sum = 0
        else:
            for k in range(self._newest + 1, bucket + 1):
                self._sum -= self._counts[k % BUCKETS]
                self._counts[k % BUCKETS] = 0
        self._newest = bucket

    def _go_back(self, bucket: int) -> None:
        aged = [self._counts[(self._newest - age) % BUCKETS] for age in range(BUCKETS)]
        for age, count in enumerate(aged):
            self._counts[(bucket - age) % BUCKETS] = count
        self._newest, self._behind = bucket, 0
