"""Traces: one from the caller's request through the journal to the channel's confirmation, by a real OTLP exporter."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from server.store.errors import StoreUnavailableError
from server.store.keys import Keyspace
from server.store.repositories.traces import LIFE_S, PER_SKU_MAX, Traced, recall, remember
from tests.channels.test_served import CONFIGURED
from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import StoreClient, wait_until
from tests.support.http import ROOT, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

PACKAGES: Final = Path(sys.prefix) / "otel"
"""Where OpenTelemetry is for this test alone: redis-py imports it wherever it finds it, and that takes time."""
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER: Final = "00f067aa0ba902b7"
SAMPLED: Final = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
NOT_SAMPLED: Final = {"traceparent": f"00-{TRACE}-{CALLER}-00"}


class Collector:
    """Takes spans as an OTLP collector does, over HTTP."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") is None and self.path == "/v1/traces":
                    collector.take(decode(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def take(self, request: Any) -> None:
        for resource in request.resource_spans:
            attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.services.add(attributes["service.name"])
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def of(self, trace: str) -> dict[str, Any]:
        """The spans of a trace, by name."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    if not PACKAGES.is_dir():
        pytest.skip("OpenTelemetry is not installed for tests; run: make .venv/otel/.installed")
    monkeypatch.syspath_prepend(PACKAGES)
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415  # only if this test is run

    collector = Collector(trace_service_pb2.ExportTraceServiceRequest.FromString)
    yield collector
    collector.close()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock("a", quantity=-1)
        yield receiver


@pytest.fixture
def server(start_server: Callable[..., Server], collector: Collector, receiver: WebhookReceiver) -> Server:
    environment = {
        "PYTHONPATH": str(PACKAGES),
        "SHOP_SECRET": SECRET,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    return start_server(toml=CONFIGURED % (receiver.port, PATH), environment=environment, tracing="true")


async def test_given_a_traced_request_when_the_channel_has_confirmed_then_one_trace_has_both_ends(
    server: Server, collector: Collector, receiver: WebhookReceiver
) -> None:
    # Given
    async with opened(server) as api:
        await api.count("A", 5)
        (await api.put("/v1/channels/shop/listings", {"listings": [{"sku": "A", "key": "a"}]})).ok()
        await wait_until(lambda: receiver.shown["a"] == 5, "the shop shows what there is")

        # When
        body = {"channel": "web", "lines": [{"sku": "A", "quantity": 2}]}
        (await api.post("/v1/reservations", body, headers=NOT_SAMPLED)).ok(201)
        answer = (await api.post("/v1/reservations", body, headers=SAMPLED)).ok(201)

        # Then
        await wait_until(lambda: len(collector.of(TRACE)) == 2, "both spans have come")
    request, push = (collector.of(TRACE)[name] for name in ("POST /v1/reservations", "tell shop"))
    assert request.parent_span_id.hex() == CALLER
    assert push.parent_span_id == request.span_id
    assert request.start_time_unix_nano < push.end_time_unix_nano
    attributes = {each.key: each.value.string_value or each.value.int_value for each in push.attributes}
    assert attributes == {
        "holdfast.channel": "shop",
        "holdfast.sku": "A",
        "holdfast.seq": answer["availability"][0]["seq"],
    }
    assert collector.services == {"holdfast"}
    assert [span.name for span in collector.spans if span.trace_id.hex() == TRACE] == [request.name, push.name]
    assert server.stop() == 0
    assert server.faults == []


async def test_given_traced_changes_when_recalled_then_the_last_ones_are_there_for_some_minutes(
    client: Any, partition: str
) -> None:
    keyspace = Keyspace(partition)
    assert await recall(client, keyspace, "Ç/1") == []

    for seq in range(PER_SKU_MAX + 3):
        await remember(client, keyspace, "Ç/1", Traced(seq, 1_800_000_000_000 + seq, "00-a-b-01"))

    kept = await recall(client, keyspace, "Ç/1")
    assert [each.seq for each in kept] == list(range(3, PER_SKU_MAX + 3))
    assert kept[0] == Traced(3, 1_800_000_000_003, "00-a-b-01")
    assert 0 < await client.ttl(keyspace.trace("Ç/1")) <= LIFE_S


async def test_given_a_store_that_is_away_when_a_trace_is_noted_then_it_is_said(own_store: Any, partition: str) -> None:
    async with StoreClient(own_store) as client:
        own_store.kill()
        with pytest.raises(StoreUnavailableError):
            await remember(client, Keyspace(partition), "A", Traced(1, 1, "00-a-b-01"))


def test_given_tracing_is_off_when_all_is_imported_then_nothing_that_makes_or_sends_them_is() -> None:
    # redis-py imports the metrics of OpenTelemetry by itself, wherever they are installed.
    code = (
        "import sys, server.app, server.cli.serve\n"
        "made_or_sent = ('opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(made_or_sent)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"


def test_given_tracing_is_on_when_the_packages_are_missing_then_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from server.telemetry.tracing import Tracing, TracingMissingError\n"
        "try: Tracing()\n"
        "except TracingMissingError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True, capture_output=True, text=True
    )

    assert "pip install 'holdfast[otel]'" in done.stdout
