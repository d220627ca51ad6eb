"""Hepsiburada: what every adapter does, and what is particular to uploads whose verdicts list failures alone."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import SpoiledError, ThrottledError, UnavailableError, UnknownResultError
from adapters.contract.http import READ, WRITE, Answer, Request
from adapters.contract.limits import TokenBucket, Window
from adapters.contract.stock import Applied, Item, PriceRejected, Rejected, Retry, StillPending, Ticket
from adapters.hepsiburada import ADAPTER, Hepsiburada, Options
from adapters.hepsiburada.stock import DEPOT
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.ticket_conformance import TicketConformance
from adapters.testing.warehouse_conformance import WarehouseConformance
from tests.channels.hepsiburada_simulator import INTEGRATOR, MERCHANT, UNKNOWN, HepsiburadaSimulator

KEY = "made-up-service-key"


class TestHepsiburada(TicketConformance[HepsiburadaSimulator], WarehouseConformance[HepsiburadaSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"service_key": KEY}
    push_path = "/stock-uploads"
    poll_path = "/id/"
    unknown_words = UNKNOWN

    def make_simulator(self) -> HepsiburadaSimulator:
        return HepsiburadaSimulator()

    def options_for(self, simulator: HepsiburadaSimulator) -> dict[str, Any]:
        return {
            "merchant_id": MERCHANT,
            "integrator": INTEGRATOR,
            "listings_url": simulator.url,
            "orders_url": simulator.url,
        }

    def make_slow(self, simulator: HepsiburadaSimulator) -> None:
        simulator.polls_until_done = 3

    def lose_tickets(self, simulator: HepsiburadaSimulator) -> None:
        simulator.uploads.clear()

    def hold(self, simulator: HepsiburadaSimulator, key: str, quantity: int | None) -> None:
        simulator.depot.add(key)
        if quantity is None:
            simulator.strange_stock.add(key)
        else:
            simulator.shown[key] = quantity

    def known_as(self, key: str) -> str:
        return key.upper()

    def driven(self, simulator: HepsiburadaSimulator, channel: Driven, **options: Any) -> Driven:
        given = {**self.options_for(simulator), **options}
        return Driven(ADAPTER.build(msgspec.convert(given, Options), self.credentials), channel.send)

    # -- verdicts

    async def test_words_and_skus_in_any_case_are_understood(
        self, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        simulator.drifts, simulator.polls_until_done, simulator.upper_id = True, 2, True
        simulator.refusals[self.key(2)] = "NotSalable"

        for quantity in (7, 8, 9):  # each time in other cases
            assert await channel.settle(*self.items(quantity, 11, 13)) == {
                self.key(0): Applied(),
                self.key(1): Applied(),
                self.key(2): Rejected("failed", "NotSalable"),
            }

    async def test_a_price_that_is_refused_leaves_its_quantity(
        self, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        simulator.locks[self.key(0)] = (10.0, 20.0)
        items = [self.item(self.key(number), 5, price="9.50") for number in range(2)]

        outcomes = await channel.settle(*items)

        reason = "OutOfPriceRange; MinLock: from 10.0 to 20.0"
        assert outcomes == {self.key(0): PriceRejected("failed", reason), self.key(1): Applied()}
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {self.key(1): "9.50"})

    async def test_an_upload_that_failed_has_applied_nothing(
        self, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        simulator.fails_whole = True
        simulator.refusals[self.key(1)] = "NotSalable"

        outcomes = await channel.settle(*self.items(7, 11))

        assert outcomes[self.key(1)] == Rejected("failed", "NotSalable")
        assert isinstance(outcomes[self.key(0)], Retry)
        assert simulator.applied == []

    async def test_a_verdict_about_a_row_that_nobody_sent_confirms_nothing(
        self, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        simulator.strange = True
        simulator.refusals[self.key(1)] = "NotSalable"

        assert await channel.settle(*self.items(7, 11)) == {self.key(1): Rejected("failed", "NotSalable")}

    async def test_prices_that_do_not_arrive_leave_the_whole_unknown(
        self, simulator: HepsiburadaSimulator, warm: Driven
    ) -> None:
        simulator.only, simulator.always = "/price-uploads", "throttled_with_retry_after"

        with pytest.raises(UnknownResultError, match="without its prices") as caught:
            await warm.push(self.item(self.key(0), 5, price="9.50"))

        assert caught.value.after_s == 1.0

    @pytest.mark.parametrize("price", ["9.505", "0", "-1", "free", "NaN", "Infinity", "1e40"])
    async def test_a_price_that_cannot_be_taken_does_not_keep_its_quantity(
        self, price: str, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        assert await channel.settle(self.item(self.key(0), 5, price=price)) == {self.key(0): Applied()}
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {})

    # -- limits

    async def test_a_sixth_upload_waits(self, simulator: HepsiburadaSimulator, channel: Driven) -> None:
        simulator.polls_until_done = 100
        for quantity in range(5):
            assert isinstance(await channel.push(*self.items(quantity)), Ticket)

        with pytest.raises(ThrottledError, match="too many ongoing") as caught:
            await channel.push(*self.items(7))

        assert caught.value.after_s == 10.0
        assert channel.adapter.capabilities.jobs_pending_max == 2, "of two uploads each"

    def test_the_quota_of_a_day_is_an_option(self) -> None:
        assert Window(50_000, 86_400.0, WRITE, of="items") in hepsiburada(daily_items=50_000).capabilities.limits
        assert all(isinstance(each, TokenBucket) for each in hepsiburada().capabilities.limits)

    # -- what the channel ships itself

    async def test_a_listing_of_the_channel_s_depot_is_never_told_a_number(
        self, simulator: HepsiburadaSimulator, channel: Driven
    ) -> None:
        simulator.depot.add(self.key(1))

        outcomes = await channel.settle(*self.items(7, 11))

        assert outcomes == {
            self.key(0): Retry("not_sent", "another item is of Hepsiburada's own depot", after_s=0.0),
            self.key(1): DEPOT,
        }
        assert await channel.settle(*self.items(7)) == {self.key(0): Applied()}
        assert self.key(1) not in await channel.read([self.key(0), self.key(1)])
        assert [each.method for each in simulator.received].count("POST") == 1

    async def test_listings_are_looked_up_once(self, simulator: HepsiburadaSimulator, channel: Driven) -> None:
        simulator.stock(*(f"more-{number}" for number in range(250)))
        for quantity in (3, 4, 5):
            await channel.settle(*self.items(quantity))

        assert [each.path for each in simulator.received].count(f"/listings/merchantid/{MERCHANT}") == 3, "pages"

    async def test_looking_them_up_can_be_switched_off(self, simulator: HepsiburadaSimulator, channel: Driven) -> None:
        blind = self.driven(simulator, channel, skip_depot=False, read_back=False)

        assert await blind.settle(*self.items(7)) == {self.key(0): Applied()}
        assert [each.method for each in simulator.received] == ["POST", "GET"]
        assert blind.adapter.capabilities.read_items_max == 0
        with pytest.raises(TypeError):
            blind.adapter.read([self.key(0)])

    async def test_the_channel_s_own_sku_can_be_the_key(self, simulator: HepsiburadaSimulator, channel: Driven) -> None:
        own = self.driven(simulator, channel, key_is="hepsiburada_sku")
        key = simulator.hepsiburada_sku(self.key(0))

        assert await own.settle(self.item(key, 7)) == {key: Applied()}
        assert await own.read([key]) == {key: 7}


# -- on the wire


def hepsiburada(**options: Any) -> Hepsiburada:
    given = {"merchant_id": MERCHANT, "integrator": INTEGRATOR, "skip_depot": False, **options}
    return Hepsiburada(msgspec.convert(given, Options), {"service_key": KEY})


def test_a_push_is_as_documented() -> None:
    pushing = hepsiburada().push([Item(key="A", sku="a", quantity=5, version=1)], NOW_S)

    assert next(pushing) == Request(
        "POST",
        f"https://listing-external.hepsiburada.com/listings/merchantid/{MERCHANT}/stock-uploads",
        {
            "Authorization": "Basic NmZjNmQ5MGQtZWUxZC00MzcyLWIzYTYtMjY0YjEyNzVlMmZmOm1hZGUtdXAtc2VydmljZS1rZXk=",
            "User-Agent": INTEGRATOR,
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
        b'[{"merchantSku":"A","availableStock":5}]',
        group=WRITE,
    )


def test_a_question_is_as_documented_and_the_test_environment_is_another_host() -> None:
    request = next(hepsiburada(environment="sit").poll("a-1 b/2", ["A"]))

    root = f"https://listing-external-sit.hepsiburada.com/listings/merchantid/{MERCHANT}"
    assert (request.method, request.url, request.group) == ("GET", f"{root}/stock-uploads/id/a-1", READ)


@pytest.mark.parametrize(
    "options",
    [{"merchant_id": "4711"}, {"integrator": ""}, {"integrator": "with space"}, {"items_max": 4001}, {"carrier": "x"}],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        hepsiburada(**options)


def answered(exchange: Any, *answers: Any) -> Any:
    """End an exchange with these answers."""
    next(exchange)
    try:
        for answer in answers:
            exchange.send(answer)
    except StopIteration as end:
        return end.value
    raise AssertionError("another request was sent")


def verdict(**fields: Any) -> Any:
    return Answer(200, {}, msgspec.json.encode(fields))


@pytest.mark.parametrize("status", ["PROCESSING", "Waiting", None, "something new"])
def test_an_upload_without_a_known_end_is_pending(status: str | None) -> None:
    assert answered(hepsiburada().poll("a", ["A"]), verdict(status=status, errors=[])) == StillPending()


def test_an_upload_that_failed_and_names_no_row_spoils_the_push() -> None:
    with pytest.raises(SpoiledError):
        answered(hepsiburada().poll("a", ["A"]), verdict(status="Failed", errors=None))


@pytest.mark.parametrize("body", [b"", b'"taken"', b"{}", b'{"id":""}', b'{"id":7}'])
def test_taken_without_an_id_leaves_the_fate_unknown_or_says_that_it_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnknownResultError if body else UnavailableError):
        answered(hepsiburada().push([Item(key="A", sku="a", quantity=5, version=1)], NOW_S), Answer(200, {}, body))
