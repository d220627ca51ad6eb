"""What the handlers share: one object that holds the ledgers, the client for reads, and the limits."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from server.api.http.auth import Authenticator
from server.domain.channels import ChannelSettings
from server.store.connection.connect import StoreClient
from server.store.journal.tail import Tail
from server.store.keys import Keyspace
from server.store.ledger.function_call import Submitter
from server.store.ledger.ledger import Ledger, Retention
from server.store.repositories.channels import ChannelStore
from server.store.repositories.locations import KnownLocations, LocationStore
from server.telemetry.tracing import Tracing


@dataclass
class Service:
    """One worker's parts, as the handlers see them.

    ``new_id`` makes reservation ids; times are seconds. ``draining`` is set when the server stops taking work.
    ``channels`` are the configured ones, by partition and name. ``tracing`` None: no traces are asked for.
    """

    authenticator: Authenticator
    batcher: Submitter
    client: StoreClient
    retention: Retention
    new_id: Callable[[], str]
    new_tail: Callable[[Keyspace], Tail]
    ttl_default_s: int
    body_timeout_s: float
    slow_request_s: float
    changes_streams_max: int
    channels: Mapping[str, Mapping[str, ChannelSettings]] = field(default_factory=dict)
    tracing: Tracing | None = None
    draining: bool = False
    open_streams: int = 0
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    tails: dict[str, Tail] = field(default_factory=dict)
    copies: dict[str, KnownLocations] = field(default_factory=dict)

    def ledger(self, partition: str) -> Ledger:
        """Get the ledger of a partition."""
        known = self.ledgers.get(partition)
        if known is None:
            known = self.ledgers[partition] = Ledger(self.batcher, Keyspace(partition), self.retention)
        return known

    def channel_store(self, keyspace: Keyspace) -> ChannelStore:
        """Get what is kept about a partition's channels; it answers patiently, so ask it :func:`in_time`."""
        return ChannelStore(self.client, keyspace)

    def places(self, partition: str) -> KnownLocations:
        """Get this process's copy of a partition's described locations."""
        known = self.copies.get(partition)
        if known is None:
            store = LocationStore(self.client, Keyspace(partition))
            known = self.copies[partition] = KnownLocations(store, asyncio.get_running_loop().time)
        return known

    def tail(self, partition: str) -> Tail:
        """Get the follower of a partition's journal; it starts with the first caller."""
        known = self.tails.get(partition)
        if known is None:
            known = self.tails[partition] = self.new_tail(Keyspace(partition))
            known.start()
        return known

    def drain(self) -> None:
        """Turn readiness off, take no new streams, and let the open ones end."""
        self.draining = True

    async def close_tails(self) -> None:
        """Stop following the journals, and what else is read in the background."""
        for tail in self.tails.values():
            await tail.close()
        for places in self.copies.values():
            await places.close()
