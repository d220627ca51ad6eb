"""What is on its way to a channel: the value, the pending key that it answers, and its form for an adapter."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from adapters.contract.stock import Item
from server.channels.outbound.pending import PendingKey
from server.domain.channels import ChannelRules, Listing, Shown, TicketItem
from server.domain.components import name_in

CanSend = Callable[[str, bool], float]
"""For a key, and whether it carries a price: how many seconds it must wait for a limit of its own."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """What a channel should show of a SKU; prices are empty where they are not published."""

    quantity: int
    price: str
    list_price: str


class InFlight(msgspec.Struct, frozen=True, gc=False):
    """One key on its way: the value that it carries, and the pending key that it answers.

    ``sku`` is what the listing is known by: its SKU, or for a pack or bundle what ``known_by`` makes of its key.
    ``seq`` and ``locations_version`` are of the newest change of the SKU and of the closed locations in the value.
    ``shown`` is what the channel had confirmed when this was made, ``listing`` and ``rules`` are those that the value
    was made by. There are thousands a second and none is in a cycle, so the garbage collector does not track them.
    """

    sku: str
    key: str
    value: Value
    seq: int
    pending: PendingKey
    with_price: bool
    shown: Shown | None
    listing: Listing
    rules: ChannelRules
    locations_version: int = 0
    versions_from: int = 0

    @property
    def result(self) -> Value:
        """What the channel shows once it has applied this: the previous prices where none are sent."""
        if self.with_price:
            return self.value
        if self.pending.forced and self.value.price:  # a price that is to be sent whatever is shown, and was not yet
            return Value(self.value.quantity, "", "")
        value, shown = self.value, self.shown
        price, list_price = (shown.price, shown.list_price) if shown is not None else ("", "")
        if price == value.price and list_price == value.list_price:
            return value
        return Value(value.quantity, price, list_price)

    @property
    def is_price_only(self) -> bool:
        """Whether only its price is new: the channel has confirmed the quantity."""
        shown = self.shown
        return (
            self.with_price
            and not self.pending.forced
            and shown is not None
            and shown.confirms(self.sku, self.value.quantity)
        )

    def without_price(self) -> "InFlight":
        """Return it as if it had carried the quantity alone."""
        return replace(self, with_price=False)

    def item(self) -> Item:
        """Return it in the form that an adapter takes."""
        shown = self.shown
        known = shown is not None and not self.pending.forced and shown.sold is None
        return Item(
            key=self.key,
            sku=name_in(self.sku),
            quantity=self.value.quantity,
            version=self.versions_from + self.seq,
            locations_version=self.locations_version,
            changed_ms=self.pending.since_ms,
            attempt=self.pending.attempt,
            previous=shown.quantity if shown is not None and known else None,
            price=self.value.price if self.with_price else None,
            list_price=(self.value.list_price or None) if self.with_price else None,
            currency=(self.listing.currency or None) if self.with_price else None,
            attributes=self.listing.attributes,
        )

    def ticket_item(self) -> TicketItem:
        """Return it in the form that an open ticket is stored in."""
        result, changed_ms = self.result, self.pending.changed_ms
        return TicketItem(
            self.sku, self.key, result.quantity, result.price, result.list_price, self.seq, changed_ms, self.with_price
        )


def resumed(item: TicketItem, pending: PendingKey, rules: ChannelRules) -> InFlight:
    """Return what an earlier publisher's ticket carries. A price that the channel showed before is not in its value."""
    listing, priced = Listing(item.sku, item.key), item.priced and bool(item.price)
    if priced:
        value, shown = Value(item.quantity, item.price, item.list_price), None
    else:
        value, shown = (
            Value(item.quantity, "", ""),
            Shown(item.key, item.quantity, item.price, item.list_price, 0, 0, sku=item.sku),
        )
    return InFlight(item.sku, item.key, value, item.seq, pending, priced, shown, listing, rules)
