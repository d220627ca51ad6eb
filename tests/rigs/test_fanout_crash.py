"""The publisher killed at random moments and at the worst ones: every channel ends with what may be sold."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import msgspec
import pytest

from server.domain.channels import Listing
from server.store.connection import connect
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.repositories.channels import ChannelStore
from tests.channels.trendyol_simulator import TicketState
from tests.conftest import wait_until
from tests.rigs.fanout_crash import publishers
from tests.rigs.fanout_crash.checks import disorder
from tests.rigs.fanout_crash.driver import run
from tests.rigs.fanout_crash.forgetful import PUBLISHER_WRITE, Forgetful
from tests.rigs.fanout_crash.shops import ENVIRONMENT, Shop, SlowMarket, all_shops, opened_shops
from tests.rigs.fanout_crash.table import table
from tests.support.http import Server
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess, start_valkey

KEYSPACE: Final = Keyspace("default")
RIGHT_S: Final = 100.0
"""A takeover, two tickets and a refused copy or two take some seconds, a second thought takes a minute."""
SKU: Final = "hot-0"
COMPANIONS: Final = ("hot-1", "hot-2", "hot-3")
"""A body that went before is refused by one of the channels, so it needs something else to send along."""
_ids = count(1)


# -- at random moments


async def _kill_rounds(rounds: int) -> None:
    seed = secrets.randbelow(2**31)
    done = await run(rounds, seed)
    shown = f"seed {seed}\n{table(done)}"
    print(f"\n{shown}")  # noqa: T201  # pytest shows it with -s, and on failure
    assert not done.wrong, "\n".join([shown, *done.wrong])
    assert done.ordered > 0


@pytest.mark.soak
@pytest.mark.timeout(2700)
async def test_given_changing_stock_and_bad_channels_when_killed_for_20_rounds_then_all_show_what_may_be_sold() -> None:
    await _kill_rounds(20)


def test_given_values_in_an_order_that_cannot_be_when_checked_then_each_is_found() -> None:
    true = {"a": [0, 9, 7, 9, 3], "b": [0, 5]}
    assert disorder([("a", 9), ("b", 5), ("a", 9), ("a", 7), ("a", 9), ("a", 3), ("b", 5)], true) == []
    assert disorder([("a", 0), ("a", 9), ("a", 3)], true) == [], "values may be passed over"

    found = disorder([("a", 3), ("a", 7), ("b", 6), ("b", 5), ("a", 3), ("b", 0)], true)

    assert found == [
        "a: 7, true as number 2, came after number 4",
        "b: 6 was never true",
        "b: 0, true as number 0, came after number 1",
    ]


# -- at the worst moments


@dataclass
class Stage:
    """A channel, and a publisher that reaches its store through a proxy."""

    shop: Shop
    store: StoreProcess
    proxy: Forgetful
    ledger: Ledger
    publisher: Server

    @property
    def key(self) -> str:
        return self.shop.key(0)

    @property
    def effects(self) -> list[int]:
        """What took effect for the SKU, one after the other; the same again counts once."""
        values = [value for key, value in self.shop.simulator.applied if key == self.key]
        return [value for number, value in enumerate(values) if number == 0 or values[number - 1] != value]

    async def shows(self, units: int) -> None:
        shown = self.shop.simulator.shown
        await wait_until(lambda: shown[self.key] == units, f"the channel shows {units}", RIGHT_S)

    async def has_noted(self, units: int) -> None:
        """Wait until it is written down that this was confirmed."""
        key = ChannelKeys(KEYSPACE, self.shop.name).shown

        def is_there() -> bool:
            shown = self.store.command("HGET", key, self.key)
            return shown is not None and bool(msgspec.msgpack.decode(shown)[1] == units)

        await wait_until(is_there, f"it is written down that {units} was confirmed", RIGHT_S)

    async def has_moved(self) -> None:
        """Wait until the cursor is at the journal's end."""

        def is_there() -> bool:
            cursor = self.store.command("HGET", KEYSPACE.channel_cursors, self.shop.name)
            return bool(cursor == self.store.command("XREVRANGE", KEYSPACE.journal, "+", "-", "COUNT", 1)[0][0])

        await wait_until(is_there, "the cursor is at the end", RIGHT_S)

    async def sell(self) -> None:
        answer = await self.ledger.run(order(f"order-{next(_ids)}", (SKU, 1)))
        assert not hasattr(answer, "outcome"), answer

    async def receive(self, units: int) -> None:
        await self.ledger.run(receive(SKU, units))


@pytest.fixture
def store() -> Iterator[StoreProcess]:
    with start_valkey() as process:
        yield process


@pytest.fixture
async def begin(
    store: StoreProcess, open_batcher: Callable[..., Batcher], make_ledger: Callable[..., Ledger]
) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that opens a channel, which shows 5 when the function returns, and all is written down."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_channel(name: str) -> Stage:
            shop = next(shop for shop in all_shops() if shop.name == name)
            await stack.enter_async_context(opened_shops([shop], 1 + len(COMPANIONS)))
            proxy = await stack.enter_async_context(Forgetful(store.socket))
            ledger = make_ledger(open_batcher(store), KEYSPACE.partition)
            publisher = publishers.publisher(proxy.url, shop.toml(), ENVIRONMENT)
            stack.callback(publishers.end, publisher)
            stage = Stage(shop, store, proxy, ledger, publisher)
            await _list(stage)
            await stage.receive(5 + HELD_BACK[name])
            for companion in COMPANIONS:
                await ledger.run(receive(companion, 50))
            await publishers.start(publisher)
            await stage.shows(5)
            await stage.has_noted(5)
            await stage.has_moved()
            return stage

        yield open_channel


HELD_BACK: Final = {"woo": 2, "shop": 2, "market": 0, "hook": 0}
"""What each channel's rules keep back of the first 7 units, or of 5."""


async def _list(stage: Stage) -> None:
    listings = [Listing(sku, stage.shop.key(number)) for number, sku in enumerate((SKU, *COMPANIONS))]
    pool = connect.connection_pool(stage.store.url)
    try:
        await ChannelStore(connect.client(pool), KEYSPACE).put_listings(stage.shop.name, listings, "test")
    finally:
        await pool.aclose()


@pytest.mark.parametrize("name", HELD_BACK)
async def test_given_a_confirmed_value_not_written_when_killed_and_stock_is_as_before_then_it_is_published_again(
    name: str, begin: Callable[..., Any]
) -> None:
    stage = await begin(name)
    stage.proxy.cuts = PUBLISHER_WRITE
    await stage.sell()
    await wait_until(lambda: b":shown" in stage.proxy.forgotten, "the publisher knows that it was confirmed", RIGHT_S)
    assert stage.effects == [5, 4]

    stage.publisher.kill()
    await stage.receive(1)
    stage.proxy.cuts = None
    await publishers.start(stage.publisher)

    await stage.shows(5)  # although the record has said so all the time
    assert stage.effects == [5, 4, 5]
    assert stage.publisher.faults == []
    assert stage.shop.simulator.complaints == []


@pytest.mark.parametrize("name", ["woo", "shop", "hook"])
async def test_given_a_value_that_took_effect_when_killed_unanswered_and_stock_is_as_before_then_it_is_published(
    name: str, begin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await begin(name)
    show = stage.shop.simulator.show

    def kill_when_shown(key: str, quantity: int, price: str | None = None) -> None:
        show(key, quantity, price)
        if quantity == 4:
            stage.publisher.kill()

    monkeypatch.setattr(stage.shop.simulator, "show", kill_when_shown)
    await stage.sell()
    await stage.shows(4)

    await stage.receive(1)
    await publishers.start(stage.publisher)

    await stage.shows(5)
    assert stage.effects == [5, 4, 5]
    assert stage.shop.simulator.complaints == []


@pytest.mark.soak
async def test_given_a_push_that_was_taken_when_killed_before_its_ticket_came_then_it_is_sent_anew(
    begin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await begin("market")
    market = stage.shop.simulator
    assert isinstance(market, SlowMarket)
    process, killed = market._process, False

    def kill_at_first(ticket: TicketState, first: int | None) -> None:
        nonlocal killed
        process(ticket, first)
        if not killed:
            killed = True
            stage.publisher.kill()

    monkeypatch.setattr(market, "_process", kill_at_first)
    await stage.sell()
    await stage.shows(4)

    await stage.receive(1)
    await publishers.start(stage.publisher)

    await stage.shows(5)
    assert stage.effects == [5, 4, 5]
    await wait_until(lambda: market.lost == 1, "only of the second ticket anybody knows", RIGHT_S)
    assert market.complaints == []


async def test_given_an_open_ticket_when_killed_then_the_next_one_asks_about_it_before_it_sends_anything_newer(
    begin: Callable[..., Any],
) -> None:
    stage = await begin("market")
    market = stage.shop.simulator
    assert isinstance(market, SlowMarket)
    market.polls_until_done = 1
    await stage.sell()
    key = ChannelKeys(KEYSPACE, stage.shop.name).tickets
    await wait_until(lambda: stage.store.command("HLEN", key) == 1, "the ticket is written down", RIGHT_S)
    pushed = len(market.tickets)

    stage.publisher.kill()
    await stage.sell()
    await publishers.start(stage.publisher)

    await stage.shows(4)
    assert (len(market.tickets), market.lost) == (pushed, 0)
    await stage.shows(3)
    assert stage.effects == [5, 4, 3]
    await wait_until(lambda: stage.store.command("HLEN", key) == 0, "the tickets are settled", RIGHT_S)


@dataclass
class Lost:
    """A push of 4 units that the channel took and has not begun with; no process knows its ticket, and 3 are shown."""

    stage: Stage
    market: SlowMarket
    ticket: TicketState

    def takes_effect(self) -> None:
        self.market._process(self.ticket, None)
        assert self.market.shown[self.stage.key] == 4


@pytest.fixture
async def lost(begin: Callable[..., Any]) -> Lost:
    stage: Stage = await begin("market")
    market = stage.shop.simulator
    assert isinstance(market, SlowMarket)
    before = len(market.tickets)
    market.next_process_s.append(3_600.0)
    await stage.sell()
    await wait_until(lambda: len(market.tickets) > before, "a push was taken", RIGHT_S)
    stage.publisher.kill()
    # It may have seen the ticket and written it down; here it has not.
    stage.store.command("DEL", ChannelKeys(KEYSPACE, stage.shop.name).tickets)
    await stage.sell()
    await publishers.start(stage.publisher)
    await stage.shows(3)
    await stage.has_noted(3)
    return Lost(stage, market, list(market.tickets.values())[before])


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_given_a_newer_value_that_was_confirmed_when_a_lost_push_takes_effect_then_the_newer_one_is_sent_again(
    lost: Lost,
) -> None:
    lost.takes_effect()

    await lost.stage.shows(3)


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_given_a_newer_confirmed_value_and_another_kill_when_a_lost_push_takes_effect_then_it_is_corrected(
    lost: Lost,
) -> None:
    lost.stage.publisher.kill()
    lost.takes_effect()
    await publishers.start(lost.stage.publisher)

    await lost.stage.shows(3)
