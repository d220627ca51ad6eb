"""Reads a channel back and mends what differs; what cannot be read is told everything once more."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog

from adapters.contract.errors import ChannelError
from adapters.contract.http import READ
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.outbound.channel_state import ChannelState
from server.domain.channels import LastReconcile, Listing
from server.store.journal.journal import EntryId

log = structlog.get_logger("holdfast.channel")

REST_S_MAX: Final = 60.0
LOGGED_MAX: Final = 20
"""Differences that are logged one by one; the metric counts all."""


async def reconcile(
    book: ChannelState, line: ChannelClient, clock: Clock, position: Callable[[], EntryId]
) -> LastReconcile:
    """Go through all listings once. What differs is marked and sent like any other change.

    ``position`` gives the journal id for new marks: never one before which everything is confirmed already.
    """
    if not line.capabilities.read_items_max:
        skus = book.skus()
        await book.changed_all(position(), forced=True)
        return LastReconcile(clock.store_ms(), len(skus), 0, read_back=False)
    checked = differed = 0
    for page in _pages(book, line.capabilities.read_items_max):
        # Whoever is on the way now, or gets there while we read, is not judged: the answer may be older than that.
        settled = {listing.key: book.shown.get(listing.sku) for listing in page if listing.sku not in book.marks}
        shows = await _read(book, line, list(settled))
        for listing in page:
            if listing.key not in settled or listing.sku in book.marks:
                continue
            if book.shown.get(listing.sku) is settled[listing.key]:
                checked += 1
                differed += book.compare(listing, shows.get(listing.key), position(), log_it=differed < LOGGED_MAX)
    finished = LastReconcile(clock.store_ms(), checked, differed)
    log.info("channel_reconciled", channel=book.name, checked=checked, differed=differed)
    return finished


def _pages(book: ChannelState, size: int) -> Iterator[Sequence[Listing]]:
    skus = book.skus()
    for start in range(0, len(skus), size):
        listings = (book.listing(sku) for sku in skus[start : start + size])
        yield [listing for listing in listings if listing is not None]


async def _read(book: ChannelState, line: ChannelClient, keys: Sequence[str]) -> dict[str, int]:
    """Read some keys, as often as it takes."""
    while keys:
        await asyncio.sleep(min(line.wait_s(READ), REST_S_MAX))
        try:
            return await line.talk(lambda adapter: adapter.read(keys))
        except ChannelError as error:
            log.info("channel_cannot_be_read", channel=book.name, reason=error.reason)
    return {}
