"""Takes in the orders of an Allegro account: by the log of events, by the list of orders where that is too old.

Contract: the published specification of July 2026, and notes of third parties. Nothing of it was run against a real
account. An event names an order, which is then read whole. The log is relied on for a day after it was read last; then
the orders that changed since are listed, from the place at which the log ended just before.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from adapters.allegro.account import Options, Session
from adapters.allegro.commands import NAMES, carry_out, confirmed
from adapters.allegro.forms import SOME, FormRow, ShipmentRow, order_of, read_form
from adapters.contract.adapter import Adapter
from adapters.contract.errors import CursorRefusedError, UnavailableError, UnreadableOrderError
from adapters.contract.fields import in_ms
from adapters.contract.http import ORDERS, Answer, Exchange, check_status, excerpt, read_private
from adapters.contract.orders import Command, CommandOutcome, Confirmation, Intake, Order, Pulled
from adapters.contract.walk import Row, Walk

PAGE: Final = 100
"""Orders of one page; documented by the channel."""
EVENTS_PAGE: Final = 1_000
"""Events of one page; documented by the channel."""
HISTORY_S: Final = 90 * 86_400.0
"""How far back orders can be listed is not known. Unverified."""
UNPAID_S: Final = 10 * 86_400.0
"""How long a buyer may take to pay is not known. Unverified."""
FORMS: Final = "/order/checkout-forms"
EVENTS: Final = "/order/events"
LATE_MS: Final = 600_000
"""How much further back than needed orders are listed."""
_HOUR_MS: Final = 3_600_000
_NOT_FOUND: Final = 404
_REFUSED: Final = (400, _NOT_FOUND, 422)


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the reading has come: in a list that ends at ``after``, or in the log behind ``after``.

    ``walk``: where in the list, as text of :class:`Walk`; empty: in the log. ``after``: the last event that is known;
    empty: there was none yet. ``at``: when the log was read last. ``is_new``: it was not read from there yet.
    """

    walk: str = ""
    after: str | None = None
    at: int = 0
    is_new: bool = False

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return msgspec.json.encode(self).decode()

    @property
    def listed(self) -> "Place":
        """A list of what changed since the log was read last, and somewhat before."""
        return Place(walk=Walk.first(max(0, self.at - LATE_MS)).cursor)


class EventForm(msgspec.Struct):
    """The order that an event is about."""

    id: str


class EventOrder(msgspec.Struct, rename="camel"):
    """What an event tells of it."""

    checkout_form: EventForm | None = None


class Event(msgspec.Struct):
    """Something that happened to an order."""

    id: str
    order: EventOrder | None = None


class EventPage(msgspec.Struct):
    """Events, the oldest first."""

    events: list[Event]


class Latest(msgspec.Struct):
    """The newest event."""

    id: str | None = None


class EventStats(msgspec.Struct, rename="camel"):
    """Where the log ends."""

    latest_event: Latest | None = None


class FormPage(msgspec.Struct, rename="camel"):
    """A page of orders."""

    checkout_forms: list[msgspec.Raw]


class ShipmentPage(msgspec.Struct):
    """The parcels of an order."""

    shipments: list[ShipmentRow]


_decode: Final = msgspec.json.Decoder(Place).decode


class AllegroOrders(Adapter):
    """The orders of one seller's account."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._session = Session(options, credentials)

    def intake(self) -> Intake:
        """Return how its orders come in."""
        return Intake(
            pull_every_s=10.0,
            history_s=HISTORY_S,
            unpaid_s=UNPAID_S,
            commands=NAMES,
            whole_lines=True,
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a list of what changed since a time."""
        return Place(walk=Walk.first(since_ms).cursor).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read a page of the list, or of the log."""
        now_ms = round(now_s * 1000)
        place = _opened(cursor)
        if not place.walk and now_ms - place.at > self._options.log_hours * _HOUR_MS:
            place = place.listed
        if place.walk:
            return (yield from self._listed(place, now_ms))
        return (yield from self._logged(place, now_ms))

    def _listed(self, place: Place, now_ms: int) -> Exchange[Pulled]:
        after = place.after
        if after is None:  # what happens from here on is in the log
            stats = read_private(EventStats, (yield self._session.get("/order/event-stats", group=ORDERS)))
            after = (stats.latest_event.id if stats.latest_event is not None else None) or ""
        walk = Walk.at(place.walk)
        query = {"updatedAt.gte": _written(walk.since_ms), "sort": "updatedAt", "limit": PAGE, "offset": walk.skip}
        page = read_private(FormPage, (yield self._session.get(FORMS, query, group=ORDERS)))
        read = [read_form(raw) for raw in page.checkout_forms]
        met = [Row(row.id, in_ms(row.updated_at)) if isinstance(row, FormRow) else Row(row.key, None) for row in read]
        step = walk.after(met, is_full=len(met) >= PAGE, now_s=now_ms / 1000)
        further = Place(step.walk.cursor, after) if step.more else Place(after=after, at=now_ms, is_new=True)
        forms = [row for row in read if isinstance(row, FormRow)]
        unreadable = tuple(row for row in read if not isinstance(row, FormRow))
        return Pulled(
            cursor=further.cursor,
            orders=tuple(order_of(row) for row in forms if row.sent != SOME),
            # Which lines have a parcel is not in the list.
            hints=(*(row.id for row in forms if row.sent == SOME), *(each.key for each in unreadable if each.key)),
            unreadable=unreadable,
            more=True,
        )

    def _logged(self, place: Place, now_ms: int) -> Exchange[Pulled]:
        query = {"limit": EVENTS_PAGE, **({"from": place.after} if place.after else {})}
        answer = yield self._session.get(EVENTS, query, group=ORDERS)
        if place.after and answer.status in _REFUSED:
            if place.is_new:
                raise CursorRefusedError(f"the log does not know where it ends: HTTP {answer.status}")
            return Pulled(cursor=place.listed.cursor, more=True)  # it was cut behind our place
        page = read_private(EventPage, answer)
        news = [each for each in page.events if each.id != place.after]
        after = news[-1].id if news else place.after
        forms = (each.order.checkout_form for each in news if each.order is not None)
        return Pulled(
            cursor=Place(after=after, at=now_ms).cursor,
            hints=tuple(dict.fromkeys(form.id for form in forms if form is not None)),
            more=bool(news) and len(page.events) >= EVENTS_PAGE,
        )

    # -- one order

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # nothing is signed
        """Read one order, and its parcels where it has some."""
        if not _is_form(key):
            return None
        answer = yield self._session.get(f"{FORMS}/{key}", group=ORDERS)
        if answer.status == _NOT_FOUND:
            return None
        row = read_form(_whole(answer))
        if not isinstance(row, FormRow):
            raise UnreadableOrderError(f"an order of another form: {row.reason}")
        if row.sent in ("", "NONE"):
            return order_of(row)
        shipments = read_private(ShipmentPage, (yield self._session.get(f"{FORMS}/{key}/shipments", group=ORDERS)))
        return order_of(row, shipments.shipments)

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to Allegro about an order."""
        return carry_out(self._session, self._options, command, order)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order)


def _opened(cursor: str) -> Place:
    try:
        place = _decode(cursor)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise CursorRefusedError("this is no cursor of the log, or of a list") from None
    if not place.walk and place.after is None:
        raise CursorRefusedError("this cursor says no place")
    return place


def _whole(answer: Answer) -> msgspec.Raw:
    check_status(answer)
    if answer.status != 200:  # noqa: PLR2004  # OK
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    try:
        return msgspec.json.decode(answer.body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnavailableError(f"HTTP 200 with {len(answer.body)} bytes that are not JSON") from None


def _is_form(key: str) -> bool:
    try:
        return str(UUID(key)) == key.lower()
    except ValueError:
        return False


def _written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
