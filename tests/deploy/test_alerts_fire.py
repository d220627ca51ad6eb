"""A real Prometheus scrapes a real server: faults are injected, and the alerts about them fire, and end."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from adapters.contract.orders import Command, Label, Ship
from server.domain.intake import News, OutboxEntry
from server.store.keys import ChannelKeys, Keyspace
from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.channels.test_served import CONFIGURED
from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.prometheus import Prometheus

pytest_plugins = ("tests.support.http_fixtures",)

FIRES_S: Final = 60.0
BUSY: Final = {"HoldfastEventLoopLag", "HoldfastReserveSlow", "HoldfastReserveSlowBurn", "HoldfastDown"}
"""What a busy machine may raise by itself: it is short of CPU, and answers a scrape late."""
STALE_S: Final = 150.0
"""A channel counts as stale after a minute, by the very expression that is shipped."""


@contextmanager
def watching(*servers: Server) -> Iterator[Prometheus]:
    """Start Prometheus on servers that have looked at their store; in the end no rule may have failed."""
    with Prometheus([f"{server.host}:{server.port}" for server in servers]) as prometheus:
        yield prometheus
        assert prometheus.unhealthy_rules() == []


async def until_well(server: Server, *, publisher: bool = False) -> None:
    """Wait until a server has looked at its store and, if it is to, found its publisher."""
    lines = ["holdfast_store_up 1.0", "holdfast_store_durable 1.0"]
    lines += ["holdfast_publisher_missing_partitions 0.0", "holdfast_publisher_active 1.0"] * publisher
    async with opened(server) as api:

        async def is_well() -> bool:
            metrics = (await api.get("/metrics")).raw.decode().splitlines()
            return all(line in metrics for line in lines)

        await wait_until(is_well, "the server is well")


async def fires(prometheus: Prometheus, *alerts: str, within_s: float = FIRES_S) -> None:
    await wait_until(lambda: set(alerts) <= set(prometheus.firing()), f"{alerts} fire", within_s)


async def ends(prometheus: Prometheus, *alerts: str) -> None:
    await wait_until(lambda: not set(alerts) & set(prometheus.firing()), f"{alerts} end", FIRES_S)


@pytest.mark.soak
async def test_given_fsync_switched_off_under_a_server_when_scraped_then_the_alert_fires_and_ends_with_the_fault(
    start_server: Callable[..., Server],
) -> None:
    # Given
    server = start_server()
    await until_well(server)
    with watching(server) as prometheus:
        await wait_until(lambda: prometheus.value("holdfast_store_durable") == 1, "it is scraped")
        await wait_until(lambda: prometheus.firing().keys() <= BUSY, "nothing fires")

        # When
        with server.store() as store:
            store.config_set("appendfsync", "everysec")

        # Then
        await fires(prometheus, "HoldfastStoreNotDurable")
        alert = prometheus.firing()["HoldfastStoreNotDurable"]
        assert alert["labels"]["severity"] == "page"
        assert alert["annotations"]["runbook"] == "docs/runbooks/HoldfastStoreNotDurable.md"
        with server.store() as store:
            store.config_set("appendfsync", "always")
        await ends(prometheus, "HoldfastStoreNotDurable")


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock("a")
        yield receiver


@pytest.fixture
async def both(receiver: WebhookReceiver, start_server: Callable[..., Server]) -> tuple[Server, Server]:
    """Start a server that answers, and beside it one that publishes and runs maintenance, on one store."""
    toml, environment = CONFIGURED % (receiver.port, PATH), {"SHOP_SECRET": SECRET}
    api = start_server(toml=toml, environment=environment, role="api")
    publisher = start_server(
        toml=toml,
        environment=environment,
        role="publisher",
        store_url=f"unix://{api.data_dir / 'store.sock'}",
        publisher_lease_s=1,
        audit_interval_s=1,
    )
    await until_well(publisher, publisher=True)
    await until_well(api)
    return api, publisher


async def order_more_than_there_is(api: Api) -> None:
    body = {"channel": "shop", "lines": [{"sku": "A", "quantity": 7}], "on_shortage": "accept"}
    (await api.post("/v1/orders", body)).ok(201)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_given_a_server_and_a_publisher_when_one_fault_after_the_other_is_injected_then_each_has_its_alert(
    both: tuple[Server, Server], receiver: WebhookReceiver
) -> None:
    server, publisher = both
    with watching(server, publisher) as prometheus:
        await wait_until(lambda: prometheus.value("sum(holdfast_store_durable)") == 2, "both are scraped")
        async with opened(server) as api:
            await api.count("A", 5)
            (await api.put("/v1/channels/shop/listings", {"listings": [{"sku": "A", "key": "a"}]})).ok()
            await wait_until(lambda: receiver.shown["a"] == 5, "the shop shows what there is")
            await wait_until(lambda: prometheus.firing().keys() <= BUSY, "nothing fires")

            # A shortage: sold elsewhere already, accepted, and then received.
            await order_more_than_there_is(api)
            await fires(prometheus, "HoldfastShortage")
            await api.count("A", 50)
            await ends(prometheus, "HoldfastShortage")

            # A value that the shop will not take, until it does.
            (await api.put("/v1/channels/shop/listings", {"listings": [{"sku": "B", "key": "b"}]})).ok()
            await fires(prometheus, "HoldfastDeadLetters")
            receiver.stock("b")
            (await api.post("/v1/channels/shop/dead-letters/retry", {"skus": ["B"]})).ok(202)
            await ends(prometheus, "HoldfastDeadLetters")

            # Memory nearly full.
            with server.store() as store:
                used = int(store.info("memory")["used_memory"])
                store.config_set("maxmemory", used * 100 // 97)
                await fires(prometheus, "HoldfastStoreMemoryFull", "HoldfastStoreMemoryHigh")
                store.config_set("maxmemory", 0)
            await ends(prometheus, "HoldfastStoreMemoryFull", "HoldfastStoreMemoryHigh")

            # A counter that somebody wrote into by hand.
            with server.store() as store:
                keys = Keyspace("default")
                [field] = [each for each in store.hkeys(keys.stock) if each.startswith(b"A\0")]
                right = store.hget(keys.stock, field)
                store.hset(keys.stock, field, bytes([right[0], right[1] + 1]) + right[2:])
                await api.count("C", 1)  # a partition in which nothing happens is audited once a day
                await fires(prometheus, "HoldfastDrift")
                store.hset(keys.stock, field, right)
            await ends(prometheus, "HoldfastDrift")

            # A store that hangs: it counts as down, and orders fail.
            with server.frozen_store():
                for _ in range(12):
                    await api.reserve("A", 1)
                await fires(prometheus, "HoldfastStoreDown", "HoldfastReserveErrors", "HoldfastReserveErrorsSlowBurn")
            await ends(prometheus, "HoldfastStoreDown")

            # A shop that is down.
            await receiver.stop()
            (await api.reserve("A", 1)).ok(201)
            await fires(prometheus, "HoldfastChannelCircuitOpen")
            await fires(prometheus, "HoldfastChannelStale", within_s=STALE_S)

            # A publisher that dies, without a stand-by.
            publisher.kill()
            await fires(prometheus, "HoldfastPublisherMissing", "HoldfastDown")
            await ends(prometheus, "HoldfastChannelCircuitOpen")


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    """Run a marketplace that sells, and that does not tell of its orders just now."""
    async with Market(only="/orders", always="unavailable") as market:
        yield market
    assert market.complaints == []


AN_HOUR_MS: Final = 3_600_000


def asked_an_hour_ago(server: Server, entry_id: str, command: Command, **fields: Any) -> None:
    """Have a command said to the marketplace that somebody has asked for an hour ago."""
    name = str(type(command).__struct_config__.tag)
    with server.store() as store:
        at_ms = store.time()[0] * 1000 - AN_HOUR_MS
        packed = msgspec.msgpack.encode(command)
        entry = OutboxEntry(entry_id, command.order, name, packed, "desk", "waiting", at_ms, at_ms, at_ms)
        news = News("say", at_ms, entry=replace(entry, **fields))
        store.xadd(ChannelKeys(Keyspace("default"), "market").heard, {"n": msgspec.msgpack.encode(news)})


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_given_a_marketplace_that_sells_when_its_orders_or_commands_get_stuck_then_each_has_its_alert(
    market: Market, start_server: Callable[..., Server]
) -> None:
    server = start_server(toml=table("market", market), environment=environment(), publisher_lease_s=1)
    await until_well(server, publisher=True)
    with watching(server) as prometheus:
        async with opened(server) as api:
            await api.count("a", 5)
            await api.count("b", 5)
            market.place("o-1", {"a": 2})

            # Nothing is known of its orders since long ago, and it takes no command.
            ship = Ship(order="o-1", lines=(("La", 1),), tracking="T-1")
            asked_an_hour_ago(server, "s-1", ship)
            await fires(prometheus, "HoldfastIntakeLate", "HoldfastOutboxLate")
            assert prometheus.firing()["HoldfastIntakeLate"]["labels"]["channel"] == "market"
            assert not {"HoldfastInboxOrders", "HoldfastCommandUndecided"} & set(prometheus.firing())
            market.always = None
            await ends(prometheus, "HoldfastIntakeLate", "HoldfastOutboxLate")
            assert market.line("o-1", "a")["shipped"] == 1

            # An order with a listing that nobody knows, until somebody says what it is.
            market.place("o-2", {"x": 1})
            await fires(prometheus, "HoldfastInboxOrders")
            mapped = {"listings": [{"sku": "b", "key": "x"}]}
            (await api.post("/v1/inbox/market/o-2/map", mapped)).ok(202)
            await ends(prometheus, "HoldfastInboxOrders")

            # A command whose answer was lost, and the order does not tell whether it was carried out.
            lost = {"state": "unsure", "sent_ms": 1, "tries": 1}
            asked_an_hour_ago(server, "l-1", Label(order="o-1"), **lost)
            await fires(prometheus, "HoldfastCommandUndecided")
            (await api.post("/v1/channels/market/outbox/done", {"ids": ["l-1"]})).ok(202)
            await ends(prometheus, "HoldfastCommandUndecided")
