"""What an ERP expects to come: it is expected here, changes with it, and is forgone when it has come."""

from collections.abc import AsyncIterator, Generator
from datetime import date
from typing import Any, Final

import pytest

from adapters.contract.http import Answer, Exchange, Request
from adapters.contract.source import SupplyPage, SupplyRow
from adapters.odoo.source import Odoo
from server.channels.sources.supplies import supply_id
from server.domain.expected_receipt import ExpectedReceipt
from server.store.repositories.expected_receipts import read_supply
from tests.channels.source_world import EVERY_S, MAIN, NAME, SourceWorld, source_world
from tests.support.stores import StoreProcess

SOON: Final = date(2031, 5, 4)


class Expecting(Odoo):
    """An Odoo that expects what a test says, in pages of one."""

    rows: tuple[SupplyRow, ...] = ()

    @property
    def supplies(self) -> bool:
        return True

    def pull_supply(self, cursor: str, now_s: float) -> Exchange[SupplyPage]:  # noqa: ARG002
        return _page(cursor)


def _page(cursor: str) -> Generator[Request, Answer, SupplyPage]:
    yield from ()
    at = int(cursor or 0)
    rows = Expecting.rows[at : at + 1]
    return SupplyPage(rows=rows, cursor=str(at + 1), more=at + 1 < len(Expecting.rows))


@pytest.fixture
async def world(store: StoreProcess, partition: str, client: Any) -> AsyncIterator[SourceWorld]:  # noqa: ARG001
    Expecting.rows = ()
    async with source_world(store, partition) as world:
        world.odoo.add("A", 10)
        world.odoo.add("B", 10)
        yield world


def row(key: str, sku: str, units: int, location: str = MAIN) -> SupplyRow:
    return SupplyRow(key, sku, location, units, SOON)


async def expected(world: SourceWorld, key: str) -> ExpectedReceipt | None:
    parts = world.caller.partition
    return await read_supply(parts.client, parts.keyspace, supply_id(NAME, key))


async def expects(world: SourceWorld, key: str, units: int | None) -> None:
    async def is_so() -> bool:
        found = await expected(world, key)
        return (None if found is None else found.expected) == units

    await world.until(is_so, f"{units} are expected by {key}")


async def test_what_the_erp_expects_is_expected_here_until_it_has_come(world: SourceWorld) -> None:
    Expecting.rows = (row("m1", "A", 30), row("m2", "B", 5), row("m3", "A", 9, "another warehouse"))

    async with world.running(kind=Expecting, supply=True, whole_every_s=EVERY_S):
        await expects(world, "m1", 30)
        await expects(world, "m2", 5)
        Expecting.rows = (row("m1", "A", 20), row("m2", "B", 5))
        await expects(world, "m1", 20)
        Expecting.rows = (row("m2", "B", 5),)
        await expects(world, "m1", None)
        await expects(world, "m2", 5)

        Expecting.rows = ()  # all at once: that is not believed, and lapses by its day
        await world.walks()
        await expects(world, "m2", 5)

    found = await expected(world, "m2")
    assert found is not None
    assert (found.sku, found.location, found.expected_on) == ("B", MAIN, SOON)
    assert await expected(world, "m3") is None


def test_an_id_is_readable_where_that_fits() -> None:
    assert supply_id("erp", "move-17") == "erp:move-17"
    assert supply_id("erp", "Sipariş 17 %") != supply_id("erp", "Sipariş 18 %")
    assert len(supply_id("erp", "x" * 200)) <= 64
