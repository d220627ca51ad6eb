"""A store's clock that was fast and is right again silences no channel: nobody waits for a time that lies ahead."""

import msgspec
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from server.channels.connection.clock import Clock
from server.channels.outbound.retry_policy import DEAD_LETTER_PAUSE_S, dead_letter_wait_s
from server.domain.channels import ChannelStatus, LastReconcile
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from tests.channels.alert_receiver import AlertReceiver
from tests.channels.engine import plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import sell, shows, stock
from tests.channels.test_webhook_deliveries import plan as webhook
from tests.channels.test_webhook_deliveries import raise_at
from tests.conftest import now_ms, wait_until
from tests.support.stores import StoreProcess

HALF_AN_HOUR_MS = 1_800_000


class LateClock(Clock):
    """The store's time, minus ``behind_ms``: what was written before that grew lies ahead of it."""

    behind_ms = 0

    def store_ms(self) -> int:
        return super().store_ms() - self.behind_ms


async def test_a_dead_publisher_s_lease_that_lies_ahead_keeps_nobody_away_for_longer_than_it_lasts(
    store: StoreProcess, ledger: Ledger, client: Redis, partition: str, shop: PlainChannel
) -> None:
    until_ms = await now_ms(client) + HALF_AN_HOUR_MS
    lease: dict[str, str | int] = {"owner": "dead", "token": until_ms, "until_ms": until_ms, "ttl_until_ms": until_ms}
    lease["ttl_ms"] = 500
    for name, value in lease.items():
        await command(client, "HSET", ledger.keyspace.publisher, name, value)
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=9))


async def test_a_change_whose_time_lies_ahead_counts_as_unsent_from_when_it_is_read(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    clock = LateClock()
    clock.behind_ms = HALF_AN_HOUR_MS
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, timeout_s=30.0)], clock=clock, finish=False) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
        shop.always = "silent"
        await sell(ledger, "A")

        async def is_told() -> bool:
            status = await engine.status("shop")
            return status is not None and status.oldest_unsent_s > 0.2

        await wait_until(is_told, "the status says that something is unsent")


async def test_a_ticket_whose_life_lies_ahead_is_given_up_after_its_life(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    clock = LateClock()
    shop.tickets, shop.slow_polls = True, 10_000
    await stock(ledger, 9, "A")
    channel = plan("shop", shop, poll_every_s=0.02, ticket_life_s=0.5)
    async with publishing(store, partition, [channel], clock=clock):
        await wait_until(lambda: bool(shop.open_tickets))
        clock.behind_ms = HALF_AN_HOUR_MS
        await wait_until(lambda: shop.pushed_items > 1, "what it carried is sent again")
        shop.open_tickets.clear()
        shop.slow_polls = 0
        await wait_until(shows(shop, A=9))


async def test_a_comparison_that_lies_ahead_does_not_put_off_the_next(
    store: StoreProcess, ledger: Ledger, client: Redis, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 9, "A")
    rules = {"reconcile_every_s": 3600.0}
    async with publishing(store, partition, [plan("shop", shop, rules=rules, read_items_max=100)]) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
    keyspace, ahead_ms = Keyspace(partition), await now_ms(client) + 1000 * HALF_AN_HOUR_MS
    status = ChannelStatus(publisher="dead", written_ms=ahead_ms, since_ms=1, reconcile=LastReconcile(ahead_ms, 1, 0))
    await command(client, "HSET", keyspace.channel_status, "shop", msgspec.json.encode(status))
    shop.shown["A"] = 99
    async with publishing(store, partition, [plan("shop", shop, rules=rules, read_items_max=100)]):
        await wait_until(shows(shop, A=9), "it was compared and corrected")


def test_a_dead_letter_whose_time_lies_ahead_is_tried_at_once() -> None:
    assert dead_letter_wait_s(HALF_AN_HOUR_MS, 0) == 0.0
    assert dead_letter_wait_s(0, 0) == DEAD_LETTER_PAUSE_S
    assert dead_letter_wait_s(0, int(1000 * DEAD_LETTER_PAUSE_S)) == 0.0


async def test_an_event_whose_time_lies_ahead_counts_as_undelivered_from_when_it_is_tried(
    store: StoreProcess, ledger: Ledger, client: Redis, partition: str
) -> None:
    def unsent_s() -> float:
        return REGISTRY.get_sample_value("holdfast_webhook_oldest_unsent_seconds", {"webhook": "erp"}) or 0.0

    async with AlertReceiver() as erp:
        erp.always = "failing"
        async with publishing(store, partition, [], webhooks=[webhook("erp", erp)], finish=False):
            await raise_at(client, ledger.keyspace, await now_ms(client) + HALF_AN_HOUR_MS, "A")
            await wait_until(lambda: unsent_s() > 0.1, "the gauge says that an event waits")
