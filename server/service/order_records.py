"""Writes down for people what channels tell of orders, and what came of it. Whatever fails here, stock goes on.

The intake hands over a channel's snapshots as its adapter made them; only their fields are known here.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from server.domain.channel_orders import Booked
from server.domain.order_documents import (
    UNREADABLE_RETURN,
    Booking,
    Event,
    InboxEntry,
    Note,
    OrderDocument,
    StockLine,
    document_of,
    kept_number,
    return_number,
    return_of,
)
from server.domain.reservation import Reservation, as_of
from server.service.caller import Caller
from server.store.connection.timeouts import in_time
from server.store.documents.documents import Documents
from server.store.documents.kept import BODY_BYTES_MAX, Paper
from server.store.errors import DocumentsError, OutcomeUnknownError, OverloadedError, StoreError
from server.store.repositories.shortages import lacking_at

log = structlog.get_logger("holdfast.orders")

_AWAY: Final = (DocumentsError, StoreError, OverloadedError, OutcomeUnknownError)
_RESERVATIONS_MAX: Final = 60
_LINES_MAX: Final = 2_000
_LISTINGS_MAX: Final = 100


class Said(Protocol):
    """A command of the outbox, as far as it is written down."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def order(self) -> str:
        """The number of the order that it is about."""

    @property
    def name(self) -> str:
        """What it says."""

    @property
    def state(self) -> str:
        """What came of it."""

    @property
    def by(self) -> str:
        """Who asked for it."""


class DocumentRecords:
    """The records of one partition. Each method returns False where it failed, in bounded time, and raises nothing.

    ``caller`` makes the one in whose name reservations are looked up.
    """

    def __init__(self, documents: Documents, caller: Callable[[], Caller]) -> None:
        self._documents = documents
        self._caller = caller

    async def order(self, channel: str, order: object, booked: Booked | None, inbox: str) -> bool:
        """Write down an order, what was booked of it (None: nothing), and why not all was (``inbox``)."""
        return await self._tried("order", self._order(channel, order, booked, inbox))

    async def returned(self, channel: str, case: object) -> bool:
        """Write down a return."""
        return await self._tried("return", self._returned(channel, case))

    async def unreadable_return(self, channel: str, case: str, reason: str) -> bool:
        """Enter a return into the inbox that is not understood; it leaves once it is read."""
        entry = InboxEntry(channel=channel, number=return_number(case), reason=UNREADABLE_RETURN, detail=reason)
        return await self._tried("return", self._documents.put_inbox(self._partition, entry))

    async def said(self, channel: str, entry: Said, words: str) -> bool:
        """Add to an order's timeline what came of a command, and to its notes the channel's words, to be erased."""
        event = Event(at_ms=_now_ms(), kind=f"{entry.name}_{entry.state}", actor=entry.by)
        work = self._documents.add_timeline(self._partition, channel, entry.order, event)
        is_told = await self._tried("event", work)
        if not words:
            return is_told
        note = Note(at_ms=_now_ms(), text=f"{entry.name} {entry.state}: {words}", actor=f"channel:{channel}")
        return await self._tried("note", self._documents.add_words(self._partition, channel, entry.order, note))

    async def paper(self, channel: str, entry: Said, body: bytes, media_type: str) -> bool:
        """Keep what a command was answered with, such as a label; what is longer than any label is not kept."""
        if len(body) > BODY_BYTES_MAX:
            return True
        paper = Paper(kind=entry.name, id=entry.id, number=entry.order, body=body, media_type=media_type)
        return await self._tried("paper", self._documents.put_paper(self._partition, channel, paper))

    @property
    def _partition(self) -> str:
        return self._caller().principal.partition

    async def _tried(self, what: str, work: Awaitable[object]) -> bool:
        try:
            await work
        except _AWAY as error:
            log.warning("order_not_written_down", what=what, error=type(error).__name__)
            return False
        except Exception as error:  # noqa: BLE001  # its words may hold personal data, so they are not logged
            log.error("order_not_written_down", what=what, error=type(error).__name__)  # noqa: TRY400
        return True

    async def _returned(self, channel: str, case: object) -> None:
        told = return_of(case)
        told = replace(told, key=kept_number(told.key), order_key=kept_number(told.order_key))
        if await self._documents.put_return(self._partition, channel, told):
            event = Event(at_ms=_now_ms(), kind="return", text=f"{told.key} {told.state}")
            await self._documents.add_timeline(self._partition, channel, told.order_key, event)

    async def _order(self, channel: str, order: object, booked: Booked | None, inbox: str) -> None:
        partition, told = self._partition, document_of(order)
        told = replace(told, key=kept_number(told.key))
        if booked is None:
            entry = InboxEntry(channel=channel, number=told.key, reason=inbox or "failed")
            await self._documents.put_order(partition, channel, told, entry=entry)
            return
        is_idle = booked.unchanged and not booked.lines
        if is_idle and await self._documents.put_order(partition, channel, told):
            return
        reason = inbox or booked.inbox
        booking = await self._booking(booked, reason)
        left = _entry(channel, told, booked, reason) if reason else None
        await self._documents.put_order(partition, channel, told, booking, steps=booked.steps, entry=left)

    async def _booking(self, booked: Booked, reason: str) -> Booking:
        lines = await self._stock(booked.reservations)
        return Booking(
            state=booked.state,
            reservations=booked.reservations,
            lines=tuple(lines),
            short=sum(line.lacks for line in lines),
            unmapped=len(booked.unmapped),
            reason=reason,
        )

    async def _stock(self, names: tuple[str, ...]) -> list[StockLine]:
        """Return what reservations have taken, and what of it is missing, as far as it is known without a search."""
        ledger, parts = self._caller().ledger, self._caller().partition
        found: list[Reservation] = []
        for name in names[:_RESERVATIONS_MAX]:
            read = await ledger.reservation(name)
            if read.reservation is not None:
                found.append(as_of(read.reservation, read.as_of_ms))
        lines = [line for each in found for line in each.lines if line.is_stocked][:_LINES_MAX]
        # It lacked what was not there when it was booked, as far as that has not come since.
        lacked = [min(line.held + line.committed, max(0, -line.first_available)) for line in lines]
        places = [f"{line.sku}\0{line.location}" for line in lines]
        fields = list(dict.fromkeys(place for place, units in zip(places, lacked, strict=True) if units))
        missing = await in_time(lacking_at(parts.client, parts.keyspace, fields)) if fields else {}
        return [
            StockLine(
                sku=line.sku,
                location=line.location,
                quantity=line.quantity,
                lacks=min(units, missing.get(place.encode(), 0)),
            )
            for line, place, units in zip(lines, places, lacked, strict=True)
        ]


def _entry(channel: str, told: OrderDocument, booked: Booked, reason: str) -> InboxEntry:
    unmapped = set(booked.unmapped)
    names = [each.listing or each.barcode or each.sku_hint for each in told.lines if each.key in unmapped]
    listings = tuple(dict.fromkeys(name for name in names if name))[:_LISTINGS_MAX]
    return InboxEntry(channel=channel, number=told.key, reason=reason, detail=booked.detail, listings=listings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
