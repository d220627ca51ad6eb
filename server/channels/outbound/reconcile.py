"""Reads a channel back and corrects what differs; a channel that cannot be read is sent everything once more."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog

from adapters.contract.errors import ChannelError
from adapters.contract.http import READ
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.guarded import is_read
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.retry_policy import WAIT_S_MAX
from server.domain.channels import LastReconcile, Listing
from server.store.journal.journal import EntryId

log = structlog.get_logger("holdfast.channel")

LOGGED_MAX: Final = 20
"""Differences that are logged one by one; the metric counts all."""


async def reconcile(
    state: ChannelState, client: ChannelClient, clock: Clock, position: Callable[[], EntryId]
) -> LastReconcile:
    """Compare all listings once. What differs becomes pending and is sent like any other change.

    ``position`` returns the journal id for what becomes pending: never one before which everything is confirmed.
    """
    if not client.capabilities.read_items_max:
        keys = state.keys()
        await state.changed_all(position(), forced=True)
        return LastReconcile(clock.store_ms(), len(keys), 0, read_back=False)
    checked = differed = 0
    for page in _pages(state, client.capabilities.read_items_max):
        # What is pending, or becomes so while we read, is not compared: the answer may be older than that.
        before = state.confirmed_values(page)
        shows = await _read(state, client, list(before))
        for listing in page:
            if listing.key in before and state.is_unchanged(listing, before[listing.key]):
                checked += 1
                shown, log_it = shows.get(listing.key), differed < LOGGED_MAX
                differed += state.compare(listing, shown, position(), log_it=log_it)
    finished = LastReconcile(clock.store_ms(), checked, differed)
    log.info("channel_reconciled", channel=state.name, checked=checked, differed=differed)
    return finished


def _pages(state: ChannelState, size: int) -> Iterator[Sequence[Listing]]:
    keys = state.keys()
    for start in range(0, len(keys), size):
        listings = (state.listing(key) for key in keys[start : start + size])
        yield [listing for listing in listings if listing is not None]


async def _read(state: ChannelState, client: ChannelClient, keys: Sequence[str]) -> dict[str, int]:
    """Read some keys, as often as it takes."""
    while keys:
        await asyncio.sleep(min(client.wait_s(READ), WAIT_S_MAX))
        try:
            return await client.talk(lambda adapter: adapter.read(keys), returns=is_read)
        except ChannelError as error:
            log.info("channel_cannot_be_read", channel=state.name, reason=error.reason)
    return {}
