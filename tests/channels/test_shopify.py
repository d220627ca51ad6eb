"""The Shopify adapter against a simulated shop."""

from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Answer, Request
from adapters.contract.limits import CostLeft
from adapters.contract.stock import Applied, Conflict, Item, Outcome, PriceRejected, Rejected, Retry, Unknown
from adapters.shopify import ADAPTER, Options
from adapters.testing.conformance import Conformance
from adapters.testing.driving import Driven
from adapters.testing.simulator import Fault
from server.channels.connection.http_transport import Transport
from tests.channels.shopify_simulator import ITEM, LOCATION, NO_ITEM, NOT_STOCKED, SHOP, TOKEN, ShopifySimulator

BESIDE = Retry("NOT_APPLIED", "another row of the call was refused, and with it all of them", after_s=0.0)


class TestShopify(Conformance[ShopifySimulator]):
    kind = ADAPTER
    credentials = {"access_token": TOKEN}  # noqa: RUF012  # as the suite has it
    unknown_key: ClassVar[str | None] = f"{ITEM}999999"
    unknown_words = NO_ITEM

    def make_simulator(self) -> ShopifySimulator:
        return ShopifySimulator()

    def options_for(self, simulator: ShopifySimulator) -> dict[str, Any]:
        return {"shop": SHOP, "location_id": LOCATION, "base_url": simulator.url}

    def key(self, number: int) -> str:
        return f"{ITEM}{1000 + number}"

    def item(self, key: str, quantity: int, **fields: Any) -> Item:
        number = int(key.removeprefix(ITEM))
        attributes = {"product_id": str(number // 10), "variant_id": str(number)}
        return super().item(key, quantity, **{"attributes": attributes, **fields})

    # -- comparing

    async def test_a_value_replaces_only_the_one_that_was_last_known(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.shown[self.key(0)] = 4

        stale = await channel.push(self.item(self.key(0), 3, previous=5))
        right = await channel.push(self.item(self.key(0), 3, previous=4))

        assert stale == {self.key(0): Conflict()}
        assert right == {self.key(0): Applied()}

    async def test_a_row_that_is_stale_holds_up_the_others_for_a_moment(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        stale, other = self.item(self.key(0), 3, previous=5), self.item(self.key(1), 6)

        assert await channel.push(stale, other) == {self.key(0): Conflict(), self.key(1): BESIDE}
        assert simulator.applied == []

    # -- one effect per key

    async def test_the_same_values_of_unknown_fate_take_effect_once(
        self, simulator: ShopifySimulator, channel: Driven, impatient: Transport
    ) -> None:
        simulator.faults.append("silent_after")
        item = self.item(self.key(0), 3, previous=0)
        with pytest.raises(UnknownResultError):
            await Driven(channel.adapter, impatient.send).push(item)

        assert await channel.push(item) == {self.key(0): Applied()}
        assert simulator.applied == [(self.key(0), 3)]
        assert len(set(simulator.keys)) == 1

    @pytest.mark.parametrize(
        "changed",
        [{"attempt": 1}, {"version": 9}, {"quantity": 4}, {"previous": 1}, {"changed_ms": 1}, {"key": f"{ITEM}1001"}],
    )
    async def test_another_value_or_another_attempt_has_another_key(
        self, changed: dict[str, Any], simulator: ShopifySimulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 3)

        await channel.push(item)
        await channel.push(msgspec.structs.replace(item, **changed))

        assert len(set(simulator.keys)) == 2

    async def test_a_value_that_was_changed_at_the_shop_is_corrected(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.shown[self.key(0)] = 5
        item = self.item(self.key(0), 3, previous=5, changed_ms=1_000)
        await channel.push(item)
        simulator.shown[self.key(0)] = 5

        assert await channel.push(msgspec.structs.replace(item, changed_ms=2_000)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 3

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("IDEMPOTENCY_CONCURRENT_REQUEST", Unknown("In its words.")),
            ("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", Retry("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "In its words.")),
        ],
    )
    async def test_a_key_that_is_busy_or_was_used_otherwise_is_reported_for_all_rows(
        self, code: str, expected: Outcome, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.errors.append([{"code": code, "message": "In its words.", "field": None}])

        assert await channel.push(*self.items(3, 4)) == {self.key(0): expected, self.key(1): expected}

    async def test_a_key_whose_first_attempt_failed_is_replaced_by_a_new_one(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 3, previous=5)
        await channel.push(item)
        simulator.shown[self.key(0)] = 5

        first = await channel.push(item)
        second = await channel.push(msgspec.structs.replace(item, attempt=1))

        reason = "The first attempt with this key failed."
        assert first == {self.key(0): Retry("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", reason)}
        assert second == {self.key(0): Applied()}

    # -- rows that are refused

    async def test_an_item_that_is_not_stocked_at_the_location_is_refused(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.elsewhere.add(self.key(0))

        outcomes = await channel.push(*self.items(3, 4))

        refused = Rejected("ITEM_NOT_STOCKED_AT_LOCATION", NOT_STOCKED)
        assert outcomes == {self.key(0): refused, self.key(1): BESIDE}
        assert await channel.read([self.key(0), self.key(1)]) == {self.key(1): 0}

    async def test_an_item_under_two_names_is_refused_the_second_time(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        bare = self.key(0).removeprefix(ITEM)

        outcomes = await channel.push(self.item(self.key(0), 3), self.item(bare, 4))

        refused = Rejected("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "It stands there twice.")
        assert outcomes == {self.key(0): BESIDE, bare: refused}
        assert simulator.applied == []

    async def test_a_quantity_beyond_the_channel_s_is_refused(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(*self.items(1_000_000_001))

        assert outcomes == {self.key(0): Rejected("INVALID_QUANTITY_TOO_HIGH", "It can't be higher than 1e9.")}
        assert simulator.applied == []

    async def test_a_number_is_as_good_as_a_gid(self, simulator: ShopifySimulator, channel: Driven) -> None:
        assert await channel.push(self.item("1000", 3)) == {"1000": Applied()}
        assert await channel.read(["1000"]) == {"1000": 3}
        assert simulator.shown[self.key(0)] == 3

    @pytest.mark.parametrize("key", ["", "SKU-1", "gid://shopify/Product/1", "gid://shopify/InventoryItem/"])
    async def test_a_key_of_another_form_is_refused_without_asking(
        self, key: str, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(Item(key=key, sku="A", quantity=1, version=1))

        assert isinstance(outcomes, dict)
        assert isinstance(outcomes[key], Rejected)
        assert await channel.read([key]) == {}
        assert simulator.received == []

    async def test_an_error_that_names_no_row_spoils_the_call(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.errors.append([{"code": None, "message": "Something is wrong.", "field": ["input"]}])

        with pytest.raises(SpoiledError, match=r"Something is wrong\."):
            await channel.push(*self.items(3, 4))

    async def test_a_list_beyond_the_channel_s_limit_spoils_the_call(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        items = self.items(*range(251))
        self.make_known(simulator, *(item.key for item in items))

        with pytest.raises(SpoiledError) as caught:
            await channel.push(*items)

        assert caught.value.code == "MAX_INPUT_SIZE_EXCEEDED"

    async def test_a_location_that_is_not_there_makes_no_dead_letter(
        self, simulator: ShopifySimulator, transport: Transport
    ) -> None:
        options = msgspec.convert({**self.options_for(simulator), "location_id": "78"}, Options)
        channel = Driven(ADAPTER.build(options, self.credentials), transport.send)

        with pytest.raises(ClosedError, match="INVALID_LOCATION"):
            await channel.push(*self.items(3))

    # -- errors of a whole call

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("ACCESS_DENIED", CredentialsError),
            ("SHOP_INACTIVE", ClosedError),
            ("INTERNAL_SERVER_ERROR", UnknownResultError),
            ("MAX_COST_EXCEEDED", SpoiledError),
            ("SOMETHING_NEW", UnavailableError),
        ],
    )
    async def test_an_error_above_the_data_is_reported_as_what_it_is(
        self, code: str, expected: type[ChannelError], simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.call_errors.append({"message": "In its own words.", "extensions": {"code": code}})

        with pytest.raises(expected, match=r"In its own words\."):
            await channel.push(*self.items(3))

    @pytest.mark.parametrize(
        "body",
        [
            b'{"data":null}',
            b'{"data":{"inventorySetQuantities":null}}',
            b'{"data":{"inventorySetQuantities":{"userErrors":["?"]}}}',
            b'{"errors":"Not now"}',
            b'{"errors":[null]}',
            b"[]",
        ],
    )
    def test_an_answer_of_another_form_is_never_a_yes(self, body: bytes) -> None:
        exchange = _adapter().push(self.items(3), 0.0)
        next(exchange)

        with pytest.raises(UnavailableError):
            exchange.send(Answer(200, {}, body))

    @pytest.mark.parametrize("status", [402, 404, 423])
    def test_a_shop_that_is_frozen_or_gone_is_reported_as_closed(self, status: int) -> None:
        exchange = _adapter().push(self.items(3), 0.0)
        next(exchange)

        with pytest.raises(ClosedError):
            exchange.send(Answer(status, {}, b'{"errors":"Payment required"}'))

    # -- cost points

    async def test_a_bucket_that_is_short_says_when_it_will_do(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        simulator.refills, simulator.points, simulator.restore_per_s = False, 5.0, 2.0

        with pytest.raises(ThrottledError) as caught:
            await channel.push(*self.items(3))

        assert caught.value.after_s == 3.0
        assert simulator.applied == []

    def test_being_throttled_without_figures_names_no_time(self) -> None:
        exchange = _adapter().push(self.items(3), 0.0)
        next(exchange)

        with pytest.raises(ThrottledError) as caught:
            exchange.send(Answer(200, {}, b'{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}'))

        assert caught.value.after_s is None

    async def test_what_is_left_of_the_bucket_is_read_from_an_answer(
        self, simulator: ShopifySimulator, transport: Transport
    ) -> None:
        adapter = self.build(simulator)
        simulator.refills, simulator.points = False, 1000.0

        answer = await transport.send(next(adapter.push(self.items(3), 0.0)))

        assert adapter.cost_left(answer) == CostLeft(available=989.0, maximum=2000.0, restore_per_s=100.0)

    @pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"data":{}}', b'{"extensions":{"cost":null}}'])
    def test_an_answer_without_figures_says_nothing_of_the_bucket(self, body: bytes) -> None:
        assert _adapter().cost_left(Answer(200, {}, body)) is None

    # -- prices

    async def test_prices_of_one_product_go_in_one_call_after_the_stock(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        self.make_known(simulator, f"{ITEM}2000")
        keys = [self.key(0), self.key(1), f"{ITEM}2000"]

        outcomes = await channel.push(*(self.item(key, 3, price="9.50", list_price="12.00") for key in keys))

        assert outcomes == dict.fromkeys(keys, Applied())
        assert len(simulator.received) == 3
        assert simulator.compare_at == dict.fromkeys(keys, "12.00")

    async def test_a_listing_without_product_and_variant_keeps_its_price(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 3, price="9.50", attributes={})

        assert await channel.push(item) == {self.key(0): Applied()}
        assert simulator.prices == {}

    async def test_a_price_that_is_refused_is_reported_and_the_stock_stands(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        bad, good = self.item(self.key(0), 3, price="-1.00"), self.item(self.key(1), 4, price="9.50")
        unpriced = self.item(self.key(2), 5)

        outcomes = await channel.push(bad, good, unpriced)

        words = "price: Price must be greater than or equal to 0"
        beside = Retry("PRICE_NOT_APPLIED", "the price of another variant of the product was refused", after_s=0.0)
        assert outcomes == {
            self.key(0): PriceRejected("GREATER_THAN_OR_EQUAL_TO", words),
            self.key(1): beside,
            self.key(2): Applied(),
        }
        assert [simulator.shown[self.key(number)] for number in range(3)] == [3, 4, 5]
        assert simulator.prices == {}

    async def test_a_product_that_is_gone_is_reported_for_each_of_its_variants(
        self, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 3, price="9.50", attributes={"product_id": "5", "variant_id": "1000"})

        outcomes = await channel.push(item)

        assert outcomes == {self.key(0): PriceRejected("PRODUCT_DOES_NOT_EXIST", "price: Product does not exist")}
        assert simulator.shown[self.key(0)] == 3

    @pytest.mark.parametrize(("fault", "reported"), [("throttled_with_retry_after", Retry), ("reset", Unknown)])
    async def test_a_fault_between_stock_and_prices_loses_nothing_that_is_known(
        self, fault: Fault, reported: type, simulator: ShopifySimulator, channel: Driven
    ) -> None:
        self.make_known(simulator, f"{ITEM}2000", f"{ITEM}3000")
        priced = [self.item(f"{ITEM}{number}", 3, price="9.50") for number in (1000, 2000, 3000)]

        async def send(request: Request) -> Answer:
            if len(simulator.received) == 2:
                simulator.faults.append(fault)
            return await channel.send(request)

        outcomes = await Driven(channel.adapter, send).push(*priced, self.item(self.key(1), 4))

        assert isinstance(outcomes, dict)
        assert outcomes[f"{ITEM}1000"] == outcomes[self.key(1)] == Applied()
        later = outcomes[f"{ITEM}3000"]
        assert isinstance(outcomes[f"{ITEM}2000"], reported)
        assert isinstance(later, Retry)
        assert later.after_s == 0
        assert set(simulator.shown.values()) == {3, 4, 0}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shop": "https://made-up-shop.myshopify.com"}, "shop"),
        ({"shop": "shop.example"}, "shop"),
        ({"location_id": "gid://shopify/Product/1"}, "location_id"),
        ({"api_version": "2026-01"}, "2026-04 or later"),
        ({"api_version": "latest"}, "api_version"),
        ({"base_url": "http://proxy.example"}, "https://"),
        ({"points_per_s": 150}, "points_per_s"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"shop": SHOP, "location_id": LOCATION, **wrong}, Options)


def test_the_shop_s_own_address_is_asked() -> None:
    request = next(_adapter().push([Item(key="1", sku="A", quantity=1, version=1)], 0.0))

    assert request.url == f"https://{SHOP}/admin/api/2026-07/graphql.json"


def _adapter() -> Any:
    return ADAPTER.build(msgspec.convert({"shop": SHOP, "location_id": LOCATION}, Options), {"access_token": TOKEN})
