"""Traces for OpenTelemetry, where HOLDFAST_TRACING is on, sent as the OTEL_… variables configure.

Nothing of OpenTelemetry is imported before a :class:`Tracing` is made. Without one, the only cost is to check whether
:data:`confirmed` is None.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

Confirmed = Callable[[str, str, int, int], None]
"""Called when a channel confirmed a value: its name, the SKU, the seq of the value, the time in ms."""

confirmed: Confirmed | None = None
"""Set while traces are followed to the channels; None: they are not."""

_SERVICE: Final = "holdfast"
_NS_PER_MS: Final = 1_000_000


class TracingMissingError(Exception):
    """Tracing is on and OpenTelemetry is not installed; the message has the command to install it."""


class Tracing:
    """Makes spans. ``exporter`` None: OTLP over HTTP by the OTEL_… variables, in batches from a thread of its own.

    Raises
    ------
    TracingMissingError
        The packages are not installed.

    """

    def __init__(self, exporter: Any = None) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415  # only where tracing is on
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
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
        resource = Resource({"service.name": _SERVICE}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_SERVICE)

    @contextmanager
    def request(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Open the span of one request, as part of the caller's trace where its headers name one."""
        carrier = {name: value for name in ("traceparent", "tracestate") if (value := headers.get(name))}
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            context=self._propagator.extract(carrier),
            kind=self._kinds.SERVER,
            attributes={"http.request.method": method, "http.route": route},
        ) as span:
            yield span

    def context(self) -> str:
        """Return the open span as a ``traceparent``; empty where there is none."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent", "")

    def published(self, channel: str, sku: str, seq: int, *, parent: str, from_ms: int, to_ms: int) -> None:
        """Make the span from a change to its confirmation by a channel, in the trace of the change."""
        span = self._tracer.start_span(
            f"tell {channel}",
            context=self._propagator.extract({"traceparent": parent}),
            kind=self._kinds.PRODUCER,
            start_time=from_ms * _NS_PER_MS,
            attributes={"holdfast.channel": channel, "holdfast.sku": sku, "holdfast.seq": seq},
        )
        span.end(max(from_ms, to_ms) * _NS_PER_MS)

    def close(self, within_s: float) -> None:
        """Send the remaining spans, and stop. What cannot be sent in time is dropped with the process."""
        closing = Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(within_s)
