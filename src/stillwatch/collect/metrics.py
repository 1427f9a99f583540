"""Prometheus' view of a collector: counts and sizes, no content and no identifier of anybody."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from stillwatch.collect.compaction import Compacted

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NAME = "stillwatch_collect"


class Metrics:
    """The numbers of one collector, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests answered", "route", "status")
        self.records = self._counter("records", "Records acknowledged", "route")
        self.refused = self._counter("refused", "Records refused at once", "route")
        self.ignored = self._counter("ignored", "Records that are no model request", "route")
        self.bytes_in = self._counter("received_bytes", "Bytes of bodies, as sent", "route")
        self.turned_away = self._counter("turned_away", "Requests for which there was no room")
        self.failed_writes = self._counter("writes_failed", "Writes that the disk did not take")
        self.rows = self._counter("rows", "Rows written to segments")
        self.repeats = self._counter("repeats", "Rows left out, as they were stored already")
        self.rejected = self._counter("rejected", "Rows that could not be read", "reason")
        self.segments = self._counter("segments", "Segments written")
        self.segment_bytes = self._counter("segment_bytes", "Bytes of segments written")
        self.cut = self._counter("cut_bytes", "Bytes after the last whole frame, after a kill")
        self.damaged = self._counter("damaged_bytes", "Bytes of frames that the disk damaged")
        self.failed = self._counter("compactions_failed", "Attempts to write segments that failed")
        self.pending = self._gauge("pending_bytes", "Bytes of requests in memory")
        self.backlog = self._gauge("backlog_bytes", "Bytes acknowledged and not yet in segments")
        self.waiting = self._gauge("waiting", "Spans and events that wait for each other")
        self.oldest = self._gauge("last_segment_timestamp_seconds", "When a segment was written")
        self.ready = self._gauge("ready", "1 while records are taken and written")
        self.ack = self._seconds("ack_seconds", "From the first byte of a body to its answer")
        self.commit = self._seconds("commit_seconds", "One write and fsync")
        self.compaction = self._seconds("compaction_seconds", "Writing segments, once")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_NAME}_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"{_NAME}_{name}", text, registry=self._registry)

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(f"{_NAME}_{name}", text, registry=self._registry, buckets=_SECONDS)

    def compacted(self, done: Compacted) -> None:
        """Count what one compaction did."""
        self.rows.inc(done.rows)
        self.repeats.inc(done.repeats)
        self.segments.inc(done.segments)
        self.segment_bytes.inc(done.segment_bytes)
        self.cut.inc(done.cut_bytes)
        self.damaged.inc(done.damaged_bytes)
        self.waiting.set(done.waiting)
        for reason, count in done.refused.items():
            self.rejected.labels(reason).inc(count)

    def exposition(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        return generate_latest(self._registry)
