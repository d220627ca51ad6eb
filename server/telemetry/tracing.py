"""Traces for OpenTelemetry, where they are asked for: made here, sent wherever the OTEL_… variables say.

Nothing of OpenTelemetry is imported here before a :class:`Tracing` is made, and without one nobody asks for anything
here but whether :data:`confirmed` is None.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

Confirmed = Callable[[str, str, int, int], None]
"""Is told of a channel that confirmed a value: its name, the SKU, the seq that the value rests on, the time in ms."""

confirmed: Confirmed | None = None
"""Set by whoever follows traces to the channels; None: nobody does."""

_SERVICE: Final = "holdfast"
_NS_PER_MS: Final = 1_000_000


class TracingMissingError(Exception):
    """Traces were asked for, and OpenTelemetry is not installed; the message says what to do."""


class Tracing:
    """Makes spans. ``exporter`` None: OTLP over HTTP, as the OTEL_… variables say, in batches from a thread of its own.

    Raises
    ------
    TracingMissingError
        The packages are not installed.

    """

    def __init__(self, exporter: Any = None) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415  # only where it is asked for
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415
        except ImportError as error:
            raise TracingMissingError(
                f"HOLDFAST_TRACING is on, and OpenTelemetry is not installed ({error})."
                " Run: pip install 'holdfast[otel]'"
            ) from None
        self._kinds = trace.SpanKind
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before.
        resource = Resource({"service.name": _SERVICE}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_SERVICE)

    @contextmanager
    def request(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Make the span of one request, a part of the caller's trace where its headers name one."""
        carrier = {name: value for name in ("traceparent", "tracestate") if (value := headers.get(name))}
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            context=self._propagator.extract(carrier),
            kind=self._kinds.SERVER,
            attributes={"http.request.method": method, "http.route": route},
        ) as span:
            yield span

    def context(self) -> str:
        """Write the span that is open now as a ``traceparent``."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent", "")

    def told(self, channel: str, sku: str, seq: int, *, parent: str, from_ms: int, to_ms: int) -> None:
        """Make the span from a change to its confirmation by a channel, in the trace of who made the change."""
        span = self._tracer.start_span(
            f"tell {channel}",
            context=self._propagator.extract({"traceparent": parent}),
            kind=self._kinds.PRODUCER,
            start_time=from_ms * _NS_PER_MS,
            attributes={"holdfast.channel": channel, "holdfast.sku": sku, "holdfast.seq": seq},
        )
        span.end(max(from_ms, to_ms) * _NS_PER_MS)

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()
