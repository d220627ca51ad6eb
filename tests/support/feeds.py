"""Journal feeds for tests."""

from redis.asyncio import Redis

from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace


def feed_of(client: Redis, keyspace: Keyspace, **limits: int) -> JournalFeed:
    """Make a feed on the client's store. It is not started, so it reads from the store, as it is at that moment."""
    return JournalFeed(client, keyspace, client.connection_pool.make_connection, **limits)
