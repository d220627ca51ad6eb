"""The documents of orders: put them, mark what was booked, read one whole. Each function is one transaction's work."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from server.domain.order_documents import (
    ENDED_STATES,
    FLAGS,
    Booking,
    Buyer,
    DocumentLine,
    DocumentPackage,
    Event,
    Flag,
    InboxEntry,
    KeptOrder,
    Note,
    OrderDocument,
    ReturnDocument,
    WholeOrder,
    customer_ref,
)
from server.store.documents.database import Row, Session, plain

ENTRIES_MAX: Final = 1_000
"""Steps of a timeline, notes and returns that are read of one order: the newest."""
KEPT: Final = (
    "o.channel, o.number, o.body, o.booking, o.first_ms, o.put_ms, o.booked_ms, o.customer_ref, o.erased_ms, o.sort_ms"
)
"""What :func:`flagged` reads of the table ``orders o``."""
_LATEST_MS: Final = 2**53
_ONE: Final = "partition = ? AND channel = ? AND number = ?"
_LOOK: Final = (
    "SELECT o.body, o.erased_ms, o.ended_ms, o.booked_state, e.at_ms, p.body FROM (SELECT 1 AS one) AS wanted"
    " LEFT JOIN orders AS o ON o.partition = ? AND o.channel = ? AND o.number = ?"
    " LEFT JOIN erased AS e ON e.partition = ? AND e.channel = ? AND e.number = ?"
    " LEFT JOIN people AS p ON p.partition = ? AND p.channel = ? AND p.number = ?"
)
"""All that is to be known before an order is put: one row, whether it is kept or not."""
_encode = msgspec.json.encode
_decode_order = msgspec.json.Decoder(OrderDocument).decode
_decode_booking = msgspec.json.Decoder(Booking).decode
_decode_package = msgspec.json.Decoder(DocumentPackage).decode


class OrderKey(NamedTuple):
    """Which order: the values that :data:`_ONE` asks for."""

    partition: str
    channel: str
    number: str

    @property
    def name(self) -> str:
        """Its name for locks."""
        return "\n".join(self)


def order_key(partition: str, channel: str, number: str) -> OrderKey:
    """Make the key of an order as it can be kept."""
    return OrderKey(partition, plain(channel), plain(number))


def text_of(value: object) -> str:
    """Write a struct as JSON; halves of surrogate pairs, which are no text, are replaced."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode(_cleaned(msgspec.to_builtins(value))).decode()


def _cleaned(value: object) -> object:
    match value:
        case str():
            return plain(value)
        case dict():
            return {_cleaned(name): _cleaned(each) for name, each in value.items()}
        case list() | tuple():
            return [_cleaned(each) for each in value]
    return value


async def put_order(session: Session, key: OrderKey, order: OrderDocument, ref_key: bytes, now_ms: int) -> bool:
    """Keep what a channel tells of an order, unless something newer is kept; return whether it was kept."""
    await session.lock(key.name)
    [[body, erased_ms, ended_ms, booked_state, refused_ms, person]] = await session.fetch(_LOOK, *key, *key, *key)
    known, erased = body is not None, refused_ms is not None
    told, before = order, None
    if known:
        before = _decode_order(body)
        if order.changed_ms < before.changed_ms:
            return False
        order = merged(before, told)
    ended_ms = _ended_ms(ended_ms or 0, now_ms, order.state, booked_state or "")
    # Whose time was over stays forgotten, unless the order is open again.
    erased = erased or bool(erased_ms and ended_ms > 0)
    erased_ms = (erased_ms or now_ms) if erased else 0
    await _put_packages(session, key, told, known=known, erased=erased)
    buyer = None if erased else told.buyer
    if buyer is not None:
        await _put_person(session, key, text_of(buyer), before=person)
    body = text_of(msgspec.structs.replace(order, buyer=None, packages=()))
    ref = customer_ref(ref_key, key.channel, buyer)
    changed_ms = _kept_ms(order.changed_ms)
    sort_ms = _kept_ms(order.placed_ms) or changed_ms or now_ms
    times = (sort_ms, changed_ms, now_ms, ended_ms, erased_ms)
    if known:
        await session.execute(
            "UPDATE orders SET state = ?, sort_ms = ?,"
            " changed_ms = ?, put_ms = ?, ended_ms = ?, erased_ms = ?,"
            f" customer_ref = CASE WHEN ? = '' THEN customer_ref ELSE ? END, body = ? WHERE {_ONE}",
            plain(order.state), *times, ref, ref, body, *key,
        )  # fmt: skip
    else:
        await session.execute(
            "INSERT INTO orders (partition, channel, number, state, sort_ms, changed_ms, put_ms, ended_ms,"
            " erased_ms, first_ms, booked_ms, booked_state, customer_ref, short, unmapped, body, booking)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?, 0, 0, ?, '')",
            *key, plain(order.state), *times, now_ms, ref, body,
        )  # fmt: skip
    if before is None or (before.state, before.status) != (order.state, order.status):
        event = Event(at_ms=now_ms, kind="told" if known else "heard", text=order.status or order.state)
        await add_entry(session, "timeline", key, event)
    return True


def merged(before: OrderDocument, now: OrderDocument) -> OrderDocument:
    """Return what is known after a snapshot: all of a whole one; of a part its lines replace those with their keys."""
    if now.complete:
        return now
    lines: dict[str, DocumentLine] = {each.key: each for each in (*before.lines, *now.lines)}
    told = {
        name: getattr(now, name) or getattr(before, name)
        for name in ("placed_ms", "ship_by_ms", "pay_by_ms", "currency", "total", "status", "revision")
    }
    return msgspec.structs.replace(now, lines=tuple(lines.values()), complete=before.complete, **told)


def _kept_ms(told_ms: int) -> int:
    """Return a time that a channel told, as near as it can be kept."""
    return min(max(told_ms, 0), _LATEST_MS)


def _ended_ms(before_ms: int, now_ms: int, *states: str) -> int:
    """Return since when an order has ended, by what its channel or its booking says; 0: it has not."""
    return (before_ms or now_ms) if any(state in ENDED_STATES for state in states) else 0


async def _put_person(session: Session, key: OrderKey, body: str, *, before: str | None) -> None:
    if body == before:
        return
    if before is not None:
        await session.execute(f"DELETE FROM people WHERE {_ONE}", *key)
    await session.execute("INSERT INTO people VALUES (?, ?, ?, ?)", *key, body)


async def _put_packages(session: Session, key: OrderKey, order: OrderDocument, *, known: bool, erased: bool) -> None:
    if order.complete and known:
        await session.execute(f"DELETE FROM packages WHERE {_ONE}", *key)
    for each in order.packages:
        kept = without_tracking(each) if erased else each
        await session.execute(f"DELETE FROM packages WHERE {_ONE} AND package = ?", *key, plain(each.key))
        await session.execute("INSERT INTO packages VALUES (?, ?, ?, ?, ?)", *key, plain(each.key), text_of(kept))


def without_tracking(package: DocumentPackage) -> DocumentPackage:
    """Take from a package what leads to the buyer."""
    return msgspec.structs.replace(package, tracking="", url="")


async def has_booking(session: Session, key: OrderKey) -> bool:
    """Whether a booking of an order is kept."""
    return bool(await session.fetch(f"SELECT 1 FROM orders WHERE {_ONE} AND booking <> ''", *key))


async def mark_booked(
    session: Session, key: OrderKey, booking: Booking, now_ms: int, steps: Sequence[str] = ()
) -> bool:
    """Keep what was booked of an order; return False where the order itself is not kept (its document was lost)."""
    await session.lock(key.name)
    found = await session.fetch(f"SELECT state, ended_ms, booked_ms FROM orders WHERE {_ONE}", *key)
    if not found:
        return False
    [[state, ended_ms, booked_ms]] = found
    ended_ms = _ended_ms(ended_ms, now_ms, state, booking.state)
    await session.execute(
        "UPDATE orders SET booked_state = ?, booked_ms = ?, ended_ms = ?, short = ?, unmapped = ?,"
        f" booking = ? WHERE {_ONE}",
        plain(booking.state), now_ms, ended_ms, booking.short, booking.unmapped,
        text_of(booking), *key,
    )  # fmt: skip
    if steps:
        event = Event(at_ms=now_ms, kind="booked", text=", ".join(steps))
        await add_entry(session, "timeline", key, event)
    if booked_ms:
        await session.execute(f"DELETE FROM order_lines WHERE {_ONE}", *key)
    for position, line in enumerate(booking.lines):
        await session.execute(
            "INSERT INTO order_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *key, position, plain(line.sku), plain(line.location), line.quantity, line.lacks,
        )  # fmt: skip
    return True


def _kept_order(row: Row) -> KeptOrder:
    """Read an order of the columns :data:`KEPT`."""
    channel, _, body, booking, first_ms, put_ms, booked_ms, ref, erased_ms, _ = row
    return KeptOrder(
        channel=channel,
        order=_decode_order(body),
        booking=_decode_booking(booking) if booking else None,
        first_ms=first_ms,
        put_ms=put_ms,
        booked_ms=booked_ms,
        customer_ref=ref,
        erased_ms=erased_ms,
    )


async def flagged(session: Session, partition: str, rows: Sequence[Row]) -> list[KeptOrder]:
    """Read orders of the columns :data:`KEPT`, and their flags: for a page at once, and not for all that match."""
    refs = sorted({row[7] for row in rows if row[7]})
    # One look for each buyer: an aggregate would go through all orders of a buyer who has very many.
    of_buyer = (
        "SELECT b.sort_ms FROM orders b WHERE b.partition = ? AND b.customer_ref = w.column1 AND b.customer_ref <> ''"
        " ORDER BY b.sort_ms LIMIT 1"
    )
    first = await session.fetch(
        f"SELECT w.column1, ({of_buyer}) FROM (VALUES {', '.join(['(?)'] * len(refs))}) AS w", partition, *refs
    ) if refs else []  # fmt: skip
    channels, numbers = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    back = await session.fetch(
        "SELECT DISTINCT channel, number FROM returns WHERE partition = ?"
        f" AND channel IN ({', '.join('?' * len(channels))}) AND number IN ({', '.join('?' * len(numbers))})",
        partition, *channels, *numbers,
    ) if rows else []  # fmt: skip
    first_ms: dict[str, int] = dict(first)
    returned = {(channel, number) for channel, number in back}
    found = []
    for row in rows:
        is_set = (first_ms.get(row[7], row[-1]) < row[-1], (row[0], row[1]) in returned)
        flags = tuple(flag for flag, applies in zip(FLAGS, is_set, strict=True) if applies)
        found.append(msgspec.structs.replace(_kept_order(row), flags=flags))
    return found


async def flags_of(
    session: Session, partition: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Flag, ...]]:
    """Read the flags of some orders by channel and number; one that is not kept is left out."""
    channels, numbers = sorted({plain(each) for each, _ in keys}), sorted({plain(each) for _, each in keys})
    rows = await session.fetch(
        f"SELECT {KEPT} FROM orders o WHERE partition = ? AND channel IN ({', '.join('?' * len(channels))})"
        f" AND number IN ({', '.join('?' * len(numbers))})",
        partition, *channels, *numbers,
    )  # fmt: skip
    return {(each.channel, each.number): each.flags for each in await flagged(session, partition, rows)}


async def read_whole(session: Session, key: OrderKey) -> WholeOrder | None:
    """Read an order with all that is kept of it."""
    found = await session.fetch(f"SELECT {KEPT} FROM orders o WHERE {_ONE}", *key)
    if not found:
        return None
    [kept] = await flagged(session, key.partition, found)
    packages = await session.fetch(f"SELECT body FROM packages WHERE {_ONE} ORDER BY package", *key)
    people = await session.fetch(f"SELECT body FROM people WHERE {_ONE}", *key)
    returns = await session.fetch(f"SELECT body FROM returns WHERE {_ONE} ORDER BY key LIMIT {ENTRIES_MAX}", *key)
    inbox = await session.fetch(f"SELECT body FROM inbox WHERE {_ONE}", *key)
    order = msgspec.structs.replace(kept.order, packages=tuple(_decode_package(body) for [body] in packages))
    return WholeOrder(
        kept=msgspec.structs.replace(kept, order=order),
        buyer=msgspec.json.decode(people[0][0], type=Buyer) if people else None,
        timeline=tuple(msgspec.json.decode(body, type=Event) for body in await _newest(session, "timeline", key)),
        notes=tuple(msgspec.json.decode(body, type=Note) for body in await _newest(session, "notes", key)),
        returns=tuple(msgspec.json.decode(body, type=ReturnDocument) for [body] in returns),
        inbox=msgspec.json.decode(inbox[0][0], type=InboxEntry) if inbox else None,
    )


async def _newest(session: Session, table: str, key: OrderKey) -> list[str]:
    """Read the newest entries of a list, the oldest of them first."""
    query = f"SELECT body FROM {table} WHERE {_ONE} ORDER BY id DESC LIMIT {ENTRIES_MAX}"
    return [body for [body] in reversed(await session.fetch(query, *key))]


async def add_entry(session: Session, table: str, key: OrderKey, entry: Event | Note) -> None:
    """Add a step to the timeline, or a note."""
    await session.execute(
        f"INSERT INTO {table} (partition, channel, number, body) VALUES (?, ?, ?, ?)",
        *key, text_of(entry),
    )  # fmt: skip
