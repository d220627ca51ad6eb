"""Two publisher processes on one store: one acts, the other takes over, and one that was away can do no harm."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from server.domain.channels import Shown
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from tests.channels import woocommerce_simulator
from tests.channels.woocommerce_simulator import WooCommerceSimulator
from tests.conftest import wait_until
from tests.rigs.fanout_crash.forgetful import LEASE, PUBLISHER_WRITE, Forgetful
from tests.rigs.fanout_crash.publishers import acting, acts, end, publisher, start
from tests.support.http import Server
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess, start_valkey

CHANNEL: Final = "shop"
KEYSPACE: Final = Keyspace("default")
KEPT: Final = (KEYSPACE.channel_cursors, *ChannelKeys(KEYSPACE, CHANNEL).all)
"""What a publisher keeps; beside these there is only how the channels stand, which is written each second."""
SHOWN: Final = ChannelKeys(KEYSPACE, CHANNEL).shown
HAND_OVER_S: Final = 30.0
"""More than any lease here but the long one, with a process that has to wake up on a busy machine."""
LONG_S: Final = 60
"""A lease that no test could wait out."""
CONFIGURED: Final = """
[channels.shop]
kind = "woocommerce"
listings = "all"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0.0

[channels.shop.options]
base_url = "%s"
requests_per_s = 200.0

[channels.shop.credentials]
consumer_key = { env = "WOO_KEY" }
consumer_secret = { env = "WOO_SECRET" }
"""
_ids = count(1)


@dataclass
class Shop(WooCommerceSimulator):
    """Knows its callers by name, and delays a push while ``holds`` is set: nothing of it is applied before."""

    callers: list[str] = field(default_factory=list)
    holds: bool = False
    held: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def _batch(self, request: web.Request) -> web.Response:
        if self.holds:
            self.holds = False
            self.held += 1
            await self.go_on.wait()
        return await super()._batch(request)

    def check_caller(self, request: web.Request) -> web.Response | None:
        words = request.headers.get("Authorization", "").removeprefix("Basic ")
        self.callers.append(base64.b64decode(words).decode().partition(":")[0])
        return None


@pytest.fixture
def store() -> Iterator[StoreProcess]:
    with start_valkey() as process:
        yield process


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as simulator:
        simulator.stock("101", "102", quantity=-1)
        yield simulator
        assert simulator.complaints == []


@pytest.fixture
async def ledger(
    store: StoreProcess, open_batcher: Callable[..., Batcher], make_ledger: Callable[..., Ledger]
) -> Ledger:
    """Open the ledger of the store; the shop lists both its SKUs."""
    opened = make_ledger(open_batcher(store), KEYSPACE.partition)
    for sku in ("101", "102"):
        await opened.run(receive(sku, 10))
    return opened


@pytest.fixture
def make_publisher(store: StoreProcess, shop: Shop) -> Iterator[Callable[..., Server]]:
    """Return a function that makes publishers, each known to the shop by its own name; none is started."""
    made: list[Server] = []

    def make(name: str, lease_s: float = 1, store_url: str = store.url) -> Server:
        environment = {"WOO_KEY": name, "WOO_SECRET": woocommerce_simulator.SECRET}
        made.append(publisher(store_url, CONFIGURED % shop.url, environment, lease_s=lease_s))
        return made[-1]

    yield make
    for server in made:
        end(server)


async def sell(ledger: Ledger, sku: str = "101") -> None:
    answer = await ledger.run(order(f"order-{next(_ids)}", (sku, 1)))
    assert not hasattr(answer, "outcome"), answer


async def shows(shop: Shop, units: int, sku: str = "101") -> None:
    await wait_until(lambda: shop.shown[sku] == units, f"the shop shows {units} of {sku}", HAND_OVER_S)


async def takes_over(server: Server) -> None:
    await wait_until(lambda: acts(server), "the other publishes", HAND_OVER_S)


async def only_acts(server: Server, other: Server) -> None:
    """Wait until one acts and the other does not: it logs that it is fenced a moment before it has stopped."""

    async def is_so() -> bool:
        return await acting([server, other]) == [server]

    await wait_until(is_so, "only the new one acts", HAND_OVER_S)


def kept(store: StoreProcess) -> dict[str, Any]:
    """Read all that publishers keep of the channel.

    Of what it shows, neither when that was confirmed nor the channel's own sales: one that is replaced may ask for
    what it has last sent to be sent again, if an answer to it was late.
    """
    found = {key: store.command("HGETALL", key) for key in KEPT}
    shown = {key: msgspec.msgpack.decode(each, type=Shown) for key, each in found[SHOWN].items()}
    return found | {SHOWN: {key: replace(each, confirmed_ms=0, sold=None) for key, each in shown.items()}}


async def all_is_written(store: StoreProcess) -> None:
    """Wait until the publisher has written all that it knows: the cursor stands at the journal's end."""

    def is_there() -> bool:
        cursors = store.command("HGETALL", KEYSPACE.channel_cursors)
        newest = store.command("XREVRANGE", KEYSPACE.journal, "+", "-", "COUNT", 1)
        return bool(newest) and cursors.get(CHANNEL.encode()) == newest[0][0]

    await wait_until(is_there, "the cursor is at the end", HAND_OVER_S)


def noted(store: StoreProcess) -> int | None:
    """Read how many units of 101 the record says were confirmed."""
    shown = store.command("HGET", SHOWN, "101")
    return None if shown is None else int(msgspec.msgpack.decode(shown)[1])


@pytest.fixture
async def one_and_two(
    make_publisher: Callable[..., Server],
    shop: Shop,
    ledger: Ledger,  # noqa: ARG001  # it has filled the shelves
    store: StoreProcess,
) -> tuple[Server, Server]:
    """Start two publishers: the first acts and has published everything, the second stands by."""
    one, two = make_publisher("one"), make_publisher("two")
    await start(one)
    await takes_over(one)
    await start(two)
    await shows(shop, 10)
    await shows(shop, 10, "102")
    await all_is_written(store)
    return one, two


async def test_given_two_publishers_started_by_mistake_then_only_one_acts_and_sends(
    make_publisher: Callable[..., Server], shop: Shop, ledger: Ledger
) -> None:
    servers = [make_publisher("one"), make_publisher("two")]

    await asyncio.gather(*map(start, servers))
    await shows(shop, 10)
    for left in range(9, 4, -1):
        await sell(ledger)
        await shows(shop, left)
        assert len(await acting(servers)) == 1

    assert len(set(shop.callers)) == 1
    [active] = await acting(servers)
    [stands_by] = [server for server in servers if server is not active]
    assert "publisher_stands_by" in stands_by.stderr
    assert "publisher_acts" not in stands_by.stderr


async def test_given_a_stand_by_when_the_one_that_acts_is_killed_then_the_stand_by_publishes_what_was_sold(
    one_and_two: tuple[Server, Server], shop: Shop, ledger: Ledger
) -> None:
    one, two = one_and_two
    assert await acting([one, two]) == [one]

    one.kill()
    await sell(ledger)

    await takes_over(two)
    await shows(shop, 9)
    assert shop.callers[-1] == "two"
    assert shop.applied[-1] == ("101", 9)


@pytest.mark.soak
async def test_given_a_long_lease_when_the_one_that_acts_is_stopped_in_order_then_the_stand_by_need_not_wait_it_out(
    make_publisher: Callable[..., Server], shop: Shop, ledger: Ledger
) -> None:
    one, two = make_publisher("one", LONG_S), make_publisher("two", LONG_S)
    await start(one)
    await takes_over(one)
    await start(two)

    assert await asyncio.to_thread(one.stop) == 0
    await sell(ledger)

    await takes_over(two)
    await shows(shop, 9)
    assert (one.faults, two.faults) == ([], [])


async def test_given_a_push_on_its_way_when_the_one_that_acts_is_stopped_in_order_then_it_is_answered_and_written_first(
    one_and_two: tuple[Server, Server], shop: Shop, ledger: Ledger, store: StoreProcess
) -> None:
    one, two = one_and_two
    shop.holds = True
    await sell(ledger)
    await wait_until(lambda: shop.held == 1, "a push is on its way")

    stopping = asyncio.create_task(asyncio.to_thread(one.stop))
    shop.go_on.set()

    assert await stopping == 0
    await takes_over(two)
    await all_is_written(store)
    assert shop.applied.count(("101", 9)) == 1, "what was confirmed is not sent again"


async def test_given_one_that_was_paused_and_replaced_when_it_goes_on_then_it_writes_and_sends_nothing(
    one_and_two: tuple[Server, Server], shop: Shop, ledger: Ledger, store: StoreProcess
) -> None:
    one, two = one_and_two
    one.process.send_signal(signal.SIGSTOP)
    await takes_over(two)
    await sell(ledger)
    await shows(shop, 9)
    await all_is_written(store)
    before, sent = kept(store), shop.callers.count("one")

    one.process.send_signal(signal.SIGCONT)

    await wait_until(lambda: "publisher_fenced" in one.stderr, "the old one was fenced", HAND_OVER_S)
    assert kept(store) == before
    await only_acts(two, one)
    await sell(ledger)
    await shows(shop, 8)
    assert (shop.callers.count("one"), one.faults) == (sent, [])


@pytest.mark.soak
async def test_given_one_that_was_replaced_with_something_left_to_write_when_it_goes_on_then_the_store_refuses_it(
    make_publisher: Callable[..., Server], shop: Shop, ledger: Ledger, store: StoreProcess
) -> None:
    async with Forgetful(store.socket) as proxy:
        one, two = make_publisher("one", store_url=proxy.url), make_publisher("two")
        await start(one)
        await shows(shop, 10)
        await all_is_written(store)
        await start(two)
        proxy.cuts = PUBLISHER_WRITE
        await sell(ledger)
        await wait_until(lambda: b":shown" in proxy.forgotten, "it has something to write, and cannot", HAND_OVER_S)
        one.process.send_signal(signal.SIGSTOP)
        await takes_over(two)
        await sell(ledger)
        await shows(shop, 8)
        await wait_until(lambda: noted(store) == 8, "it is written down that 8 was confirmed", HAND_OVER_S)

        proxy.cuts = LEASE  # it learns of it from the store alone, when it writes
        one.process.send_signal(signal.SIGCONT)

        await wait_until(lambda: "publisher_fenced" in one.stderr, "the old one was fenced", HAND_OVER_S)
        assert noted(store) == 8
        await only_acts(two, one)


async def test_given_one_that_was_replaced_with_a_push_on_its_way_when_it_goes_on_then_the_new_one_has_the_last_word(
    one_and_two: tuple[Server, Server], shop: Shop, ledger: Ledger, store: StoreProcess
) -> None:
    one, two = one_and_two
    shop.holds = True
    await sell(ledger)
    await wait_until(lambda: shop.held == 1, "a push is on its way")
    one.process.send_signal(signal.SIGSTOP)
    await takes_over(two)
    await sell(ledger)
    await shows(shop, 8)
    token = store.command("HGET", KEYSPACE.publisher, "token")

    shop.go_on.set()
    await shows(shop, 9)  # older after newer, at last: nothing could have kept the channel from that
    one.process.send_signal(signal.SIGCONT)

    await wait_until(lambda: "publisher_fenced" in one.stderr, "the old one was fenced", HAND_OVER_S)
    await shows(shop, 8)
    assert shop.callers[-1] == "two"
    assert store.command("HGET", KEYSPACE.publisher, "token") == token
    await only_acts(two, one)


@pytest.mark.soak
async def test_given_a_fenced_publisher_when_the_new_one_is_killed_then_the_old_one_acts_again(
    one_and_two: tuple[Server, Server], shop: Shop, ledger: Ledger
) -> None:
    one, two = one_and_two
    one.process.send_signal(signal.SIGSTOP)
    await takes_over(two)
    one.process.send_signal(signal.SIGCONT)
    await wait_until(lambda: "publisher_fenced" in one.stderr, "the old one was fenced", HAND_OVER_S)

    two.kill()
    await sell(ledger)

    await takes_over(one)
    await shows(shop, 9)
    assert shop.callers[-1] == "one"
