"""The errands of connectors and storefronts, done with the Python client alone; see docs/errands.md."""

import time
from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

import pytest

from holdfast import Client, OutOfStock, Refused
from holdfast.types import (
    BarcodeBody,
    ChangeLineBody,
    CountMovement,
    LineBody,
    PartBody,
    PositionBody,
    ReturnPartBody,
)

WITHIN_S: Final = 20.0


class Desk(NamedTuple):
    """Where an errand is done. ``given`` is what others have done, or do meanwhile."""

    client: Client
    others: Client
    page: Callable[[str], Client]
    """Opens a client with a browser's token."""

    def given(self, sku: str, on_hand: int, location: str = "main") -> None:
        count = CountMovement(sku=sku, on_hand=on_hand, location=location, allow_similar=True)
        [result] = self.others.stock.move_many([count])
        assert result.status == 200, result


Do = Callable[[Desk], None]
ERRANDS: Final[dict[tuple[str, str], Do]] = {}


def errand(role: str, title: str) -> Callable[[Do], Do]:
    def added(do: Do) -> Do:
        ERRANDS[role, title] = do
        return do

    return added


def line(sku: str, quantity: int = 1) -> list[LineBody]:
    return [LineBody(sku=sku, quantity=quantity)]


def until(client: Client, after: str, wanted: tuple[str, int], meanwhile: Callable[[], None] = lambda: None) -> str:
    """Follow the stream until a SKU has so many; returns where to go on."""
    ends_at = time.monotonic() + WITHIN_S
    with client.changes.stream(after) as changes:
        meanwhile()
        for change in changes:
            if (change.view.sku, change.view.available) == wanted:
                return change.position
            assert time.monotonic() < ends_at, f"{wanted} did not come"
    raise AssertionError("the stream ended")


# -- a connector


@errand("connector", "Take an order by the barcode that the marketplace has, and send it again after a lost answer")
def by_barcode(desk: Desk) -> None:
    desk.given("C-1", 10)
    desk.client.barcodes.put([BarcodeBody(barcode="8690000000036", sku="C-1")])
    for _ in range(2):
        ordered = desk.client.reservations.order(
            channel="trendyol", reservation_id="ty-1001", lines=[LineBody(barcode="8690000000036", quantity=2)]
        )
        assert ordered.lines[0].sku == "C-1"
    assert desk.others.availability.read("C-1").available == 8


@errand("connector", "Record what is sold already, though it is not there, and see whom it hits")
def sold_already(desk: Desk) -> None:
    desk.given("C-2", 1)
    order = desk.client.reservations.order
    order(channel="trendyol", reservation_id="ty-1002", lines=line("C-2", 3), on_shortage="accept")
    pages = desk.client.pages(desk.client.shortages.read_many)
    [short] = [each for page in pages for each in page.shortages if each.sku == "C-2"]
    assert (short.short, short.lines[0].reservation_id) == (2, "ty-1002")


@errand("connector", "Hold while the buyer pays, hold longer, and turn it into an order")
def hold_and_commit(desk: Desk) -> None:
    desk.given("C-3", 5)
    desk.client.reservations.reserve(channel="trendyol", reservation_id="cart-3", lines=line("C-3"), ttl_s=60)
    desk.client.reservations.extend("cart-3", ttl_s=900)
    assert desk.client.reservations.commit("cart-3", order_ref="WEB-3").state == "committed"


@errand("connector", "Cancel one piece of an order, once however often it is sent")
def cancel_some(desk: Desk) -> None:
    desk.given("C-4", 5)
    desk.client.reservations.order(channel="trendyol", reservation_id="ty-1004", lines=line("C-4", 3))
    for _ in range(2):
        left = desk.client.reservations.cancel(
            "ty-1004", lines=[PartBody(line=1, quantity=1)], reason="the buyer asked", idempotency_key="cancel-4"
        )
        assert left.lines[0].committed == 2


@errand("connector", "Ship an order with its tracking number, and find it by that order's id")
def ship(desk: Desk) -> None:
    desk.given("C-5", 5)
    desk.client.reservations.order(channel="trendyol", reservation_id="S/2026/5", lines=line("C-5", 2))
    assert desk.client.reservations.look_up("S/2026/5").state == "committed"
    shipped = desk.client.reservations.fulfil("S/2026/5", tracking="TR-5", carrier="dhl")
    assert (shipped.state, shipped.notes["tracking"]) == ("fulfilled", "TR-5")


@errand("connector", "Take back what a buyer sent back broken")
def take_back(desk: Desk) -> None:
    desk.given("C-6", 5)
    desk.client.reservations.order(channel="trendyol", reservation_id="ty-1006", lines=line("C-6"))
    desk.client.reservations.fulfil("ty-1006")
    broken = ReturnPartBody(line=1, quantity=1, disposition="damaged")
    desk.client.reservations.return_units("ty-1006", lines=[broken], reason="cracked")
    stock = desk.client.stock.read("C-6")
    assert (stock.levels[0].damaged, stock.available) == (1, 4)


@errand("connector", "Change the quantity of an order without letting go of what it has")
def edit(desk: Desk) -> None:
    desk.given("C-7", 5)
    desk.client.reservations.order(channel="trendyol", reservation_id="ty-1007", lines=line("C-7"))
    edited = desk.client.reservations.change_lines("ty-1007", lines=[ChangeLineBody(line=1, quantity=4)])
    assert edited.lines[0].committed == 4


@errand("connector", "Follow every change of stock, break off, and go on where it was")
def follow(desk: Desk) -> None:
    desk.given("C-8", 5)
    position = until(desk.client, "", ("C-8", 6), meanwhile=lambda: desk.given("C-8", 6))
    desk.given("C-8", 7)
    until(desk.client, position, ("C-8", 7))


@errand("connector", "Read the whole catalogue once, and follow it from there without losing a sale in between")
def snapshot(desk: Desk) -> None:
    desk.given("C-9", 5)
    known = dict[str, int]()
    ends_at = time.monotonic() + WITHIN_S
    with desk.client.changes.follow() as changes:
        for change in changes:
            known[change.view.sku] = change.view.available
            if change.is_snapshot and known.get("C-9") == 5:
                desk.given("C-9", 4)
            if known.get("C-9") == 4:
                return
            assert time.monotonic() < ends_at


@errand("connector", "Bring in an order of something that is not known yet, and say later what it is")
def map_later(desk: Desk) -> None:
    desk.given("C-10", 5)
    order = desk.client.reservations.order
    taken = order(channel="trendyol", reservation_id="ty-1010", lines=line("mavi vazo", 2), on_shortage="accept")
    assert taken.lines[0].mode == "unmapped"
    mapped = desk.client.reservations.change_lines("ty-1010", lines=[ChangeLineBody(line=1, sku="C-10")])
    assert (mapped.lines[0].sku, mapped.lines[0].location) == ("C-10", "main")


# -- a storefront


def basket(desk: Desk, sku: str, name: str, quantity: int = 2) -> None:
    desk.client.reservations.reserve(channel="shop", reservation_id=name, lines=line(sku, quantity), ttl_s=120)


@errand("storefront", "Let a page read what is left of what it shows, and nothing else, without the key")
def page_token(desk: Desk) -> None:
    desk.given("F-1", 5)
    page = desk.page(desk.client.browser_tokens.create(ttl_s=600, skus=["F-1"]).token)
    assert page.availability.read("F-1").available == 5
    with pytest.raises(Refused) as refused:
        page.availability.read("C-1")
    assert refused.value.outcome == "forbidden"


@errand("storefront", "Show a page of a catalogue with what is left of each")
def catalogue(desk: Desk) -> None:
    desk.given("F-2a", 1)
    desk.given("F-2b", 0)
    page = desk.page(desk.client.browser_tokens.create(skus=["F-2a", "F-2b"]).token)
    assert [each.available for each in page.availability.read_many(["F-2a", "F-2b"]).availability] == [1, 0]


@errand("storefront", "Have the number on an open page fall when somebody else buys")
def live(desk: Desk) -> None:
    desk.given("F-3", 5)
    page = desk.page(desk.client.browser_tokens.create(skus=["F-3"]).token)

    def somebody_else_buys() -> None:
        desk.client.reservations.order(channel="shop", reservation_id="somebody-else", lines=line("F-3", 2))

    until(page, "", ("F-3", 3), meanwhile=somebody_else_buys)


@errand("storefront", "Say which stores have it, the nearest first")
def stores(desk: Desk) -> None:
    for name, lat in (("kadikoy", 40.99), ("izmir", 38.42)):
        desk.client.locations.put(name, kind="store", position=PositionBody(lat=lat, lon=29.02))
    desk.given("F-4", 2, "izmir")
    desk.given("F-4", 1, "kadikoy")
    near = desk.client.availability.nearby("F-4", lat=40.9904, lon=29.0292)
    assert [each.location for each in near.locations] == ["kadikoy", "izmir"]


@errand("storefront", "Hold a basket while its buyer pays, and give the same answer when the button is pressed twice")
def hold(desk: Desk) -> None:
    desk.given("F-5", 5)
    basket(desk, "F-5", "basket-5")
    basket(desk, "F-5", "basket-5")
    assert desk.client.availability.read("F-5").available == 3


@errand("storefront", "Turn the hold into an order when the payment is there")
def pay(desk: Desk) -> None:
    desk.given("F-6", 5)
    basket(desk, "F-6", "basket-6")
    paid = desk.client.reservations.commit("basket-6", order_ref="SHOP-6")
    assert (paid.state, paid.order_ref) == ("committed", "SHOP-6")


@errand("storefront", "Let go of a basket, so that others have it at once")
def let_go(desk: Desk) -> None:
    desk.given("F-7", 2)
    basket(desk, "F-7", "basket-7")
    desk.client.reservations.release("basket-7")
    assert desk.client.availability.read("F-7").available == 2


@errand("storefront", "Say what is missing where a basket is too large, and take what there is if the buyer agrees")
def partial(desk: Desk) -> None:
    desk.given("F-8", 1)
    with pytest.raises(OutOfStock) as refused:
        basket(desk, "F-8", "basket-8")
    assert refused.value.lines[0].available == 1
    reserve = desk.client.reservations.reserve
    held = reserve(channel="shop", reservation_id="basket-8b", lines=line("F-8", 2), policy="partial")
    assert held.lines[0].held == 1


@errand("storefront", "Sell before it is there, and promise a day")
def preorder(desk: Desk) -> None:
    day = date(2030, 3, 1)
    desk.client.backorders.put("F-9", mode="preorder", limit=10, promise_on=day, allow_similar=True)
    order = desk.client.reservations.order
    ordered = order(channel="shop", reservation_id="order-9", lines=line("F-9", 2), policy="backorder")
    assert (ordered.lines[0].backordered, ordered.lines[0].promise_on) == (2, "2030-03-01")


@errand("storefront", "Say from which day on there will be some")
def promise(desk: Desk) -> None:
    desk.given("F-10", 0)
    desk.client.supply.put("PO-F-10", sku="F-10", quantity=8, expected_on=date(2030, 1, 15))
    days = desk.client.availability.by_day("F-10", from_=date(2030, 1, 14), to=date(2030, 1, 16)).days
    assert [each.promisable for each in days] == [0, 8, 8]
