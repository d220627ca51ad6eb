"""Orders that channels told of, and the inbox of those that could not be booked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, adds, name_in_path, read, sets
from holdfast.types import Erased, InboxAsked, InboxPage, ListingBody, OrderPage, OrderView, PaperView


class Orders(Resource[ModeT]):
    """Orders of channels, with all that is kept of them."""

    @operation
    def read_many(
        self,
        *,
        channel: str | None = None,
        state: str | None = None,
        number: str | None = None,
        customer: str | None = None,
        sku: str | None = None,
        location: str | None = None,
        short: bool | None = None,
        unmapped: bool | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[OrderPage]:
        """Read a page of the orders that match. ``GET /v1/orders``."""
        return read(
            "/v1/orders", OrderPage, channel=channel, state=state, number=number, customer=customer, sku=sku,
            location=location, short=short, unmapped=unmapped, from_=from_, to=to, after=after, limit=limit,
        )  # fmt: skip

    @operation
    def read(self, channel: str, number: str) -> Call[OrderView]:
        """Read an order with its lines, reservations and timeline. ``GET /v1/orders/{channel}/{number}``.

        Raises ``NotFound`` (unknown_order).
        """
        return read(_order(channel, number), OrderView)

    @operation
    def add_note(self, channel: str, number: str, text: str) -> Call[OrderView]:
        """Add a note for people. ``POST /v1/orders/{channel}/{number}/notes``.

        A note that is sent twice stands there twice, so it is not sent again after a lost answer.

        Raises ``NotFound`` (unknown_order).
        """
        find_out = "read the order; if the note is there, it was added"
        return adds("POST", f"{_order(channel, number)}/notes", OrderView, {"text": text}, find_out=find_out)

    @operation
    def read_paper(self, channel: str, number: str, command_id: str) -> Call[PaperView]:
        """Read the label or invoice that a channel answered with. ``GET …/papers/{command_id}``.

        Raises ``NotFound`` (unknown_paper).
        """
        return read(f"{_order(channel, number)}/papers/{name_in_path(command_id)}", PaperView)

    @operation
    def erase(self, channel: str, number: str) -> Call[Erased]:
        """Erase the personal data of an order for good. ``POST …/erase``."""
        return sets("POST", f"{_order(channel, number)}/erase", Erased)


class Inbox(Resource[ModeT]):
    """Orders that could not be booked, and why."""

    @operation
    def read_many(
        self,
        *,
        channel: str | None = None,
        state: Literal["ignored", "open"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[InboxPage]:
        """Read a page of the inbox. ``GET /v1/inbox``."""
        return read("/v1/inbox", InboxPage, channel=channel, state=state, after=after, limit=limit)

    @operation
    def retry(self, channel: str, number: str) -> Call[InboxAsked]:
        """Have an order read and booked now. ``POST /v1/inbox/{channel}/{number}/retry``.

        Raises ``NotFound`` (not_in_inbox, unknown_channel).
        """
        return sets("POST", f"{_entry(channel, number)}/retry", InboxAsked)

    @operation
    def ignore(self, channel: str, number: str) -> Call[InboxAsked]:
        """Leave an order alone. ``POST /v1/inbox/{channel}/{number}/ignore``.

        Raises ``NotFound`` (not_in_inbox, unknown_channel).
        """
        return sets("POST", f"{_entry(channel, number)}/ignore", InboxAsked)

    @operation
    def map_listings(self, channel: str, number: str, listings: Sequence[ListingBody]) -> Call[InboxAsked]:
        """Say what the channel's keys mean, and have the order booked. ``POST /v1/inbox/{channel}/{number}/map``.

        Raises ``NotFound`` (not_in_inbox, unknown_channel) and ``Refused`` (key_taken).
        """
        return sets("POST", f"{_entry(channel, number)}/map", InboxAsked, {"listings": listings})


def _order(channel: str, number: str) -> str:
    return f"/v1/orders/{name_in_path(channel)}/{name_in_path(number)}"


def _entry(channel: str, number: str) -> str:
    return f"/v1/inbox/{name_in_path(channel)}/{name_in_path(number)}"
