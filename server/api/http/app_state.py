"""What the handlers of one process share: who is let in, the store, the limits, and the parts of each partition."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from server.api.http.auth import Authenticator
from server.api.http.key_shares import Shares
from server.domain.channels import ChannelSettings
from server.domain.limits import BULK_AT_ONCE_MAX
from server.domain.sources import SourceSettings
from server.service.caller import Partition
from server.store.connection.connect import StoreClient
from server.store.documents.documents import Documents
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.ledger.function_call import Submitter
from server.store.ledger.ledger import Ledger, Retention
from server.store.repositories.locations import KnownLocations, LocationStore
from server.streams.event_fanout import EventFanOut
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams
from server.telemetry.tracing import Tracing


@dataclass
class AppState:
    """One worker's parts, as the handlers see them.

    ``client`` reads what requests ask for; ``maintenance_client`` waits behind none of these.
    ``new_id`` makes reservation ids; times are seconds. ``stopping`` is set when callers are told to leave: each answer
    closes its connection. ``draining`` is set when the server stops taking work. ``streams`` are the open change
    streams, and ``loop_share`` is what they may take of the event loop.
    ``shares``: how many requests of a kind a key has running at once; a kind that is not there is not limited.
    ``bulk_at_once``: operations of one request that wait for the store together.
    ``channels`` and ``sources`` are the configured ones, by partition and name; ``other_channels`` see
    :class:`Partition`.
    ``tracing`` None: no traces are wanted. ``documents`` None: there is no database for them.
    """

    authenticator: Authenticator
    batcher: Submitter
    client: StoreClient
    maintenance_client: StoreClient
    retention: Retention
    new_id: Callable[[], str]
    new_feed: Callable[[Keyspace], JournalFeed]
    ttl_default_s: int
    body_timeout_s: float
    slow_request_s: float
    write_timeout_s: float
    streams: OpenStreams
    loop_share: LoopShare
    shares: Shares = field(default_factory=dict)
    bulk_at_once: int = BULK_AT_ONCE_MAX
    channels: Mapping[str, Mapping[str, ChannelSettings]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, SourceSettings]] = field(default_factory=dict)
    other_channels: frozenset[str] | None = None
    tracing: Tracing | None = None
    documents: Documents | None = None
    stopping: bool = False
    draining: bool = False
    partitions: dict[str, Partition] = field(default_factory=dict)
    feeds: dict[str, JournalFeed] = field(default_factory=dict)
    event_fan_outs: dict[str, EventFanOut] = field(default_factory=dict)

    def partition(self, name: str) -> Partition:
        """Return what the service works with in a partition; made for the first request there."""
        known = self.partitions.get(name)
        if known is None:
            known = self.partitions[name] = self._new_partition(name)
        return known

    def _new_partition(self, name: str) -> Partition:
        keyspace, limits = Keyspace(name), self.retention.packed()
        return Partition(
            ledger=Ledger(self.batcher, keyspace, self.retention),
            client=self.client,
            limits=limits,
            # An order may have to know them first, and waits behind no reader.
            locations=KnownLocations(
                LocationStore(self.maintenance_client, keyspace, limits), asyncio.get_running_loop().time
            ),
            new_id=self.new_id,
            ttl_default_s=self.ttl_default_s,
            channels=self.channels.get(name, {}),
            sources=self.sources.get(name, {}),
            bulk_at_once=self.bulk_at_once,
            other_channels=self.other_channels,
            documents=self.documents,
        )

    def feed(self, partition: str) -> JournalFeed:
        """Return this process's feed of a partition's journal; a follower of new entries has to start it."""
        known = self.feeds.get(partition)
        if known is None:
            known = self.feeds[partition] = self.new_feed(Keyspace(partition))
        return known

    def drain(self) -> None:
        """Turn readiness off, take no new streams, and let the open ones end."""
        self.stopping = self.draining = True
        self.streams.stop()

    async def close_feeds(self) -> None:
        """Stop following the journals, and what else is read in the background."""
        for feed in self.feeds.values():
            await feed.close()
        for partition in self.partitions.values():
            await partition.locations.close()
