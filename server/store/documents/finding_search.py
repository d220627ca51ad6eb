"""Find SKUs, listings and reservations in the index. Each call looks at some rows only, however many there are.

What is looked through is ordered by an index of the database, so a call costs the same with a thousand rows and with a
million. Where few of the rows are wanted, a page has few or none, and says where the next one goes on.
"""

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from server.domain.finding import TAIL_MAX, tails
from server.store.documents.database import Session, plain
from server.store.documents.found import listed_as_of
from server.store.documents.many_rows import marks, parts

LOOKED_AT_MAX: Final = 500
"""Rows that one call looks at."""
KEYS_MAX: Final = 50
"""Listings of one key, in any spelling, that are looked at."""
_LAST: Final = "\U0010ffff"
"""No text begins with it, so a text with it at the end stands behind all that begin as that text does."""

Place = tuple[Any, ...]
"""Where a call goes on: the values by which its rows are ordered."""


class Along(NamedTuple):
    """What rows are looked at, and in which order: by ``columns``, the last of which is the SKU.

    ``values`` are those of the marks in ``where``. The first column is at least ``least`` and less than ``end``; None:
    any. ``is_down``: the order is the other way round. ``state``: all SKUs there are in it, or may well be.
    """

    table: str
    columns: tuple[str, ...]
    where: str = ""
    values: tuple[Any, ...] = ()
    least: Any = None
    end: Any = None
    is_down: bool = False
    state: str = ""


class SkuFilter(NamedTuple):
    """Which of the SKUs are wanted; what is empty does not matter.

    ``locations``: all names of one. ``channel``: that lists them. ``words``: each is somewhere in the name.
    """

    locations: tuple[str, ...] = ()
    channel: str = ""
    state: str = ""
    prefix: str = ""
    words: tuple[str, ...] = ()


class Candidate(NamedTuple):
    """A SKU that may be meant, and its place."""

    sku: str
    place: Place


class Candidates(NamedTuple):
    """Some of them; ``following``: where the next call goes on, None: these were the last."""

    found: list[Candidate]
    following: Place | None


BY_SKU: Final = Along("found_skus", ("sku",))
STATES: Final = {
    "out": "available <= 0 AND untracked = 0",
    "short": "short > 0",
    "held": "held > 0",
    "untracked": "untracked > 0",
}
"""What each state means; as the partial indexes have it."""
NEWEST_OUT: Final = Along("found_skus", ("changed_ms", "sku"), STATES["out"], least=0, is_down=True, state="out")
"""What is sold out, what changed last first: among all that changed there would be little of it where much is sold.

The least of all keeps a database from going through all that is out by what is available.
"""
_STATES_AT: Final = {**STATES, "out": "available <= 0"}
_IS_SO: Final = {
    "out": "+available <= 0 AND +untracked = 0",
    "short": "+short > 0",
    "held": "+held > 0",
    "untracked": "+untracked > 0",
}
"""The same of SKUs that are named: the signs keep a database from going through all that are so."""


def kept(text: str) -> str:
    """Return a text as a database can have kept it."""
    return plain(text)


def along_words(word: str) -> Along:
    """Look at SKUs that have a word which begins so."""
    beginning = word[:TAIL_MAX]
    return Along("found_words", ("tail", "sku"), least=beginning, end=beginning + _LAST)


def along_prefix(prefix: str) -> Along:
    """Look at SKUs that begin so."""
    return Along("found_skus", ("sku",), least=plain(prefix), end=plain(prefix) + _LAST)


def along_state(state: str, locations: Sequence[str] = ()) -> Along:
    """Look at SKUs in a state, or at those that are so at one location."""
    if state == "out" and not locations:
        return Along("found_skus", ("available", "sku"), "untracked = 0", end=1, state=state)
    if len(locations) == 1:  # the least of all keeps a database from going through all locations that are so
        there = f"location = ? AND {_STATES_AT[state]}"
        return Along("found_places", ("sku",), there, (plain(locations[0]),), least="")
    return Along("found_skus", ("sku",), STATES[state], state=state)


def along_location(location: str) -> Along:
    """Look at SKUs that are known at a location."""
    return Along("found_places", ("sku",), "location = ?", (plain(location),))


def along_channel(channel: str) -> Along:
    """Look at SKUs that a channel lists."""
    return Along("found_listings", ("sku",), "channel = ?", (channel,))


def along_few(most: int) -> Along:
    """Look at SKUs at locations that have some units there, and so many at most, those with the fewest first."""
    return Along("found_places", ("available", "sku"), least=1, end=most + 1, state="low")


def along_sums(column: str, *, is_down: bool) -> Along:
    """Look at all SKUs by what they have, or by when they changed."""
    return Along("found_skus", (column, "sku"), is_down=is_down)


async def look(
    session: Session, partition: str, along: Along, wanted: SkuFilter, after: Place | None, *, limit: int
) -> Candidates:
    """Look at some SKUs, and return those that are wanted."""
    # Then the way that is gone has what is wanted.
    is_any = wanted == SkuFilter(words=wanted.words[:1], state=along.state)
    rows_max = min(LOOKED_AT_MAX, 2 * limit + 1) if is_any else LOOKED_AT_MAX
    rows = await _rows(session, partition, along, after, rows_max)
    looked_at, following = len(rows), tuple(rows[-1]) if rows else None
    if along.table == "found_words":  # a SKU comes once, by the first of its words that is meant
        rows = [row for row in rows if row[0] == _first_tail(row[1], along.least, row[0])]
    skus = list(dict.fromkeys(row[-1] for row in rows))
    those = set(skus if is_any else await matching(session, partition, wanted, skus))
    found: dict[str, Candidate] = {}
    for row in rows:
        if row[-1] in those and row[-1] not in found:
            if len(found) == limit:
                return Candidates(list(found.values()), list(found.values())[-1].place)
            found[row[-1]] = Candidate(row[-1], tuple(row))
    return Candidates(list(found.values()), following if looked_at == rows_max else None)


def _first_tail(sku: str, beginning: str, default: str) -> str:
    return min((each for each in tails(sku) if each.startswith(beginning)), default=default)


async def _rows(session: Session, partition: str, along: Along, after: Place | None, rows_max: int) -> list[Place]:
    columns, first = ", ".join(along.columns), along.columns[0]
    conditions, values = ["partition = ?"], list[Any]([partition])
    if along.where:
        conditions.append(along.where)
        values += along.values
    least, end = along.least, along.end
    # One bound on each side: with two, a database may begin at the one that is further away.
    if after is not None and along.is_down and (end is None or after[0] < end):
        end = None
        conditions.append(f"({columns}) < ({marks(after)})")
        values += after
    elif after is not None and not along.is_down and (least is None or after[0] >= least):
        least = None
        conditions.append(f"({columns}) > ({marks(after)})")
        values += after
    for bound, sign in ((least, ">="), (end, "<")):
        if bound is not None:
            conditions.append(f"{first} {sign} ?")
            values.append(bound)
    order = ", ".join(f"{each} DESC" for each in along.columns) if along.is_down else columns
    # A SKU that has several listings there stands once.
    distinct = "DISTINCT " if along.table == "found_listings" else ""
    return await session.fetch(
        f"SELECT {distinct}{columns} FROM {along.table} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?",
        *values, rows_max,
    )  # fmt: skip


async def matching(session: Session, partition: str, wanted: SkuFilter, skus: Sequence[str]) -> list[str]:
    """Return those of some SKUs that match, in no order."""
    left = [sku for sku in skus if sku.startswith(wanted.prefix)]
    if wanted.state in STATES and not wanted.locations:
        left = await _those(session, "found_skus", left, f"partition = ? AND {_IS_SO[wanted.state]}", partition)
    if wanted.words:
        left = await _with_words(session, partition, left, wanted.words)
    if wanted.locations:
        by_name = [await _at(session, partition, name, left, wanted.state) for name in wanted.locations]
        left = list(dict.fromkeys(chain.from_iterable(by_name)))
    if wanted.channel:
        there = "partition = ? AND channel = ?"
        left = await _those(session, "found_listings", left, there, partition, wanted.channel)
    return left


async def _those(session: Session, table: str, skus: Sequence[str], where: str, *values: Any) -> list[str]:
    found: list[str] = []
    for some in parts(skus):
        statement = f"SELECT DISTINCT sku FROM {table} WHERE {where} AND sku IN ({marks(some)})"
        found += [sku for (sku,) in await session.fetch(statement, *values, *some)]
    return found


async def _at(session: Session, partition: str, location: str, skus: Sequence[str], state: str) -> list[str]:
    """Return those of some SKUs that are at a location, and in a state there.

    The state is looked at here: if the database were asked, it would go through all SKUs by what is available.
    """
    found: list[str] = []
    for some in parts(skus):
        statement = (
            "SELECT sku, available, held, short FROM found_places"
            f" WHERE partition = ? AND location = ? AND sku IN ({marks(some)})"
        )
        for sku, available, held, short in await session.fetch(statement, partition, plain(location), *some):
            if {"out": available <= 0, "held": held > 0, "short": short > 0}.get(state, True):
                found.append(sku)
    return found


async def _with_words(session: Session, partition: str, skus: Sequence[str], words: Collection[str]) -> list[str]:
    found: list[str] = []
    for some in parts(skus):
        statement = f"SELECT sku, squeezed FROM found_skus WHERE partition = ? AND sku IN ({marks(some)})"
        rows = await session.fetch(statement, partition, *some)
        found += [sku for sku, squeezed in rows if all(word in squeezed for word in words)]
    return found


async def with_tails(session: Session, partition: str, tails: Sequence[str], limit: int) -> list[str]:
    """Return SKUs of which one of some tails is one: the whole name, or the name from one of its words on."""
    found: dict[str, None] = {}
    for some in parts(tails):
        statement = f"SELECT sku FROM found_words WHERE partition = ? AND tail IN ({marks(some)}) LIMIT ?"
        found |= {sku: None for (sku,) in await session.fetch(statement, partition, *some, limit)}
        if len(found) >= limit:
            break
    return list(found)[:limit]


async def with_key(session: Session, partition: str, squeezed: str, channels: Sequence[str]) -> list[str]:
    """Return the SKUs of listings of some channels that have a key, in any spelling of it."""
    found: dict[str, None] = {}
    for channel in channels:
        rows = await session.fetch(
            "SELECT sku FROM found_listings WHERE partition = ? AND channel = ? AND squeezed_key = ? LIMIT ?",
            partition, channel, squeezed, KEYS_MAX,
        )  # fmt: skip
        found |= {sku: None for (sku,) in rows}
    return list(found)[:KEYS_MAX]


async def listings_with_key(
    session: Session, partition: str, channel: str, beginning: str, after: Place | None, *, limit: int
) -> list[tuple[str, str, str]]:
    """Return listings of a channel whose keys begin so: their squeezed keys, their keys, and what they are known by.

    A bundle is there once for each of its components.
    """
    conditions = "partition = ? AND channel = ? AND squeezed_key < ? AND "
    values: list[Any] = [partition, channel, beginning + _LAST]
    if after is None or str(after[0]) < beginning:
        conditions, values = conditions + "squeezed_key >= ?", [*values, beginning]
    else:
        conditions, values = conditions + "(squeezed_key, key) > (?, ?)", [*values, *map(plain, after)]
    rows = await session.fetch(
        f"SELECT squeezed_key, key, listed_as FROM found_listings WHERE {conditions}"
        " ORDER BY squeezed_key, key LIMIT ?",
        *values, limit,
    )  # fmt: skip
    return [(squeezed, key, listed_as_of(name)) for squeezed, key, name in rows]


async def locations(session: Session, partition: str, limit: int) -> list[str]:
    """Return at which locations SKUs are known, in their order; each costs one look at the index."""
    found: list[str] = []
    while len(found) < limit:
        rows = await session.fetch(
            "SELECT location FROM found_places WHERE partition = ? AND location > ? ORDER BY location LIMIT 1",
            partition, found[-1] if found else "",
        )  # fmt: skip
        if not rows:
            break
        found.append(rows[0][0])
    return found


async def barcodes_of(session: Session, partition: str, skus: Sequence[str], after: str, limit: int) -> list[str]:
    """Return barcodes that may stand for one of some SKUs, in their order: names of one SKU are meant."""
    found = set[str]()
    for sku in skus:  # one by one: of several, a database would go through the barcodes of all SKUs in their order
        rows = await session.fetch(
            "SELECT barcode FROM found_barcodes WHERE partition = ? AND sku = ? AND barcode > ?"
            " ORDER BY barcode LIMIT ?",
            partition, plain(sku), plain(after), limit,
        )  # fmt: skip
        found |= {barcode for (barcode,) in rows}
    return sorted(found)[:limit]


# -- reservations


async def holders(session: Session, partition: str, sku: str, location: str, limit: int) -> list[str]:
    """Name reservations that had units of a SKU at a location when the index was filled. Empty: at any location."""
    there, values = (" AND location = ?", [plain(location)]) if location else ("", [])
    rows = await session.fetch(
        f"SELECT id FROM found_holders WHERE partition = ? AND sku = ?{there} LIMIT ?",
        partition, plain(sku), *values, limit,
    )  # fmt: skip
    return [name for [name] in rows]


class ReservationFilter(NamedTuple):
    """Which reservations are wanted; what is empty does not matter. ``to_ms`` is out."""

    order_ref: str = ""
    customer: str = ""
    from_ms: int = 0
    to_ms: int = 0
    is_oldest_first: bool = False


async def reservations(
    session: Session, partition: str, wanted: ReservationFilter, after: tuple[int, str] | None, limit: int
) -> list[tuple[int, str]]:
    """Return when reservations were made and their ids, in the order of that."""
    conditions, values = ["partition = ?"], list[Any]([partition])

    def ask(condition: str, *what: Any) -> None:
        conditions.append(condition)
        values.extend(what)

    if wanted.order_ref:
        ask("order_ref = ? AND order_ref <> ''", plain(wanted.order_ref))
    if wanted.customer:  # beside an order it is no way to go: a customer may have very many
        ask("customer = ?" if wanted.order_ref else "customer = ? AND customer <> ''", wanted.customer)
    is_up = wanted.is_oldest_first
    sign, order = (">", "ASC") if is_up else ("<", "DESC")
    is_on = after is not None and wanted.from_ms <= after[0] and (not wanted.to_ms or after[0] < wanted.to_ms)
    if wanted.from_ms and not (is_on and is_up):
        ask("created_ms >= ?", wanted.from_ms)
    if wanted.to_ms and not (is_on and not is_up):
        ask("created_ms < ?", wanted.to_ms)
    if after is not None:
        ask(f"(created_ms, id) {sign} (?, ?)", *after)
    rows = await session.fetch(
        f"SELECT created_ms, id FROM found_reservations WHERE {' AND '.join(conditions)}"
        f" ORDER BY created_ms {order}, id {order} LIMIT ?",
        *values, limit,
    )  # fmt: skip
    return [(created_ms, name) for created_ms, name in rows]
