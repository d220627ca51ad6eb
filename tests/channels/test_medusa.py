"""Medusa's adapter against a simulated shop: the shared conformance suite and what is particular to Medusa."""

from collections.abc import Generator, Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import ClosedError, UnavailableError, UnknownResultError, UnreadableOrderError
from adapters.contract.http import Answer, Request
from adapters.contract.orders import Order, Pulled, Refuse
from adapters.contract.stock import Applied, Conflict, Item, Rejected, Retry
from adapters.medusa import ADAPTER, Medusa, MedusaOptions
from adapters.testing.conformance import Conformance
from adapters.testing.driving import NOW_S, Driven
from server.channels.connection.http_transport import Transport
from tests.channels.medusa_simulator import LOCATION, MedusaSimulator

SECRET_KEY = "sk_an-invented-secret-key"


class TestMedusa(Conformance[MedusaSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"secret_key": SECRET_KEY}
    push_path = "/batch"
    unknown_words = "is not stocked at location"

    def make_simulator(self) -> MedusaSimulator:
        return MedusaSimulator(secret_key=SECRET_KEY)

    def options_for(self, simulator: MedusaSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def poisoned(self, simulator: MedusaSimulator) -> Item:
        """Medusa refuses all for an item that is gone by the time of writing."""
        simulator.stock(self.key(50))
        simulator.ghosts.add(self.key(50))
        return self.item(self.key(50), 5)

    def driven(self, simulator: MedusaSimulator, transport: Transport, **options: Any) -> Driven:
        typed = msgspec.convert({**self.options_for(simulator), **options}, self.kind.options)
        return Driven(self.kind.build(typed, self.credentials), transport.send)

    # -- reserved units

    async def test_units_of_medusas_own_orders_are_added_so_that_the_quantity_is_what_buyers_see(
        self, simulator: MedusaSimulator, warm: Driven
    ) -> None:
        simulator.reserve(self.key(0), 2)

        assert await warm.settle(*self.items(10)) == {self.key(0): Applied()}

        assert (simulator.shown[self.key(0)], simulator.reserved[self.key(0)]) == (10, 2)

    @pytest.mark.parametrize("units", [2, -2], ids=["an order", "a cancellation"])
    async def test_what_changes_between_reading_and_writing_is_reported_with_what_is_shown(
        self, units: int, simulator: MedusaSimulator, warm: Driven
    ) -> None:
        simulator.reserved[self.key(0)] = 5
        simulator.before_write = lambda: simulator.reserve(self.key(0), units)

        first = await warm.settle(*self.items(10, 4))
        second = await warm.settle(*self.items(10))

        assert first == {self.key(0): Conflict(10 - units), self.key(1): Applied()}
        assert second == {self.key(0): Applied()}

    async def test_a_shop_that_sold_what_was_not_there_is_read_below_zero(
        self, simulator: MedusaSimulator, warm: Driven
    ) -> None:
        simulator.reserve(self.key(0), 5)

        assert await warm.read([self.key(0)]) == {self.key(0): -2}

    async def test_an_item_that_was_never_there_gets_a_level(self, simulator: MedusaSimulator, channel: Driven) -> None:
        simulator.never_stocked.add(self.key(1))

        assert await channel.settle(*self.items(7, 11)) == {self.key(0): Applied(), self.key(1): Applied()}
        assert simulator.shown[self.key(1)] == 11

    async def test_a_level_that_somebody_makes_meanwhile_keeps_the_push_for_later(
        self, simulator: MedusaSimulator, channel: Driven
    ) -> None:
        simulator.never_stocked.add(self.key(1))
        simulator.before_write = simulator.never_stocked.clear

        with pytest.raises(UnavailableError, match="already exists"):
            await channel.settle(*self.items(7, 11))

        assert await channel.settle(*self.items(7, 11)) == {self.key(0): Applied(), self.key(1): Applied()}

    # -- items that cannot be sent

    async def test_what_cannot_be_sent_is_named_and_the_others_are_written(
        self, simulator: MedusaSimulator, channel: Driven
    ) -> None:
        simulator.uncounted.add(self.key(1))

        outcomes = await channel.settle(*self.items(7, 11), self.item("no-such-sku", 1))

        assert outcomes.pop(self.key(0)) == Applied()
        codes = {key: each.code for key, each in outcomes.items() if isinstance(each, Rejected)}
        assert codes == {self.key(1): "not_tracked", "no-such-sku": "unknown_item"}

    async def test_an_item_that_is_gone_by_the_time_of_writing_is_named_and_the_others_wait(
        self, simulator: MedusaSimulator, warm: Driven
    ) -> None:
        simulator.before_write = lambda: simulator.ghosts.add(self.key(1))

        outcomes = await warm.settle(*self.items(7, 11, 13))

        assert isinstance(outcomes[self.key(1)], Rejected)
        assert isinstance(outcomes[self.key(0)], Retry)
        assert simulator.shown[self.key(0)] == 3

    async def test_long_keys_are_asked_for_in_several_requests(
        self, simulator: MedusaSimulator, channel: Driven
    ) -> None:
        keys = [f"{number:03}" + "ü" * 60 for number in range(60)]
        simulator.stock(*keys, quantity=4)

        assert await channel.read(keys) == dict.fromkeys(keys, 4)

    # -- locations

    async def test_one_of_several_locations_must_be_chosen(
        self, simulator: MedusaSimulator, transport: Transport
    ) -> None:
        simulator.locations["sloc_2"] = "Other"

        with pytest.raises(ClosedError, match=r"sloc_1 \(Main\), sloc_2 \(Other\)"):
            await self.driven(simulator, transport).read([self.key(0)])
        chosen = self.driven(simulator, transport, stock_location_id=LOCATION)
        assert await chosen.read([self.key(0)]) == {self.key(0): 0}


# -- orders that cannot be read, and answers that say nothing


def order_row(**fields: Any) -> dict[str, Any]:
    at = "2026-11-29T20:55:38.232Z"
    row = {
        "id": "order_1", "status": "pending", "payment_status": "authorized", "fulfillment_status": "not_fulfilled",
        "created_at": at, "updated_at": at, "currency_code": "eur", "display_id": 7, "items": [line_row()],
        "shipping_address": {"first_name": "Ada", "address_1": "Hidden Street 7"},
    }  # fmt: skip
    return {**row, **fields}


def line_row(**fields: Any) -> dict[str, Any]:
    detail = {"fulfilled_quantity": 0, "shipped_quantity": 0}
    return {"id": "ordli_1", "quantity": 2, "detail": detail, "variant_sku": "A", **fields}


def adapter(**options: Any) -> Medusa:
    return Medusa(MedusaOptions(base_url="https://shop.example", **options), {"secret_key": SECRET_KEY})


def answered(exchange: Generator[Request, Answer, Any], *bodies: Any, status: int = 200) -> Any:
    """Answer each request of an exchange in turn and return its result; the last has the status."""
    next(exchange)
    for number, body in enumerate(bodies, 1):
        at_end = number == len(bodies)
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        try:
            exchange.send(Answer(status if at_end else 200, {}, encoded))
        except StopIteration as end:
            return end.value
    raise AssertionError("it wants to ask more")


def test_an_order_that_cannot_be_read_is_named_and_hides_no_other() -> None:
    rows = [order_row(id="order_0", items="none"), order_row()]

    page: Pulled = answered(adapter().pull_orders(adapter().first_cursor(0), NOW_S), {"orders": rows})

    assert [order.key for order in page.orders] == ["order_1"]
    (unreadable,) = page.unreadable
    assert (unreadable.key, "items" in unreadable.reason) == ("order_0", True)
    assert page.hints == ("order_0",)


@pytest.mark.parametrize("body", [{"orders": "Hidden Street 7"}, b"Hidden Street 7", {"order": order_row(items=7)}])
def test_no_error_quotes_an_order(body: Any) -> None:
    made = adapter()
    exchange: Any = made.pull_orders(made.first_cursor(0), NOW_S)
    if isinstance(body, dict) and "order" in body:
        exchange = made.fetch_order("order_1", NOW_S)

    with pytest.raises((UnavailableError, UnreadableOrderError)) as caught:
        answered(exchange, body)

    assert "Hidden" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_command_that_met_an_error_of_the_server_may_have_been_carried_out() -> None:
    refuse = Refuse(order="order_1", lines=(("ordli_1", 2),))
    order: Order = answered(adapter().fetch_order("order_1", NOW_S), {"order": order_row()})

    with pytest.raises(UnknownResultError):
        answered(adapter().command(refuse, order, NOW_S), {"order": order_row()}, b"<html>", status=502)


@pytest.mark.parametrize(
    ("parts", "listing"),
    [
        ([], "A"),
        ([{"inventory_item_id": "iitem_1", "required_quantity": 1, "inventory": {"sku": "STOCKED-A"}}], "STOCKED-A"),
        ([{"inventory_item_id": "iitem_1", "required_quantity": 6, "inventory": {"sku": "STOCKED-A"}}], "A"),
        ([{"inventory_item_id": f"iitem_{each}"} for each in "12"], "A"),
    ],
    ids=["gone", "one", "a pack", "a kit"],
)
def test_the_key_of_a_line_is_its_inventory_item_s_where_one_piece_is_one_unit(parts: Any, listing: str) -> None:
    row = order_row(items=[line_row(variant={"inventory_items": parts})])

    order: Order = answered(adapter().fetch_order("order_1", NOW_S), {"order": row})

    assert order.lines[0].listing == listing


def test_prices_and_taxes_are_decimal_text() -> None:
    line = line_row(
        quantity=3, unit_price=10.1, discount_total=1, is_tax_inclusive=True, tax_lines=[{"rate": 9.5}, {"rate": 1}]
    )

    order: Order = answered(adapter().fetch_order("order_1", NOW_S), {"order": order_row(items=[line], total=29.3)})

    found = order.lines[0]
    assert (found.unit_price, found.discount, found.vat_rate, order.total) == ("10.1", "0.3333", "10.5", "29.3")
    assert order.unit_prices_have_vat is True
