"""The channels of the demo: one sale that all of them show, and a comparison at the end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from server.cli.demo.buyers import Shop
from server.cli.demo.simulated_channels import PROCESS_S, Marketplace, SimulatedChannel

SKU: Final = "ATLAS-TEE"
UNITS: Final = 8
SHOW_S: Final = 20.0
"""Longer than any channel takes to show or confirm a number: the marketplace is asked after 3 s."""
_LOOK_S: Final = 0.005
_ASK_S: Final = 0.1

Channels = Sequence[SimulatedChannel]


class Drop(NamedTuple):
    """When a channel showed the sale, in milliseconds after its answer; None: it did not."""

    channel: SimulatedChannel
    shows: int | None
    after_ms: float | None


async def count_and_wait(shop: Shop, channels: Channels) -> None:
    """Count the units of the sale, and wait until every channel has confirmed them."""
    sku = shop.sku(SKU)
    await shop.count(sku, UNITS)
    await _until(lambda: all(each.shown.get(sku) == UNITS and not each.unsettled for each in channels))


async def sell_one(shop: Shop, channels: Channels) -> list[Drop]:
    """Sell one unit, and watch every channel show one less."""
    sku = shop.sku(SKU)
    await shop.order(sku)
    answered_s = asyncio.get_running_loop().time()
    await _until(lambda: all(each.shown.get(sku) == UNITS - 1 for each in channels))
    return [_drop(each, sku, answered_s) for each in channels]


def _drop(channel: SimulatedChannel, sku: str, answered_s: float) -> Drop:
    shows = channel.shown.get(sku)
    if shows != UNITS - 1:
        return Drop(channel, shows, None)
    return Drop(channel, shows, 1000 * (channel.shown_at_s[sku] - answered_s))


def drop_line(drop: Drop) -> str:
    """Write the line of one channel about the sale."""
    channel, shows, after_ms = drop
    who = f"{channel.name} ({channel.kind})"
    if after_ms is None:
        return f"  {who:<26}{shows!s:>5}   not in time"
    # A channel may show it before the answer of the sale is read; that counts as 0 ms.
    own = f", {1000 * PROCESS_S:.0f} of them its own for the ticket" if isinstance(channel, Marketplace) else ""
    return f"  {who:<26}{shows!s:>5}   after {max(0.0, after_ms):.0f} ms{own}"


def sale_faults(drops: Sequence[Drop]) -> list[str]:
    """Name the channels that did not show the sale."""
    return [
        f"{drop.channel.name} shows {drop.shows} of {SKU} {SHOW_S:g} s after the sale, {UNITS - 1} are left"
        for drop in drops
        if drop.after_ms is None
    ]


async def disagreements(shop: Shop, channels: Channels) -> list[str]:
    """Wait until every channel shows what is left; return the differences that remain."""
    found: list[str] = []
    try:
        async with asyncio.timeout(SHOW_S):
            while True:
                stock = await shop.stock((shop.sku(SKU), *shop.skus))
                found = _differences(stock, channels)
                if not found and not any(level["held"] for level in stock.values()):
                    return []
                await asyncio.sleep(_ASK_S)
    except TimeoutError:
        return found or ["holds remain that should have expired"]


def _differences(stock: Mapping[str, Mapping[str, Any]], channels: Channels) -> list[str]:
    return [
        f"{channel.name} shows {channel.shown.get(sku)} of {sku}, {left(level)} are left"
        for channel in channels
        for sku, level in stock.items()
        if channel.shown.get(sku) != left(level)
    ]


def left(level: Mapping[str, Any]) -> int:
    """Return what a channel shows of a SKU at one location, by the default rules."""
    return max(0, int(level["available"]))


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most ``SHOW_S``; the caller checks it afterwards."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SHOW_S):
            while not condition():  # noqa: ASYNC110  # polling costs less than an event for each number
                await asyncio.sleep(_LOOK_S)
