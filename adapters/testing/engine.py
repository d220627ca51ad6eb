"""A publisher in this process, on a real store, with channels of a test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.tokens import Grant
from adapters.testing.waiting import wait_until
from server.channels.channel_plan import ChannelPlan
from server.channels.connection.clock import Clock
from server.channels.inbound.intakes import IntakeParts
from server.channels.inbound.mirrors import MirrorParts
from server.channels.outbound.sender import Sender
from server.channels.publisher import Publisher
from server.channels.sources.desk import SourceDesk
from server.channels.sources.sources import SourcePlan
from server.channels.webhooks.delivery import WebhookPlan
from server.domain.channels import ChannelRules, ChannelSettings, ChannelStatus, Listing
from server.domain.intake import OrderIntake
from server.domain.mirrors import MirrorSettings
from server.store.connection import connect
from server.store.connection.connect import StoreClient
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.ledger.ledger import Retention
from server.store.repositories.channels import ChannelStore
from server.store.repositories.locations import LocationStore
from server.store.repositories.sealing import Sealer

LOOPBACK: Final = ["127.0.0.1"]
LEASE_S: Final = 1.0
DAY_S: Final = 86_400
RETENTION: Final = Retention(life_max_s=7 * DAY_S, idempotency_s=DAY_S, ended_s=7 * DAY_S, fulfilled_s=90 * DAY_S)


def plan(
    name: str,
    build: Callable[[], Adapter],
    *,
    kind: str = "plain",
    rules: dict[str, Any] | None = None,
    listings: str = "all",
    timeout_s: float = 2.0,
    orders: dict[str, Any] | None = None,
    grant: Callable[[], Grant] | None = None,
    mirror: dict[str, Any] | None = None,
) -> ChannelPlan:
    """Plan a channel that an adapter is built for."""
    settings = ChannelSettings(
        name=name,
        kind=kind,
        rules=msgspec.convert(rules or {}, ChannelRules),
        listings="all" if listings == "all" else "listed",
        allow_private=LOOPBACK,
        timeout_s=timeout_s,
        orders=msgspec.convert(orders or {}, OrderIntake),
        mirror=None if mirror is None else msgspec.convert(mirror, MirrorSettings),
    )
    return ChannelPlan(settings, build, grant=grant)


class Engine:
    """A publisher that runs, and what a test wants to know of it."""

    def __init__(self, publisher: Publisher, client: StoreClient, keyspace: Keyspace) -> None:
        self.publisher = publisher
        self.client = client
        self.keyspace = keyspace
        self.store = ChannelStore(client, keyspace)

    def channel(self, name: str) -> Sender:
        return next(channel for channel in self.publisher.channels if channel.name == name)

    def is_idle(self) -> bool:
        """Whether it acts, and every channel has confirmed all."""
        channels = self.publisher.channels
        return self.publisher.acting and bool(channels) and not any(each.state.pending_count() for each in channels)

    async def status(self, name: str) -> ChannelStatus | None:
        return (await self.store.statuses()).get(name)

    async def list_skus(self, name: str, *listings: Listing) -> None:
        await self.store.put_listings(name, listings, "test")


@asynccontextmanager
async def publishing(
    url: str,
    partition: str,
    plans: Sequence[ChannelPlan],
    *,
    webhooks: Sequence[WebhookPlan] = (),
    lease_s: float = LEASE_S,
    clock: Clock | None = None,
    finish: bool = True,
    stands_by: bool = False,
    orders: IntakeParts | None = None,
    sealer: Sealer | None = None,
    sources: Sequence[SourcePlan] = (),
    source_desk: SourceDesk | None = None,
    mirrors: MirrorParts | None = None,
) -> AsyncIterator[Engine]:
    """Run a publisher meanwhile. ``finish`` False: it is torn away, as by a crash. ``stands_by``: another one acts."""
    pool = connect.connection_pool(url)
    client, keyspace = connect.client(pool), Keyspace(partition)
    feed = JournalFeed(client, keyspace, pool.make_connection)
    feed.start()
    settle = LocationStore(client, keyspace, RETENTION.packed()).settle
    publisher = Publisher(
        client,
        keyspace,
        feed,
        plans,
        webhooks=webhooks,
        lease_s=lease_s,
        clock=clock,
        settle=settle,
        orders=orders,
        sealer=sealer,
        sources=sources,
        source_desk=source_desk,
        mirrors=mirrors,
    )
    task = asyncio.create_task(publisher.run())
    try:
        if not stands_by:
            await wait_until(lambda: publisher.acting, "the publisher acts")
        yield Engine(publisher, client, keyspace)
    finally:
        if finish:
            await publisher.finish()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await feed.close()
        await pool.aclose()
