"""Orders as people look at them: found, read whole with their reservations, noted on, erased; and the inbox."""

import time
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server.domain.channels import CHANNEL_NAME_RULE, is_channel_name
from server.domain.order_documents import (
    KEPT_NUMBER_BYTES_MAX,
    NOTE_BYTES_MAX,
    Booking,
    Flag,
    InboxEntry,
    KeptOrder,
    Note,
    OrderDocument,
    OrderFilter,
    WholeOrder,
)
from server.domain.reservation import Reservation, as_of
from server.schemas.orders import InboxQuery, OrdersQuery
from server.service.caller import Caller
from server.service.checks import (
    InvalidError,
    check_channel,
    check_location,
    check_reference,
    check_sku,
    check_text,
    check_time_ms,
    text_in_path,
)
from server.service.documents import documents_of
from server.service.pages import next_of, place_in
from server.service.problems import ProblemError, problem
from server.service.shortages import OrderShortages, shortages_of
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.documents.kept import Paper
from server.store.documents.search import Place
from server.store.repositories import booked_orders
from server.store.repositories.aliases import names_of
from server.store.repositories.intake import IntakeStore
from server.store.repositories.location_names import read_location_names
from server.store.repositories.order_privacy import OrderPrivacy

RESERVATIONS_SHOWN_MAX: Final = 20
"""Reservations of one order that are read with it; nearly every order has one."""
_NAMES_MAX: Final = 100
_decode_place = msgspec.json.Decoder(tuple[Annotated[int, Meta(ge=0, le=2**53)], str, str]).decode
"""Where a page ended: a time, a channel and a number."""


def check_number(field: str, value: str) -> str:
    """Return the order number that a path names, see :func:`~server.service.checks.text_in_path`.

    Raises
    ------
    InvalidError
        It cannot be one.

    """
    return check_text(field, text_in_path(field, value), KEPT_NUMBER_BYTES_MAX)


def check_channel_name(field: str, value: str) -> str:
    """Return the name of a channel, configured or not: its orders are kept longer than its place in the file."""
    name = check_channel(field, value)
    if not is_channel_name(name):
        raise InvalidError(field, CHANNEL_NAME_RULE)
    return name


# -- orders


async def find_orders(caller: Caller, query: OrdersQuery) -> tuple[list[KeptOrder], str]:
    """Read a page of the orders that match, and the ``after`` of the next one, empty on the last.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.

    """
    wanted = OrderFilter(
        channel="" if query.channel is None else check_channel_name("channel", query.channel),
        state=query.state,
        number="" if query.number is None else check_text("number", query.number, KEPT_NUMBER_BYTES_MAX),
        customer_ref=query.customer,
        skus=() if query.sku is None else await _names_of(caller, check_sku("sku", query.sku)),
        locations=() if query.location is None else await _locations_of(caller, query.location),
        short=_flag(query.short),
        unmapped=_flag(query.unmapped),
        from_ms=check_time_ms("from", query.from_),
        to_ms=check_time_ms("to", query.to),
    )
    after = Place(*place_in(query.after, _decode_place)) if query.after else None
    found, following = await documents_of(caller).find(caller.principal.partition, wanted, after, query.limit)
    return found, "" if following is None else next_of(tuple(following))


async def _names_of(caller: Caller, sku: str) -> tuple[str, ...]:
    """Return what a SKU is called now, and what it was called: an order keeps the name that it was booked under."""
    names = await in_time(names_of(caller.partition.client, caller.partition.keyspace, sku))
    return names[:_NAMES_MAX]


async def _locations_of(caller: Caller, location: str) -> tuple[str, ...]:
    """Return all names of a location, as of a SKU."""
    name = check_location("location", location)
    names = await in_time(read_location_names(caller.partition.client, caller.partition.keyspace))
    return tuple(names.names(name))[:_NAMES_MAX]


def _flag(value: bool | msgspec.UnsetType) -> bool | None:
    return value if isinstance(value, bool) else None


class OrderFound(msgspec.Struct, frozen=True):
    """An order, its reservations as they are now, by id, as many as are shown, and what these lack."""

    whole: WholeOrder
    reservations: dict[str, Reservation]
    shortages: OrderShortages


async def read_order(caller: Caller, channel: str, number: str) -> OrderFound:
    """Read one order with its reservations.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        It is not kept, or there is no documents database.
    DocumentsError
        The database does not answer.

    """
    channel, number = check_channel_name("channel", channel), check_number("number", number)
    reach = caller.principal.reach
    if reach is not None and reach.channel != channel:
        raise ProblemError(problem("unknown_order"))
    whole = await documents_of(caller).order(caller.principal.partition, channel, number)
    if whole is None:
        whole = await _without_document(caller, channel, number)
    booking = whole.kept.booking
    reservations = await _reservations(caller, booking.reservations if booking else ())
    return OrderFound(whole, reservations, await shortages_of(caller, reservations))


async def _without_document(caller: Caller, channel: str, number: str) -> WholeOrder:
    """Return what the store knows of an order whose document was lost, or is not written yet."""
    parts = caller.partition
    found = await in_time(booked_orders.read_order(parts.client, parts.keyspace, channel, number))
    record = found.record
    if record is None:
        raise ProblemError(problem("unknown_order"))
    booking = Booking(state=record.state, reservations=tuple(record.reservations))
    told = OrderDocument(key=number, changed_ms=record.changed_ms, state=record.state)
    kept = KeptOrder(
        channel=channel, order=told, booking=booking, first_ms=record.touched_ms, booked_ms=record.touched_ms
    )
    return WholeOrder(kept=kept)


async def _reservations(caller: Caller, names: tuple[str, ...]) -> dict[str, Reservation]:
    found = {}
    for name in names[:RESERVATIONS_SHOWN_MAX]:
        read = await caller.ledger.reservation(name)
        if read.reservation is not None:
            found[name] = as_of(read.reservation, read.as_of_ms)
    return found


async def add_note(caller: Caller, channel: str, number: str, text: str) -> None:
    """Add a note to an order that is kept.

    Raises
    ------
    InvalidError
        The text or a name breaks a rule.
    ProblemError
        The order is not kept, or there is no documents database.
    DocumentsError
        The database does not answer.

    """
    channel, number = check_channel_name("channel", channel), check_number("number", number)
    text = check_text("text", text, NOTE_BYTES_MAX)
    documents, partition = documents_of(caller), caller.principal.partition
    if await documents.order(partition, channel, number) is None:
        raise ProblemError(problem("unknown_order"))
    await documents.add_note(partition, channel, number, Note(at_ms=_now_ms(), text=text, actor=caller.actor))


async def read_paper(caller: Caller, channel: str, number: str, name: str) -> Paper:
    """Read what a command about an order was answered with, such as a label, by the id of the command.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        Nothing is kept under this id, or there is no documents database.
    DocumentsError
        The database does not answer.

    """
    channel, number = check_channel_name("channel", channel), check_number("number", number)
    name = check_reference("command_id", name)
    found = await documents_of(caller).paper(caller.principal.partition, channel, number, name)
    if found is None:
        raise ProblemError(problem("unknown_paper"))
    return found


async def erase(caller: Caller, channel: str, number: str) -> bool:
    """Erase the personal data of an order, now and whenever it comes again; return whether the order is kept here.

    The list in the store is written first: whatever fails then, the order is erased when a server starts.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        There is no documents database, or the store did not answer in time.
    DocumentsError
        The database does not answer. Ask again.

    """
    channel, number = check_channel_name("channel", channel), check_number("number", number)
    documents, parts = documents_of(caller), caller.partition
    privacy = OrderPrivacy(parts.client, parts.keyspace)
    await written(privacy.note_erased([(channel, number)], _now_ms()))
    if not await written(IntakeStore(parts.client, parts.keyspace, channel).erase([number], _now_ms())):
        raise ProblemError(problem("overloaded"))
    return await documents.erase(caller.principal.partition, channel, number, caller.actor)


# -- inbox


async def inbox(caller: Caller, query: InboxQuery) -> tuple[list[InboxEntry], str]:
    """Read a page of the inbox, the oldest entries first, and the ``after`` of the next one, empty on the last.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.

    """
    channel = "" if query.channel is None else check_channel_name("channel", query.channel)
    after = place_in(query.after, _decode_place) if query.after else (0, "", "")
    found = await documents_of(caller).inbox(caller.principal.partition, channel, query.state, after, query.limit + 1)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    return page, "" if last is None else next_of((last.first_ms, last.channel, last.number))


async def flags_of(caller: Caller, entries: Sequence[InboxEntry]) -> dict[tuple[str, str], tuple[Flag, ...]]:
    """Read the flags of the orders that entries of the inbox are about, by channel and number.

    Raises
    ------
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.

    """
    keys = [(each.channel, each.number) for each in entries]
    return await documents_of(caller).flags(caller.principal.partition, keys) if keys else {}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
