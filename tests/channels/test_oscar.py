"""Oscar's adapter against a simulated shop: the shared conformance suite and what is particular to Oscar."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import ClosedError, CredentialsError, UnavailableError
from adapters.contract.http import Answer
from adapters.contract.stock import Applied, Conflict, PriceRejected, Rejected, Retry, Unknown
from adapters.oscar import ADAPTER, Oscar, OscarOptions
from adapters.testing.conformance import Conformance
from adapters.testing.driving import Driven
from server.channels.connection.http_transport import Transport
from tests.channels.oscar_order_side import PASSWORD, USERNAME, Pagination
from tests.channels.oscar_simulator import CURRENCY, OscarSimulator


class TestOscar(Conformance[OscarSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"username": USERNAME, "password": PASSWORD}
    push_path = "PATCH /api/admin/stockrecords/"
    unknown_key = "999999"
    unknown_words = "no stock record 999999"

    def make_simulator(self) -> OscarSimulator:
        return OscarSimulator()

    def options_for(self, simulator: OscarSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url, "requests_per_s": 1_000}

    def key(self, number: int) -> str:
        return str(100 + number)

    def driven(self, simulator: OscarSimulator, transport: Transport, **options: Any) -> Driven:
        typed = msgspec.convert({**self.options_for(simulator), **options}, self.kind.options)
        return Driven(self.kind.build(typed, self.credentials), transport.send)

    # -- allocated units

    async def test_units_of_oscars_own_orders_are_added_so_that_the_quantity_is_what_buyers_see(
        self, simulator: OscarSimulator, warm: Driven
    ) -> None:
        simulator.allocate(self.key(0), 2)

        assert await warm.settle(*self.items(10)) == {self.key(0): Applied()}

        assert (simulator.shown[self.key(0)], simulator.allocated[self.key(0)]) == (10, 2)

    @pytest.mark.parametrize("units", [2, -2], ids=["an order", "a cancellation"])
    async def test_what_changes_between_reading_and_writing_is_reported_with_what_is_shown(
        self, units: int, simulator: OscarSimulator, warm: Driven
    ) -> None:
        simulator.allocated[self.key(0)] = 5
        simulator.before_write = lambda: simulator.allocate(self.key(0), units)

        first = await warm.settle(*self.items(10, 4))
        second = await warm.settle(*self.items(10))

        assert first == {self.key(0): Conflict(10 - units), self.key(1): Applied()}
        assert second == {self.key(0): Applied()}

    async def test_a_shop_that_sold_what_was_not_there_is_read_below_zero(
        self, simulator: OscarSimulator, warm: Driven
    ) -> None:
        simulator.allocate(self.key(0), 5)

        assert await warm.read([self.key(0)]) == {self.key(0): -2}

    async def test_an_allocation_below_zero_that_leaves_no_number_to_write_is_reported(
        self, simulator: OscarSimulator, warm: Driven
    ) -> None:
        simulator.allocated[self.key(0)] = -9

        outcome = (await warm.settle(*self.items(5)))[self.key(0)]

        assert isinstance(outcome, Rejected)
        assert (outcome.code, "num_allocated" in outcome.reason) == ("negative_allocation", True)

    # -- what cannot be sent

    async def test_what_was_never_stocked_is_written_and_what_is_not_counted_is_reported(
        self, simulator: OscarSimulator, channel: Driven
    ) -> None:
        simulator.never_stocked |= {self.key(0), self.key(1)}
        simulator.uncounted.add(self.key(1))

        outcomes = await channel.settle(*self.items(7, 11))

        assert outcomes[self.key(0)] == Applied()
        refused = outcomes[self.key(1)]
        assert isinstance(refused, Rejected)
        assert (refused.code, simulator.shown[self.key(1)]) == ("not_tracked", 0)

    async def test_a_key_that_is_no_number_is_reported_without_a_request(
        self, simulator: OscarSimulator, channel: Driven
    ) -> None:
        outcome = (await channel.settle(self.item("../orders/1", 5)))["../orders/1"]

        assert isinstance(outcome, Rejected)
        assert (outcome.code, simulator.received) == ("not_an_id", [])

    async def test_what_was_answered_before_an_error_is_kept(self, simulator: OscarSimulator, warm: Driven) -> None:
        def cut() -> None:
            simulator.only, simulator.always = f"PATCH /api/admin/stockrecords/{self.key(1)}/", "failing"

        simulator.before_write = cut

        outcomes = await warm.settle(*self.items(7, 11, 13))

        assert outcomes[self.key(0)] == Applied()
        assert isinstance(outcomes[self.key(1)], Retry)
        assert outcomes[self.key(2)] == Retry("not_sent", outcomes[self.key(2)].reason, after_s=0.0)  # type: ignore[union-attr]
        simulator.always = "reset"
        simulator.before_write = None
        unknown = await warm.settle(*self.items(7, 11))
        assert isinstance(unknown[self.key(1)], Unknown)

    # -- prices

    async def test_a_price_in_another_currency_is_left_out_and_reported(
        self, simulator: OscarSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.settle(self.item(self.key(0), 5, price="9.50", currency="EUR"))

        refused = outcomes[self.key(0)]
        assert isinstance(refused, PriceRejected)
        assert CURRENCY in refused.reason
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {})

    async def test_a_price_that_the_shop_does_not_take_keeps_no_quantity_back(
        self, simulator: OscarSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.settle(self.item(self.key(0), 5, price="9.1234", currency=CURRENCY))

        refused = outcomes[self.key(0)]
        assert isinstance(refused, PriceRejected)
        assert "2 decimal places" in refused.reason
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {})

    # -- SKUs

    @pytest.mark.parametrize("pagination", ["none", "limit", "page"])
    async def test_a_sku_is_looked_up_among_all_products_once(
        self, pagination: Pagination, simulator: OscarSimulator, transport: Transport
    ) -> None:
        simulator.pagination, simulator.page_size = pagination, 40
        simulator.stock(*(self.key(number) for number in range(250)))
        driven = self.driven(simulator, transport, key_is="sku")

        first = await driven.settle(self.item("SKU-101", 5), self.item("SKU-349", 6), self.item("SKU-0", 1))
        looked_up = len([each for each in simulator.received if each.path.endswith("/products/")])
        shown = await driven.read(["SKU-349", "SKU-101"])

        unknown = first.pop("SKU-0")
        assert isinstance(unknown, Rejected)
        assert unknown.code == "sku_not_found"
        assert first == {"SKU-101": Applied(), "SKU-349": Applied()}
        assert shown == {"SKU-349": 6, "SKU-101": 5}
        assert len([each for each in simulator.received if each.path.endswith("/products/")]) == looked_up
        assert (simulator.shown["101"], simulator.shown["349"]) == (5, 6)

    async def test_a_sku_that_two_partners_have_is_told_apart_by_the_partner(
        self, simulator: OscarSimulator, transport: Transport
    ) -> None:
        simulator.skus = {"100": "SAME", "101": "SAME"}
        simulator.others.add("101")

        refused = (await self.driven(simulator, transport, key_is="sku").settle(self.item("SAME", 5)))["SAME"]
        ours = self.driven(simulator, transport, key_is="sku", partner_id=2)

        assert isinstance(refused, Rejected)
        assert (refused.code, "100, 101" in refused.reason) == ("sku_not_unique", True)
        assert await ours.settle(self.item("SAME", 5)) == {"SAME": Applied()}
        assert simulator.shown["101"] == 5

    async def test_a_sku_whose_record_was_made_anew_is_looked_up_again(
        self, simulator: OscarSimulator, transport: Transport
    ) -> None:
        driven = self.driven(simulator, transport, key_is="sku")
        await driven.settle(self.item("SKU-100", 5))
        del simulator.shown["100"]
        simulator.stock("900")
        simulator.skus["900"] = "SKU-100"

        gone = (await driven.settle(self.item("SKU-100", 6)))["SKU-100"]

        assert isinstance(gone, Retry)
        assert await driven.settle(self.item("SKU-100", 6)) == {"SKU-100": Applied()}
        assert simulator.shown["900"] == 6

    # -- a shop that is not set up for it

    async def test_an_admin_api_that_is_switched_off_is_reported(
        self, simulator: OscarSimulator, channel: Driven
    ) -> None:
        simulator.is_blocked = True

        with pytest.raises(CredentialsError, match="permission"):
            await channel.settle(*self.items(5))

    async def test_a_shop_without_the_api_is_reported(self, simulator: OscarSimulator, transport: Transport) -> None:
        with pytest.raises(ClosedError, match="api_path"):
            await self.driven(simulator, transport, api_path="/no/api").settle(*self.items(5))


# -- answers that are not in the contract


def oscar(**options: Any) -> Oscar:
    credentials = {"username": USERNAME, "password": PASSWORD}
    return Oscar(OscarOptions(base_url="https://shop.example/", **options), credentials)


def test_the_api_is_asked_where_it_is_said_to_be() -> None:
    request = next(oscar(api_path="/tr/api").read(["7"]))

    assert request.url == "https://shop.example/tr/api/admin/stockrecords/7/"


@pytest.mark.parametrize("path", ["api", "/api/", "/a pi", "/api?x", "//"])
def test_a_path_of_another_form_is_refused(path: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"base_url": "https://shop.example", "api_path": path}, OscarOptions)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"[]"), (200, b'{"num_in_stock":"x"}'), (400, b"<html>"), (204, b"")],
)
def test_an_answer_of_another_form_is_unavailable(status: int, body: bytes) -> None:
    pushing = oscar().read(["7"])
    next(pushing)

    with pytest.raises((UnavailableError, ClosedError)):
        pushing.send(Answer(status, {}, body))
