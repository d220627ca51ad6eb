"""The queue of backordered lines, in the order in which they will be filled. Off the hot path."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import NO_ALIASES, NO_LOCATION_NAMES, Aliases, LocationNames
from server.domain.reservation import Reservation, as_of
from server.store.connection.commands import command, together
from server.store.keys import Keyspace

VIP: Final = "vip"
"""The flag of reservations that come first."""

_FIELDS: Final = 6
_decode = msgspec.msgpack.Decoder(Reservation).decode


class Member(NamedTuple):
    """One line in the queue, as its member there has it; see ``lua/lib/backorders.lua``."""

    sku: str
    location: str
    is_vip: bool
    seq: int
    line: int
    reservation_id: str

    def packed(self) -> bytes:
        """Return the member as it is stored."""
        order = f"{'0' if self.is_vip else '1'}\0{self.seq:016d}\0{self.line:03d}"
        return f"{self.sku}\0{self.location}\0{order}\0{self.reservation_id}".encode()


class Waiter(msgspec.Struct, frozen=True):
    """A line that waits, and its reservation as it is now."""

    member: Member
    reservation: Reservation


class WaiterPage(msgspec.Struct, frozen=True):
    """Some waiting lines, in order. ``next`` is where to continue; empty: there are no more."""

    waiters: list[Waiter]
    next: str


def parse_member(packed: bytes) -> Member:
    """Read a member of the queue.

    Raises
    ------
    ValueError
        It is not a member.

    """
    parts = packed.decode().split("\0")
    if len(parts) != _FIELDS or parts[2] not in ("0", "1"):
        raise ValueError(f"{packed!r} is not a member of the queue")
    sku, location, order, seq, line, reservation_id = parts
    return Member(sku, location, order == "0", int(seq), int(line), reservation_id)


def members_of(reservation_id: str, record: Reservation) -> list[Member]:
    """Return the members that a reservation must have in the queue: one for each waiting line."""
    is_vip = VIP in record.flags
    return [
        Member(line.sku, line.location, is_vip, line.first_seq, number, reservation_id)
        for number, line in enumerate(record.lines, 1)
        if line.backordered and line.is_stocked
    ]


async def find_waiters(
    client: Redis,
    keyspace: Keyspace,
    *,
    sku: str = "",
    location: str = "",
    after: str = "",
    limit: int = 100,
    aliases: Aliases = NO_ALIASES,
    locations: LocationNames = NO_LOCATION_NAMES,
) -> WaiterPage:
    """Return the next waiting lines: of one SKU or of all, by SKU and location, there in the order of filling.

    ``aliases``, ``locations``: the old names of the partition; lines keep the words that they were made with.
    A location alone is looked for among the next ``limit`` members, so a page can hold fewer and still have a next one.

    Raises
    ------
    ValueError
        ``after`` is not what a page gave as ``next``.

    """
    begin = _position(after) if after else b""
    found: list[bytes] = []
    places = locations.names(location) if location else []
    for first, last in _ranges(aliases, sku, places, begin):
        words = (keyspace.backorders, first, last, "LIMIT", 0, limit + 1 - len(found))
        found += await command(client, "ZRANGEBYLEX", *words)
        if len(found) > limit:
            break
    page = found[:limit]
    members = [parse_member(each) for each in page]
    wanted = [each for each in members if not places or each.location in places]
    waiters = await _with_records(client, keyspace, wanted)
    following = base64.urlsafe_b64encode(page[-1]).decode() if len(found) > limit else ""
    return WaiterPage(waiters, following)


def _ranges(aliases: Aliases, sku: str, places: Sequence[str], begin: bytes) -> list[tuple[bytes, bytes]]:
    """Return the ranges of the queue that are asked for, in order: one for each name, as lines keep their words.

    ``begin``: the member that is behind us, or empty.
    """
    if not sku:
        return [(b"(" + begin if begin else b"-", b"+")]
    skus = aliases.names(sku)
    names = [f"{name}\0{place}" for name in skus for place in places] if places else skus
    ends = sorted((f"{name}\0".encode(), f"{name}\1".encode()) for name in names)
    return [(b"(" + begin if begin > first else b"[" + first, b"(" + last) for first, last in ends if begin < last]


def _position(after: str) -> bytes:
    try:
        packed = base64.urlsafe_b64decode(after.encode("ascii"))
        parse_member(packed)
    except (ValueError, binascii.Error):
        raise ValueError("must be what a page gave as next") from None
    return packed


async def _with_records(client: Redis, keyspace: Keyspace, members: Sequence[Member]) -> list[Waiter]:
    """Read the reservations; a line that stopped waiting since the queue was read is left out."""
    if not members:
        return []
    ids = dict.fromkeys(each.reservation_id for each in members)
    packed, (seconds, microseconds) = await together(client, [("HMGET", keyspace.reservations, *ids), ("TIME",)])
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    records = {name: as_of(_decode(each), now_ms) for name, each in zip(ids, packed, strict=True) if each is not None}
    return [
        Waiter(each, records[each.reservation_id])
        for each in members
        if each.reservation_id in records and records[each.reservation_id].lines[each.line - 1].backordered
    ]
