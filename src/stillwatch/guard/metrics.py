"""Prometheus' view of a service: counts and sizes, no identifier of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stillwatch.guard.service import PROBLEMS, Service

__all__ = ["exposition"]

_COUNTERS: Final = {
    "decision": ("decisions", "Decisions", ("route", "verdict", "would", "mode")),
    "shed": ("shed", "Requests that overload let pass unseen", ("route",)),
    "unavailable": ("unavailable", "Requests that could not be decided", ("route", "reason")),
    "refused": ("refused", "Requests to the guard that it did not take", ("status",)),
    "observed": ("observed", "Endings of requests that were reported", ()),
    "summary": (
        "summaries",
        "Answers that were to go out without reasoning, by what was done",
        ("route", "outcome"),
    ),
    "planted": ("planted", "Answers to accused campaigns that marks were due in", ("outcome",)),
    "reload": ("reloads", "Snapshots and orders taken into use", ()),
    "reload_failed": ("reloads_failed", "Files that did not hold", ()),
    "log_failed": ("log_lines_lost", "Decisions that could not be logged", ()),
    "state_failed": ("state_writes_failed", "Writes of state that failed", ()),
    "chore_failed": ("chores_failed", "Reloads, writes or gossip that failed unforeseen", ()),
    "redis_lost": ("redis_lost", "Times that Redis did not answer", ()),
}


class _View(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        counts = dict(self._service.counts)
        for key, (name, text, labels) in _COUNTERS.items():
            family = CounterMetricFamily(f"stillwatch_guard_{name}", text, labels=labels)
            mine = {k[1:]: n for k, n in counts.items() if k[0] == key}
            if not labels:
                mine = {(): sum(mine.values())}
            for values, count in sorted(mine.items()):
                family.add_metric(values, count)
            yield family
        yield from self._budgets()
        problem = GaugeMetricFamily(
            "stillwatch_guard_problem", "1 where what is in use is no longer what its file says",
            labels=("what",),
        )  # fmt: skip
        for what in PROBLEMS:
            problem.add_metric([what], float(what in self._service.problems))
        yield problem
        for name, text, value in self._sizes():
            yield GaugeMetricFamily(f"stillwatch_guard_{name}", text, value=value)

    def _budgets(self) -> Iterator[Metric]:
        guard = self._service.guard
        spent = GaugeMetricFamily(
            "stillwatch_guard_budget_spent", "Requests let through of a campaign, by all nodes",
            labels=("campaign_id",),
        )  # fmt: skip
        limit = GaugeMetricFamily(
            "stillwatch_guard_budget_limit", "Requests of a campaign that a window lets through",
            labels=("campaign_id",),
        )  # fmt: skip
        for number, pursuit in sorted(guard.table.pursuits.items()):
            budget = guard.budgets[number]
            spent.add_metric([pursuit.campaign_id], budget.spent(self._service.clock_us()))
            limit.add_metric([pursuit.campaign_id], budget.limit)
        yield spent
        yield limit

    def _sizes(self) -> Iterator[tuple[str, str, float]]:
        service, guard = self._service, self._service.guard
        snapshot = guard.table.snapshot
        yield "snapshot_version", "Version of the snapshot in use", snapshot.version
        left = (snapshot.expires_us - service.clock_us()) / 1e6
        yield "snapshot_valid_seconds", "Until the snapshot expires", left
        yield "accused", "Subjects that the snapshot accuses", len(snapshot.accused)
        yield "suspects", "Subjects with evidence and campaign", len(guard.suspects)
        yield "joined", "Subjects that joined a campaign inline", len(guard.joined)
        for name, book in (("conversations", guard.conversations), ("blobs", guard.blobs),
                           ("prompts", guard.prompts)):  # fmt: skip
            yield f"{name}_held", f"Entries in the book of {name}", len(book)
            yield f"{name}_evicted", f"Entries that the book of {name} lost", book.evicted
        yield "killed", "1 while the kill switch is on", float(service.killed)
        yield "shedding", "1 while overload lets everything pass", float(service.shedding)
        if service.redis_ok is not None:
            yield "redis_connected", "1 while other nodes are heard", float(service.redis_ok)


def exposition(service: Service) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_View(service))
    return generate_latest(registry)
