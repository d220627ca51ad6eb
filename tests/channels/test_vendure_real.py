"""Vendure's adapter against a real Vendure over real sockets: what was pushed is what Vendure's own API reports."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import CredentialsError, SpoiledError
from adapters.contract.http import Answer, Request
from adapters.contract.stock import Applied, Conflict, Item, Outcomes, Rejected, Retry
from adapters.testing.driving import Driven
from adapters.vendure import ADAPTER
from server.channels.channel_plan import ChannelPlan
from server.channels.connection.http_transport import Transport
from server.domain.channels import ChannelRules, ChannelSettings, Listing
from server.store.ledger.ledger import Ledger
from tests.channels.engine import Engine, publishing
from tests.channels.vendure.shop import Shop
from tests.channels.vendure_server import PASSWORD, SKUS, USERNAME, VENDURE_TIMEOUT_S, VendureServer
from tests.conftest import wait_until
from tests.support.operations import cancel, changed, count, moved, order
from tests.support.stores import StoreProcess

pytest_plugins = ("tests.channels.vendure.fixtures",)
pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)

UNKNOWN: Final = "999999"
CREDENTIALS: Final = {"username": USERNAME, "password": PASSWORD}


class Meeting:
    """The real server, adapters for it, and what these send. ``before_update`` happens once, just before a write."""

    def __init__(self, server: VendureServer, transport: Transport) -> None:
        self.shop: Shop = server.shop
        self.ids = server.ids
        self.operations: list[str] = []
        self.token = ""
        self.before_update: Callable[[], object] | None = None
        self._url = server.admin_url
        self._transport = transport

    def adapter(self, credentials: Mapping[str, str] = CREDENTIALS, **options: Any) -> Driven:
        typed = msgspec.convert({"base_url": self._url, **options}, ADAPTER.options)
        return Driven(ADAPTER.build(typed, credentials), self.send)

    async def send(self, request: Request) -> Answer:
        operation = msgspec.json.decode(request.body)["operationName"]
        self.operations.append(operation)
        self.token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if operation == "update" and self.before_update is not None:
            happens, self.before_update = self.before_update, None
            happens()
        return await self._transport.send(request)


@pytest.fixture
async def meeting(vendure: VendureServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(vendure, transport)
    await transport.close()


def item(key: str, quantity: int, **fields: Any) -> Item:
    return Item(key=key, sku=f"sku of {key}", quantity=quantity, version=1, **fields)


async def push_all(driven: Driven, items: Sequence[Item]) -> Outcomes:
    outcomes: Outcomes = {}
    items_max = driven.adapter.capabilities.items_max
    for start in range(0, len(items), items_max):
        outcomes |= await driven.settle(*items[start : start + items_max])
    return outcomes


@pytest.mark.soak  # it takes Vendure half a minute
async def test_what_was_pushed_for_a_thousand_variants_is_what_vendure_reports(meeting: Meeting) -> None:
    driven = meeting.adapter()
    wanted = {meeting.ids[sku]: number % 97 for number, sku in enumerate(SKUS, 1)}

    outcomes = await push_all(driven, [item(key, quantity) for key, quantity in wanted.items()])

    assert (len(wanted), outcomes) == (1000, dict.fromkeys(wanted, Applied()))
    levels = meeting.shop.levels()
    assert {key: levels[key].saleable for key in wanted} == wanted
    assert {key: levels[key].stock_level == "OUT_OF_STOCK" for key in wanted} == {
        key: quantity == 0 for key, quantity in wanted.items()
    }


async def test_what_vendure_shows_is_read_back(meeting: Meeting) -> None:
    one, other = (meeting.ids[sku] for sku in SKUS[:2])
    meeting.shop.set_on_hand(one, 7)
    meeting.shop.set_on_hand(other, 3)
    meeting.shop.order(other, 3)
    meeting.shop.set_on_hand(other, 1)

    assert await meeting.adapter().read([one, other, UNKNOWN]) == {one: 7, other: -2}


async def test_a_key_can_be_the_sku(meeting: Meeting) -> None:
    driven = meeting.adapter(key_is="sku")

    assert await driven.settle(item(SKUS[2], 12)) == {SKUS[2]: Applied()}

    assert meeting.shop.level(meeting.ids[SKUS[2]]).on_hand == 12
    assert await driven.read([SKUS[2], "no such SKU"]) == {SKUS[2]: 12}


async def test_the_largest_quantity_that_is_declared_is_taken(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.ids[SKUS[3]]
    largest = driven.adapter.capabilities.quantity_max
    assert largest is not None

    assert await driven.settle(item(key, largest)) == {key: Applied()}
    assert meeting.shop.level(key).on_hand == largest


@pytest.mark.parametrize(("price", "currency", "units"), [("12.5", None, 1250), ("0.07", "USD", 7)])
async def test_a_price_is_kept_in_minor_units(price: str, currency: str | None, units: int, meeting: Meeting) -> None:
    key = meeting.ids[SKUS[4]]

    assert await meeting.adapter().settle(item(key, 1, price=price, currency=currency)) == {key: Applied()}
    assert meeting.shop.price(key) == units


# -- what Vendure's own orders have allocated


async def test_allocated_units_are_added_so_that_buyers_can_have_what_was_pushed(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.ids[SKUS[5]]
    await driven.settle(item(key, 10))
    meeting.shop.order(key, 3)
    assert await driven.read([key]) == {key: 7}

    assert await driven.settle(item(key, 6)) == {key: Applied()}

    level = meeting.shop.level(key)
    assert (level.on_hand, level.allocated) == (9, 3)
    assert meeting.shop.refused(key, 7) == 6  # seven wanted, six to be had


async def test_shipping_and_cancelling_leave_and_release_what_is_shown(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.ids[SKUS[6]]
    await driven.settle(item(key, 10))
    shipped, cancelled = meeting.shop.order(key, 3), meeting.shop.order(key, 2)

    meeting.shop.ship(shipped, 3)
    assert await driven.read([key]) == {key: 5}
    meeting.shop.cancel(cancelled)
    assert await driven.read([key]) == {key: 7}


async def test_an_order_between_reading_and_writing_is_noticed_and_corrected(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.ids[SKUS[7]]
    await driven.settle(item(key, 10))
    meeting.before_update = lambda: meeting.shop.order(key, 4)

    assert await driven.settle(item(key, 8)) == {key: Conflict(4)}
    assert await driven.settle(item(key, 8)) == {key: Applied()}

    level = meeting.shop.level(key)
    assert (level.on_hand, level.allocated) == (12, 4)


async def test_what_the_shop_itself_keeps_back_is_left_alone(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.ids[SKUS[17]]
    meeting.shop.update({"id": key, "useGlobalOutOfStockThreshold": False, "outOfStockThreshold": 3})

    assert await driven.settle(item(key, 10)) == {key: Applied()}

    assert await driven.read([key]) == {key: 10}
    assert meeting.shop.refused(key, 11) == 7


# -- through the engine: what buyers can have, with bad prices beside it, and after their own orders


class Published:
    """Some variants listed in the real shop, through a publisher of our own."""

    def __init__(self, engine: Engine, ledger: Ledger, server: VendureServer, *skus: str) -> None:
        self.engine = engine
        self.skus = skus
        self._ledger = ledger
        self._shop = server.shop
        self._ids = server.ids

    async def set_prices(self, **price_of: str) -> None:
        """List the variants, each with a price in a currency: ``9.90 USD``."""
        prices = [(sku, *price_of[sku.replace("-", "_")].split()) for sku in self.skus]
        listings = [Listing(sku, self._ids[sku], price=price, currency=currency) for sku, price, currency in prices]
        await self.engine.list_skus("shop", *listings)

    async def count(self, units: int) -> None:
        """Count all of them at one moment."""
        await asyncio.gather(*(moved(self._ledger, count(sku, units)) for sku in self.skus))

    async def can_be_had(self, *units: int) -> bool:
        levels = [await asyncio.to_thread(self._shop.level, self._ids[sku]) for sku in self.skus]
        return [each.saleable for each in levels] == list(units)

    async def price_letters(self) -> list[tuple[str, str]]:
        letters = [each async for each in self.engine.store.dead_letters("shop")]
        return sorted((each.sku, each.field) for each in letters)


@asynccontextmanager
async def published(
    vendure: VendureServer, store: StoreProcess, ledger: Ledger, partition: str, *skus: str, cap: int | None = None
) -> AsyncIterator[Published]:
    options = msgspec.convert({"base_url": vendure.admin_url}, ADAPTER.options)
    rules = ChannelRules(cap=cap, reconcile_every_s=0.0)
    settings = ChannelSettings(name="shop", kind="vendure", rules=rules, allow_private=["127.0.0.1"])
    plan = ChannelPlan(settings, lambda: ADAPTER.build(options, CREDENTIALS))
    async with publishing(store, partition, [plan]) as engine:
        yield Published(engine, ledger, vendure, *skus)


@pytest.mark.parametrize(
    "bad", ["6.66 EUR", "6.66 TRY", "6.6666 USD"], ids=["another currency", "no such currency here", "a fraction"]
)
async def test_a_zero_beside_refused_prices_arrives_at_once(
    bad: str, vendure: VendureServer, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    async with published(vendure, store, ledger, partition, *SKUS[20:23]) as shop:
        await shop.count(7)
        await shop.set_prices(V_0021="9.90 USD", V_0022=bad, V_0023=bad)
        await wait_until(lambda: shop.can_be_had(7, 7, 7), within_s=20.0, every_s=0.05)
        refused = [("V-0022", "price"), ("V-0023", "price")]
        await wait_until(lambda: _is(shop.price_letters(), refused), within_s=20.0, every_s=0.05)

        await shop.count(0)

        await nothing_can_be_had(shop)
        assert await shop.price_letters() == refused


async def test_a_zero_together_with_new_bad_prices_arrives_at_once(
    vendure: VendureServer, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    async with published(vendure, store, ledger, partition, *SKUS[23:26]) as shop:
        await shop.count(7)
        await shop.set_prices(V_0024="9.90 USD", V_0025="9.90 USD", V_0026="9.90 USD")
        await wait_until(lambda: shop.can_be_had(7, 7, 7), within_s=20.0, every_s=0.05)
        await wait_until(shop.engine.is_idle, within_s=20.0)

        await asyncio.gather(shop.set_prices(V_0024="9.80 USD", V_0025="1 EUR", V_0026="1 EUR"), shop.count(0))

        await nothing_can_be_had(shop)
        refused = [("V-0025", "price"), ("V-0026", "price")]
        await wait_until(lambda: _is(shop.price_letters(), refused), within_s=20.0, every_s=0.05)
        assert vendure.shop.price(vendure.ids["V-0024"]) == 980


async def test_vendures_own_orders_leave_it_with_the_number_that_it_is_to_show(
    vendure: VendureServer, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    sku, key = SKUS[26], vendure.ids[SKUS[26]]
    async with published(vendure, store, ledger, partition, sku, cap=5) as shop:
        await shop.count(50)
        await shop.set_prices(V_0027="9.90 USD")
        await wait_until(lambda: shop.can_be_had(5), within_s=20.0, every_s=0.05)
        await wait_until(shop.engine.is_idle, within_s=20.0)

        bought = await asyncio.to_thread(vendure.shop.order, key, 2)
        assert await shop.can_be_had(3)
        await changed(ledger, order("by-vendure", (sku, 2), channel="shop"))
        await wait_until(lambda: shop.can_be_had(5), "the cap is shown again", within_s=5.0, every_s=0.02)

        await asyncio.to_thread(vendure.shop.cancel, bought)
        assert await shop.can_be_had(7)
        await changed(ledger, cancel("by-vendure"))
        await wait_until(lambda: shop.can_be_had(5), "no more than the cap is shown", within_s=5.0, every_s=0.02)


async def nothing_can_be_had(shop: Published) -> None:
    """Wait for the zero. On an idle machine it takes some 0.2 s; a price that held it back took 70 s."""
    began_s = time.monotonic()
    await wait_until(lambda: shop.can_be_had(0, 0, 0), "nothing can be had any more", within_s=10.0, every_s=0.02)
    print(f"the zero arrived after {time.monotonic() - began_s:.2f} s")  # noqa: T201  # pytest shows it with -s


async def _is(found: Awaitable[Any], wanted: Any) -> bool:
    return bool(await found == wanted)


# -- what it will not take


async def test_an_unknown_id_is_reported_and_the_others_are_written(meeting: Meeting) -> None:
    one, other = (meeting.ids[sku] for sku in SKUS[8:10])

    outcomes = await meeting.adapter().settle(item(one, 21), item(UNKNOWN, 1), item(other, 22))

    refused = outcomes.pop(UNKNOWN)
    assert isinstance(refused, Rejected)
    assert UNKNOWN in refused.reason
    assert outcomes == {one: Applied(), other: Applied()}
    assert (meeting.shop.level(one).on_hand, meeting.shop.level(other).on_hand) == (21, 22)


async def test_a_variant_deleted_before_the_write_refuses_all_and_is_reported_in_vendures_words(
    meeting: Meeting,
) -> None:
    meeting.shop.create(["SPARE"])
    spare, other = meeting.shop.variants("SPARE")["SPARE"], meeting.ids[SKUS[10]]
    driven = meeting.adapter()
    await driven.settle(item(other, 5))
    meeting.before_update = lambda: meeting.shop.delete(spare)

    outcomes = await driven.settle(item(other, 6), item(spare, 6))

    refused = outcomes[spare]
    assert isinstance(refused, Rejected)
    assert (refused.code, f'No ProductVariant with the id "{spare}"' in refused.reason) == ("ENTITY_NOT_FOUND", True)
    assert isinstance(outcomes[other], Retry)
    assert meeting.shop.level(other).on_hand == 5


async def test_a_currency_that_the_shop_does_not_have_refuses_all(meeting: Meeting) -> None:
    one, other = (meeting.ids[sku] for sku in SKUS[11:13])
    driven = meeting.adapter()
    await driven.settle(item(one, 5))

    with pytest.raises(SpoiledError, match='currency "EUR" is not available'):
        await driven.settle(item(one, 6), item(other, 6, price="1.00", currency="EUR"))

    assert meeting.shop.level(one).on_hand == 5


async def test_a_variant_that_is_not_counted_is_reported(meeting: Meeting) -> None:
    key = meeting.ids[SKUS[13]]
    meeting.shop.update({"id": key, "trackInventory": "FALSE"})

    outcomes = await meeting.adapter().settle(item(key, 5))
    meeting.shop.update({"id": key, "trackInventory": "INHERIT"})

    refused = outcomes[key]
    assert isinstance(refused, Rejected)
    assert refused.code == "not_tracked"


# -- who asks


async def test_a_session_that_has_ended_is_renewed(meeting: Meeting) -> None:
    who = {"username": "short@example.com", "password": "an-invented-password"}
    meeting.shop.administrator(who["username"], who["password"], "ReadCatalog", "UpdateCatalog")
    driven, key = meeting.adapter(who), meeting.ids[SKUS[14]]
    await driven.settle(item(key, 5))
    meeting.shop.end_session(meeting.token)
    meeting.operations.clear()

    assert await driven.settle(item(key, 6)) == {key: Applied()}

    assert meeting.operations == ["levels", "login", "levels", "update"]
    assert meeting.shop.level(key).on_hand == 6


async def test_a_wrong_password_is_reported(meeting: Meeting) -> None:
    with pytest.raises(CredentialsError, match="credentials are invalid"):
        await meeting.adapter({"username": USERNAME, "password": "another"}).read(["1"])


async def test_an_api_key_does_without_signing_in(meeting: Meeting) -> None:
    driven, key = meeting.adapter({"api_key": meeting.shop.api_key()}), meeting.ids[SKUS[15]]

    assert await driven.settle(item(key, 5)) == {key: Applied()}

    assert meeting.operations == ["shop", "levels", "update"]


async def test_two_permissions_are_enough_and_one_is_not(meeting: Meeting) -> None:
    key, password = meeting.ids[SKUS[16]], "another-invented-password"
    meeting.shop.administrator("both@example.com", password, "ReadCatalog", "UpdateCatalog")
    meeting.shop.administrator("reader@example.com", password, "ReadCatalog")

    allowed = meeting.adapter({"username": "both@example.com", "password": password})
    assert await allowed.settle(item(key, 5)) == {key: Applied()}
    with pytest.raises(CredentialsError, match="ReadCatalog and UpdateCatalog"):
        await meeting.adapter({"username": "reader@example.com", "password": password}).settle(item(key, 6))

    assert meeting.shop.level(key).on_hand == 5
