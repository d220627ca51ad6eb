"""Shopify: whom an error is about – the schema, one id, one price – and what a call costs."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from adapters.contract.errors import ClosedError, SpoiledError
from adapters.contract.stock import Applied, Conflict, Item, PriceRejected, Rejected, Retry
from adapters.shopify import ADAPTER, Options
from adapters.testing.driving import PATIENT_S, Driven
from server.channels.connection.http_transport import Transport
from tests.channels.shopify_simulator import ITEM, LOCATION, SHOP, TOKEN, ShopifySimulator

BESIDE = Retry("NOT_APPLIED", "another row of the call was refused, and with it all of them", after_s=0.0)
A, B, C = (f"{ITEM}{number}" for number in (1000, 1001, 1002))


@pytest.fixture
async def simulator() -> AsyncIterator[ShopifySimulator]:
    async with ShopifySimulator() as simulator:
        simulator.stock(A, B, C)
        yield simulator
    assert simulator.complaints == []


@pytest.fixture
async def channel(simulator: ShopifySimulator) -> AsyncIterator[Driven]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
    options = msgspec.convert({"shop": SHOP, "location_id": LOCATION, "base_url": simulator.url}, Options)
    yield Driven(ADAPTER.build(options, {"access_token": TOKEN}), transport.send)
    await transport.close()


def value(key: str, quantity: int = 3, **fields: Any) -> Item:
    number = key.removeprefix(ITEM)
    attributes = {"product_id": str(int(number) // 10), "variant_id": number}
    return Item(**{"key": key, "sku": key, "quantity": quantity, "version": 1, "attributes": attributes, **fields})


def call_error(code: str, message: str = "In its own words.") -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


# -- the schema

SCHEMA_ERRORS = [
    ("undefinedField", "Field 'inventorySetQuantities' doesn't exist on type 'Mutation'"),
    ("undefinedDirective", "Directive @idempotent is not defined"),
    ("argumentNotAccepted", "Field 'nodes' doesn't accept argument 'ids'"),
    ("missingRequiredArguments", "Field 'inventorySetQuantities' is missing required arguments: input"),
    ("variableMismatch", "Nullability mismatch on variable $input"),
    ("BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."),
    ("INVALID_FIELD_ARGUMENTS", "The input must include the following argument: changeFromQuantity."),
    ("INVALID_VARIABLE", "Variable $input was provided invalid value for a (Field is not defined on B)"),
]


@pytest.mark.parametrize(("code", "message"), SCHEMA_ERRORS)
async def test_an_error_of_the_schema_closes_the_channel_and_says_what_to_do(
    code: str, message: str, simulator: ShopifySimulator, channel: Driven
) -> None:
    simulator.call_errors += [call_error(code, message)] * 2

    for exchange in (channel.push(value(A), value(B)), channel.read([A, B])):
        with pytest.raises(ClosedError) as caught:
            await exchange
        assert caught.value.reason.startswith(f"{code}: {message}; version 2026-07 of the API")
        assert "set the channel's api_version" in caught.value.reason
        assert "run reconcile" in caught.value.reason


async def test_a_value_that_is_wrong_is_no_error_of_the_schema(simulator: ShopifySimulator, channel: Driven) -> None:
    simulator.call_errors.append(call_error("INVALID_VARIABLE", "Variable $input was provided invalid value for id"))

    with pytest.raises(SpoiledError):
        await channel.push(value(A), value(B))


# -- one id


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_an_id_that_the_shop_does_not_know_spoils_its_own_item_only(
    count: int, simulator: ShopifySimulator, channel: Driven
) -> None:
    simulator.gone.add(A)

    outcomes = await channel.push(*(value(key) for key in (A, B, C)[:count]))

    refused = Rejected("RESOURCE_NOT_FOUND", f"RESOURCE_NOT_FOUND: Invalid id: {A}")
    assert outcomes == {A: refused, **dict.fromkeys((B, C)[: count - 1], BESIDE)}
    assert simulator.applied == []


async def test_an_id_is_not_taken_for_one_that_begins_alike(simulator: ShopifySimulator, channel: Driven) -> None:
    longer = f"{A}9"
    simulator.gone.add(longer)

    outcomes = await channel.push(value(A), value(longer))

    assert isinstance(outcomes, dict)
    assert outcomes[A] == BESIDE
    assert isinstance(outcomes[longer], Rejected)


async def test_an_id_that_is_not_named_is_found_by_halving(simulator: ShopifySimulator, channel: Driven) -> None:
    simulator.gone.add(A)
    simulator.is_silent = True

    with pytest.raises(SpoiledError, match="Invalid id"):
        await channel.push(value(A), value(B))


async def test_a_location_that_the_shop_does_not_know_is_no_item_s_fault(
    simulator: ShopifySimulator, channel: Driven
) -> None:
    simulator.call_errors += [call_error("RESOURCE_NOT_FOUND", f"Invalid id: {LOCATION}")] * 2

    for exchange in (channel.push(value(A)), channel.read([A])):
        with pytest.raises(ClosedError, match="location_id"):
            await exchange


@pytest.mark.parametrize("is_silent", [False, True])
async def test_an_id_that_the_shop_does_not_know_is_left_out_of_a_reading(
    is_silent: bool, simulator: ShopifySimulator, channel: Driven
) -> None:
    simulator.gone |= {A, f"{ITEM}1007"}
    simulator.is_silent = is_silent
    keys = [A, B, C, *(f"{ITEM}{number}" for number in range(1003, 1020))]
    simulator.stock(*keys, quantity=4)

    assert await channel.read(keys) == dict.fromkeys((key for key in keys if key not in simulator.gone), 4)


# -- comparing


@pytest.mark.parametrize("code", ["CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"])
@pytest.mark.parametrize("row", [0, 1])
async def test_a_quantity_that_was_changed_since_is_a_conflict_under_either_name(
    code: str, row: int, simulator: ShopifySimulator, channel: Driven
) -> None:
    path = ["input", "quantities", str(row), "changeFromQuantity"]
    simulator.errors.append([{"code": code, "message": "It is not what is persisted.", "field": path}])

    outcomes = await channel.push(value(A, previous=1), value(B, previous=2))

    assert outcomes == {A: BESIDE, B: BESIDE} | {(A, B)[row]: Conflict()}


# -- prices


@pytest.mark.parametrize(
    ("price", "list_price", "words"),
    [
        ("7.1234", None, "price 7.12 to 7.1234"),
        ("7.995", None, "price 8.00 to 7.995"),
        ("7", "9.999", "compareAtPrice 10.00 to 9.999"),
    ],
)
async def test_a_price_that_the_shop_rounds_is_never_confirmed(
    price: str, list_price: str | None, words: str, simulator: ShopifySimulator, channel: Driven
) -> None:
    outcomes = await channel.push(value(A, price=price, list_price=list_price), value(B, price="7.50"), value(C))

    reason = f"price: the shop answers with {words}"
    assert outcomes == {A: PriceRejected("OTHER_PRICE", reason), B: Applied(), C: Applied()}
    assert simulator.shown == {A: 3, B: 3, C: 3}


@pytest.mark.parametrize("code", ["undefinedField", "ACCESS_DENIED", "BAD_REQUEST"])
async def test_prices_that_the_shop_never_takes_leave_the_stock_told(
    code: str, simulator: ShopifySimulator, channel: Driven
) -> None:
    other = f"{ITEM}2000"
    simulator.stock(other)
    simulator.price_errors += [call_error(code)]

    outcomes = await channel.push(value(A, price="7"), value(other, price="8"), value(B))

    assert isinstance(outcomes, dict)
    for key in (A, other):
        refused = outcomes[key]
        assert isinstance(refused, PriceRejected)
        assert (refused.code, f"price: {code}" in refused.reason) == ("PRICES_NOT_TAKEN", True)
    assert (outcomes[B], simulator.shown[A], simulator.shown[other]) == (Applied(), 3, 3)
    assert len(simulator.received) == 2


@pytest.mark.parametrize(
    ("gone", "refused"),
    [
        ("gid://shopify/Product/100", (A, B)),
        ("gid://shopify/ProductVariant/1001", (B,)),
        ("gid://shopify/ProductVariant/1000", (A,)),
    ],
)
async def test_a_product_or_variant_that_the_shop_does_not_know_spoils_no_other_price(
    gone: str, refused: tuple[str, ...], simulator: ShopifySimulator, channel: Driven
) -> None:
    other = f"{ITEM}2000"
    simulator.stock(other)
    simulator.gone.add(gone)

    outcomes = await channel.push(*(value(key, price="7") for key in (A, B, other)))

    reason = PriceRejected("RESOURCE_NOT_FOUND", f"price: RESOURCE_NOT_FOUND: Invalid id: {gone}")
    assert outcomes == {A: Applied(), B: Applied(), other: Applied()} | dict.fromkeys(refused, reason)
    assert simulator.shown[A] == simulator.shown[B] == simulator.shown[other] == 3


# -- what a call costs


@pytest.mark.parametrize("count", [1, 3, 250])
def test_a_reading_costs_the_same_for_any_number_of_ids(count: int) -> None:
    adapter = ADAPTER.build(msgspec.convert({"shop": SHOP, "location_id": LOCATION}, Options), {"access_token": TOKEN})

    assert next(adapter.read([str(number) for number in range(count)])).cost == 27.0
