"""eMAG: what every adapter does, and what is particular to one verdict for a call, which may be wrong."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import ORDERS, WRITE, Answer, Request
from adapters.contract.limits import Window
from adapters.contract.stock import Applied, Item, PriceRejected, Rejected
from adapters.emag import ADAPTER, Emag, Options
from adapters.emag.stock import NOT_AN_OFFER
from adapters.testing.conformance import Conformance
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.warehouse_conformance import WarehouseConformance
from tests.channels.emag_simulator import HELD_WAREHOUSE, UNKNOWN, EmagSimulator

CREDENTIALS = {"username": "made-up-user", "password": "made-up-password"}


class TestEmag(Conformance[EmagSimulator], WarehouseConformance[EmagSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = CREDENTIALS
    push_path = "/offer/save"
    unknown_key: ClassVar[str | None] = "999999"
    unknown_words = UNKNOWN
    currency = "RON"

    def make_simulator(self) -> EmagSimulator:
        return EmagSimulator()

    def options_for(self, simulator: EmagSimulator) -> dict[str, Any]:
        return {"base_url": f"{simulator.url}/api-3"}

    def key(self, number: int) -> str:
        return str(243_409 + number)

    def hold(self, simulator: EmagSimulator, key: str, quantity: int | None) -> None:
        simulator.held[key] = quantity

    def reader(self, simulator: EmagSimulator, channel: Driven) -> Driven:
        return self.driven(simulator, channel, held_warehouse_id=HELD_WAREHOUSE)

    def driven(self, simulator: EmagSimulator, channel: Driven, **options: Any) -> Driven:
        given = {**self.options_for(simulator), **options}
        return Driven(ADAPTER.build(msgspec.convert(given, Options), self.credentials), channel.send)

    async def test_without_the_number_of_its_warehouse_nothing_is_read_there(
        self, simulator: EmagSimulator, channel: Driven
    ) -> None:
        simulator.held[self.key(0)] = 5

        assert channel.adapter.capabilities.warehouse is None
        assert await channel.read([self.key(0)]) == {self.key(0): simulator.shown[self.key(0)]}

    # -- verdicts

    async def test_an_offer_that_was_saved_in_spite_of_an_error_is_applied(
        self, simulator: EmagSimulator, channel: Driven
    ) -> None:
        simulator.grumbles = True

        assert await channel.settle(*self.items(7)) == {self.key(0): Applied()}
        priced = self.item(self.key(0), 8, price="9.5")
        assert await channel.settle(priced) == {self.key(0): Applied()}
        with pytest.raises(SpoiledError, match="Documentation"):
            await channel.settle(*self.items(7, 11))

    async def test_a_price_that_is_refused_alone_is_found_apart_where_its_quantity_stands(
        self, simulator: EmagSimulator, channel: Driven
    ) -> None:
        simulator.price_range[self.key(0)] = (20.0, 30.0)
        item = self.item(self.key(0), 5, price="9.50")

        refused = await channel.settle(item)
        await channel.settle(self.item(self.key(0), 5))

        assert refused == {self.key(0): Rejected("refused", "Price is not between min_sale_price and max_sale_price")}
        assert isinstance((await channel.settle(item))[self.key(0)], PriceRejected)

    @pytest.mark.parametrize("key", ["", "A", "0123", "1.5", "-1", "１２"])
    async def test_a_key_that_is_no_number_keeps_no_other(
        self, key: str, simulator: EmagSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(self.item(key, 5), *self.items(7))

        assert outcomes == {key: NOT_AN_OFFER, self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 7

    @pytest.mark.parametrize("price", ["9.50001", "0", "-1", "free", "NaN", "Infinity"])
    async def test_a_price_that_cannot_be_taken_does_not_keep_its_quantity(
        self, price: str, simulator: EmagSimulator, channel: Driven
    ) -> None:
        assert await channel.settle(self.item(self.key(0), 5, price=price)) == {self.key(0): Applied()}
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {})

    async def test_what_is_sent_can_be_wrapped(self, simulator: EmagSimulator, channel: Driven) -> None:
        simulator.wraps = True

        assert await self.driven(simulator, channel, wraps_data=True).settle(*self.items(7)) == {self.key(0): Applied()}

    async def test_stock_of_another_warehouse_is_left_out(self, simulator: EmagSimulator, channel: Driven) -> None:
        assert await self.driven(simulator, channel, warehouse_id=2).read([self.key(0)]) == {}

    async def test_reading_back_can_be_switched_off(self, simulator: EmagSimulator, channel: Driven) -> None:
        blind = self.driven(simulator, channel, read_back=False).adapter

        assert blind.capabilities.read_items_max == 0
        with pytest.raises(TypeError):
            blind.read([self.key(0)])


# -- on the wire

ITEM = Item(key="243409", sku="a", quantity=20, version=1)


def emag(**options: Any) -> Emag:
    return Emag(msgspec.convert(options, Options), CREDENTIALS)


@pytest.mark.parametrize("country", ["ro", "bg", "hu"])
def test_a_push_is_as_documented(country: str) -> None:
    priced = msgspec.structs.replace(ITEM, key="7", price="51.65")

    assert next(emag(country=country).push([ITEM, priced], NOW_S)) == Request(
        "POST",
        f"https://marketplace-api.emag.{country}/api-3/offer/save",
        {
            "Authorization": "Basic bWFkZS11cC11c2VyOm1hZGUtdXAtcGFzc3dvcmQ=",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
        b'[{"id":243409,"stock":[{"warehouse_id":1,"value":20}]},'
        b'{"id":7,"stock":[{"warehouse_id":1,"value":20}],"sale_price":51.65}]',
        group=WRITE,
    )


def test_the_documented_limits_are_declared() -> None:
    assert set(emag().capabilities.limits) == {
        Window(3, 1.0, WRITE), Window(180, 60.0, WRITE), Window(12, 1.0, ORDERS), Window(720, 60.0, ORDERS)
    }  # fmt: skip


@pytest.mark.parametrize("options", [{"time_zone": "Bucharest"}, {"time_zone": "../x"}, {"country": "tr"}])
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


@pytest.mark.parametrize("body", [{}, {"isError": None}, {"isError": True, "messages": []}])
def test_whatever_is_not_plainly_no_error_is_one(body: Any) -> None:
    pushing = emag().push([ITEM, msgspec.structs.replace(ITEM, key="7")], NOW_S)
    next(pushing)

    with pytest.raises(SpoiledError):
        pushing.send(Answer(200, {}, msgspec.json.encode(body)))


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_is_no_reply_is_reported(status: int) -> None:
    pushing = emag().push([ITEM], NOW_S)
    next(pushing)

    with pytest.raises(SpoiledError if status == 404 else UnavailableError):
        pushing.send(Answer(status, {}, b"<h1>?</h1>"))


def test_a_refusal_that_cannot_be_read_back_leaves_the_fate_unknown() -> None:
    pushing = emag().push([ITEM], NOW_S)
    next(pushing)
    pushing.send(Answer(200, {}, b'{"isError":true,"messages":["no"]}'))

    with pytest.raises(UnknownResultError, match="no"):
        pushing.send(Answer(503, {}, b""))
