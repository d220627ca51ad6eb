"""Who asks the service for something, and what it works with to answer. HTTP, commands and files all make a caller."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from server.domain.channels import ChannelSettings
from server.domain.key_limits import KeyLimits
from server.domain.limits import BULK_AT_ONCE_MAX, TTL_S_DEFAULT
from server.domain.operations.base import fingerprint
from server.domain.principal import ALL_SCOPES, LOCAL, Principal
from server.domain.shortages import newest_first
from server.domain.sources import SourceSettings
from server.store.command_session import OpenStore
from server.store.connection.connect import StoreClient
from server.store.copies.journal_tail import JournalTail
from server.store.copies.stock_copy import StockCopy
from server.store.documents.documents import Documents
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.ledger.limited_ledger import within
from server.store.repositories.locations import KnownLocations, LocationStore

_LEDGERS_KEPT_MAX: Final = 1_000
"""More keys than one partition has in use; beyond it all are made anew, so that nothing grows for ever."""


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """What the service works with in one partition; made once and shared by all who ask there.

    ``ledger`` is that of the system, and ``ledgers`` has those of its keys: each waits for the store in its own turn.
    ``limited_ledgers``: those of keys with limits, beside the limits for which they were made.
    ``client`` reads past the ledger; ``limits`` is :meth:`Retention.packed`, which reading scripts need. ``new_id``
    makes the ids of reservations and transfers that came without one. ``channels``, ``sources``: the configured ones,
    by name.
    ``bulk_at_once``: how many operations of one request wait for the store together. ``other_channels``: those that
    orders may name beside the configured ones; None: any. ``documents``: those of orders; None: there is no
    database. ``stock_copy``: answers those who allow an age; None: the store is always asked. ``tail``: the journal's
    newest entries, for those who ask for the history.
    """

    ledger: Ledger
    client: StoreClient
    limits: bytes
    locations: KnownLocations
    new_id: Callable[[], str]
    ttl_default_s: int = TTL_S_DEFAULT
    channels: Mapping[str, ChannelSettings] = {}
    sources: Mapping[str, SourceSettings] = {}
    bulk_at_once: int = BULK_AT_ONCE_MAX
    ledgers: dict[str, Ledger] = {}
    limited_ledgers: dict[str, tuple[KeyLimits, Ledger]] = {}
    other_channels: frozenset[str] | None = None
    documents: Documents | None = None
    stock_copy: StockCopy | None = None
    tail: JournalTail = msgspec.field(default_factory=JournalTail)

    @property
    def newest_first(self) -> frozenset[str]:
        """The channels whose newest order gets units that come back; of others it is the oldest."""
        return newest_first(self.channels)

    def is_meant(self, channel: str) -> bool:
        """Return whether a channel is configured, or named as one that orders may name beside those."""
        return channel in self.channels or channel in (self.other_channels or ())

    def ledger_of(self, key: str) -> Ledger:
        """Return the ledger of a key, made for its first request."""
        if len(self.ledgers) >= _LEDGERS_KEPT_MAX:
            self.ledgers.clear()
        ledger = self.ledgers[key] = self.ledger.of(key)
        return ledger

    def limited_ledger_of(self, key: str, limits: KeyLimits) -> Ledger:
        """Return the ledger of a key with limits, made for its first request and again when they have changed."""
        known = self.limited_ledgers.get(key)
        if known is None or known[0] is not limits:
            if len(self.limited_ledgers) >= _LEDGERS_KEPT_MAX:
                self.limited_ledgers.clear()
            ledger = self.ledgers.get(key) or self.ledger_of(key)
            known = self.limited_ledgers[key] = (limits, within(ledger, key, limits))
        return known[1]

    @property
    def keyspace(self) -> Keyspace:
        """The names of the partition's keys."""
        return self.ledger.keyspace


class Caller(msgspec.Struct, frozen=True):
    """Who asks, where, and under which idempotency ``key``, empty where a repetition need not be recognised."""

    principal: Principal
    partition: Partition
    key: str = ""

    @property
    def actor(self) -> str:
        """The name that the journal keeps."""
        return self.principal.actor

    @property
    def ledger(self) -> Ledger:
        """The caller's ledger: operations are carried out by its :meth:`~Ledger.run`. Refusals are values."""
        principal, partition = self.principal, self.partition
        if (limits := principal.limits) is not None:
            known = partition.limited_ledgers.get(principal.key)  # asked here, for a call costs more than the question
            if known is not None and known[0] is limits:
                return known[1]
            return partition.limited_ledger_of(principal.key, limits)
        return partition.ledgers.get(principal.key) or partition.ledger_of(principal.key)

    def fingerprint(self, *parts: object) -> str:
        """Return the fingerprint of a request, empty without a key: nothing could be compared with it then."""
        return fingerprint(*parts) if self.key else ""

    def with_key(self, key: str) -> "Caller":
        """Return the same caller with another idempotency key."""
        return Caller(self.principal, self.partition, key)

    def item(self, number: int) -> "Caller":
        """Return the caller of one item of a batch: its key is the batch's, a slash, and the item's ``number``."""
        return self.with_key(f"{self.key}/{number}") if self.key else self


def local_caller(store: OpenStore, partition: str, key: str = "") -> Caller:
    """Make the caller for a command on this machine. Needs a running event loop."""
    clock_s = asyncio.get_running_loop().time
    keyspace, limits = Keyspace(partition), store.retention.packed()
    parts = Partition(
        ledger=store.ledger(partition),
        client=store.client,
        limits=limits,
        locations=KnownLocations(LocationStore(store.client, keyspace, limits), clock_s),
        new_id=lambda: f"r{secrets.token_hex(12)}",
    )
    return Caller(Principal(LOCAL.actor, partition, ALL_SCOPES), parts, key)


def key_of(principal: Principal, key: str) -> str:
    """Return an idempotency key as it is kept for whoever sent it: where they see their own alone, as theirs.

    A zero byte stands in no key that is sent.
    """
    limits = principal.limits
    return f"{principal.key}\0{key}" if limits is not None and limits.writes_own else key


def new_ids() -> Iterator[str]:
    """Yield ids of reservations and transfers: unique by a random part for the process, short by a counter."""
    prefix = secrets.token_hex(6)
    return (f"r{prefix}{number:x}" for number in itertools.count(1))
