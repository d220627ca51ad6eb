"""The marketplaces of the demo sell: orders come in by themselves, a cancel comes back, and a shipment is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from server.cli.demo.buyers import Shop
from server.cli.demo.one_sale import SHOW_S, Channels
from server.cli.demo.simulated_orders import Seller, SoldOrder
from server.cli.terminal import say

SKU: Final = "ATLAS-CAP"
UNITS: Final = 2
"""One less than there are marketplaces."""
TRACKING: Final = "DEMO-1"
_LOOK_S: Final = 0.01


class Sale(NamedTuple):
    """An order of a marketplace, and the reservation that it became."""

    seller: Seller
    order: SoldOrder
    reservation: str

    @property
    def number(self) -> str:
        """The order's number, as the marketplace has it."""
        return str(self.order.number)


async def sell_everywhere(shop: Shop, channels: Channels, sellers: Sequence[Seller]) -> list[str]:
    """Let every marketplace sell one of too few units, one buyer cancel, and one order be shipped.

    Return what was wrong.
    """
    sku = shop.sku(SKU)
    try:
        await shop.count(sku, UNITS)
        await _until(lambda: _all_confirmed(channels, sku), f"a channel does not show {UNITS} of {SKU}")
        sales = await _sell(shop, channels, sellers, sku)
        short = await _short(shop, sku)
        kept = [sale for sale in sales if sale.number not in short]
        for sale in sales:
            has = "is short of its unit" if sale.number in short else "has its unit"
            say(f"  {sale.seller.name:<16} order {sale.number} came in and {has}")
        if len(kept) != UNITS:
            return [f"{len(kept)} of {len(sales)} orders have their unit; there are {UNITS}"]
        await _cancel(shop, kept[0], sku)
        await _ship(shop, kept[1])
    except _MissedError as missed:
        return [str(missed)]
    return []


class _MissedError(Exception):
    """Something did not happen in time; the message says what."""


async def _sell(shop: Shop, channels: Channels, sellers: Sequence[Seller], sku: str) -> list[Sale]:
    say(f"{len(sellers)} marketplaces sell one {SKU} each at the same moment; there are {UNITS}.")
    began_s = _now_s()
    orders = await asyncio.gather(*(seller.sell(sku) for seller in sellers))
    await _until(lambda: _all_show(channels, sku, 0), f"a channel still shows {SKU}, which is sold out")
    say(f"  all {len(channels)} channels show 0 after {_ms_since(began_s)}")
    sold = zip(sellers, orders, strict=True)
    return [Sale(seller, order, await _reservation(shop, seller, order)) for seller, order in sold]


async def _cancel(shop: Shop, sale: Sale, sku: str) -> None:
    """Let a buyer cancel: the unit goes to the order that lacks one."""
    began_s = _now_s()
    await sale.seller.cancel(sale.order)
    await _until(lambda: _none_short(shop, sku), "the unit of a cancelled order went to nobody")
    say(f"  the buyer of {sale.number} cancels: the order that was short has the unit after {_ms_since(began_s)}")


async def _ship(shop: Shop, sale: Sale) -> None:
    """Ship an order here: its marketplace is told."""
    began_s = _now_s()
    await shop.ask("POST", f"/v1/reservations/{sale.reservation}/fulfil", {"tracking": TRACKING, "carrier": "sled"})
    await _until(lambda: _is_told(sale), f"{sale.seller.name} was not told that {sale.number} was shipped")
    say(f"  {sale.number} is shipped: {sale.seller.name} has its tracking after {_ms_since(began_s)}")


async def _all_show(channels: Channels, sku: str, units: int) -> bool:
    return all(channel.shown.get(sku) == units for channel in channels)


async def _all_confirmed(channels: Channels, sku: str) -> bool:
    return all(channel.shown.get(sku) == UNITS and not channel.unsettled for channel in channels)


async def _is_told(sale: Sale) -> bool:
    return sale.order.tracking == TRACKING


async def _reservation(shop: Shop, seller: Seller, order: SoldOrder) -> str:
    """Wait until an order has come in, and return its reservation."""
    found: list[str] = []

    async def look() -> bool:
        answer = await shop.ask("GET", f"/v1/reservations?channel={seller.name}")
        rows = answer["reservations"]
        found.extend(row["reservation_id"] for row in rows if row.get("order_ref") == str(order.number))
        return bool(found)

    await _until(look, f"order {order.number} of {seller.name} did not come in")
    return found[0]


async def _short(shop: Shop, sku: str) -> set[str]:
    """Return the numbers of the orders that lack units of a SKU."""
    answer = await shop.ask("GET", "/v1/shortages")
    return {line["order_ref"] for row in answer["shortages"] if row["sku"] == sku for line in row["lines"]}


async def _none_short(shop: Shop, sku: str) -> bool:
    return not await _short(shop, sku)


async def _until(condition: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    try:
        async with asyncio.timeout(SHOW_S):
            while not await condition():  # noqa: ASYNC110  # the server is asked, which has no event for it
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise _MissedError(otherwise) from None


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _ms_since(began_s: float) -> str:
    return f"{1000 * (_now_s() - began_s):.0f} ms"
