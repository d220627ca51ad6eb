"""Channels that are not configured any more: what is stored of them would keep the journal for ever."""

from collections.abc import Collection, Mapping

import structlog

from server.store.keys import ChannelKeys
from server.store.repositories.publisher import PublisherStore, Writes

log = structlog.get_logger("holdfast.publisher")


async def forget_removed(
    store: PublisherStore, token: int, cursors: Mapping[str, str], configured: Collection[str]
) -> None:
    """Remove what is stored of channels that have a cursor and are not configured."""
    for name in sorted(cursors.keys() - set(configured)):
        writes, keys = Writes(), ChannelKeys(store.keyspace, name)
        writes.dropped += [keys.shown, keys.dead_letters, keys.tickets]
        writes.set(store.keyspace.channel_status, name, None)
        writes.set(store.keyspace.channel_cursors, name, None)
        await store.record(token, writes)
        log.warning("channel_removed", channel=name, advice="once configured again, it is sent everything")
