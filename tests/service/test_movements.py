"""Movements of stock through the service: by SKU, by barcode, in batches, and by key."""

import asyncio
from typing import get_args

import pytest

from server.domain.answers import StockAnswer
from server.domain.operations.stock import StockOperation
from server.domain.stock import StockChanged
from server.schemas.barcodes import BarcodeBody, BarcodesBody
from server.schemas.stock import AdjustMovement, CountBody, CountMovement, MovementBody, MoveMovement, ReceiveMovement
from server.service.barcodes import find_barcode, put_barcodes
from server.service.caller import Caller
from server.service.checks import InvalidError, UnknownBarcodeError
from server.service.movements import _MAKERS, count_of, each_in_order, operations_of
from server.service.stock import details


async def moved(caller: Caller, bodies: list[MovementBody]) -> list[StockAnswer | None]:
    operations = await operations_of(caller, bodies)

    async def move_one(_name: str, movement: StockOperation) -> StockAnswer:
        return await caller.ledger.run(movement)

    results = await each_in_order(operations, move_one)
    return [results.get(place) for place in range(len(bodies))]


async def test_given_movements_of_one_sku_when_sent_together_then_they_happen_in_order(caller: Caller) -> None:
    await moved(
        caller,
        [
            ReceiveMovement(10, sku="A"),
            AdjustMovement(sku="A", quantity=-3, reason="lost"),
            MoveMovement(sku="A", quantity=2, from_="available", to="damaged", reason="torn"),
            CountMovement(6, sku="A"),
        ],
    )

    found = await details(caller, "A")

    assert found is not None
    [level] = found.stock.levels
    assert (level.on_hand, level.damaged, level.available) == (6, 2, 4)


async def test_given_a_barcode_of_a_carton_when_received_then_quantity_counts_packs(caller: Caller) -> None:
    await put_barcodes(caller, BarcodesBody([BarcodeBody("869", "A", 12)]))

    [known, unknown] = await moved(caller, [ReceiveMovement(2, barcode="869"), ReceiveMovement(1, barcode="000")])

    assert isinstance(known, StockChanged)
    assert (known.level.sku, known.level.on_hand) == ("A", 24)
    assert unknown is None
    with pytest.raises(UnknownBarcodeError):
        await find_barcode(caller, "000")


async def test_given_a_key_when_a_batch_is_sent_twice_then_each_movement_has_one_effect(caller: Caller) -> None:
    keyed = caller.with_key("delivery-1")
    batch: list[MovementBody] = [ReceiveMovement(1, sku="A"), ReceiveMovement(1, sku="A")]

    first, second = await moved(keyed, batch), await moved(keyed, batch)

    assert [isinstance(each, StockChanged) and each.replayed for each in first + second] == [False, False, True, True]


async def test_given_different_skus_when_sent_together_then_none_waits_for_another(caller: Caller) -> None:
    operations = await operations_of(caller, [ReceiveMovement(1, sku="A"), ReceiveMovement(1, sku="B")])
    both = asyncio.Barrier(2)

    async def move_one(_name: str, movement: StockOperation) -> str:
        await both.wait()
        return movement.sku

    assert await asyncio.wait_for(each_in_order(operations, move_one), 10) == {0: "A", 1: "B"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ReceiveMovement(1), "movements[0].sku"),
        (ReceiveMovement(1, sku="A", barcode="869"), "movements[0].sku"),
        (AdjustMovement(sku="A", quantity=0, reason="why"), "movements[0].quantity"),
        (MoveMovement(sku="A", quantity=1, from_="damaged", to="damaged", reason="why"), "movements[0].to"),
    ],
)
async def test_given_a_movement_that_breaks_a_rule_when_checked_then_its_field_is_named(
    caller: Caller, body: ReceiveMovement | AdjustMovement | MoveMovement, field: str
) -> None:
    with pytest.raises(InvalidError) as raised:
        await operations_of(caller, [body])

    assert raised.value.field == field


async def test_given_a_count_without_a_key_when_made_then_it_has_no_fingerprint(caller: Caller) -> None:
    plain, keyed = (count_of(each, "A", "main", CountBody(1)) for each in (caller, caller.with_key("k")))

    assert plain.fingerprint == ""
    assert len(keyed.fingerprint) == 16


def test_every_kind_of_movement_has_its_maker() -> None:
    assert set(_MAKERS) == set(get_args(MovementBody))
