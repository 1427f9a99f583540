"""OpenTelemetry spans of what was asked and decided; no text, no identifier, no key of anybody.

Needs ``pip install stillwatch[otel]``. A span is begun where the caller's ``traceparent`` is
sampled, and without one for a share of the requests; it is made after the answer is known, so that
a request that is not sampled costs one comparison. Exporting happens in a thread of the SDK's.

*Source*: W3C Trace Context; OpenTelemetry semantic conventions for HTTP server spans.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stillwatch import __version__
from stillwatch.errors import ConfigError
from stillwatch.guard.decision import Decision

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

__all__ = ["Begun", "Tracing", "otlp_tracing"]

_PARENT: Final = b"traceparent"
_SAMPLED: Final = 1
_MOST_REASONS: Final = 8


class Begun(NamedTuple):
    """A request that gets a span: when it came, and its caller's ``traceparent``."""

    began_ns: int
    parent: str | None


class Tracing:
    """Makes spans. ``share`` of the requests without a trace of their own get one.

    One thread calls it: between `begin` and `finish` of a sampled request no other is decided.
    """

    def __init__(
        self, processor: SpanProcessor, *, node: str, share: float, rng: random.Random
    ) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
            from opentelemetry.trace import SpanKind
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise ConfigError(
                "traces need the package opentelemetry-sdk", hint="pip install 'stillwatch[otel]'"
            ) from error
        if not 0 <= share <= 1:
            raise ConfigError("a share lies between 0 and 1", where="--trace-share")
        resource = Resource.create({
            "service.name": "stillwatch-guard", "service.version": __version__,
            "service.instance.id": node,
        })  # fmt: skip
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("stillwatch.guard", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER
        self._share = share
        self._rng = rng
        self._open = False
        self._decisions: list[Decision] = []

    def begin(self, headers: Mapping[bytes, bytes]) -> Begun | None:
        """Return what `finish` takes, or None for a request that gets no span."""
        self._open = False
        given = headers.get(_PARENT)
        parent = given.decode("latin-1") if given else None
        if parent is None or not _is_whole(parent):
            if self._rng.random() >= self._share:
                return None
            parent = None
        elif not int(parent[53:55], 16) & _SAMPLED:
            return None
        return Begun(time.time_ns(), parent)

    def decide(self) -> None:
        """Note the decisions from here to `finish`; nothing else may be decided in between."""
        self._open = True
        self._decisions = []

    def note(self, decision: Decision) -> None:
        """Note a decision of the request whose span is open."""
        if self._open:
            self._decisions.append(decision)

    def finish(self, begun: Begun, method: str, route: str, status: int) -> None:
        """Make the span of a request that was answered."""
        decisions, self._decisions, self._open = self._decisions, [], False
        attributes: dict[str, Any] = {
            "http.request.method": method, "http.route": route,
            "http.response.status_code": status, "stillwatch.guard.decisions": len(decisions),
        }  # fmt: skip
        if len(decisions) == 1:
            (one,) = decisions
            attributes |= {
                "stillwatch.guard.verdict": one.verdict, "stillwatch.guard.would": one.would,
                "stillwatch.guard.mode": one.mode, "stillwatch.guard.level": one.level,
                "stillwatch.guard.evidence": list(one.evidence[:_MOST_REASONS]),
            }  # fmt: skip
        for verdict, count in Counter(d.verdict for d in decisions).items():
            attributes[f"stillwatch.guard.verdicts.{verdict}"] = count
        carrier = {"traceparent": begun.parent} if begun.parent else {}
        span = self._tracer.start_span(
            f"{method} {route}", context=self._propagator.extract(carrier), kind=self._kind,
            attributes=attributes, start_time=begun.began_ns,
        )  # fmt: skip
        span.end(time.time_ns())

    def close(self) -> None:
        """Send what waits; bounded by the exporter's own time-out."""
        self._provider.shutdown()


def otlp_tracing(endpoint: str, *, node: str, share: float) -> Tracing:
    """Return a `Tracing` that sends spans by OTLP over HTTP to a collector, in batches.

    ``endpoint``: with its path, ``http://127.0.0.1:4318/v1/traces``. A collector that does not
    answer costs spans, never a request.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            "traces need opentelemetry-exporter-otlp-proto-http",
            hint="pip install 'stillwatch[otel]'",
        ) from error
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=2)
    processor = BatchSpanProcessor(exporter, max_queue_size=2_048, schedule_delay_millis=1_000)
    return Tracing(processor, node=node, share=share, rng=random.Random())


def _is_whole(parent: str) -> bool:
    """Return whether a text has the form of a traceparent (its ids are the SDK's to check)."""
    return (
        len(parent) >= 55
        and parent[2] == parent[35] == parent[52] == "-"
        and all(c in "0123456789abcdef" for c in parent[53:55])
    )
