"""What the propagation bench runs on: ``holdfast serve`` with twenty channels in its configuration, and these."""

import base64
import contextlib
import os
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.harness import stock
from bench.harness.processes import ServerProcess
from bench.harness.stores import connect
from bench.propagation.channels import Arrival, Conduct, Kind
from bench.propagation.figures import Sale, Values, is_right, values
from server.store.embedded.files import DataDirectory
from server.store.journal.journal import decode_entry
from server.store.keys import Keyspace

SKUS: Final = 2_000
EACH_KIND: Final = 10
CHANNELS: Final[dict[str, Kind]] = {
    **{f"hook-{number:02}": "webhook" for number in range(1, EACH_KIND + 1)},
    **{f"shop-{number:02}": "woocommerce" for number in range(1, EACH_KIND + 1)},
}
_TIMEOUT_S: Final = 60.0
_READY_S: Final = 60.0
_LOOK_S: Final = 0.2
_LISTINGS_PER_CALL: Final = 1_000
_PAGE: Final = 500

_WEBHOOK: Final = """
[channels.{name}]
kind = "webhook"
listings = "{listings}"
allow_private = ["127.0.0.1"]
[channels.{name}.options]
url = "http://127.0.0.1:{port}/"
batch_max = 50
[channels.{name}.credentials]
secret = {{ file = "signing-secret" }}
"""
# As fast as the adapter lets a shop be: what is asked here is how fast Holdfast is, not how patient a shop makes it.
_SHOP: Final = """
[channels.{name}]
kind = "woocommerce"
allow_private = ["127.0.0.1"]
[channels.{name}.options]
base_url = "http://127.0.0.1:{port}"
requests_per_s = 1000
[channels.{name}.credentials]
consumer_key = {{ file = "made-up" }}
consumer_secret = {{ file = "made-up" }}
"""

_decode_arrivals = msgspec.msgpack.Decoder(dict[str, list[Arrival]]).decode


def call(url: str, body: object = None, method: str = "POST") -> bytes:
    """Send one request to a server; returns the body of its answer."""
    data = None if method == "GET" else msgspec.json.encode(body)
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310  # ours
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
        answer: bytes = response.read()
    return answer


class Channels:
    """The simulated channels."""

    def __init__(self, process: ServerProcess) -> None:
        self.pid = process.pid
        self._url = process.url
        self.ports: dict[str, int] = msgspec.json.decode(call(f"{self._url}/ports", method="GET"))

    def behave(self, name: str, conduct: Conduct) -> int:
        """Have a channel behave so from now on; returns when that began, in microseconds since 1970."""
        at_us: int = msgspec.json.decode(call(f"{self._url}/channels/{name}/{conduct}"))
        return at_us

    def forget(self) -> None:
        """Forget what arrived so far."""
        call(f"{self._url}/forget")

    def arrivals(self, *names: str) -> dict[str, list[Arrival]]:
        """Read what arrived, at all channels if none is named."""
        query = "&".join(f"channel={name}" for name in names)
        return _decode_arrivals(call(f"{self._url}/arrivals?{query}", method="GET"))

    def values(self, *names: str) -> dict[str, Values]:
        """Read what arrived, by SKU."""
        return {name: values(arrivals) for name, arrivals in self.arrivals(*names).items()}


class Holdfast:
    """The server with its store, as the bench sees them."""

    def __init__(self, process: ServerProcess, data_dir: Path, publisher: ServerProcess | None = None) -> None:
        self.url = process.url
        self.pid = process.pid
        self.publisher_pid = publisher.pid if publisher is not None else None
        self.store_pid = DataDirectory(data_dir).store_pid()
        self.socket = DataDirectory(data_dir).socket
        self.client: Any = connect(self.socket)

    def fill(self, names: Iterable[str]) -> None:
        """Put the catalogue into the store, and list it on every channel. Its keys there are the SKUs' numbers."""
        stock.fill_skus(self.socket, SKUS)
        listings = [{"sku": stock.sku(number), "key": str(number + 1)} for number in range(SKUS)]
        for name in names:
            for first in range(0, SKUS, _LISTINGS_PER_CALL):
                part = listings[first : first + _LISTINGS_PER_CALL]
                call(f"{self.url}/v1/channels/{name}/listings", {"listings": part}, "PUT")

    def sell(self, movements: list[dict[str, Any]]) -> None:
        """Change stock in bulk; every change must be made."""
        answer = msgspec.json.decode(call(f"{self.url}/v1/stock/movements", {"movements": movements}))
        refused = [each for each in answer["results"] if each["status"] >= 300]
        if refused:
            raise AssertionError(f"a movement was refused: {refused[0]}")

    def revive(self, name: str) -> None:
        """Have a channel be tried now that failed before."""
        call(f"{self.url}/v1/channels/{name}/dead-letters/retry", {})

    def now_id(self) -> str:
        """Return the id of the journal's newest entry."""
        newest = self.client.xrevrange(stock.keyspace().journal, count=1)
        return str(newest[0][0].decode()) if newest else "0-0"

    def sales(self, after: str, partition: str = stock.PARTITION) -> Iterator[Sale]:
        """Read the journal: every change of stock after an entry."""
        while page := self.client.xrange(Keyspace(partition).journal, min=f"({after}", count=_PAGE):
            for _, fields in page:
                for change in decode_entry(fields):
                    for line in change.lines:
                        yield Sale(number_of(line.sku), line.available, change.at_ms)
            after = page[-1][0].decode()


def number_of(sku: str) -> int:
    """Return the key of a SKU on every channel."""
    return int(sku.rpartition("-")[2]) + 1


@contextlib.contextmanager
def running(
    folder: Path, *, apart: bool = False, kinds: Mapping[str, Kind] = CHANNELS
) -> Iterator[tuple[Holdfast, Channels]]:
    """Start the channels and the server, fill it, and wait until the channels know the whole catalogue.

    ``apart``: the publisher is a process of its own; else, as by default, it shares one with the HTTP API.
    """
    with contextlib.ExitStack() as stack:
        words = [f"{name}={kind}" for name, kind in kinds.items()]
        process = ServerProcess("bench.propagation.channels", *words, log=folder / "channels.log")
        channels = Channels(stack.enter_context(process))
        config = configuration(folder, channels.ports, kinds)
        holdfast = start(folder, config, stack, apart=apart)
        stack.callback(holdfast.client.close)
        holdfast.fill(kinds)
        wait_until_right(channels, dict.fromkeys(range(1, SKUS + 1), stock.ON_HAND), *kinds)
        yield holdfast, channels


def start(
    folder: Path, config: Path, stack: contextlib.ExitStack, *, apart: bool, python: Sequence[str] = (sys.executable,)
) -> Holdfast:
    """Start a server with this configuration, and where asked a publisher apart. ``python``: as of a ServerProcess."""
    common, data_dir = ("--host", "127.0.0.1", "--port", "0", "--config", str(config)), folder / "store"
    role = ("--role", "api" if apart else "all", "--data-dir", str(data_dir))
    log = folder / "server.log"
    server = stack.enter_context(ServerProcess("server", "serve", *common, *role, log=log, python=python))
    if not apart:
        return Holdfast(server, data_dir)
    role = ("--role", "publisher", "--store-url", f"unix://{DataDirectory(data_dir).socket}")
    process = ServerProcess("server", "serve", *common, *role, log=folder / "publisher.log")
    return Holdfast(server, data_dir, stack.enter_context(process))


def configuration(folder: Path, ports: Mapping[str, int], kinds: Mapping[str, Kind], listings: str = "listed") -> Path:
    """Write the configuration file and the made-up credentials that it points to. ``listings``: of webhooks."""
    (folder / "signing-secret").write_text("whsec_" + base64.b64encode(os.urandom(32)).decode())
    (folder / "made-up").write_text("made-up-for-the-bench")
    forms: dict[Kind, str] = {"webhook": _WEBHOOK, "woocommerce": _SHOP}
    path = folder / "holdfast.toml"
    channels = (forms[kind].format(name=name, port=ports[name], listings=listings) for name, kind in kinds.items())
    path.write_text("".join(channels))
    return path


def wait_until_right(
    channels: Channels, wanted: dict[int, int], *names: str, within_s: float = _READY_S
) -> dict[str, Values]:
    """Wait until these channels have the last value of each SKU; returns all that arrived there."""
    until = time.monotonic() + within_s
    while True:
        arrived = channels.values(*names)
        late = [name for name, arrivals in arrived.items() if not is_right(arrivals, wanted)]
        if not late:
            return arrived
        if time.monotonic() > until:
            raise TimeoutError(f"{', '.join(late)}: the newest values have not arrived after {within_s:g} s")
        time.sleep(_LOOK_S)
