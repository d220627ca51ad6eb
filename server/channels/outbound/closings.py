"""Marks the SKUs of locations that were closed or opened, for every channel, in steps between which others run."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from server.channels.outbound.sender import Sender
from server.channels.outbound.stock_levels import StockLevels
from server.store.journal.journal import EntryId

SKUS_AT_A_TIME: Final = 2_000
"""That are looked up whether they lie there: about a millisecond of the event loop, which may be serving orders."""
CALLS_AT_A_TIME: Final = 250
"""Of channels that look at a SKU: about a millisecond, too."""


async def mark(
    levels: StockLevels,
    channels: Sequence[Sender],
    locations: frozenset[str],
    entry_id: EntryId,
    changed_ms: int,
    *,
    before: bool,
) -> None:
    """Make pending on each channel what it should show otherwise, since locations were closed or opened.

    Falls to zero come first, of all SKUs and channels. The caller has begun the marking of each channel: its cursor
    waits until all is marked, so a restart begins anew. ``before``: an earlier publisher may have sent some of it.

    Which SKUs lie there is found by looking at all: that takes half a microsecond for each, and no memory, while
    an index by location would take some 100 bytes for each SKU at each location.
    """
    others: list[list[str]] = [[] for _ in channels]
    for skus in _slices([*levels], SKUS_AT_A_TIME):
        await asyncio.sleep(0)
        lying = [sku for sku in skus if levels.is_at(sku, locations)]
        for few in _slices(lying, max(1, CALLS_AT_A_TIME // max(1, len(channels)))):
            for channel, rest in zip(channels, others, strict=True):
                rest.extend(_mark_falls(channel, few, entry_id, changed_ms, before=before))
            await asyncio.sleep(0)
    for channel, rest in zip(channels, others, strict=True):
        for few in _slices(rest, CALLS_AT_A_TIME):
            for sku in few:
                channel.state.changed(sku, entry_id, changed_ms, forced=before, maybe_applied=before)
            await asyncio.sleep(0)
        channel.end_marking(entry_id)


def _mark_falls(
    channel: Sender, skus: Collection[str], entry_id: EntryId, changed_ms: int, *, before: bool
) -> list[str]:
    """Mark the SKUs that fall to zero on a channel; return the others."""
    others = []
    for sku in skus:
        if channel.state.falls_to_zero(sku):
            channel.state.changed(sku, entry_id, changed_ms, forced=before, maybe_applied=before)
        else:
            others.append(sku)
    return others


def _slices(skus: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (skus[start : start + size] for start in range(0, len(skus), size))
