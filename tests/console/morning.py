"""A prepared bad morning: a normal day of a shop on simulated channels, and five faults among it.

``python -m tests.console.morning`` serves it, and prints where, with which key, and which faults there are.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from adapters.testing.waiting import wait_until
from server.cli.demo.simulated_channels import Receiver, SimulatedChannel
from server.cli.demo.simulated_orders import SecondMarketplace, Seller, SellingMarketplace, SellingShop
from server.cli.demo.stage import open_stage, sellers_of
from tests.console.pages import KEYS, OWNER
from tests.support.http import Api, Server, opened

SOON_S: Final = 60.0
STRANGE_KEY: Final = "8690000000999"
SHORT: Final = "SNK-AIR 43 1/3"
SOLD_OUT: Final = "ELB-2204/BORDO/38"
LATE: Final = "PO-2231"


class Trendyol(SellingMarketplace):
    name = "trendyol"


class Bazaar(SecondMarketplace):
    name = "bazaar"


class Shop(SellingShop):
    name = "shop"


class PriceFeed(Receiver):
    name = "price-feed"


class Fault(NamedTuple):
    """One of the faults. ``part``: where on *Today* it has to be named. ``words``: what has to be read there.

    ``order``: the number of the order that has it, if one has.
    """

    name: str
    part: str
    words: tuple[str, ...]
    order: str = ""


class Morning(NamedTuple):
    """A server with its channels, and the faults that were planted."""

    server: Server
    api: Api
    channels: dict[str, SimulatedChannel]
    faults: tuple[Fault, ...]

    @property
    def orders(self) -> list[str]:
        """The numbers of the orders that are short, and not whole."""
        return [fault.order for fault in self.faults if fault.order]


@contextlib.asynccontextmanager
async def morning() -> AsyncIterator[Morning]:
    """Serve the morning from an empty embedded store."""
    kinds = (Trendyol, Bazaar, Shop, PriceFeed)
    with tempfile.TemporaryDirectory(prefix="hf-morning-") as folder:
        async with open_stage(Path(folder), kinds=kinds) as stage:
            toml = stage.config.read_text("utf-8").replace('file = "', f'file = "{folder}/')
            with Server(keys=KEYS, toml=toml, audit_interval_s=2, publisher_lease_s=1) as server:
                sellers_of(stage.channels, server.url)
                async with opened(server, OWNER) as api:
                    channels = {each.name: each for each in stage.channels}
                    await normal_day(api, channels)
                    yield Morning(server, api, channels, await plant(api, channels))


# -- the normal day


async def normal_day(api: Api, channels: dict[str, SimulatedChannel]) -> None:
    """Import a catalogue, sell on all channels, ship some of it, expect a delivery for next week."""
    for place, kind, groups in (("main", "warehouse", []), ("izmir", "store", ["stores"])):
        (await api.put(f"/v1/locations/{place}", {"kind": kind, "groups": groups})).ok()
    catalogue = files("server.cli.demo").joinpath("sample.csv").read_bytes()
    sent = {"Content-Type": "text/csv"}
    path = "/v1/files/import?name=catalogue.csv&dry_run=false&yes=true"
    (await api.send("POST", path, raw=catalogue, headers=sent)).ok()
    (await api.put("/v1/replenishment/rules", {"rules": [{"sku": 'TV-55"-4K', "reorder_point": 5, "target": 20}]})).ok()
    await _shown(api, channels, "ÇAY-RİZE-1KG")
    for number in range(12):
        seller = _seller(channels, ("trendyol", "bazaar", "shop")[number % 3])
        await seller.sell(("ÇAY-RİZE-1KG", "BAL-ÇAM-850G", "TS-1001-BEYAZ-M", "RUJ-MAT-07")[number % 4], 1 + number % 2)
    booked = await _orders(api, 12)
    for reservation in booked[:5]:
        parcel = {"tracking": f"7336100{reservation['order_ref'][-3:]}", "carrier": "yurtici"}
        (await api.post(f"/v1/reservations/{reservation['reservation_id']}/fulfil", parcel)).ok()
    (await api.reserve("KAHVE-TÜRK-250G", 2, "till-17", channel="store", ttl_s=840)).ok(201)
    await _confirmed(api)
    later = {"sku": "BAL-ÇAM-850G", "location": "main", "quantity": 120, "expected_on": _day(6), "reference": "PO-2240"}
    (await api.put("/v1/supply/PO-2240", later)).ok()


async def _orders(api: Api, count: int) -> list[dict[str, str]]:
    """Wait until so many orders of channels are booked."""
    found: list[dict[str, str]] = []

    async def came() -> bool:
        page = (await api.get("/v1/reservations?state=committed&limit=200")).ok()["reservations"]
        found[:] = page
        return len(found) >= count

    await wait_until(came, f"{count} orders have come", within_s=SOON_S, every_s=0.2)
    return found


async def _shown(api: Api, channels: dict[str, SimulatedChannel], sku: str) -> None:
    """Wait until all channels show all that is available of a SKU."""
    units = await api.available(quote(sku, safe=""))
    await _until(lambda: all(each.shown.get(sku) == units for each in channels.values()), f"all show {units} of {sku}")
    await _confirmed(api)


async def _confirmed(api: Api) -> None:
    """Wait until every channel has confirmed all that it was sent."""

    async def confirmed() -> bool:
        listed = (await api.get("/v1/channels")).ok()["channels"]
        return all(each["last_confirmed_at"] and not each["dirty"] for each in listed)

    await wait_until(confirmed, "all channels have confirmed", within_s=SOON_S, every_s=0.2)


# -- the faults


async def plant(api: Api, channels: dict[str, SimulatedChannel]) -> tuple[Fault, ...]:
    """Plant the five faults, and wait until the server knows of each."""
    return (
        await _short_order(api, _seller(channels, "trendyol")),
        await _strange_key(api, _seller(channels, "trendyol")),
        await _sold_out(api, _seller(channels, "shop")),
        await _late_delivery(api),
        await _refused_access(api, channels["bazaar"]),
    )


async def _short_order(api: Api, seller: Seller) -> Fault:
    """Two are sold, and then only one is found on the shelf; another place has one."""
    order = await seller.sell(SHORT, 2)
    await wait_until(_finds(api, f"/v1/orders?number={order.number}", "orders"), "it is booked", within_s=SOON_S)
    found = {"kind": "count", "sku": SHORT, "location": "main", "on_hand": 1, "reason": "shelf 12 counted"}
    (await api.post("/v1/stock/movements", {"movements": [found]})).ok()
    return Fault("an order is short", "short", (SHORT, str(order.number), "lacks 1", "izmir"), str(order.number))


async def _strange_key(api: Api, seller: Seller) -> Fault:
    """An order has a key that is mapped to no product."""
    order = await seller.sell(STRANGE_KEY)
    await wait_until(_finds(api, "/v1/inbox", "entries"), "it is in the inbox", within_s=SOON_S, every_s=0.2)
    said = (str(order.number), "product not known", STRANGE_KEY)
    return Fault("a line is not mapped", "inbox", said, str(order.number))


async def _sold_out(api: Api, seller: Seller) -> Fault:
    """The last one is sold."""
    await seller.sell(SOLD_OUT)
    await wait_until(_finds(api, "/v1/skus?state=out", "skus"), "it is sold out", within_s=SOON_S, every_s=0.2)
    return Fault("a product is sold out", "out", (SOLD_OUT,))


async def _late_delivery(api: Api) -> Fault:
    """A delivery should have come three days ago."""
    due = {"sku": "ŞARJ-65W-GAN", "location": "main", "quantity": 60, "expected_on": _day(-3), "reference": LATE}
    (await api.put(f"/v1/supply/{LATE}", due)).ok()
    return Fault("a delivery is late", "deliveries", ("ŞARJ-65W-GAN", "60", LATE, "late"))


async def _refused_access(api: Api, channel: SimulatedChannel) -> Fault:
    """The channel has revoked our key; the next number that it is sent shows that."""
    channel.credentials["api_secret"] = "another one"
    await api.count("MOUSE-OPTIC+", 61)

    async def fails() -> bool:
        return bool((await api.get(f"/v1/channels/{channel.name}/status")).ok()["circuit"] == "open")

    await wait_until(fails, "the channel's circuit is open", within_s=SOON_S, every_s=0.2)
    return Fault("a channel refuses our access", "channels", (channel.name, "does not accept the credentials"))


def _seller(channels: dict[str, SimulatedChannel], name: str) -> Seller:
    seller = channels[name]
    assert isinstance(seller, Seller)
    return seller


def _finds(api: Api, path: str, rows: str) -> Callable[[], Awaitable[bool]]:
    async def found() -> bool:
        return bool((await api.get(path)).ok()[rows])

    return found


async def _until(holds: Callable[[], bool], what: str) -> None:
    await wait_until(holds, what, within_s=SOON_S, every_s=0.1)


def _day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


async def main() -> None:
    """Serve it until somebody stops it."""
    async with morning() as now:
        lines = [
            f"The console: {now.server.url}/console",
            f"Any name, and the key {OWNER.token}",
            *(f"  {fault.name}: {', '.join(fault.words)}" for fault in now.faults),
            "Ctrl-C stops it.",
        ]
        print(*lines, sep="\n", flush=True)  # noqa: T201
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
