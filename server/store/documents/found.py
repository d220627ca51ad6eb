"""What an index keeps to find SKUs, listings and reservations by: rows that are written as the store has them now.

Rows say only what to look for: numbers that are shown are read from the store. A row is written again whenever it may
have changed, and a seq keeps an older reading from replacing a newer one. So writing twice does no harm.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from server.domain.finding import squeezed, tails
from server.store.documents.database import Session, plain
from server.store.documents.found_state import Known, epoch
from server.store.documents.many_rows import insert, marks, parts


class FoundPlace(NamedTuple):
    """A SKU at a location: what is ``available`` (0 where it is closed), held, and lacking."""

    location: str
    sku: str
    available: int
    held: int
    short: int
    seq: int
    epoch: int = 0
    """Of the index when it was read; each time that all is to be read anew, another one begins."""


class FoundListing(NamedTuple):
    """A SKU that a listing is about; ``listed_as``: what the listing is known by."""

    sku: str
    key: str
    listed_as: str


class FoundBarcode(NamedTuple):
    """A barcode, and the SKU that it stands for, under the name with which it was registered."""

    sku: str
    barcode: str


class FoundReservation(NamedTuple):
    """A reservation; ``customer`` names its customer_ref without saying it."""

    id: str
    created_ms: int
    channel: str
    order_ref: str
    customer: str


class FoundHolder(NamedTuple):
    """A SKU at a location, and a reservation that had units there when the index was filled; names as it has them."""

    sku: str
    location: str
    id: str


async def hold(session: Session, partition: str) -> None:
    """Keep others from writing the index of a partition meanwhile."""
    await session.lock(f"found {partition}")


# -- stock


async def put_places(
    session: Session,
    partition: str,
    places: Sequence[FoundPlace],
    gone: Collection[tuple[str, str]] = (),
    changed_ms: int = 0,
    *,
    known: Known | None = None,
) -> None:
    """Write SKUs at locations, and take out those that are ``gone``, by location and SKU.

    ``changed_ms``: when they changed, 0: they were only read again. ``known``: the rows for which the store was asked
    what is there; one that has another seq by now came later, and is not gone. None: the journal named them, and has
    what comes later, too.
    """
    await hold(session, partition)
    now = await epoch(session, partition)
    for some in parts(each._replace(epoch=now) for each in places):
        await _put_some(session, partition, some, (), changed_ms)
    for some_gone in parts(gone if known is None else await _still(session, partition, gone, known)):
        await _put_some(session, partition, (), some_gone, changed_ms)


async def _still(
    session: Session, partition: str, gone: Collection[tuple[str, str]], known: Known
) -> list[tuple[str, str]]:
    there = await _known_places(session, partition, gone)
    return [where for where, row in there.items() if row.seq == known.get((row.sku, row.location))]


async def _put_some(
    session: Session,
    partition: str,
    places: Sequence[FoundPlace],
    gone: Collection[tuple[str, str]],
    changed_ms: int,
) -> None:
    places = _once(each._replace(location=plain(each.location), sku=plain(each.sku)) for each in places)
    gone = dict.fromkeys((plain(location), plain(sku)) for location, sku in gone)
    before = await _known_places(session, partition, [*((each.location, each.sku) for each in places), *gone])
    newer = [each for each in places if _is_news(before.get((each.location, each.sku)), each)]
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in newer:
        was = before.get((each.location, each.sku))
        _add(sums[each.sku], each, was)
    for where in gone:
        if where in before:
            _add(sums[where[1]], None, before[where])
    await insert(
        session,
        "found_places (partition, location, sku, available, held, short, seq, epoch)",
        [(partition, *each) for each in newer],
        " ON CONFLICT (partition, location, sku) DO UPDATE SET available = excluded.available, held = excluded.held,"
        " short = excluded.short, seq = excluded.seq, epoch = excluded.epoch",
    )
    for location, sku in gone:
        one = "DELETE FROM found_places WHERE partition = ? AND location = ? AND sku = ?"
        await session.execute(one, partition, location, sku)
    await _put_sums(session, partition, sums, changed_ms)
    await _drop_skus(session, partition, list(dict.fromkeys(sku for _, sku in gone)))


def _is_news(was: FoundPlace | None, now: FoundPlace) -> bool:
    """Whether a reading is newer than what is known. In an earlier epoch, a seq says nothing: it may have gone back."""
    return was is None or was.epoch < now.epoch or (was.seq <= now.seq and was != now)


def _once(places: Iterable[FoundPlace]) -> list[FoundPlace]:
    return list({(each.location, each.sku): each for each in places}.values())


def _add(sums: list[int], now: FoundPlace | None, was: FoundPlace | None) -> None:
    for number, name in enumerate(("available", "held", "short")):
        sums[number] += (getattr(now, name) if now else 0) - (getattr(was, name) if was else 0)


async def _known_places(
    session: Session, partition: str, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], FoundPlace]:
    by_location: defaultdict[str, list[str]] = defaultdict(list)
    for location, sku in wanted:
        by_location[location].append(sku)
    found: dict[tuple[str, str], FoundPlace] = {}
    for location, skus in by_location.items():
        for some in parts(skus):
            rows = await session.fetch(
                "SELECT location, sku, available, held, short, seq, epoch FROM found_places"
                f" WHERE partition = ? AND location = ? AND sku IN ({marks(some)})",
                partition, location, *some,
            )  # fmt: skip
            found |= {(row[0], row[1]): FoundPlace(*row) for row in rows}
    return found


async def _put_sums(session: Session, partition: str, sums: dict[str, list[int]], changed_ms: int) -> None:
    """Add to what SKUs have in all; a SKU that is new gets the words by which it is found."""
    await _name(session, partition, list(sums))
    await insert(
        session,
        "found_skus (partition, sku, squeezed, available, held, short, changed_ms, untracked)",
        [(partition, sku, squeezed(sku), *units, changed_ms, 0) for sku, units in sums.items()],
        " ON CONFLICT (partition, sku) DO UPDATE SET available = found_skus.available + excluded.available,"
        " held = found_skus.held + excluded.held, short = found_skus.short + excluded.short, untracked = 0,"
        " changed_ms = CASE WHEN excluded.changed_ms > found_skus.changed_ms"
        " THEN excluded.changed_ms ELSE found_skus.changed_ms END",
    )


async def _name(session: Session, partition: str, skus: Sequence[str]) -> None:
    known = set[str]()
    for some in parts(skus):
        statement = f"SELECT sku FROM found_skus WHERE partition = ? AND sku IN ({marks(some)})"
        known |= {sku for (sku,) in await session.fetch(statement, partition, *some)}
    rows = [(partition, tail, sku) for sku in skus if sku not in known for tail in tails(sku)]
    await insert(session, "found_words (partition, tail, sku)", rows, " ON CONFLICT DO NOTHING")


async def put_untracked(session: Session, partition: str, skus: Sequence[str]) -> None:
    """Write SKUs that have no stock and need none."""
    await hold(session, partition)
    skus = list(dict.fromkeys(map(plain, skus)))
    await _name(session, partition, skus)
    await insert(
        session,
        "found_skus (partition, sku, squeezed, available, held, short, changed_ms, untracked)",
        [(partition, sku, squeezed(sku), 0, 0, 0, 0, 1) for sku in skus],
        " ON CONFLICT (partition, sku) DO UPDATE SET untracked = 1",
    )


async def drop_untracked(session: Session, partition: str, skus: Sequence[str]) -> None:
    """Take out SKUs that are untracked no more, unless they have stock."""
    await hold(session, partition)
    for sku in map(plain, skus):
        one = "UPDATE found_skus SET untracked = 0 WHERE partition = ? AND sku = ?"
        await session.execute(one, partition, sku)
    await _drop_skus(session, partition, [plain(sku) for sku in skus])


async def _drop_skus(session: Session, partition: str, skus: Sequence[str]) -> None:
    """Take out those of some SKUs that are at no location any more, and are not untracked."""
    for sku in skus:
        if await session.fetch("SELECT 1 FROM found_places WHERE partition = ? AND sku = ? LIMIT 1", partition, sku):
            continue
        one = "DELETE FROM found_skus WHERE partition = ? AND sku = ? AND untracked = 0"
        if await session.execute(one, partition, sku):
            await session.execute("DELETE FROM found_words WHERE partition = ? AND sku = ?", partition, sku)


# -- listings


async def put_listings(
    session: Session, partition: str, channel: str, listings: Sequence[FoundListing], changed: Iterable[str] = ()
) -> None:
    """Write what listings of a channel are about. ``changed``: by what those are known that changed or are gone."""
    await hold(session, partition)
    for listed_as in map(_kept, changed):
        one = "DELETE FROM found_listings WHERE partition = ? AND channel = ? AND listed_as = ?"
        await session.execute(one, partition, channel, listed_as)
    await insert(
        session,
        "found_listings (partition, channel, sku, key, squeezed_key, listed_as)",
        [
            (partition, channel, plain(each.sku), plain(each.key), squeezed(each.key), _kept(each.listed_as))
            for each in listings
        ],
        " ON CONFLICT DO NOTHING",
    )


def _kept(listed_as: str) -> str:
    """Return what a listing is known by as a database can keep it: what begins with NUL begins with a line break."""
    return "\n" + plain(listed_as[1:]) if listed_as.startswith("\0") else plain(listed_as)


def listed_as_of(kept: str) -> str:
    """Return what a listing is known by, of how it is kept here."""
    return "\0" + kept[1:] if kept.startswith("\n") else kept


# -- barcodes


async def put_barcodes(
    session: Session, partition: str, barcodes: Sequence[FoundBarcode], changed: Iterable[str] = ()
) -> None:
    """Write which SKUs barcodes stand for. ``changed``: those that stand for something else now, or for nothing."""
    gone = list(map(plain, changed))
    if not barcodes and not gone:
        return
    await hold(session, partition)
    for some in parts(gone):
        one = f"DELETE FROM found_barcodes WHERE partition = ? AND barcode IN ({marks(some)})"
        await session.execute(one, partition, *some)
    rows = [(partition, plain(each.sku), plain(each.barcode)) for each in barcodes]
    await insert(session, "found_barcodes (partition, sku, barcode)", rows, " ON CONFLICT DO NOTHING")


# -- reservations


async def put_reservations(session: Session, partition: str, rows: Sequence[FoundReservation]) -> None:
    """Write reservations. A reference that is known stays where it is read without one; erased customers stay so."""
    await hold(session, partition)
    kept = {plain(each.id): each for each in rows}
    erased = await _erased(session, partition, rows)
    await insert(
        session,
        "found_reservations (partition, id, created_ms, channel, order_ref, customer)",
        [
            (
                partition, name, each.created_ms, plain(each.channel), plain(each.order_ref),
                "" if (plain(each.channel), plain(each.order_ref)) in erased else each.customer,
            )
            for name, each in kept.items()
        ],
        " ON CONFLICT (partition, id) DO UPDATE SET"
        " order_ref = CASE WHEN excluded.order_ref = '' THEN found_reservations.order_ref ELSE excluded.order_ref END,"
        " customer = excluded.customer",
    )  # fmt: skip


async def _erased(session: Session, partition: str, rows: Sequence[FoundReservation]) -> set[tuple[str, str]]:
    orders = [(plain(each.channel), plain(each.order_ref)) for each in rows if each.customer and each.order_ref]
    by_channel, found = defaultdict[str, list[str]](list), set[tuple[str, str]]()
    for channel, number in dict.fromkeys(orders):
        by_channel[channel].append(number)
    for channel, numbers in by_channel.items():
        for some in parts(numbers):
            statement = f"SELECT number FROM erased WHERE partition = ? AND channel = ? AND number IN ({marks(some)})"
            found |= {(channel, number) for (number,) in await session.fetch(statement, partition, channel, *some)}
    return found


async def put_holders(session: Session, partition: str, rows: Sequence[FoundHolder]) -> None:
    """Write who had units of SKUs. Only a filling does: of what comes later, the history has rows.

    Those that are not known are left out: they came later, or were purged meanwhile, and nobody would take them out.
    """
    await hold(session, partition)
    for some in parts(rows):
        ids = list(dict.fromkeys(plain(each.id) for each in some))
        one = f"SELECT id FROM found_reservations WHERE partition = ? AND id IN ({marks(ids)})"
        known = {name for [name] in await session.fetch(one, partition, *ids)}
        values = [(partition, *map(plain, each)) for each in some if plain(each.id) in known]
        await insert(session, "found_holders (partition, sku, location, id)", values, " ON CONFLICT DO NOTHING")


async def drop_reservations(session: Session, partition: str, ids: Sequence[str]) -> None:
    """Take out reservations that the store has purged."""
    await hold(session, partition)
    for some in parts(ids):
        for table in ("found_reservations", "found_holders"):
            one = f"DELETE FROM {table} WHERE partition = ? AND id IN ({marks(some)})"
            await session.execute(one, partition, *some)
