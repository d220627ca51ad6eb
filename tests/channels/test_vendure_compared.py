"""Vendure: what its answer shows is compared with what was sent, and an SKU of another case is none."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from adapters.contract.stock import Applied, Conflict, Item, PriceRejected, Rejected
from adapters.testing.driving import PATIENT_S, Driven
from adapters.vendure import ADAPTER
from server.channels.connection.http_transport import Transport
from tests.channels.vendure_simulator import VendureSimulator


@pytest.fixture
async def simulator() -> AsyncIterator[VendureSimulator]:
    async with VendureSimulator(api_key="an-invented-api-key") as simulator:
        simulator.stock("101", "102", "103")
        yield simulator
    assert simulator.complaints == []


@pytest.fixture
async def channel(simulator: VendureSimulator) -> AsyncIterator[Driven]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
    options = msgspec.convert({"base_url": f"{simulator.url}/admin-api", "key_is": "sku"}, ADAPTER.options)
    yield Driven(ADAPTER.build(options, {"api_key": "an-invented-api-key"}), transport.send)
    await transport.close()


def value(key: str, quantity: int = 3, **fields: Any) -> Item:
    return Item(**{"key": key, "sku": key, "quantity": quantity, "version": 1, **fields})


# -- prices


@pytest.mark.parametrize(
    ("priced", "fixed", "words"),
    [
        ({"price": "11"}, 2200, "22.00"),
        ({"price": "11.50", "currency": "USD"}, 1100, "11.00"),
        ({"price": "9.99"}, 0, "0.00"),
    ],
)
async def test_a_price_that_vendure_does_not_show_is_never_confirmed(
    priced: dict[str, Any], fixed: int, words: str, simulator: VendureSimulator, channel: Driven
) -> None:
    simulator.fixed_price = fixed

    outcomes = await channel.push(value("SKU-101", **priced), value("SKU-102", 4))

    refused = PriceRejected("other_price", f"Vendure answers with the price {words}")
    assert outcomes == {"SKU-101": refused, "SKU-102": Applied()}
    assert simulator.shown["101"] == 3


async def test_another_quantity_is_reported_before_another_price(simulator: VendureSimulator, channel: Driven) -> None:
    simulator.fixed_price = 2200
    simulator.before_update = lambda: simulator.allocate("101", 1)

    assert await channel.push(value("SKU-101", price="11")) == {"SKU-101": Conflict(2)}


# -- SKUs in another case


async def test_a_sku_is_taken_exactly_where_the_database_finds_it_in_any_case(
    simulator: VendureSimulator, channel: Driven
) -> None:
    simulator.ignores_case = True
    simulator.skus = {"101": "ab", "102": "AB", "103": "Ab"}

    outcomes = await channel.push(value("AB", 6), value("Ab", 7))

    assert outcomes == {"AB": Applied(), "Ab": Applied()}
    assert simulator.shown == {"101": 0, "102": 6, "103": 7}


@pytest.mark.parametrize("listed", ["ab", "aB", "Ab"])
async def test_a_variant_whose_sku_is_of_another_case_is_not_written_to(
    listed: str, simulator: VendureSimulator, channel: Driven
) -> None:
    simulator.ignores_case = True
    simulator.skus = {"101": "AB"}

    outcomes = await channel.push(value("AB", 6), value(listed, 7))

    assert isinstance(outcomes, dict)
    assert outcomes["AB"] == Applied()
    assert isinstance(outcomes[listed], Rejected)
    assert simulator.shown["101"] == 6
    assert await channel.read([listed]) == {}
