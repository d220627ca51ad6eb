"""What the handlers of one process share: who is let in, the store, the limits, and the parts of each partition."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from server.api.http.auth import Authenticator
from server.api.http.cors import Cors
from server.api.http.key_rates import KeyRates
from server.api.http.key_shares import Shares
from server.api.http.uploads import FileTurns
from server.domain.browser_tokens import BrowserTokens
from server.domain.channels import ChannelSettings
from server.domain.limits import BULK_AT_ONCE_MAX
from server.domain.sources import SourceSettings
from server.service.caller import Partition
from server.store.connection.connect import StoreClient
from server.store.copies.copy_room import CopyRoom
from server.store.copies.stock_copy import StockCopy
from server.store.documents.documents import Documents
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.ledger.function_call import Submitter
from server.store.ledger.ledger import Ledger, Retention
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.console_sessions import ConsoleSessions
from server.store.repositories.locations import KnownLocations, LocationStore
from server.streams.event_fanout import EventFanOut
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams
from server.telemetry.access_log import AccessLog
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
    ``copied_places_max``: how much of the stock all partitions keep in memory, see :class:`CopyRoom`.
    ``files``: who works on a file that was sent.
    ``tracing`` None: no traces are wanted. ``documents`` None: there is no database for them.
    ``cors`` None: no page of another server may call. ``browser_tokens`` None: there is no secret to sign them with.
    ``access_log`` None: none is wanted.
    ``api_keys``: those of the store, to be changed. ``rates``: how many requests keys may make.
    ``sessions``: those of people at the console; None: nobody can have one.
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
    copied_places_max: int = 0
    bulk_at_once: int = BULK_AT_ONCE_MAX
    channels: Mapping[str, Mapping[str, ChannelSettings]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, SourceSettings]] = field(default_factory=dict)
    other_channels: frozenset[str] | None = None
    tracing: Tracing | None = None
    documents: Documents | None = None
    cors: Cors | None = None
    browser_tokens: BrowserTokens | None = None
    files: FileTurns = field(default_factory=FileTurns)
    access_log: AccessLog | None = None
    api_keys: ApiKeyStore = field(init=False)
    rates: KeyRates = field(init=False)
    sessions: ConsoleSessions | None = None
    stopping: bool = False
    draining: bool = False
    partitions: dict[str, Partition] = field(default_factory=dict)
    feeds: dict[str, JournalFeed] = field(default_factory=dict)
    event_fan_outs: dict[tuple[str, str], EventFanOut] = field(default_factory=dict)
    """By partition and channel; without a channel: what everybody can reserve."""

    def __post_init__(self) -> None:
        """Make what follows from the parts: the store of the keys, and the room for copies of the stock."""
        self.api_keys, self.rates = ApiKeyStore(self.maintenance_client), KeyRates(self.maintenance_client)
        self._copy_room = CopyRoom(self.copied_places_max)

    def partition(self, name: str) -> Partition:
        """Return what the service works with in a partition; made for the first request there."""
        known = self.partitions.get(name)
        if known is None:
            known = self.partitions[name] = self._new_partition(name)
        return known

    def _new_partition(self, name: str) -> Partition:
        keyspace, limits = Keyspace(name), self.retention.packed()
        ledger, room = Ledger(self.batcher, keyspace, self.retention), self._copy_room
        return Partition(
            ledger=ledger,
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
            stock_copy=StockCopy(self.feed(name), ledger, room) if room.places_max else None,
        )

    def reconfigure(
        self, channels: Mapping[str, Mapping[str, ChannelSettings]], sources: Mapping[str, Mapping[str, SourceSettings]]
    ) -> None:
        """Have other channels and sources configured; who is at work with those of before goes on with these."""
        self.channels, self.sources = channels, sources
        for name, partition in self.partitions.items():
            msgspec.structs.force_setattr(partition, "channels", channels.get(name, {}))
            msgspec.structs.force_setattr(partition, "sources", sources.get(name, {}))

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
        for partition in self.partitions.values():
            if partition.stock_copy is not None:
                await partition.stock_copy.close()
        for feed in self.feeds.values():
            await feed.close()
        for partition in self.partitions.values():
            await partition.locations.close()


def new_ids() -> Iterator[str]:
    """Yield reservation ids: unique by a random part for the process, short and cheap by a counter."""
    prefix = secrets.token_hex(6)
    return (f"r{prefix}{number:x}" for number in itertools.count(1))
