"""The shop that the bench of the console looks at: a store filled with it, a server for it, and its channels."""

import contextlib
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import msgspec

from bench.harness import stock
from bench.harness.black_box import ROOT, Caller, server
from bench.harness.driver import drive
from bench.harness.processes import ServerProcess
from bench.http.finding import wait_for_index
from bench.propagation.setup import Channels, Holdfast, configuration, start
from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.base import Operation
from server.domain.operations.reservations import Line, Order
from server.domain.operations.stock import Count

ON_HAND: Final = 900
"""Of most SKUs; below 1,000 a page writes it without a separator."""
SOLD_OUT: Final = 200
LOW: Final = 200
SHORT: Final = 30
DELIVERIES: Final = 500
_REORDER_POINT: Final = 5
_PER_CALL: Final = 1_000
_TOLD_S_MAX: Final = 900
_LOOK_S: Final = 1.0
_FILLED: Final = "filled.json"

Report = Callable[[str], None]


class Size(NamedTuple):
    """How large the shop is. ``listings``: SKUs that each channel lists."""

    skus: int = 100_000
    orders: int = 10_000
    channels: int = 50
    listings: int = 4_000

    @property
    def sold(self) -> int:
        """How many SKUs have units that can be sold; the others are sold out or low."""
        return self.skus - SOLD_OUT - LOW

    @property
    def names(self) -> list[str]:
        """Its channels."""
        return [f"hook-{number:02}" for number in range(1, self.channels + 1)]

    def listed(self, channel: int) -> list[int]:
        """Return the numbers of the SKUs that a channel lists, counted from 0."""
        return [(channel * self.listings + each) % self.skus for each in range(min(self.listings, self.skus))]


def key_of(channel: int, number: int) -> str:
    """Return under which key a channel lists a SKU; both are counted from 0."""
    return f"K{channel + 1:02}-{number + 1}"


def barcode_of(number: int) -> str:
    """Return the barcode of a SKU: 13 digits, of which the last one fits."""
    digits = f"869{number:09}"
    weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighed % 10}"


class Shop(NamedTuple):
    """The running shop."""

    size: Size
    holdfast: Holdfast
    channels: Channels

    @property
    def url(self) -> str:
        """Its server's address."""
        return self.holdfast.url


@contextlib.contextmanager
def running(folder: Path, size: Size, report: Report, python: Sequence[str] = (sys.executable,)) -> Iterator[Shop]:
    """Serve the shop, which is filled into ``folder`` first unless an earlier run has done so.

    ``python``: the words in front of ``-m`` that start the server.

    Raises
    ------
    ClickException
        The folder has a shop of another size.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        words = [f"{name}=webhook" for name in size.names]
        process = ServerProcess("bench.propagation.channels", *words, log=folder / "channels.log")
        channels = Channels(stack.enter_context(process))
        config = configuration(folder, channels.ports, dict.fromkeys(size.names, "webhook"))
        _fill_once(folder, config, size, report)
        holdfast = start(folder, config, stack, apart=False, python=python)
        stack.callback(holdfast.client.close)
        with Caller(holdfast.url) as caller:
            report(f"the index is complete after {wait_for_index(caller, report):.0f} s")
            _wait_for_channels(caller, report)
        channels.forget()
        yield Shop(size, holdfast, channels)


def _fill_once(folder: Path, config: Path, size: Size, report: Report) -> None:
    mark = folder / _FILLED
    if mark.exists():
        if msgspec.json.decode(mark.read_bytes(), type=Size) != size:
            raise click.ClickException(f"{folder} has a shop of another size: give the same numbers, or another folder")
        return
    # Nobody tells the channels or follows the journal yet: the next start does both, from what the store has.
    shutil.rmtree(folder / "store", ignore_errors=True)
    with server(ROOT, folder, settings={"HOLDFAST_CONFIG": str(config)}) as process:
        holdfast = Holdfast(process, folder / "store")
        _fill_stock(holdfast, size, report)
        holdfast.client.close()
        with Caller(process.url) as caller:
            _fill_names(caller, size, report)
    mark.write_bytes(msgspec.json.encode(size))


def _fill_stock(holdfast: Holdfast, size: Size, report: Report) -> None:
    report(f"{size.skus:,} SKUs")
    _carry_out(holdfast, [Count("", "local", "", stock.sku(n), DEFAULT_LOCATION, _on_hand(n, size))
                          for n in range(size.skus)])  # fmt: skip
    report(f"{size.orders:,} open orders, {SHORT} of them short of units")
    _carry_out(holdfast, list(_orders(size)))


def _fill_names(caller: Caller, size: Size, report: Report) -> None:
    rule = {"rules": [{"reorder_point": _REORDER_POINT, "target": 100}]}
    caller.call("PUT /v1/replenishment/rules", rule, 200)
    report(f"{DELIVERIES} deliveries, barcodes, and {size.channels * size.listings:,} listings")
    today = datetime.now(UTC).date()
    for number in range(DELIVERIES):
        day = (today + timedelta(days=number // 25 - 2)).isoformat()
        body = {"sku": stock.sku(number), "location": DEFAULT_LOCATION, "quantity": 12, "expected_on": day}
        caller.call(f"PUT /v1/supply/PO-{number}", body, 200)
    for some in _parts(range(size.skus)):
        barcodes = [{"barcode": barcode_of(number), "sku": stock.sku(number)} for number in some]
        caller.call("PUT /v1/barcodes", {"barcodes": barcodes}, 200)
    for place, name in enumerate(size.names):
        for some in _parts(size.listed(place)):
            listings = [{"sku": stock.sku(number), "key": key_of(place, number)} for number in some]
            caller.call(f"PUT /v1/channels/{name}/listings", {"listings": listings}, 200)


def _on_hand(number: int, size: Size) -> int:
    if number < size.sold:
        return ON_HAND
    return 0 if number < size.sold + SOLD_OUT else _REORDER_POINT - 2


def _orders(size: Size) -> Iterator[Order]:
    """Yield the open orders, of one to three lines; the first ones are of what is sold out."""
    chance = random.Random(5)
    for number in range(size.orders):
        those = [size.sold + number] if number < SHORT else chance.sample(range(size.sold), chance.randint(1, 3))
        yield Order(
            "0123456789abcdef", "local", f"filled-{number}", size.names[number % size.channels],
            [Line(stock.sku(each), DEFAULT_LOCATION, 1) for each in those],
            accept_shortage=True, order_ref=f"order-{number}", customer_ref=f"customer-{number % 1_000}",
        )  # fmt: skip


def _carry_out(holdfast: Holdfast, operations: list[Operation]) -> None:
    drive(holdfast.socket, stock.commands(operations, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)


def _parts(numbers: Iterable[int]) -> Iterator[list[int]]:
    every = list(numbers)
    for first in range(0, len(every), _PER_CALL):
        yield every[first : first + _PER_CALL]


def _wait_for_channels(caller: Caller, report: Report) -> None:
    """Wait until the channels have been told all that they list."""
    began_s, waiting = time.monotonic(), 0
    while time.monotonic() - began_s < _TOLD_S_MAX:
        found: dict[str, Any] = msgspec.json.decode(caller.call("GET /v1/channels", {}, 200))
        waiting = sum(each["dirty"] for each in found["channels"])
        if not waiting and not any(each["publisher_missing"] for each in found["channels"]):
            report(f"the channels have been told after {time.monotonic() - began_s:.0f} s")
            return
        time.sleep(_LOOK_S)
    raise click.ClickException(
        f"the channels still wait for {waiting:,} values after {_TOLD_S_MAX} s: see the server's log, or ask for fewer "
        "--listings"
    )
