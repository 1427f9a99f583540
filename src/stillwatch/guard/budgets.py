"""What a campaign has spent of its limit: one sliding window for all of its accounts."""

from __future__ import annotations

__all__ = ["BUCKETS", "Budget"]

BUCKETS = 72


class Budget:
    """A count over the last ``window_s`` seconds of event time, in 72 buckets.

    *Error*: the window is between 71/72 and one ``window_s`` long. A late event counts into its own
    bucket, one that is later than the window into the oldest; time that goes back never frees
    anything. ``others``: what other nodes spent, by bucket number.
    """

    __slots__ = ("_counts", "_newest", "_sum", "_width_us", "limit", "others")

    def __init__(self, limit: int, window_s: int) -> None:
        self.limit = limit
        self._width_us = window_s * 1_000_000 // BUCKETS
        self._counts = [0] * BUCKETS
        self._newest = 0
        self._sum = 0
        self.others: dict[int, int] = {}

    def spent(self, ts_us: int) -> int:
        """Return what all nodes spent in the window that ends at the newest time seen."""
        self._advance(ts_us // self._width_us)
        if not self.others:
            return self._sum
        oldest = self._newest - BUCKETS
        return self._sum + sum(n for b, n in self.others.items() if b > oldest)

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

    def take(self, counts: dict[int, int]) -> None:
        """Set own counts from a state that was saved; later buckets win."""
        for bucket, count in sorted(counts.items()):
            self._advance(bucket)
            if bucket > self._newest - BUCKETS:
                self._counts[bucket % BUCKETS] += count
                self._sum += count

    def _advance(self, bucket: int) -> None:
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
