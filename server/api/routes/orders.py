"""Orders that channels told of: found, read, noted on, erased; and the inbox of what could not be booked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import marked
from server.api.routes.shortage_views import order_shortages
from server.domain import limits
from server.domain.order_documents import Address, Buyer, Flag, InboxEntry, KeptOrder, WholeOrder
from server.domain.principal import Scope
from server.schemas.channels import ListingsBody
from server.schemas.common import time_of
from server.schemas.orders import (
    AddressView,
    BuyerView,
    Erased,
    InboxAsked,
    InboxPage,
    InboxQuery,
    InboxView,
    NoteBody,
    OrderLineView,
    OrderNoteView,
    OrderPage,
    OrdersQuery,
    OrderStockView,
    OrderSummary,
    OrderView,
    PackageView,
    PackedView,
    PaperView,
    ReturnLineView,
    ReturnView,
    TimelineView,
)
from server.schemas.reservations import reservation_view
from server.service import inbox
from server.service import order_documents as service
from server.service.listings import put_listings
from server.service.reach import in_reach

_LATEST_MS: Final = 253_402_300_799_000
"""The end of the year 9999: a channel may tell any number as a time."""


async def read_many(call: Call) -> OrderPage:
    """Read the orders that match, a page at a time."""
    found, following = await service.find_orders(call.caller, in_reach(call.caller.principal, call.query(OrdersQuery)))
    return OrderPage([_summary(each) for each in found], following)


async def read(call: Call) -> OrderView:
    """Read one order with its timeline."""
    found = await service.read_order(call.caller, call.named("channel"), call.named("number"))
    whole, is_shown = found.whole, call.caller.principal.allows(Scope.ADMIN)
    return OrderView(
        _summary(whole.kept),
        [
            OrderLineView(
                line.key, line.listing, line.barcode, line.sku_hint, line.title, line.ordered, line.cancelled,
                line.shipped, line.returned, line.fulfilled_by, line.unit_price, line.discount, line.vat_rate,
            )
            for line in whole.kept.order.lines
        ],
        _packages(whole, is_shown=is_shown),
        [marked(reservation_view(name, record), call.caller.partition) for name, record in found.reservations.items()],
        _personal(whole, is_shown=is_shown),
        _when(whole.kept.erased_ms),
        _buyer(whole.buyer) if whole.buyer is not None and is_shown else None,
        [OrderNoteView(time_of(each.at_ms), each.actor, each.text) for each in whole.notes] if is_shown else [],
        _returns(whole, is_shown=is_shown),
        [TimelineView(time_of(each.at_ms), each.kind, each.text, each.actor) for each in whole.timeline],
        _inbox_view(whole.inbox, whole.kept.flags) if whole.inbox is not None else None,
        order_shortages(found.shortages),
    )  # fmt: skip


def _summary(kept: KeptOrder) -> OrderSummary:
    order, booking = kept.order, kept.booking
    return OrderSummary(
        kept.channel,
        order.key,
        booking.state if booking else "",
        order.state,
        order.status,
        _when(order.placed_ms),
        _when(order.changed_ms),
        time_of(kept.first_ms),
        _when(kept.booked_ms),
        order.currency,
        order.total,
        kept.customer_ref,
        list(kept.flags),
        booking.short if booking else 0,
        booking.unmapped if booking else 0,
        booking.reason if booking else "",
        [OrderStockView(line.sku, line.location, line.quantity, line.lacks) for line in booking.lines]
        if booking
        else [],
        list(booking.reservations) if booking else [],
    )


def _personal(whole: WholeOrder, *, is_shown: bool) -> Literal["shown", "hidden", "erased", "none"]:
    if whole.kept.erased_ms:
        return "erased"
    if not is_shown:
        return "hidden"
    return "none" if whole.buyer is None else "shown"


def _packages(whole: WholeOrder, *, is_shown: bool) -> list[PackageView]:
    return [
        PackageView(
            each.key, each.state, each.carrier, each.tracking if is_shown else "", each.url if is_shown else "",
            [PackedView(line, quantity) for line, quantity in each.lines],
        )
        for each in whole.kept.order.packages
    ]  # fmt: skip


def _returns(whole: WholeOrder, *, is_shown: bool) -> list[ReturnView]:
    return [
        ReturnView(
            each.key, each.state, _when(each.changed_ms), _when(each.deadline_ms), each.replacement,
            [
                ReturnLineView(line.line, line.listing, line.quantity, line.reason if is_shown else "")
                for line in each.lines
            ],
        )
        for each in whole.returns
    ]  # fmt: skip


def _buyer(buyer: Buyer) -> BuyerView:
    shipping, billing = buyer.shipping, buyer.billing
    return BuyerView(
        buyer.name, buyer.email, buyer.phone, buyer.identity_number, buyer.note,
        _address(shipping) if shipping else None, _address(billing) if billing else None,
    )  # fmt: skip


def _address(each: Address) -> AddressView:
    return AddressView(
        each.name, each.company, list(each.lines), each.city, each.district, each.region, each.postal_code,
        each.country, each.phone, each.tax_number, each.tax_office,
    )  # fmt: skip


def _when(time_ms: int) -> datetime | None:
    return time_of(time_ms) if 0 < time_ms <= _LATEST_MS else None


async def add_note(call: Call) -> OrderView:
    """Add a note for people, and answer with the order."""
    body: NoteBody = call.body
    await service.add_note(call.caller, call.named("channel"), call.named("number"), body.text)
    return await read(call)


async def read_paper(call: Call) -> PaperView:
    """Read what a command about an order was answered with, such as a label."""
    channel, number, name = call.named("channel"), call.named("number"), call.named("command_id")
    found = await service.read_paper(call.caller, channel, number, name)
    return PaperView(channel, found.number, found.id, found.kind, found.media_type, found.body)


async def erase(call: Call) -> Erased:
    """Erase the personal data of an order for good."""
    channel, number = call.named("channel"), call.named("number")
    was_kept = await service.erase(call.caller, channel, number)
    return Erased(channel, service.check_number("number", number), was_kept)


# -- inbox


async def read_inbox(call: Call) -> InboxPage:
    """Read what could not be booked, a page at a time."""
    found, following = await service.inbox(call.caller, call.query(InboxQuery))
    flags = await service.flags_of(call.caller, found)
    return InboxPage([_inbox_view(each, flags.get((each.channel, each.number), ())) for each in found], following)


async def retry(call: Call) -> InboxAsked:
    """Have an order of the inbox read and booked now."""
    entry, missing = await inbox.retry(call.caller, call.named("channel"), call.named("number"))
    return await _asked(call, entry, "retry", missing=missing)


async def ignore(call: Call) -> InboxAsked:
    """Leave an order of the inbox alone."""
    entry, missing = await inbox.ignore(call.caller, call.named("channel"), call.named("number"))
    return await _asked(call, entry, "ignore", missing=missing)


async def map_listings(call: Call) -> InboxAsked:
    """Say what the channel's keys mean, once and for all, and have the order booked."""
    body: ListingsBody = call.body
    channel, number = call.named("channel"), call.named("number")
    entry = await inbox.entry_of(call.caller, channel, number)  # nothing is put for an order that is not there
    await put_listings(call.caller, entry.channel, body)
    entry, missing = await inbox.retry(call.caller, channel, number)
    return await _asked(call, entry, "map", missing=missing)


async def _asked(
    call: Call, entry: InboxEntry, what: Literal["retry", "ignore", "map"], *, missing: bool
) -> InboxAsked:
    flags = await service.flags_of(call.caller, [entry])
    return InboxAsked(_inbox_view(entry, flags.get((entry.channel, entry.number), ())), what, missing)


def _inbox_view(entry: InboxEntry, flags: Sequence[Flag]) -> InboxView:
    return InboxView(
        entry.channel, entry.number, entry.state, entry.reason, entry.detail, list(entry.listings),
        time_of(entry.first_ms), time_of(entry.last_ms), entry.tries, entry.actor, list(flags),
    )  # fmt: skip


_DOCUMENTS: Final = ("documents_missing", "documents_unavailable")
_ONE: Final = "/v1/orders/{channel}/{number}"
_OF_INBOX: Final = "/v1/inbox/{channel}/{number}"
_TO_DO: Final = ("not_in_inbox", "unknown_channel", *_DOCUMENTS)

ROUTES = [
    Route(
        "GET", "/v1/orders", read_many, Scope.READ, "Find orders that channels told of, page by page",
        {200: OrderPage}, query=OrdersQuery, outcomes=("invalid", *_DOCUMENTS), share=Share.REPORTS, bound=True,
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one order with its timeline",
        {200: OrderView}, outcomes=("invalid", "unknown_order", *_DOCUMENTS), share=Share.REPORTS, bound=True,
    ),
    Route(
        "POST", _ONE + "/notes", add_note, Scope.ADMIN, "Add a note to an order",
        {201: OrderView}, NoteBody, outcomes=("unknown_order", *_DOCUMENTS),
    ),
    Route(
        "GET", _ONE + "/papers/{command_id}", read_paper, Scope.ADMIN,
        "Read what a command was answered with, such as a label",
        {200: PaperView}, outcomes=("invalid", "unknown_paper", *_DOCUMENTS), share=Share.REPORTS,
    ),
    Route(
        "POST", _ONE + "/erase", erase, Scope.ADMIN, "Erase the personal data of an order for good",
        {200: Erased}, outcomes=("invalid", *_DOCUMENTS),
    ),
    Route(
        "GET", "/v1/inbox", read_inbox, Scope.READ, "Read what could not be booked, and why",
        {200: InboxPage}, query=InboxQuery, outcomes=("invalid", *_DOCUMENTS), share=Share.REPORTS,
    ),
    Route(
        "POST", _OF_INBOX + "/retry", retry, Scope.ADMIN, "Have an order of the inbox read and booked now",
        {202: InboxAsked}, outcomes=("invalid", *_TO_DO),
    ),
    Route(
        "POST", _OF_INBOX + "/ignore", ignore, Scope.ADMIN, "Leave an order of the inbox alone",
        {202: InboxAsked}, outcomes=("invalid", *_TO_DO),
    ),
    Route(
        "POST", _OF_INBOX + "/map", map_listings, Scope.ADMIN, "Put listings once and for all, and book the order",
        {202: InboxAsked}, ListingsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, outcomes=("key_taken", *_TO_DO),
        share=Share.BULK,
    ),
]  # fmt: skip
